"""An alias gives its jobs to another executor."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.executors.alias import AliasExecutor, BadAlias, resolve_section
from redun.executors.base import Executor
from redun.executors.options import BadOption
from redun.executors.thread import ThreadExecutor
from redun.scheduler.errors import TimedOut
from redun.testing.lines import Lines

redun_namespace = "alias"


@task(executor="there")
def double(a):
    return 2 * a


@task(executor="there", cache=False)
async def double_later(a):
    return await double(a)


class Noted(ThreadExecutor):
    """Notes what it is given."""

    handles = frozenset({"retries"})
    option_names = frozenset({"memory"})

    def __init__(self, name):
        super().__init__(name, max_workers=1)
        self.seen = []

    def submit(self, work):
        self.seen.append(work.task_name)
        super().submit(work)


class Users(Executor):
    """One of the older shape."""

    def submit(self, job):
        args, kwargs = job.args
        self._scheduler.done_job(job, job.task.func(*args, **kwargs) + 1)


def scheduler_with(aliases, *executors, **settings):
    """Return a scheduler with aliases by name, and with executors."""
    sections = {name: {"type": "alias", "target": target} for name, target in aliases.items()}
    scheduler = Scheduler({"executors": sections}, **settings)
    for executor in executors:
        scheduler.add_executor(executor)
    return scheduler


def test_jobs_go_to_the_target():
    """Which may be added after the alias; the log has the name that the task gives."""
    lines, pool = Lines(), Noted("pool")
    scheduler = scheduler_with({"there": "pool"}, pool, logger=lines)
    assert scheduler.run([double(1), double(2)]) == [2, 4]
    assert pool.seen == ["alias.double"] * 2
    assert all(line.endswith("on there") for line in lines.ran()[1:])


def test_an_alias_may_name_another():
    """What the target can do, the alias can do."""
    pool = Noted("pool")
    scheduler = scheduler_with({"there": "middle", "middle": "pool"}, pool)
    assert scheduler.run(double(1)) == 2
    alias = scheduler.executors["there"]
    assert alias.target is pool
    assert (alias.handles, alias.option_names) == ({"retries"}, {"memory"})
    assert alias.runs_coroutines
    assert alias.supports_async()


def test_async_tasks_follow_the_target():
    """Where that runs no coroutines, the alias does not either."""
    assert scheduler_with({"there": "default"}).run(double_later(4)) == 8
    with pytest.raises(Exception, match="'there', expected one of threads"):
        scheduler_with({"there": "users"}, Users("users")).run(double_later(4))


def test_the_target_may_be_of_the_older_shape():
    """It is given jobs in its shape."""
    assert scheduler_with({"there": "users"}, Users("users")).run(double(1)) == 3


def test_a_job_whose_time_is_up_gives_its_place_back():
    """The target is told, as if the job had been its own."""
    told = []

    class Slow(Users):
        def submit(self, job):
            """Leave it."""

    class Told(ThreadExecutor):
        def submit(self, work):
            work.begin()

        def abandon(self, work):
            told.append(work.task_name)

    with pytest.raises(TimedOut):
        scheduler_with({"there": "slow"}, Slow("slow")).run(double.options(timeout=0.01)(1))
    with pytest.raises(TimedOut):
        scheduler_with({"there": "told"}, Told("told")).run(double.options(timeout=0.01)(1))
    assert told == ["alias.double"]


@pytest.mark.parametrize("call", [double(1), double_later(1)], ids=["task", "async"])
@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        (
            {"there": "nowhere"},
            r"'there' is an alias \(there -> nowhere\): there is no executor 'nowhere'; found default",
        ),
        ({"there": "a", "a": "b", "b": "a"}, r"\(there -> a -> b -> a\): it comes back to itself"),
        ({"there": "there"}, r"\(there -> there\): it comes back to itself"),
    ],
)
def test_a_chain_that_leads_nowhere_fails_the_job(aliases, message, call):
    """The error has the whole chain."""
    with pytest.raises(BadAlias, match=message):
        scheduler_with(aliases).run(call)


def test_a_target_that_is_nearly_there_is_named():
    """As a hint."""
    with pytest.raises(BadAlias) as caught:
        scheduler_with({"there": "defualt"}).run(double(1))
    assert caught.value.hint == "did you mean default?"


def test_an_alias_needs_a_target_and_has_no_other_option():
    """The section is named."""
    with pytest.raises(BadOption, match="'x': needs option 'target', found none"):
        AliasExecutor("x")
    with pytest.raises(BadOption, match="'x': alias has no option 'tarket'") as caught:
        AliasExecutor("x", config={"tarket": "y"})
    assert caught.value.hint == "did you mean target?"


def test_an_alias_without_a_scheduler_has_no_target():
    """It says so."""
    with pytest.raises(BadAlias, match="there is no executor 'y'"):
        AliasExecutor("x", config={"target": "y"}).scratch_root()


def test_a_section_can_be_found_through_aliases():
    """For whoever makes one executor alone."""
    sections = {
        "a": {"type": "alias", "target": "b"},
        "b": {"type": "alias", "target": "c"},
        "c": {"type": "local"},
        "lost": {"type": "alias", "target": "moon"},
        "turn": {"type": "alias", "target": "turn"},
    }
    assert resolve_section(sections, "a") == ("c", {"type": "local"})
    assert resolve_section(sections, "c") == ("c", {"type": "local"})
    with pytest.raises(BadAlias, match=r"\(lost -> moon\): there is no section \[executors.moon\]"):
        resolve_section(sections, "lost")
    with pytest.raises(BadAlias, match=r"\(turn -> turn\)"):
        resolve_section(sections, "turn")
