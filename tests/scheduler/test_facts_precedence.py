"""Whose word counts when several say what an option is."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.objects.kinds import Kind
from redun.scheduler import JobInfo
from redun.store.memory import MemoryStore

redun_namespace = "test_facts_precedence"


@task(version="1")
def plain(name, info: JobInfo = JobInfo()):
    """Say what memory it has; the name tells calls apart."""
    return {name: info.options.get("memory")}


@task(version="1", memory=2)
def defined(name, info: JobInfo = JobInfo()):
    """As plain, with an option of the definition."""
    return {name: info.options.get("memory")}


@task(version="1", memory=2, export_options={"memory": 3})
def exporting(name, info: JobInfo = JobInfo()):
    """Say what it has, and what others have below it."""
    own = {name: info.options.get("memory")}
    return [own, plain("plain"), defined("defined"), defined.options(memory=8)("given 8")]


@task(version="1")
def parent(name, info: JobInfo = JobInfo()):
    """As exporting, with nothing of its own."""
    own = {name: info.options.get("memory")}
    return [own, plain("plain"), defined("defined"), defined.options(memory=8)("given 8"), exporting("exporting")]


def memory(call):
    """Run a call; return the memory of all jobs in it by name, of those first met where a name comes twice."""
    found: dict = {}

    def gather(value):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, list):
                gather(item)
            else:
                found.update({name: amount for name, amount in item.items() if name not in found})

    gather(Scheduler().run(call))
    return found


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (plain("x"), {"x": None}),
        (plain.options(memory=1)("x"), {"x": 1}),
        (defined("x"), {"x": 2}),
        (defined.options(memory=5)("x"), {"x": 5}),
        (plain.export_options(memory=1)("x"), {"x": 1}),
        (plain.export_options(memory=1).options(memory=2)("x"), {"x": 2}),
        (plain.options(memory=2).export_options(memory=1)("x"), {"x": 1}),
        (defined.export_options(memory=9)("x"), {"x": 9}),
        (exporting("x"), {"x": 3, "plain": 3, "defined": 3, "given 8": 8}),
        (exporting.options(memory=5)("x"), {"x": 5, "plain": 5, "defined": 5, "given 8": 8}),
        (exporting.export_options(memory=6)("x"), {"x": 6, "plain": 6, "defined": 6, "given 8": 8}),
        (exporting.export_options(memory=6).options(memory=7)("x"), {"x": 7, "plain": 7, "defined": 7, "given 8": 8}),
        (
            parent.export_options(memory=11)("x"),
            {"x": 11, "plain": 11, "defined": 11, "given 8": 8, "exporting": 11},
        ),
        (parent("x"), {"x": None, "plain": None, "defined": 2, "given 8": 8, "exporting": 3}),
    ],
    ids=str,
)
def test_the_call_goes_before_what_is_inherited_and_that_before_the_definition(call, expected):
    """What is exported is an option of the exporting job too, and jobs below inherit what came of it."""
    assert memory(call) == expected


def test_a_call_changes_what_is_handed_on_of_an_inherited_option():
    """A job that inherits an option, and is given another value, hands on that one."""

    @task(version="1")
    def middle():
        return plain("below")

    @task(version="1")
    def top():
        return [middle.options(memory=8)()]

    assert memory(top.export_options(memory=1)()) == {"below": 8}


def test_option_values_may_be_expressions():
    """They are evaluated before the job runs, for its own options and for those it exports."""

    @task(version="1")
    def amount(n):
        return n

    assert memory(plain.options(memory=amount(4))("x")) == {"x": 4}
    assert memory(exporting.export_options(memory=amount(4) + 1)("x"))["plain"] == 5
    assert memory(task(name="lazy", version="1", memory=amount(6))(plain.func)("x")) == {"x": 6}
    with pytest.raises(ValueError, match="cache_scope"):
        Scheduler().run(plain.options(cache_scope=amount("SOMETIMES"))("x"))


def test_the_run_goes_before_all():
    """Without the cache, a task that asks for it runs; without provenance nothing below can have any."""
    store, ran = MemoryStore(), []

    @task(version="1", cache=True)
    def note():
        ran.append(1)
        return len(ran)

    @task(version="1", prov=False)
    def hidden():
        return note.options(prov=True)()

    assert Scheduler(backend=store).run(note.options(cache=True)()) == 1
    assert Scheduler(backend=store).run(note.options(cache=True)(), cache=False) == 2
    assert Scheduler(backend=store).run(hidden()) == 3
    assert Scheduler(backend=store).run(note()) == 2


def test_nothing_below_an_unrecorded_job_is_recorded():
    """Not even what a job between asks to be."""
    store = MemoryStore()

    @task(version="1")
    def below():
        return 1

    @task(version="1")
    def between():
        return [below()]

    @task(version="1", prov=False)
    def hidden():
        return [between.options(prov=True)()]

    assert Scheduler(backend=store).run(hidden()) == [[1]]
    assert not list(store.iter_oids(Kind.CALL))
