"""Partial tasks."""

from __future__ import annotations

import pytest

from redun.expression import TaskExpression
from redun.task import PartialTask, task
from redun.value.encoding import decode_value, encode_value


@pytest.fixture
def add():
    @task(version="1")
    def add(a, b, c=0):
        return a + b + c

    return add


def test_calling_one_calls_the_inner_task(add):
    """Arguments given before come first; keywords given later win."""
    call = add.partial(1, c=2).partial(3)(c=4)
    assert isinstance(call, TaskExpression)
    assert (call.task_name, call.args, dict(call.kwargs)) == ("add", (1, 3), {"c": 4})


def test_options_go_to_the_inner_task(add):
    """Options and context given to a partial task are those of its calls."""
    call = add.partial(1).options(memory=4).update_context(a=1)(2)
    assert call.task_options == {"memory": 4, "_context_override": {"a": 1}}


def test_an_unevaluated_argument_stays_unevaluated(add):
    """Making a partial task runs nothing."""
    inner = add(1, 2)
    assert add.partial(inner)(3).args == (inner, 3)


def test_its_hash_covers_task_and_arguments(add):
    """Other arguments or another task make another value."""

    @task(version="2")
    def other(a, b):
        return a

    hashes = {add.partial(1).hash, add.partial(2).hash, add.partial(a=1).hash, other.partial(1).hash}
    assert len(hashes) == 4
    assert add.partial(1).hash == add.partial(1).hash


def test_it_comes_back_from_the_store(add):
    """A partial task is stored as a link to its task, with its arguments."""
    encoded = encode_value(add.partial(1, c=[2]))
    stored = {oid: data for oid, data, _ in (*encoded.parts, (encoded.oid, encoded.data, encoded.kind))}
    found = decode_value(encoded.oid, stored.__getitem__)
    assert isinstance(found, PartialTask)
    assert (found.task, found.args, found.kwargs) == (add, (1,), {"c": [2]})
    assert found.is_valid()
    assert list(found.iter_subvalues()) == [add]
    assert repr(found) == "PartialTask(add, 1, c=[2], ...)"
    assert found.fullname == "add"
    assert str(found.signature) == "(a, b, c=0)"
