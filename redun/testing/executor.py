"""What every executor promises, as suites to subclass with an ``executor`` fixture.

``WorkflowExecutorSuite`` is for every executor: real tasks through a scheduler.  ``ExecutorSuite`` is for those that
call ``work.run`` in this process, and looks at single pieces of work.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import pytest

from redun.errors import ExecutorError, RedunError
from redun.executors.base import Executor, Work
from redun.scheduler.errors import Interrupted
from redun.scheduler.forms.catch import catch
from redun.scheduler.scheduler import Scheduler
from redun.store.repository import Repository
from redun.task import task
from redun.testing import executor_tasks as tasks

WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.01


class RecordingWork:
    """Work that notes in which thread it ran, after waiting for a gate if it has one."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate = gate
        self.thread_name = ""
        self.n_runs = 0
        self.started = threading.Event()

    def run(self) -> None:
        """Run, and never raise."""
        self.started.set()
        if self.gate is not None:
            self.gate.wait(WAIT_SECONDS)
        self.n_runs += 1
        self.thread_name = threading.current_thread().name


class ExecutorSuite:
    """Conformance of an executor whose work runs in this process."""

    def _start(self, executor: Executor) -> SimpleQueue[Work]:
        reports: SimpleQueue[Work] = SimpleQueue()
        executor.start(reports.put, lambda: None)
        return reports

    def test_each_work_is_reported_once(self, executor: Executor) -> None:
        """What is submitted runs once and comes back once."""
        reports = self._start(executor)
        works = [RecordingWork() for _ in range(200)]
        for work in works:
            executor.submit(work)
        reported = [reports.get(timeout=WAIT_SECONDS) for _ in works]
        assert {id(work) for work in reported} == {id(work) for work in works}
        assert all(work.n_runs == 1 for work in works)
        assert reports.empty()
        executor.stop()

    def test_submit_does_not_wait(self, executor: Executor) -> None:
        """Submitting returns while the work is still going on."""
        reports = self._start(executor)
        gate = threading.Event()
        work = RecordingWork(gate)
        executor.submit(work)
        assert work.n_runs == 0
        gate.set()
        assert reports.get(timeout=WAIT_SECONDS) is work
        executor.stop()

    def test_an_executor_can_be_started_again(self, executor: Executor) -> None:
        """Stopping ends an execution, not the executor."""
        for _ in range(3):
            reports = self._start(executor)
            work = RecordingWork()
            executor.submit(work)
            assert reports.get(timeout=WAIT_SECONDS) is work
            executor.stop()
            executor.stop()

    def test_cancelled_work_is_dropped_unreported(self, executor: Executor) -> None:
        """Work that has not started can be taken back, and what runs still comes back."""
        reports = self._start(executor)
        gate = threading.Event()
        works = [RecordingWork(gate) for _ in range(500)]
        for work in works:
            executor.submit(work)
        works[0].started.wait(WAIT_SECONDS)
        n_dropped = executor.cancel_waiting()
        gate.set()
        for _ in range(len(works) - n_dropped):
            reports.get(timeout=WAIT_SECONDS)
        assert sum(work.n_runs for work in works) == len(works) - n_dropped
        assert reports.empty()
        executor.stop()


class WorkflowExecutorSuite:
    """Conformance of an executor from end to end: real tasks, run by a scheduler over a repository on disk.

    Subclass it and give an ``executor`` fixture that makes a new executor, not started::

        class TestMine(WorkflowExecutorSuite):
            @pytest.fixture
            def executor(self, tmp_path):
                return MyExecutor("mine", config={...})

    The tasks are in ``redun.testing.executor_tasks``; workers must be able to import it, and to reach the test's
    temporary folder.  Class attributes say what cannot be had:
    """

    n_jobs = 2000
    """How many jobs the wide run has: fewer where each is dear."""
    is_separate = True
    """Whether jobs run in processes that may die without taking the scheduler along."""
    loads_code = True
    """Whether workers import the tasks' modules from where this process does: false for those that have them already,
    and where the code is shipped or installed."""
    can_cancel = True
    """Whether jobs that run are ended with the run."""
    seconds = 60.0
    """How long anything that is waited for may take."""

    @pytest.fixture
    def scheduler(self, executor: Executor, tmp_path: Path) -> Iterator[Scheduler]:
        """Give a scheduler over a repository of its own, whose limits are one each."""
        repository = Repository.init(tmp_path / "repository")
        scheduler = Scheduler(backend=repository)
        scheduler.add_executor(executor)
        yield scheduler
        repository.close()

    @pytest.mark.parametrize(
        "value",
        [None, 7, 1.5, "text", b"\0\xff", (1, [2, {"three": {4}}]), {"a": None, 2: (3,)}, Path("some/path"), 10**40],
        ids=lambda value: type(value).__name__,
    )
    def test_values_go_there_and_come_back(self, scheduler: Scheduler, executor: Executor, value: Any) -> None:
        """Arguments and results are what they were, to the type."""
        found = scheduler.run(tasks.same.options(executor=executor.name)(value))
        assert found == value
        assert type(found) is type(value)

    def test_calls_that_a_job_returns_are_evaluated(self, scheduler: Scheduler, executor: Executor) -> None:
        """A job may return calls: side by side, and one in another."""
        name = executor.name
        assert scheduler.run(tasks.fan_out.options(executor=name)(20, name)) == sum(range(1, 21))
        assert scheduler.run(tasks.count_down.options(executor=name)(5, name)) == 0

    def test_thousands_of_jobs(self, scheduler: Scheduler, executor: Executor) -> None:
        """A wide run loses none."""
        n = self.n_jobs
        assert scheduler.run(tasks.fan_out(n, executor.name)) == n * (n + 1) // 2

    def test_what_ran_is_not_run_again(self, scheduler: Scheduler, executor: Executor) -> None:
        """Results are on record as those of any other executor are."""
        call = tasks.where.options(executor=executor.name)
        first = scheduler.run(call())
        assert scheduler.run(tasks.where()) == scheduler.run(call()) == first

    def test_large_values(self, scheduler: Scheduler, executor: Executor) -> None:
        """Values of several MiB go there and come back."""
        large = bytes(range(256)) * (12 << 10)
        found = scheduler.run(tasks.add.options(executor=executor.name)(large, large))
        assert found == large + large

    def test_an_error_comes_back(self, scheduler: Scheduler, executor: Executor) -> None:
        """With its class and what it carries."""
        with pytest.raises(tasks.OddValueError, match="expected an even number, found 3") as caught:
            scheduler.run(tasks.require_even.options(executor=executor.name)(3))
        assert caught.value.number == 3

    def test_an_error_brings_its_traceback(self, scheduler: Scheduler, executor: Executor) -> None:
        """It leads from the job to the line that raised."""
        with pytest.raises(json.JSONDecodeError) as caught:
            scheduler.run(tasks.parse.options(executor=executor.name)("[1, oops"))
        lines = "".join(caught.value.redun_traceback.format())  # type: ignore[attr-defined]
        assert "redun.testing.parse" in lines
        assert "in raw_decode" in lines

    def test_an_error_can_be_caught(self, scheduler: Scheduler, executor: Executor) -> None:
        """By a workflow, as that of any other job."""
        call = tasks.require_even.options(executor=executor.name)(5)
        assert scheduler.run(catch(call, tasks.OddValueError, tasks.number_of)) == 5

    def test_a_result_that_cannot_be_stored_is_told(self, scheduler: Scheduler, executor: Executor) -> None:
        """The job fails, and says of what type the result is."""
        with pytest.raises(RedunError, match="lock"):
            scheduler.run(tasks.make_lock.options(executor=executor.name)())

    def test_files(self, scheduler: Scheduler, executor: Executor, tmp_path: Path) -> None:
        """A file that a job wrote is read by another, is a result to be reused, and is put back when it is gone."""
        path, name = tmp_path / "made.txt", executor.name
        call = tasks.read_text.options(executor=name)(tasks.write_text.options(executor=name)(str(path), "made"))
        assert scheduler.run(call) == "made"
        path.unlink()
        assert scheduler.run(tasks.write_text.options(executor=name)(str(path), "made")).read() == "made"

    def test_scripts(self, scheduler: Scheduler, executor: Executor) -> None:
        """A script's output is its job's result."""
        said: Any = scheduler.run(tasks.shout.options(executor=executor.name)("hello"))
        assert said == b"said hello\n"

    def test_a_script_that_fails_is_told_with_its_log(self, scheduler: Scheduler, executor: Executor) -> None:
        """The error shows what it wrote last, and the exit code."""
        with pytest.raises(RedunError) as caught:
            scheduler.run(tasks.give_up.options(executor=executor.name)("no-luck"))
        lines = "".join(caught.value.redun_traceback.format())  # type: ignore[attr-defined]
        assert "no-luck" in lines
        assert "3" in str(caught.value)

    def test_limits(self, scheduler: Scheduler, executor: Executor, tmp_path: Path) -> None:
        """Jobs that share a limit of one are never inside together."""
        calls = [tasks.enter.options(executor=executor.name)(str(tmp_path), number) for number in range(8)]
        assert scheduler.run(calls) == list(range(8))

    def test_what_a_job_is_told(self, scheduler: Scheduler, executor: Executor) -> None:
        """Its own ids, and the context."""
        found = scheduler.run(tasks.know.options(executor=executor.name)(), context={"color": "blue"})
        assert found["color"] == "blue"
        assert len(found["job"]) == 36
        assert len(found["eval"]) == 64

    def test_after_a_failure_nothing_new_starts(self, scheduler: Scheduler, executor: Executor, tmp_path: Path) -> None:
        """The run ends once what runs has ended, and what had finished is on record."""
        name = executor.name
        done = tasks.where.options(executor=name)
        process = scheduler.run(done())
        late = tasks.write_text.options(executor=name)(str(tmp_path / "late"), "late")
        broken = tasks.require_even.options(executor=name)(7)
        with pytest.raises(tasks.OddValueError):
            scheduler.run([tasks.same.options(executor=name)(value) for value in (done(), broken, [broken, late])])
        assert scheduler.run(done()) == process

    def test_a_run_that_is_interrupted_ends(self, scheduler: Scheduler, executor: Executor, tmp_path: Path) -> None:
        """Though its jobs would go on for long; and the executor serves the next run."""
        calls = [tasks.hold.options(executor=executor.name)(str(tmp_path), number) for number in range(3)]
        ended = run_aside(scheduler, calls)
        tasks.wait_for(tmp_path / "held-0", self.seconds)
        scheduler.current_run().loop.interrupt(int(signal.SIGINT))
        error = ended.get(timeout=self.seconds)
        assert isinstance(error, Interrupted), error
        (tmp_path / "go").touch()
        assert scheduler.run(tasks.add.options(executor=executor.name)(1, 2)) == 3

    def test_what_a_cancelled_job_started_ends_too(
        self, scheduler: Scheduler, executor: Executor, tmp_path: Path
    ) -> None:
        """Programs that it runs do not outlive it."""
        if not (self.can_cancel and self.is_separate):
            return
        ended = run_aside(scheduler, tasks.hold_script.options(executor=executor.name)(str(tmp_path)))
        tasks.wait_for(tmp_path / "child", self.seconds)
        child = int((tmp_path / "child").read_text())
        assert is_alive(child)
        scheduler.current_run().loop.interrupt(int(signal.SIGINT))
        assert isinstance(ended.get(timeout=self.seconds), Interrupted)
        assert wait_until(lambda: not is_alive(child), self.seconds)

    @pytest.mark.parametrize(("how", "told"), [("SIGKILL", "SIGKILL"), ("SIGSEGV", "SIGSEGV"), ("7", "7")])
    def test_a_worker_that_dies_fails_its_job_alone(
        self, scheduler: Scheduler, executor: Executor, how: str, told: str
    ) -> None:
        """The error says by what; other jobs end well, and the run does not hang."""
        if not self.is_separate:
            return
        name = executor.name
        others = [tasks.add.options(executor=name)(number, number) for number in range(20)]
        dying = catch(tasks.die.options(executor=name)(how), ExecutorError, tasks.text_of)
        *found, text = scheduler.run([*others, dying])
        assert found == [2 * number for number in range(20)]
        assert told in text

    def test_a_job_whose_worker_died_is_tried_again(
        self, scheduler: Scheduler, executor: Executor, tmp_path: Path
    ) -> None:
        """Where it has retries left."""
        if not self.is_separate:
            return
        call = tasks.die_once.options(executor=executor.name, retries=1, retry_backoff=0)
        assert scheduler.run(call(str(tmp_path / "died"))) == "alive"

    def test_code_that_the_worker_lacks_is_told(
        self, scheduler: Scheduler, executor: Executor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A task whose module cannot be imported there fails, and the module is named."""
        if not (self.is_separate and self.loads_code):
            return
        module = ModuleType("redun_testing_absent")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        lost = task(name="lost", namespace="redun.testing", version="1", load_module=module.__name__)(tasks.add.func)
        with pytest.raises(RedunError, match="redun_testing_absent"):
            scheduler.run(lost.options(executor=executor.name)(1, 2))

    def test_code_that_changed_meanwhile_is_refused(
        self, scheduler: Scheduler, executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A worker that finds another task than the one asked for does not run it."""
        if not (self.is_separate and self.loads_code):
            return
        source = tmp_path / "redun_testing_edited.py"
        source.write_text(_EDITED.format(number=1))
        monkeypatch.syspath_prepend(str(tmp_path))
        module = import_module(source.stem)
        monkeypatch.setitem(sys.modules, source.stem, module)
        source.write_text(_EDITED.format(number=22))
        with pytest.raises(RedunError, match=r"redun\.testing\.edited"):
            scheduler.run(module.edited.options(executor=executor.name)())


_EDITED = """
from redun import task


@task(namespace="redun.testing")
def edited():
    return {number}
"""


def run_aside(scheduler: Scheduler, expression: Any) -> SimpleQueue[Any]:
    """Run something in a thread of its own; how it ends, a value or an error, comes through the queue."""
    ended: SimpleQueue[Any] = SimpleQueue()

    def run() -> None:
        try:
            ended.put(scheduler.run(expression))
        except BaseException as error:
            ended.put(error)

    threading.Thread(target=run, daemon=True).start()
    return ended


def is_alive(process_id: int) -> bool:
    """Tell whether a process of this machine runs; one that has ended and waits for its parent does not."""
    try:
        os.kill(process_id, 0)
        state = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    return state != "Z"


def wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Tell whether something comes true within some time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
