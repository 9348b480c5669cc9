"""What a job may know of itself."""

from __future__ import annotations

import pickle
import uuid

from redun import Scheduler, task
from redun.scheduler import JobInfo
from redun.store.memory import MemoryStore
from redun.task import hash_args_eval

redun_namespace = "test_job_info"

RAN: list = []


@task(version="1", memory=2)
def ask(x, info: JobInfo = JobInfo()):
    """Return what it finds."""
    RAN.append(x)
    return vars(info)


@task(version="1")
def count(x, info=JobInfo(), *, other=None):
    """Return what its arguments are."""
    RAN.append(x)
    return [type(info).__name__, bool(info.job_id), bool(getattr(other, "job_id", other))]


@task(version="1", config_args=["verbose"])
def quiet(x, info=JobInfo(), verbose=False):
    """Return the hashes of its call."""
    return info.eval_hash, info.args_hash


@task(version="1")
def above():
    """Hand on what it was given."""
    return [ask.options(memory=5, color="red")(1), count(ask(2), other=JobInfo())]


def test_a_default_is_replaced_by_live_info():
    """The function gets ids, hashes and options of the job that runs."""
    wanted = str(uuid.uuid4())
    found = Scheduler().run(ask(1), execution_id=wanted)
    assert found["execution_id"] == wanted
    assert str(uuid.UUID(found["job_id"])) == found["job_id"]
    assert found["options"] == {"memory": 2}
    assert (found["eval_hash"], found["args_hash"]) == hash_args_eval(None, ask, (1,), {})


def test_an_argument_is_replaced_as_well():
    """By position, by name, and in whatever parameter; what stands within a container is left alone."""
    assert Scheduler().run(count(1, JobInfo(), other=JobInfo("a", "b"))) == ["JobInfo", True, True]
    assert Scheduler().run(count(1, other=[JobInfo()])) == ["JobInfo", True, True]


def test_options_are_those_of_the_call():
    """Those given at the call, and an info that was made from another call's value."""
    first, second = Scheduler().run(above())
    assert first["options"] == {"memory": 5, "color": "red"}
    assert second == ["JobInfo", True, True]


def test_it_is_no_part_of_the_key():
    """Another execution, and a JobInfo given by hand, have the same eval hash; so the result is reused."""
    store = MemoryStore()
    RAN.clear()
    first = Scheduler(backend=store).run(ask(7))
    assert Scheduler(backend=store).run(ask(7)) == first
    assert Scheduler(backend=store).run(ask(7, info=JobInfo("x", "y"))) == first
    assert RAN == [7]


def test_config_args_are_no_part_of_its_hashes():
    """The args hash leaves out what the cache key leaves out."""
    store = MemoryStore()
    first = Scheduler(backend=store).run(quiet(1))
    assert Scheduler().run(quiet(1, verbose=True)) == first
    assert Scheduler().run(quiet(2)) != first
    assert first == hash_args_eval(None, quiet, (), {"x": 1, "verbose": True})


def test_it_is_a_value():
    """It can be returned, stored and pickled."""

    @task(version="1")
    def itself(info=JobInfo()):
        return info

    store = MemoryStore()
    info = Scheduler(backend=store).run(itself())
    assert info == Scheduler(backend=store).run(itself())
    assert pickle.loads(pickle.dumps(info)) == info
    assert info != JobInfo()
    assert {info: 1}[info] == 1
    assert repr(JobInfo("a")).startswith("JobInfo(execution_id='a', job_id=''")


def test_an_async_job_knows_itself_too():
    """A coroutine gets its info as any function does."""

    @task(version="1", cache=False)
    async def main(info=JobInfo()):
        return info.job_id, await ask(9)

    job_id, below = Scheduler().run(main())
    assert job_id
    assert below["job_id"] != job_id
