"""Runs inside jobs of worker processes: one tree of jobs, and nothing run twice."""

from __future__ import annotations

import subprocess
import sys

import pytest

from redun import Scheduler, catch
from redun.errors import ExecutorError
from redun.executors.process import ProcessExecutor
from redun.objects.execution_records import ExecutionRecord, JobsRecord
from redun.objects.kinds import Kind
from redun.objects.parcel import ParcelDamaged
from redun.scheduler import DryRunResult
from redun.scheduler.elsewhere import NoRepositoryHere, take_added
from redun.store.repository import Repository
from redun.testing import sub_run_tasks as tasks
from redun.testing.executor_tasks import OddValueError

NAME = "tested"


@pytest.fixture
def repository(tmp_path):
    """A repository on disk."""
    with Repository.init(tmp_path / "repository") as made:
        yield made


@pytest.fixture
def scheduler(repository):
    """A scheduler over it, with one process."""
    made = Scheduler(backend=repository)
    made.add_executor(ProcessExecutor(NAME, max_workers=1))
    return made


def names_of_jobs(repository, n_executions=1):
    """Return the tasks of each execution, in order of its jobs, checking that no two jobs share a number."""
    refs = list(repository.refs.iter_refs())
    assert len(refs) == n_executions
    found = []
    for ref in sorted(refs, key=lambda one: one.start_us):
        record = ExecutionRecord.decode(repository.store.get_node(ref.object))
        rows = [row for batch in record.jobs for row in JobsRecord.decode(repository.store.get_node(batch)).rows]
        pairs = {(row.number, row.task.rpartition(".")[2]) for row in rows}
        assert len({number for number, _ in pairs}) == len(pairs)
        found.append(sorted(name for _, name in pairs))
    return found


def n_runs(folder):
    """Return how often the marked task ran."""
    return sum(len(path.read_text().splitlines()) for path in folder.glob("ran-*"))


def test_the_jobs_of_a_sub_run_belong_to_the_execution(scheduler, repository, tmp_path):
    """They stand in it, below the job of the sub-run, though another process ran them."""
    assert scheduler.run(tasks.below(str(tmp_path), 1, NAME)) == [2, 3]
    assert names_of_jobs(repository) == [["below", "note", "note", "pair", "subrun_root_task"]]
    (ref,) = repository.refs.iter_refs()
    record = ExecutionRecord.decode(repository.store.get_node(ref.object))
    rows = [row for batch in record.jobs for row in JobsRecord.decode(repository.store.get_node(batch)).rows]
    by_name = {row.task: row for row in rows}
    assert by_name["redun.testing.sub_run.pair"].parent == by_name["redun.subrun_root_task"].number


def test_what_a_sub_run_did_is_not_done_again(scheduler, repository, tmp_path):
    """By a call above it, by its own job, or by the calls inside it, in any process."""
    scheduler.run(tasks.below(str(tmp_path), 1, NAME))
    assert n_runs(tmp_path) == 2
    assert scheduler.run(tasks.below(str(tmp_path), 1, NAME)) == [2, 3]
    assert scheduler.run(tasks.nested(str(tmp_path), 1, NAME)) == [2, 3]
    assert scheduler.run(tasks.pair(str(tmp_path), 1)) == [2, 3]
    assert n_runs(tmp_path) == 2


def test_a_sub_run_of_a_sub_run(scheduler, repository, tmp_path):
    """Each in a process of its own, all in one execution."""
    assert scheduler.run(tasks.nested(str(tmp_path), 1, "process")) == [2, 3]
    expected = ["below", "nested", "note", "note", "pair", "subrun_root_task", "subrun_root_task"]
    assert names_of_jobs(repository) == [expected]


def test_a_sub_run_may_be_an_execution_of_its_own(scheduler, repository, tmp_path):
    """Its jobs stand there; the run above takes its result another time."""
    assert scheduler.run(tasks.below(str(tmp_path), 1, NAME, new_execution=True)) == [2, 3]
    assert names_of_jobs(repository, 2) == [["below", "subrun_root_task"], ["note", "note", "pair"]]
    assert scheduler.run(tasks.below(str(tmp_path), 1, NAME, new_execution=True)) == [2, 3]
    assert n_runs(tmp_path) == 2


def test_a_sub_run_may_be_kept_in_another_repository(scheduler, repository, tmp_path):
    """With the settings that lie there."""
    other = tmp_path / "other" / ".redun"
    with Repository.init(other):
        pass
    (other / "redun.ini").write_text("[scheduler]\nignore_warnings = namespace\n")
    call = tasks.below(str(tmp_path), 1, NAME, new_execution=True, config_dir=str(other))
    assert scheduler.run(call) == [2, 3]
    with Repository.open(other) as there:
        assert names_of_jobs(there) == [["note", "note", "pair"]]
    assert names_of_jobs(repository) == [["below", "subrun_root_task"]]


def test_an_error_inside_leads_from_the_root_to_the_task(scheduler, repository):
    """By its class, and with each job on the way once."""
    with pytest.raises(OddValueError) as caught:
        scheduler.run(tasks.failing(NAME))
    jobs = [line.rpartition(" in ")[2].partition("(")[0] for line in caught.value.redun_traceback.jobs]
    expected = ["redun.testing.sub_run.failing", "redun.subrun_root_task", "redun.testing.require_even"]
    assert jobs == expected
    assert names_of_jobs(repository) == [["failing", "require_even", "subrun_root_task"]]
    assert scheduler.run(catch(tasks.failing(NAME), OddValueError, tasks.number_of)) == 3


def test_files_written_inside_are_put_back(scheduler, tmp_path):
    """The calls inside tell what they made."""
    path = tmp_path / "made.txt"
    scheduler.run(tasks.writing(str(path), NAME))
    path.unlink()
    assert scheduler.run(tasks.writing(str(path), NAME)).read() == "made"


def test_context_and_tags_pass_through(scheduler, repository):
    """Those of the job that asks hold inside; those given inside belong to the execution."""
    assert scheduler.run(tasks.coloring(NAME), context={"color": "blue"}) == "blue"
    assert scheduler.run(tasks.tagging(NAME)) == 7
    newest = max(repository.refs.iter_refs(), key=lambda ref: ref.start_us)
    record = ExecutionRecord.decode(repository.store.get_node(newest.object))
    assert len(record.tags) == 2


def test_a_dry_run_goes_inside(scheduler, repository, tmp_path):
    """It finds what would have to run, and runs nothing."""
    with pytest.raises(DryRunResult):
        scheduler.run(tasks.below(str(tmp_path), 1, NAME), dryrun=True)
    assert n_runs(tmp_path) == 0
    assert list(repository.refs.iter_refs()) == []


def test_without_a_repository_it_is_refused(tmp_path):
    """What is kept in memory cannot be reached from another process."""
    with pytest.raises(NoRepositoryHere, match="keeps all in memory") as caught:
        Scheduler().run(tasks.below(str(tmp_path), 1, "process"))
    assert 'executor="default"' in caught.value.hint


def test_what_had_finished_inside_survives_the_worker(scheduler, repository, tmp_path):
    """It is on record as it ends, not when the sub-run does."""
    with pytest.raises(ExecutorError, match="killed by SIGKILL"):
        scheduler.run(tasks.dying(str(tmp_path), NAME))
    assert scheduler.run(tasks.note(str(tmp_path), 1)) == 2
    assert n_runs(tmp_path) == 1


def test_tasks_of_the_main_program_can_be_named_inside(tmp_path):
    """As values, and in the calls of a sub-run."""
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "[3, 5]\n", done.stderr


_SCRIPT = """
from pathlib import Path
from redun import Scheduler, task
from redun.scheduler import subrun
from redun.store.repository import Repository

redun_namespace = "script"


@task()
def inc(x):
    return x + 1


@task()
def call(f, x):
    return f(x)


@task()
def main():
    return [subrun(inc(2), executor="process"), call.options(executor="process")(inc.partial(), 4)]


if __name__ == "__main__":
    with Repository.init(Path("repository")) as repository:
        print(Scheduler(backend=repository).run(main()))
"""


def test_what_was_added_is_read_as_it_was_told_or_refused(scheduler, repository):
    """An outcome is bytes from another process."""

    class Damaged:
        portal = object()

    with pytest.raises(ParcelDamaged, match="what a sub-run has added"):
        take_added(Damaged(), [1, 2])


def test_nothing_is_left_open_in_the_repository(scheduler, repository, tmp_path):
    """The worker's journal is sealed: what it recorded lies in packs."""
    scheduler.run(tasks.below(str(tmp_path), 1, NAME))
    assert [kind for _, kind in repository.store.iter_oids(Kind.JOBS)]
    assert list((repository.path / "objects" / "journal").glob("*")) == []
