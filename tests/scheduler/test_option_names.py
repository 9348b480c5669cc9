"""A misspelt option is told of; retries and time limits are seen to by one side alone."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.executors.alias import AliasExecutor
from redun.executors.thread import ThreadExecutor
from redun.scheduler.errors import TimedOut
from redun.testing.lines import Lines

redun_namespace = "names"


class Sized(ThreadExecutor):
    """Reads options of its own."""

    option_names = frozenset({"memory", "image"})


class Handling(ThreadExecutor):
    """Sees to all that can be left to it."""

    handles = frozenset({"retries", "timeout"})

    def __init__(self, name):
        super().__init__(name)
        self.limits = []

    def submit(self, work):
        self.limits.append((work.get_options().get("retries"), work.get_options().get("timeout"), type(work).__name__))
        super().submit(work)


@task(version="1")
def one(n=0):
    return n


@task(version="1")
def fail(n=0):
    raise OSError("lost")


@task(version="1")
def pair():
    return [one(1), one(2)]


def warnings(call, *executors, **config):
    """Run a call; return what its options are warned of."""
    lines = Lines()
    scheduler = Scheduler(config, logger=lines)
    for executor in executors:
        scheduler.add_executor(executor)
    scheduler.run(call)
    return [line for line in lines.warnings if "option" in line]


def test_an_option_of_redun_that_is_misspelt_is_told_of():
    """With the task, what was found and what is near."""
    assert warnings(one.options(timout=3)()) == [
        "task 'names.one' has an option 'timout': did you mean 'timeout', which redun reads?"
    ]


def test_an_option_of_the_executor_that_is_misspelt_is_told_of():
    """Where the task goes to that executor."""
    told = "task 'names.one' has an option 'memroy': did you mean 'memory', which executor 'sized' reads?"
    assert warnings(one.options(memroy=3, executor="sized")(), Sized("sized")) == [told]
    assert warnings(one.options(memroy=3)(), Sized("sized")) == []


def test_an_alias_reads_what_its_target_reads():
    """And one that leads nowhere reads nothing."""
    alias = AliasExecutor("there", config={"target": "sized"})
    told = "task 'names.one' has an option 'imgae': did you mean 'image', which executor 'there' reads?"
    assert warnings(one.options(imgae=3, executor="there")(), alias, Sized("sized")) == [told]
    assert warnings(one.options(imgae=3)(), AliasExecutor("lost", config={"target": "moon"})) == []


def test_a_warning_comes_once_for_each_task():
    """However many calls have the option, in the definition or in the call."""

    @task(version="1", executer="default")
    def defined(n):
        return n

    calls = [defined(1), defined(2), defined.options(tagz=[])(3), defined.options(tagz=[])(4), one.options(tagz=1)()]
    told = warnings(calls)
    assert sorted(line.partition(":")[0] for line in told) == [
        "task 'names.defined' has an option 'executer'",
        "task 'names.defined' has an option 'tagz'",
        "task 'names.one' has an option 'tagz'",
    ]


def test_what_is_inherited_is_told_of_where_it_comes_from():
    """The tasks below have not said it."""
    told = warnings(pair.export_options(limit=[])())
    assert [line.partition(":")[0] for line in told] == ["task 'names.pair' has an option 'limit'"]


@pytest.mark.parametrize("name", ["colour", "gpus", "timer", "_private", "image"])
def test_other_options_are_nobodys_business(name):
    """Executors of users read what they like; and what another executor reads may be left on a task."""
    assert warnings(one.options(**{name: 1})(), Sized("sized")) == []


def test_the_warning_can_be_turned_off():
    """For all options."""
    assert warnings(one.options(timout=3)(), scheduler={"ignore_warnings": "namespace options"}) == []


def test_retries_and_time_limits_can_be_left_to_the_executor():
    """It reads the options off the job; the scheduler neither tries again nor watches the time."""
    executor = Handling("default")
    scheduler = Scheduler(executor=executor)
    with pytest.raises(OSError, match="lost"):
        scheduler.run(fail.options(retries=3, retry_backoff=0, timeout="2 days")())
    assert executor.limits == [(3, "2 days", "Job")]


def test_otherwise_the_scheduler_sees_to_them():
    """Also behind an alias."""
    executor = Handling("other")
    scheduler = Scheduler()
    scheduler.add_executor(executor)
    scheduler.add_executor(AliasExecutor("there", config={"target": "other"}))
    with pytest.raises(ValueError, match="retries"):
        scheduler.run(fail.options(retries="many")())
    with pytest.raises(OSError, match="lost"):
        scheduler.run(fail.options(retries="many", executor="there")())
    assert [limit[0] for limit in executor.limits] == ["many"]


def test_async_tasks_are_seen_to_by_the_scheduler():
    """They run beside the executor that they name."""

    @task(version="1", cache=False, timeout=0.01)
    async def forever():
        from asyncio import Event

        await Event().wait()

    with pytest.raises(TimedOut):
        Scheduler(executor=Handling("default")).run(forever())
