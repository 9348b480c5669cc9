"""Contexts: merged dict by dict, told apart by what they hold."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.scheduler.context import Context, merge_context
from redun.scheduler.errors import NotSerializable

redun_namespace = "test_context_of_jobs"


@task(version="1")
def show():
    """Return nothing of the context."""
    return 1


def test_dicts_are_merged_and_values_replaced():
    """Neither of the two is changed."""
    old = Context({"a": {"x": 1, "y": [1]}, "b": 2})
    new = merge_context(old, {"a": {"y": 2, "z": 3}, "b": {"c": 4}})
    assert new.values == {"a": {"x": 1, "y": 2, "z": 3}, "b": {"c": 4}}
    assert old.values == {"a": {"x": 1, "y": [1]}, "b": 2}


def test_nothing_to_merge_gives_the_same_context():
    """Jobs share it."""
    context = Context({"a": 1})
    assert merge_context(context, {}) is context
    assert merge_context(context, None) is context
    assert merge_context(None, {}) is None


def test_paths_lead_through_dicts_only():
    """Whatever else is on the way gives the default."""
    context = Context({"a": {"b": {"c": 1}, "n": None}})
    assert context.get("a.b.c") == 1
    assert context.get("a.b") == {"c": 1}
    assert context.get("a.n", 5) is None
    assert [context.get(path, "none") for path in ("x", "a.x", "a.b.c.d", "")] == ["none"] * 4


def test_equal_contexts_have_one_key():
    """Whatever way they were made."""
    one = merge_context(Context({"a": {"x": 1}}), {"a": {"y": 2}})
    assert one.key == Context({"a": {"x": 1, "y": 2}}).key
    assert one.key != Context({"a": {"x": 1, "y": 3}}).key


def test_a_context_that_cannot_be_stored_is_refused():
    """By the run, or by the call that overrides it, and no mapping is none."""
    open_file = {"a": {"b": (number for number in range(3))}}
    with pytest.raises(NotSerializable, match="context"):
        Scheduler().run(show(), context=open_file)
    with pytest.raises(NotSerializable, match="context"):
        Scheduler().run(show.update_context(open_file)())
    with pytest.raises(TypeError, match="dict"):
        Scheduler().run(show(), context=["a"])
