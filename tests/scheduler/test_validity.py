"""Values that say themselves whether they still hold."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.scheduler.validity import must_be_asked
from redun.store.memory import MemoryStore
from redun.task import get_task_registry
from redun.value.value import ProxyValue, Value

redun_namespace = "test_validity"


class World:
    """What the values look at, and what ran; reached through attributes, so no part of a task's hash."""

    gone: set = set()
    ran: list = []
    hooks: list = []


class Lease(Value):
    """Holds until its name is in the world's list of what is gone."""

    def __init__(self, name):
        self.name = name

    def is_valid(self):
        if self.name == "broken":
            raise RuntimeError("cannot tell")
        return self.name not in World.gone


class Holder(Value):
    """Is as valid as what it holds."""

    def __init__(self, lease):
        self.lease = lease

    def iter_subvalues(self):
        yield self.lease


class Foreign:
    """A class that knows nothing of redun."""

    def __init__(self, name):
        self.name = name


class ForeignProxy(ProxyValue):
    """Speaks for it."""

    type = Foreign

    def is_valid(self):
        return self.instance.name not in World.gone


class Parcel(Value):
    """Notes its way in and out."""

    def __init__(self, text):
        self.text = text

    def preprocess(self, preprocess_args):
        World.hooks.append("in")
        return Parcel(self.text + "<")

    def postprocess(self, postprocess_args):
        World.hooks.append("out")
        return Parcel(self.text + ">")


@pytest.fixture(autouse=True)
def world():
    """A world in which all is well."""
    World.gone.clear()
    World.ran.clear()
    World.hooks.clear()
    return World


@pytest.fixture
def scheduler():
    """A scheduler over a store of its own."""
    return Scheduler(backend=MemoryStore())


@task(version="1")
def make(kind: str, name: str):
    """Make a value with a validity of its own."""
    World.ran.append("make")
    return {
        "lease": lambda: Lease(name),
        "list": lambda: [1, (Lease(name),)],
        "holder": lambda: Holder(Lease(name)),
        "foreign": lambda: {"a": Foreign(name)},
    }[kind]()


@task(version="1")
def use(_value):
    """Use it."""
    World.ran.append("use")
    return 1


@task(version="1")
def top(kind: str, name: str):
    """Make one and use it: the outcome holds it no more."""
    World.ran.append("top")
    return use(make(kind, name))


@task(version="1")
def hand_over(name: str):
    """Name one in a call."""
    World.ran.append("hand_over")
    return use(Lease(name))


@task(version="1")
def above(name: str):
    """Stand above."""
    return hand_over(name)


KINDS = ["lease", "list", "holder", "foreign"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_that_holds_no_longer_is_made_again(scheduler, world, kind):
    """The hit is refused; what is as it was is reused."""
    for _ in range(2):
        scheduler.run(make(kind, "a"))
    assert world.ran == ["make"]
    world.gone.add("a")
    scheduler.run(make(kind, "a"))
    assert world.ran == ["make", "make"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_above_one_is_not_reused_without_asking(scheduler, world, kind):
    """The root's own result is a number, and still what it was made of is asked."""
    scheduler.run(top(kind, "a"))
    world.ran.clear()
    scheduler.run(top(kind, "a"))
    assert world.ran == []
    world.gone.add("a")
    scheduler.run(top(kind, "a"))
    assert world.ran == ["make"]


def test_a_reduction_that_names_one_which_holds_no_longer_is_made_again(scheduler, world):
    """What a function passed on to another call is asked as well."""
    scheduler.run(above("a"))
    world.ran.clear()
    world.gone.add("a")
    scheduler.run(above("a"))
    assert world.ran == ["hand_over"]


def test_a_hook_that_raises_says_no(scheduler, world):
    """The job runs again, and the run goes on."""
    for _ in range(2):
        scheduler.run(make("lease", "broken"))
    assert world.ran == ["make", "make"]


def test_the_reason_is_told():
    """The line of the job that runs says that the recorded result is no longer valid."""
    lines = []

    class Log:
        info = warning = staticmethod(lines.append)

    scheduler = Scheduler(backend=MemoryStore(), logger=Log())
    scheduler.run(make("lease", "a"))
    World.gone.add("a")
    scheduler.run(make("lease", "a"))
    assert any("Run " in line and "no longer valid" in line for line in lines)


def test_plain_values_are_not_asked():
    """Nor are tasks: what they mean is on record."""
    assert not must_be_asked([1, {"a": (2.0, "x")}, make, make.partial("lease")])


def test_hooks_see_values_on_their_way_into_and_out_of_a_job(scheduler, world):
    """In any container; the key is of the value as it was before."""
    with get_task_registry().isolated():

        @task(version="1", namespace="test_validity")
        def carry(parcels):
            return [parcel.text for parcel in parcels] + [{"p": Parcel("new")}]

        result = scheduler.run(carry([Parcel("old")]))
    assert result[0] == "old<"
    assert result[1]["p"].text == "new>"
    assert world.hooks == ["in", "out"]


def define(version):
    """Define a task that names another without calling it, and one that reads it off."""

    @task(version=version, namespace="test_validity")
    def tool():
        return None

    @task(version="1", namespace="test_validity")
    def pick():
        return [tool]

    @task(version="1", namespace="test_validity")
    def describe(tools):
        return tools[0].version

    @task(version="1", namespace="test_validity")
    def main():
        return describe(pick())

    @task(version="1", namespace="test_validity")
    def direct():
        return describe([tool])

    @task(version="1", namespace="test_validity")
    def root():
        return [main(), direct()]

    return root


def test_a_task_that_changed_makes_results_that_hold_it_anew(scheduler):
    """Also when the call above is asked, in whose result nothing tells of it."""
    for version in ("1", "2"):
        with get_task_registry().isolated():
            assert scheduler.run(define(version)()) == [version, version]
