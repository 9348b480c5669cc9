"""Executors that users have written to the language's older shape run unchanged."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from redun import File, Scheduler, Task, get_current_scheduler, script, task
from redun.errors import ExecutorError
from redun.executors.base import Executor, register_executor
from redun.executors.custom import CustomExecutor
from redun.executors.registry import contract_of
from redun.scheduler import subrun
from redun.scheduler.errors import SchedulerError, TimedOut
from redun.scripting import exec_script, get_task_command
from redun.store.memory import MemoryStore
from redun.store.repository import Repository
from redun.testing.executor import WorkflowExecutorSuite
from redun.testing.lines import Lines

redun_namespace = "custom"
WAIT_SECONDS = 30.0


class Threads(Executor):
    """As users write one: a thread per job."""

    def __init__(self, name, scheduler=None, config=None):
        super().__init__(name, scheduler=scheduler, config=config)
        self.config = config
        self.events = []

    def start(self):
        super().start()
        self.events.append("start")

    def stop(self):
        self.events.append("stop")

    def submit(self, job):
        self.events.append(job.task_name)
        threading.Thread(target=self._work, args=(job,)).start()

    def submit_script(self, job):
        args, kwargs = job.args
        try:
            result = exec_script(get_task_command(job.task, args, kwargs))
        except Exception as error:
            self._scheduler.reject_job(job, error)
        else:
            self._scheduler.done_job(job, result)

    def _work(self, job):
        args, kwargs = job.args
        try:
            result = job.task.func(*args, **kwargs)
        except Exception as error:
            self._scheduler.reject_job(job, error)
        else:
            self._scheduler.add_job_tags(job, [("ran", "far")])
            self._scheduler.done_job(job, result, job_tags=[("memory", job.get_option("memory", 1))])


class Pooled(Threads):
    """As another user writes one: with the pool of the standard library."""

    def start(self):
        self.pool = ThreadPoolExecutor(4)

    def stop(self):
        self.pool.shutdown(wait=False, cancel_futures=True)

    def submit(self, job):
        self.pool.submit(self._work, job)

    def submit_script(self, job):
        self.pool.submit(super().submit_script, job)


class TestCustomExecutor(WorkflowExecutorSuite):
    """An executor of the older shape passes the suite of all executors."""

    is_separate = False
    can_cancel = False  # nothing tells such an executor how

    @pytest.fixture
    def executor(self):
        """Make one with a pool."""
        return Pooled("pooled")


class Held(Executor):
    """Keeps its jobs until it is told to hand one in."""

    def __init__(self, name, scheduler=None, config=None):
        super().__init__(name, scheduler, config)
        self.jobs = SimpleQueue()

    def submit(self, job):
        self.jobs.put(job)


@task(executor="far", memory=3)
def add(a, b=2, *, c=3):
    return a + b + c


@task(executor="far")
def fail(text):
    raise ValueError(text)


@task(executor="far")
def sort(items):
    items.sort()
    return items


@task(script=True, executor="far")
def say(word):
    return f"echo {word}"


@task()
def main():
    return [add(1), add(1, c=add(7)), say("hello")]


def with_executor(executor, **settings):
    """Return a scheduler that has one more executor."""
    scheduler = Scheduler(**settings)
    scheduler.add_executor(executor)
    return scheduler


def test_a_workflow_runs_on_an_executor_of_the_older_shape():
    """Functions and scripts; it is started and stopped once a run, and again in the next."""
    far = Threads("far")
    scheduler = with_executor(far)
    assert scheduler.executors["far"] is far
    assert scheduler.run(main()) == [6, 15, b"hello\n"]
    assert (far.events[0], far.events[-1]) == ("start", "stop")
    assert sorted(far.events[1:-1]) == ["custom.add"] * 3
    assert scheduler.run(add(50)) == 55
    assert far.events[-3:] == ["start", "custom.add", "stop"]


def test_what_it_hands_in_is_recorded():
    """The next scheduler asks it for nothing."""
    store = MemoryStore()
    assert with_executor(Threads("far"), backend=store).run(main()) == [6, 15, b"hello\n"]
    far = Threads("far")
    assert with_executor(far, backend=store).run(main()) == [6, 15, b"hello\n"]
    assert far.events == ["start", "stop"]


def test_an_error_that_it_hands_in_fails_the_job():
    """With the traceback through the task's function."""
    with pytest.raises(ValueError, match="no good") as caught:
        with_executor(Threads("far")).run(fail("no good"))
    assert [frame.name for frame in caught.value.redun_traceback.frames][-1] == "fail"


def test_it_may_work_in_submit_itself():
    """The scheduler does not wait for a thread that is its own."""

    class AtOnce(Executor):
        def submit(self, job):
            args, kwargs = job.args
            self._scheduler.done_job(job, job.task.func(*args, **kwargs))

    assert with_executor(AtOnce("far")).run([add(1), add(2)]) == [6, 7]
    assert Scheduler(executor=AtOnce("default")).run(add.options(executor="default")(1)) == 6


def test_a_job_tells_what_executors_ask_of_it():
    """Options, limits, context, hashes and ids, under the names that users know."""
    far = Held("far")
    scheduler = with_executor(far, config={"limits": {"db": "2"}})
    done = {}

    def look():
        job = far.jobs.get(timeout=WAIT_SECONDS)
        done.update(
            args=job.args,
            options=(job.get_options()["memory"], job.get_option("memory"), job.get_option("no", 5)),
            as_type=job.get_option("memory", as_type=str),
            limits=job.get_limits(),
            context=job.get_context(),
            task=(job.task.fullname, job.task_name, job.expr.task_name),
            hashes=(len(job.eval_hash), len(job.args_hash)),
            parent=job.parent_job,
            execution=job.execution.id,
            text=repr(job) == f"Job(id={job.id}, task_name=custom.add)",
        )
        scheduler.done_job(job, 1)

    thread = threading.Thread(target=look)
    thread.start()
    run_id = "01234567-89ab-4cde-8f01-23456789abcd"
    scheduler.run(add.options(limits=["db"])(4), context={"color": "red"}, execution_id=run_id)
    thread.join()
    assert done == {
        "args": ([4, 2], {"c": 3}),
        "options": (3, 3, 5),
        "as_type": "3",
        "limits": {"db": 1},
        "context": {"color": "red"},
        "task": ("custom.add",) * 3,
        "hashes": (64, 64),
        "parent": None,
        "execution": run_id,
        "text": True,
    }


def test_a_job_has_arguments_of_its_own():
    """A function that changes its argument in place changes nothing for others."""
    items = [2, 1]
    assert with_executor(Threads("far")).run([sort(items), items]) == [[1, 2], [2, 1]]


def test_a_script_with_outputs_gives_its_outputs(tmp_path, monkeypatch):
    """What the executor hands in is what the script printed; redun reads the outputs that it left."""
    monkeypatch.chdir(tmp_path)
    call = script("echo text > out.txt; echo line", outputs=[File("out.txt"), File("-")], executor="far")
    file, printed = with_executor(Threads("far")).run(call)
    assert (file.path, file.read(), printed) == ("out.txt", "text\n", b"line\n")


def test_a_script_that_fails_fails_its_job():
    """The error of the executor is the error of the job."""
    with pytest.raises(Exception, match=r"Last line: .* exit 3"):
        with_executor(Threads("far")).run(script("exit 3", executor="far"))


def test_an_executor_without_submit_script_takes_no_scripts():
    """The job fails, and the error names the executor and its class."""
    with pytest.raises(ExecutorError, match=r"'far' \(Held\) takes no script tasks"):
        with_executor(Held("far")).run(say("x"))


def test_an_executor_without_submit_takes_no_tasks():
    """As above."""
    with pytest.raises(ExecutorError, match=r"'far' \(Executor\) takes no tasks"):
        with_executor(Executor("far")).run(add(1))


def test_an_error_in_submit_fails_the_job():
    """The others go on."""

    class Picky(Threads):
        def submit(self, job):
            if job.args[0][0] == 1:
                raise OSError("cluster is full")
            super().submit(job)

    with pytest.raises(OSError, match="cluster is full"):
        with_executor(Picky("far")).run([add(1), add(2)])


def test_an_executor_that_cannot_start_ends_the_run(tmp_path):
    """The run is recorded as failed; the others are stopped, and the next run starts them again."""

    class Flaky(Threads):
        def start(self):
            self.events.append("start")
            if self.events == ["start"]:
                raise OSError("no cluster")

    flaky, other = Flaky("far"), Threads("other")
    with Repository.init(tmp_path / ".redun") as repository:
        scheduler = Scheduler(backend=repository)
        for executor in (other, flaky):
            scheduler.add_executor(executor)
        with pytest.raises(OSError, match="no cluster"):
            scheduler.run(add(1))
        assert [ref.status.value for ref in repository.refs.iter_refs()] == ["failed"]
        assert (other.events, flaky.events) == (["start", "stop"], ["start"])
        assert scheduler.run(add(1)) == 6


def test_a_job_that_is_handed_in_twice_counts_once():
    """Whatever comes second is dropped."""

    class Twice(Threads):
        def submit(self, job):
            self._scheduler.done_job(job, 1)
            self._scheduler.done_job(job, 2)
            self._scheduler.reject_job(job, ValueError("late"))

    assert with_executor(Twice("far")).run([add(1), add(2), add(3)]) == [1, 1, 1]


def test_what_is_handed_in_after_its_run_is_dropped():
    """It neither raises nor reaches the next run of the scheduler."""
    far = Held("far")
    scheduler = with_executor(far, config={"scheduler": {"job_status_interval": "0"}})
    with pytest.raises(TimedOut):
        scheduler.run(add.options(timeout=0.01)(1))
    late = far.jobs.get(timeout=WAIT_SECONDS)
    scheduler.done_job(late, 1, job_tags=[("a", 1)])
    assert late.take_back() is None
    scheduler.reject_job(late, ValueError("late"))

    def answer():
        job = far.jobs.get(timeout=WAIT_SECONDS)
        scheduler.done_job(late, 1)
        scheduler.done_job(job, 7)

    thread = threading.Thread(target=answer)
    thread.start()
    assert scheduler.run(add(2)) == 7
    thread.join()


def test_time_counts_from_when_the_job_was_handed_over():
    """Such an executor tells nobody when the function begins."""
    with pytest.raises(TimedOut, match=r"custom.add.*0.01 s"):
        with_executor(Held("far")).run(add.options(timeout=0.01)(1))
    assert with_executor(Threads("far")).run(add.options(timeout=20)(1)) == 6


def test_a_failed_job_is_tried_again():
    """Retries of the scheduler work as with executors of its own."""

    class Flaky(Threads):
        def submit(self, job):
            if job.attempt == 1:
                self._scheduler.reject_job(job, OSError("lost"))
            else:
                super().submit(job)

    assert with_executor(Flaky("far")).run(add.options(retries=1, retry_backoff=0)(1)) == 6


def test_async_tasks_need_an_executor_that_supports_them():
    """Those run beside it, in this process; it need not know coroutines."""

    @task(executor="far", cache=False, version="1")
    async def later(a):
        return await add(a)

    class Async(Threads):
        def supports_async(self):
            return True

    assert with_executor(Async("far")).run(later(1)) == 6
    with pytest.raises(SchedulerError, match="'far', expected one of threads"):
        with_executor(Threads("far")).run(later(1))


def test_a_function_runs_as_its_job_in_whatever_thread():
    """It finds its scheduler, and may run a scheduler of its own; the task is the task, but for its function."""
    seen = []

    @task(version="1")
    def part(a):
        return a + 1

    @task(version="1", executor="far")
    def look(a):
        seen.append(get_current_scheduler())
        return a

    class Looks(Threads):
        def submit(self, job):
            seen.append((isinstance(job.task, Task), job.task.hash, job.task.func.__name__))
            super().submit(job)

    scheduler = with_executor(Looks("far"))
    assert scheduler.run(look(1)) == 1
    assert seen == [(True, look.hash, "look"), scheduler]
    assert scheduler.run(subrun(part(1), executor="far")) == 2


def test_a_section_makes_one_by_its_registered_type():
    """As ``Class(name, config=section)``, and it learns which scheduler it belongs to."""
    register_executor("threads_of_users")(Threads)
    scheduler = Scheduler({"executors": {"far": {"type": "threads_of_users", "width": "7"}}})
    far = scheduler.executors["far"]
    assert (far.name, far.config.getint("width"), far._scheduler) == ("far", 7, scheduler)
    assert scheduler.run(add(1)) == 6


def test_the_log_of_an_executor_is_that_of_the_run():
    """``self.log`` writes a line; without a scheduler it writes nothing."""
    lines = Lines()
    far = Threads("far")
    far.log("nobody")
    with_executor(far, logger=lines)
    far.log("submitted", 3, level=20)
    assert lines.lines == ["submitted 3"]


def test_an_executor_without_a_scratch_says_so():
    """``scratch_root`` is there for those that have one."""
    with pytest.raises(ExecutorError, match=r"'far' \(Threads\) has no scratch"):
        contract_of(Threads("far")).scratch_root()


def test_an_executor_has_one_spokesman():
    """Executors under the contract speak for themselves."""
    far, default = Threads("far"), Scheduler().executors["default"]
    assert type(contract_of(far)) is CustomExecutor
    assert contract_of(far) is contract_of(far)
    assert contract_of(default) is default


def test_work_before_the_start_is_refused():
    """A mistake of whoever calls; and an executor is stopped once, however often it is told to."""
    far = contract_of(Threads("far"))
    with pytest.raises(ExecutorError, match="'far' was given work before it was started"):
        far.submit(None)
    far.start(lambda _work: None, lambda: None)
    far.start(lambda _work: None, lambda: None)
    far.stop()
    far.stop()
    assert far.inner.events == ["start", "stop"]
