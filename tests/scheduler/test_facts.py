"""What every job of a task asks about it."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.executors.thread import ThreadExecutor
from redun.objects.call_records import CallRecord, EvalRecord
from redun.objects.execution_records import JobsRecord
from redun.objects.kinds import Kind
from redun.store.memory import MemoryStore

redun_namespace = "test_facts"


@task(version="1")
def options_below():
    """Ask for the options of a job below."""
    return show()


@task(version="1")
def options_given():
    """As above, and the call says something itself."""
    return show.options(memory=3)()


@task(version="1", memory=1, color="red")
def show():
    """Return nothing; the test looks at the job."""
    return 1


@task(prov=False, version="1")
def unrecorded(x):
    """Leave no trace."""
    return [noted(x), x]


@task(version="1")
def noted(x):
    """Say that it ran."""
    RAN.append(x)
    return x


@task(version="1")
def above_unrecorded(x):
    """Leave a trace, above one that does not."""
    return [unrecorded(x), unrecorded(x), noted(x + 1)]


RAN: list = []


class Watcher(ThreadExecutor):
    """Notes the options of the jobs that it is given."""

    def __init__(self):
        super().__init__("default")
        self.seen = {}

    def submit(self, work):
        self.seen[work.task.name] = {k: v for k, v in work.get_options().items() if k in ("memory", "color")}
        assert work.get_option("memory") == work.get_options().get("memory")
        super().submit(work)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (options_below(), {"memory": 1, "color": "red"}),
        (options_below.export_options(memory=2)(), {"memory": 2, "color": "red"}),
        (options_given.export_options(memory=2, color="blue")(), {"memory": 3, "color": "blue"}),
        (options_below.export_options(memory=noted(5))(), {"memory": 5, "color": "red"}),
    ],
)
def test_what_is_exported_stands_between_definition_and_call(call, expected):
    """Options of the definition, then what a job above exports, then what the call says."""
    watcher = Watcher()
    Scheduler(executor=watcher).run(call)
    assert watcher.seen["show"] == expected


def test_what_leaves_no_trace_runs_each_time_and_gives_its_value():
    """Nor does anything below it; equal calls below one job are one call all the same."""
    store = MemoryStore()
    RAN.clear()
    for _ in range(2):
        assert Scheduler(backend=store).run(above_unrecorded(1)) == [[1, 1], [1, 1], 2]
    assert RAN.count(1) == 2
    assert RAN.count(2) == 1
    names = {row.task for oid, _ in store.iter_oids(Kind.JOBS) for row in JobsRecord.decode(store.get_node(oid)).rows}
    assert "test_facts.unrecorded" not in names
    calls = [CallRecord.decode(store.get_node(oid)) for oid, _ in store.iter_oids(Kind.CALL)]
    tasks = {EvalRecord.decode(store.get_node(call.eval)).task for call in calls}
    assert unrecorded.oid not in tasks
