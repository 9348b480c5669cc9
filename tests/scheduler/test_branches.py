"""Which branch of a handle each call gets."""

from __future__ import annotations

from typing import NamedTuple

from redun.expression import TaskExpression
from redun.handle import Handle
from redun.scheduler.branches import Branches, has_handle
from redun.scheduler.job import Caller


class Parent(NamedTuple):
    """As much of a job as counts here."""

    number: int


class Thing(Handle):
    """Opens nothing."""


def caller(slot, parent=1):
    return Caller(None, 0, Parent(parent) if parent else None, slot, None)


def keys(branches, slot, values, call, parent=1):
    """Return the keys of the branches that a call gets."""
    return [info.key for info in branches.fork(caller(slot, parent), values, call)[1]]


def test_calls_are_numbered_in_their_order():
    """Whoever is ready first, the first call that was asked for gets the first branch."""
    branches, thing = Branches(), Thing("a")
    for slot in range(3):
        branches.reserve(caller(slot), [thing, TaskExpression("x", (), {})])
    assert [keys(branches, slot, [thing, 0], f"call {slot}") for slot in (2, 0, 1)] == [["3"], ["1"], ["2"]]


def test_calls_of_one_expression_are_numbered_in_their_order():
    """Calls that share an expression take one handle, whatever it will be."""
    branches, shared = Branches(), TaskExpression("x", (), {})
    for slot in range(2):
        branches.reserve(caller(slot), [[shared]])
    thing = Thing("a")
    assert keys(branches, 1, [[thing]], "second") == ["2"]
    assert keys(branches, 0, [[thing]], "first") == ["1"]


def test_expressions_that_come_to_one_state_share_no_branch():
    """Two expressions may give one handle: then the later call takes the next free branch."""
    branches, thing = Branches(), Thing("a")
    for slot in range(2):
        branches.reserve(caller(slot), [TaskExpression("x", (slot,), {})])
    assert keys(branches, 0, [thing], "first") == ["1"]
    assert keys(branches, 1, [thing], "second") == ["2"]


def test_equal_calls_share_a_branch():
    """The same call twice is one call."""
    branches, thing = Branches(), Thing("a")
    for slot in range(2):
        branches.reserve(caller(slot), [thing])
    assert keys(branches, 0, [thing], "same") == ["1"]
    assert keys(branches, 1, [thing], "same") == ["1"]


def test_each_job_and_each_handle_counts_for_itself():
    """Numbers start from 1 below every job, and for every handle; the run itself is as a job."""
    branches, one, two = Branches(), Thing("a"), Thing("b")
    for slot, thing in enumerate((one, two)):
        branches.reserve(caller(slot), [thing])
        branches.reserve(caller(slot, 2), [one])
    branches.reserve(caller(-1, None), [one])
    assert keys(branches, 0, [one], "x") == keys(branches, 1, [two], "y") == ["1"]
    assert keys(branches, 1, [one], "x", 2) == ["2"]
    assert keys(branches, -1, [one], "x", None) == ["1"]
    branches.forget(2)
    assert keys(branches, 5, [one], "x", 2) == ["1"]


def test_a_handle_given_twice_is_one_branch():
    """All places where a call names one handle get the same branch; other values are handed on."""
    branches, thing = Branches(), Thing("a")
    branches.reserve(caller(0), [thing, [thing], 1, "x"])
    values, infos = branches.fork(caller(0), [thing, [thing, 2], 1, "x"], "call")
    assert values == [thing.fork("1"), [thing.fork("1"), 2], 1, "x"]
    assert [info.key for info in infos] == ["1"]


def test_handles_are_found_in_containers():
    """A handle anywhere in the containers of an argument counts."""
    assert has_handle([1, {"a": [Thing("a")]}])
    assert not has_handle([1, "x", {"a": [1]}])
