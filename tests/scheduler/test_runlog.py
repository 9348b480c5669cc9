"""What a run says along the way."""

from __future__ import annotations

import threading

import pytest

from redun import Scheduler, task
from redun.scheduler.preview import MAX_CHARS, format_arguments, preview
from redun.scheduler.runlog import MAX_GATHERED
from redun.scheduler.status import Column, StatusCounts
from redun.store.memory import MemoryStore
from redun.task import get_task_registry

redun_namespace = "test_runlog"


class Odd:
    """Has no codec: it says itself how it is pickled."""

    def __reduce__(self):
        return Odd, ()


class Lines:
    """A logger that keeps its lines, and rings when one holds a word."""

    def __init__(self, word=None):
        self.lines = []
        self.word = word
        self.rings = threading.Event()

    def info(self, msg):
        self.lines.append(msg)
        if self.word and self.word in msg:
            self.rings.set()

    warning = info

    def with_word(self, word):
        return [line for line in self.lines if word in line]


class Bells:
    """What tasks wait for; reached through an attribute."""

    bell: threading.Event | None = None


@task(version="1")
def make_odd(x):
    """Return something that only pickle can store."""
    return [Odd(), x]


@task(version="1")
def wait_for_bell(x):
    """Wait until the log has said something."""
    return Bells.bell.wait(20)


@task(version="1")
def first(x):
    """Return the argument."""
    return x


def test_a_pickled_type_is_warned_of_once():
    """However many values of it there are."""
    log = Lines()
    Scheduler(logger=log).run([make_odd(1), make_odd(2)])
    assert len(log.with_word("Odd is pickled: its key may be unstable")) == 1


def test_structural_values_and_partial_tasks_warn_of_nothing():
    """Their keys are stable."""
    log = Lines()
    Scheduler(logger=log).run(first([1, {"a": (2,)}, first.partial(first(1))]))
    assert not log.with_word("pickled")


def test_the_status_is_shown_at_intervals():
    """While a job runs that ends only once the table has been seen."""
    log = Lines("JOB STATUS")
    Bells.bell = log.rings
    assert Scheduler(logger=log, job_status_interval=0.01).run(wait_for_bell(1)) is True
    assert len(log.with_word("JOB STATUS")) >= 2


@pytest.mark.parametrize("interval", [0, -1])
def test_no_interval_leaves_the_table_at_the_end(interval):
    """0 or less is off."""
    log = Lines()
    Scheduler(logger=log, job_status_interval=interval).run([first(i) for i in range(100)])
    assert len(log.with_word("JOB STATUS")) == 1


def test_the_table_is_as_wide_as_the_longest_name():
    """Columns stand under their headings, whatever the names."""
    counts = StatusCounts()
    for name in ("a", "a.very.long.namespace." + "x" * 80):
        counts.add(name, Column.PENDING)
        counts.move(name, Column.PENDING, Column.DONE)
    header, _, *rows = counts.lines(0)[2:-1]
    assert {len(row) for row in rows} == {len(header)}
    assert all(row[: header.index(" DONE") + 5].endswith(("1", "2")) for row in rows)
    assert rows[0].startswith("| ALL ")


def test_tasks_without_a_namespace_are_warned_of_once():
    """Unless the settings say that they are meant so."""
    with get_task_registry().isolated():

        @task(version="1")
        def named():
            return 1

        bare = task(version="1", name="bare")(eval("lambda: 1", {}))
        log, silent = Lines(), Lines()
        scheduler = Scheduler(logger=log)
        for _ in range(2):
            scheduler.run(named())
        Scheduler({"scheduler": {"ignore_warnings": "namespace"}}, logger=silent).run(bare())
    assert len(log.with_word(":bare")) == 1
    assert not log.with_word(":named")
    assert not silent.with_word("namespace")


def test_a_job_says_which_argument_made_it_run():
    """In the line of its start."""
    store, log = MemoryStore(), Lines()
    Scheduler(backend=store).run(make_odd(1))
    Scheduler(backend=store, logger=log).run(make_odd(2))
    assert log.with_word("(changed: x)")


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000, list(range(10_000)), {"a": ["b" * 9000] * 50}, 10**9000, b"\xff" * 9000, object()],
    ids=["text", "list", "dict", "int", "bytes", "object"],
)
def test_a_preview_is_short_and_never_raises(value):
    """Whatever the value."""
    assert len(preview(value)) <= MAX_CHARS


def test_arguments_are_shown_as_they_would_be_typed():
    """Those of ``*args`` have no name."""
    assert format_arguments(["a", 0, "b"], [1, "x", {}]) == "a=1, 'x', b={}"


def test_lines_of_cached_jobs_come_together_where_they_may():
    """In order, none lost, each whole; one by one for a logger that has not said so, and before anything else."""
    alone, together = Lines(), Lines()
    together.takes_lines = True
    for log in (alone, together):
        store = MemoryStore()
        Scheduler(backend=store).run([first(i) for i in range(100)])
        Scheduler(backend=store, logger=log).run([first(i) for i in [*range(100), -1]])
    jobs = [line for line in alone.lines if " Job " in line]
    assert len(jobs) == 101
    assert all("\n" not in line for line in alone.lines)
    written = [line for line in together.lines if " Job " in line]
    assert len(written) < 10
    assert max(text.count("\n") for text in written) < MAX_GATHERED
    lines = "\n".join(written).split("\n")
    assert [line.split(":", 1)[1] for line in lines] == [line.split(":", 1)[1] for line in jobs]


def test_gathered_lines_are_written_before_a_wait():
    """Whoever looks at the log while a job runs sees what was cached."""
    store = MemoryStore()
    Scheduler(backend=store).run(first(1))
    log = Lines("Cached Job")
    log.takes_lines = True
    Bells.bell = log.rings
    assert Scheduler(backend=store, logger=log).run([wait_for_bell(2), first(1)]) == [True, 1]
