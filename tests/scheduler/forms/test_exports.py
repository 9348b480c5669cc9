"""Options for all jobs of an expression."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.expression import quote
from redun.scheduler import with_export_options
from redun.store.memory import MemoryStore

redun_namespace = "test_exports"

RAN: list = []


@task(version="1")
def inner(x):
    """Say that it ran."""
    RAN.append(x)
    return x


@task(version="1")
def outer(x):
    """Call another."""
    return [inner(x), inner.options(executor="default")(x + 1)]


@task(version="1")
def lazy_name(name):
    """Return the name of an executor."""
    return name


class Lines:
    """A logger that keeps its lines."""

    def __init__(self):
        self.lines = []
        self.info = self.warning = self.lines.append

    def executors(self):
        """Return where each task ran."""
        ran = [line.split() for line in self.lines if line.startswith("Run ")]
        return {(words[3].split("(")[0].rpartition(".")[2], words[5 if words[4] == "on" else -1]) for words in ran}


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


def scheduler(log, store=None):
    """Make a scheduler with two executors."""
    return Scheduler({"executors": {"other": {"type": "local"}}}, store, logger=log)


@pytest.mark.parametrize("name", ["other", lazy_name("other")])
def test_all_jobs_of_a_quoted_expression_inherit_the_options(name):
    """Also those below them, unless a call says otherwise; what stands beside does not."""
    log = Lines()
    value = scheduler(log).run([with_export_options(quote(outer(1)), {"executor": name}), inner(5)])
    assert value == [[1, 2], 5]
    assert {(task_name, where) for task_name, where in log.executors() if task_name in {"inner", "outer"}} == {
        ("outer", "other"),
        ("inner", "other"),
        ("inner", "default"),
    }
    assert sum(" on other" in line and "inner" in line for line in log.lines) == 1


def test_it_is_reused_in_one_step():
    """Like any task of a task."""
    store = MemoryStore()
    for _ in range(2):
        log = Lines()
        assert scheduler(log, store).run(with_export_options(quote(outer(1)), {"executor": "other"})) == [1, 2]
    assert sorted(RAN) == [1, 2]
    assert sum(line.startswith("Cached Job") for line in log.lines) == 1


def test_an_expression_must_be_quoted():
    """Else it would be evaluated before anybody could export anything to it."""
    with pytest.raises(TypeError, match="takes a quoted expression"):
        with_export_options(inner(1), {})


def test_a_bad_option_is_refused_where_it_is_given():
    """As by ``export_options``."""
    with pytest.raises(ValueError, match="cache_scope"):
        with_export_options(quote(inner(1)), {"cache_scope": "SOMETIMES"})
