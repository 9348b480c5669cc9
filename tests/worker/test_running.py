"""Calls that go to a worker as parcels and come back as outcomes: what comes of them is what a thread makes of them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from redun import File, Scheduler
from redun.objects.headers import CallHeader
from redun.objects.parcel import ParcelDamaged, decode_parcel, encode_parcel
from redun.scheduler import SchedulerError
from redun.scheduler.errors import NotSerializable, TaskExited
from redun.scheduler.portable import NotPortable, version_pair
from redun.store.blobs import Blobs
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.lines import Lines
from redun.testing.parcels import ParcelExecutor
from redun.worker.loading import CodeDiffers, CodeMissing
from redun.worker.running import WrongVersion, run_parcel


@pytest.fixture(scope="module")
def tasks():
    path = Path(__file__).with_name("parcel_tasks.py")
    sys.path.insert(0, str(path.parent))
    try:
        yield importlib.import_module("parcel_tasks")
    finally:
        sys.path.remove(str(path.parent))


@pytest.fixture
def executor():
    return ParcelExecutor()


@pytest.fixture
def scheduler(executor):
    return Scheduler(executor=executor, logger=Lines())


def _changing_header(executor, **changes):
    """Have calls reach the worker with another header."""

    def run(parcel, contents):
        opened = decode_parcel(parcel)
        header = CallHeader.decode(opened.header)._replace(**changes)
        rows = [(oid, data, kind) for oid, (kind, data) in opened.objects.items()]
        return run_parcel(encode_parcel(header.encode(), rows), contents)

    executor.run_parcel = run


def test_values_and_expressions_come_back(scheduler, tasks):
    """A task may return a value, or calls that the scheduler goes on with."""
    assert scheduler.run(tasks.total(5)) == 5 + 1 + sum(range(5))


def test_objects_of_a_users_class_travel(scheduler, tasks):
    """A dataclass arrives as an object of the same class."""
    assert scheduler.run(tasks.move(tasks.Point(1, 2), by=10)) == tasks.Point(11, 12)


def test_an_error_keeps_its_class_and_its_traceback(scheduler, tasks):
    """The exception is raised here, and the lines of the task with their variables are in the log."""
    with pytest.raises(tasks.Refused, match="NO WAY"):
        scheduler.run(tasks.refuse("no way"))
    text = "\n".join(scheduler.logger.lines)
    assert "raise Refused(detail)" in text
    assert "detail" in text
    assert "parcel_tasks.py" in text


def test_an_exit_of_a_task_ends_its_job_alone(scheduler, tasks):
    """SystemExit in a worker is an error of the job."""
    with pytest.raises(TaskExited, match="SystemExit"):
        scheduler.run(tasks.exit_task())


def test_a_result_that_cannot_be_stored_is_named(scheduler, tasks):
    """The worker finds that it cannot send the result, and the error says what it is."""
    with pytest.raises(NotSerializable, match="generator"):
        scheduler.run(tasks.make_unstorable())


def test_files_that_a_worker_writes_are_kept_and_restored(scheduler, tasks, tmp_path):
    """What the worker wrote is recorded as produced, with its content; deleted, it is put back without a job."""
    path = tmp_path / "out.txt"
    file = scheduler.run(tasks.write(str(path), 100))
    assert isinstance(file, File)
    path.unlink()
    assert scheduler.run(tasks.write(str(path), 100)).read() == "x" * 100
    assert sum("Run    Job" in line for line in scheduler.logger.lines) == 1


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_large_contents_go_beside_the_parcel(tasks, tmp_path, size):
    """Bytes of 1 MiB and more are put where both sides read them, and so are files that are kept."""
    contents = Blobs(MemoryStorage())
    executor = ParcelExecutor(contents=contents)
    scheduler = Scheduler(executor=executor, logger=Lines())
    data = bytes(range(256)) * (size // 256)
    assert scheduler.run(tasks.echo(data)) == data[::-1]
    path = tmp_path / "out.txt"
    scheduler.run(tasks.write(str(path), size))
    path.unlink()
    assert len(scheduler.run(tasks.write(str(path), size)).read()) == size
    assert len(list(contents.iter_oids())) == (3 if size >= 1 << 20 else 0)
    assert max(executor.sizes) < 10_000


def test_a_file_changed_meanwhile_is_noticed(scheduler, tasks, tmp_path):
    """A worker tells when what a job was given changed under it, and the result is not reused."""
    path = tmp_path / "in.txt"
    path.write_text("as it was")
    assert scheduler.run(tasks.spoil(File(str(path)), str(path))) == "done"
    assert any("changed while" in line for line in scheduler.logger.lines)


def test_a_call_that_is_dropped_is_told_of(scheduler, tasks):
    """The warning about a call that was built and not used comes from a worker too."""
    assert scheduler.run(tasks.build_and_drop()) == 5
    assert any("builds parcels.add(1, 1) and does not use it" in line for line in scheduler.logger.lines)


def test_a_job_knows_itself(scheduler, tasks):
    """JobInfo is that of the job, with the options of the call."""
    job_id, eval_hash, memory, vcpus = scheduler.run(tasks.tell.options(vcpus=3)())
    assert len(job_id) == 36
    assert len(eval_hash) == 64
    assert (memory, vcpus) == (7, 3)
    assert any(job_id[:8] in line for line in scheduler.logger.lines)


def test_scripts_run_in_workers(scheduler, tasks):
    """The text that a script task returns is run where the worker is."""
    assert scheduler.run(tasks.shell("there")) == b"hello there\n"


def test_options_of_a_call_need_no_other_task(scheduler, tasks):
    """Config arguments given at the call leave the hash of the task alone."""
    assert scheduler.run(tasks.ignoring(1, "here")) == [1, "here"]
    assert scheduler.run(tasks.ignoring.options(config_args=[])(1, "there")) == [1, "there"]


def test_context_reaches_the_arguments(scheduler, tasks):
    """A default that asks the context is evaluated before the call goes out."""
    assert scheduler.run(tasks.ask_context(), context={"name": "ada"}) == "ada"


def test_handles_go_through_workers(scheduler, tasks, tmp_path):
    """A handle is made anew where the job runs, and the states that it goes through are those of the workflow."""
    path = tmp_path / "rows.txt"
    database = scheduler.run(tasks.fill(str(path)))
    assert path.read_text() == "one\ntwo\n"
    again = scheduler.run(tasks.fill(str(path)))
    assert again.__handle__.hash == database.__handle__.hash
    assert path.read_text() == "one\ntwo\n"


def test_results_are_those_of_threads(tasks, tmp_path):
    """What a worker has recorded serves a run on threads, and the other way around."""
    with Repository.init(tmp_path / ".redun") as repository:
        first = Scheduler(backend=repository, executor=ParcelExecutor(), logger=Lines())
        first.run(tasks.total(4))
        second = Scheduler(backend=repository, logger=Lines())
        second.run(tasks.total(4))
        assert not any("Run    Job" in line for line in second.logger.lines)


def test_another_version_is_refused_and_both_are_named(scheduler, executor, tasks):
    """A worker of another redun or Python runs nothing."""
    _changing_header(executor, versions=("9.9", "2.7"))
    with pytest.raises(WrongVersion, match=f"redun {version_pair()[0]}.*redun 9.9 on Python 2.7"):
        scheduler.run(tasks.add(1))


def test_other_code_is_refused(scheduler, executor, tasks, monkeypatch):
    """A task whose hash is not the one that was called is not run; a missing module and a missing task say so."""
    place = ["parcels.add", bytes(32), "parcel_tasks", "", []]
    _changing_header(executor, task=place)
    with pytest.raises(CodeDiffers, match=r"parcels\.add.*expected task hash 00000000"):
        scheduler.run(tasks.add(1))
    _changing_header(executor, task=["parcels.add", bytes(32), "no_such_module", "", []])
    with pytest.raises(CodeMissing, match="no_such_module"):
        scheduler.run(tasks.add(2))
    _changing_header(executor, task=["parcels.gone", bytes(32), "parcel_tasks", "", []])
    with pytest.raises(CodeMissing, match="defines no such task"):
        scheduler.run(tasks.add(3))


def test_a_task_of_a_prompt_cannot_be_sent(scheduler, tasks, monkeypatch):
    """A task defined where there is no file is refused before it goes out, with the way out."""
    monkeypatch.setattr(tasks.add.func, "__module__", "__main__")
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    with pytest.raises(NotPortable, match="__main__"):
        scheduler.run(tasks.add(1))


@pytest.mark.parametrize("outcome", [b"", b"noise", encode_parcel(["outcome", 2], []), encode_parcel(["call", 1], [])])
def test_an_outcome_that_is_none_fails_its_job(scheduler, executor, tasks, outcome):
    """Whatever comes back in place of an outcome is an error of the job, and the run ends."""
    executor.run_parcel = lambda _parcel, _contents: outcome
    with pytest.raises(SchedulerError, match="the outcome of a worker cannot be used"):
        scheduler.run(tasks.add(1))


def test_the_outcome_of_another_call_is_refused(scheduler, executor, tasks):
    """Outcomes that were mixed up on the way are noticed."""
    outcomes = []

    def run(parcel, contents):
        outcomes.append(run_parcel(parcel, contents))
        return outcomes[0]

    executor.run_parcel = run
    assert scheduler.run(tasks.add(1)) == 3
    with pytest.raises(SchedulerError, match="another call"):
        scheduler.run(tasks.add(2))


def test_bytes_that_are_no_call_have_no_outcome():
    """A worker refuses what is no parcel of a call."""
    for parcel in (b"noise", encode_parcel(["call", 7], []), encode_parcel(None, [])):
        with pytest.raises(ParcelDamaged):
            run_parcel(parcel, None)


def test_a_content_that_is_gone_is_an_error_of_the_call(tasks):
    """A worker that cannot read a large argument says which object is missing."""
    executor = ParcelExecutor(contents=Blobs(MemoryStorage()))
    executor.run_parcel = lambda parcel, _contents: run_parcel(parcel, Blobs(MemoryStorage()))
    with pytest.raises(Exception, match="is not in the store"):
        Scheduler(executor=executor, logger=Lines()).run(tasks.echo(bytes(2 << 20)))
