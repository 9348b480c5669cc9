"""What every job of a task asks about it."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.scheduler.facts import UnsupportedTask

redun_namespace = "test_facts"


@task(script=True)
def shell():
    """A script, which a later version will run."""
    return "echo hello"


@task(prov=False)
def unrecorded():
    """A task that leaves no trace."""
    return 1


@task(cache=False)
async def coroutine():
    """An asynchronous task."""
    return 1


@pytest.mark.parametrize(
    ("called", "what"), [(shell, "script=True"), (unrecorded, "prov=False"), (coroutine, "async def")]
)
def test_what_is_not_there_yet_is_refused(called, what):
    """Taken for a plain function, each would record something that is not its result."""
    with pytest.raises(UnsupportedTask, match=what):
        Scheduler().run(called())


def test_an_option_at_the_call_is_refused_too():
    """Options given with ``.options()`` count as those of the definition."""

    @task(namespace="test_facts")
    def plain():
        return 1

    with pytest.raises(UnsupportedTask, match="prov=False"):
        Scheduler().run(plain.options(prov=False)())
    assert Scheduler().run(plain()) == 1
