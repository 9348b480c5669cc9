"""Why a job would run: what a dry run says of it."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.scheduler.errors import DryRunResult
from redun.store.memory import MemoryStore
from redun.task import get_task_registry
from redun.testing.lines import Lines

redun_namespace = "test_reasons"


@pytest.fixture(autouse=True)
def registry():
    """Tasks that are defined twice do not stay so."""
    with get_task_registry().isolated():
        yield


def define(version, *, fails=False):
    """Define the task of these tests anew."""

    @task(version=version, name="step", namespace="test_reasons")
    def step(x, y=1):
        """Add."""
        if fails:
            raise ValueError("broken")
        return x + y

    return step


def define_by_code(*, twice=False):
    """Define it without a version, in one of two ways."""
    if twice:

        @task(name="step", namespace="test_reasons")
        def step(x):
            """Double."""
            return x * 2
    else:

        @task(name="step", namespace="test_reasons")
        def step(x):
            """Keep."""
            return x

    return step


def dryrun(store, expression, **options):
    """Return the reason that a dry run tells; None when nothing would run."""
    log = Lines()
    try:
        Scheduler(backend=store, logger=log).run(expression, dryrun=True, **options)
    except DryRunResult:
        (line,) = [line for line in log.lines if line.startswith("Dryrun Job")]
        assert " on default (" in line
        return line.partition(" on default (")[2].removesuffix(")")
    return None


def test_a_dry_run_of_what_is_on_record_returns_its_value():
    """Nothing would run."""
    store, step = MemoryStore(), define("1")
    Scheduler(backend=store).run(step(1))
    assert dryrun(store, step(1)) is None


def test_a_task_that_was_never_run_is_new():
    """On an empty store, and beside other tasks."""
    store = MemoryStore()
    assert dryrun(store, define("1")(1)) == "new task"


def test_arguments_that_were_never_given_are_named():
    """Compared with the nearest call."""
    store, step = MemoryStore(), define("1")
    Scheduler(backend=store).run(step(1))
    assert dryrun(store, step(2)) == "changed: x"
    assert dryrun(store, step(1, 5)) == "changed: y"


def test_arguments_are_new_where_there_are_too_many_calls_to_compare():
    """No nearest call is looked for among very many."""
    store, step = MemoryStore(), define("1")
    Scheduler(backend=store).run([step(n) for n in range(30)])
    assert dryrun(store, step(99)) == "new arguments"


def test_a_changed_task_is_told_apart_from_changed_arguments():
    """And both from either."""
    store = MemoryStore()
    Scheduler(backend=store).run(define_by_code()(1))
    changed = define_by_code(twice=True)
    only_code, both = dryrun(store, changed(1)), dryrun(store, changed(2))
    assert "changed" in only_code
    assert both == f"{only_code}, and new arguments"


def test_a_call_that_failed_has_no_result_on_record():
    """It was asked before, with these very arguments."""
    store = MemoryStore()
    step = define("1", fails=True)
    with pytest.raises(ValueError, match="broken"):
        Scheduler(backend=store).run(step(1))
    assert dryrun(store, step(1)) == "no result on record"


def test_a_run_without_cache_says_so():
    """Whatever is on record."""
    store, step = MemoryStore(), define("1")
    Scheduler(backend=store).run(step(1))
    assert dryrun(store, step(1), cache=False) == "caching is off"


def test_a_store_that_cannot_be_read_leaves_the_reason_unknown():
    """Telling why is no reason to fail."""
    from redun.store.base import ObjectMissing

    class Broken(MemoryStore):
        def iter_oids(self, kind=None):
            raise ObjectMissing(b"x" * 32)

    assert dryrun(Broken(), define("1")(1)) in ("unknown", "new task")
