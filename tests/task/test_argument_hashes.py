"""Hashes of arguments."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.objects.kinds import Kind
from redun.store.memory import MemoryStore
from redun.task import TaskArgumentError, hash_args_eval

redun_namespace = "test_argument_hashes"


@task(version="1")
def add(x, y=2, *rest, **named):
    """Add some of it."""
    return x + y


def test_the_eval_hash_is_the_one_on_record():
    """A run looks the same call up under the same hash."""
    store = MemoryStore()
    Scheduler(backend=store).run(add(1, 3))
    assert hash_args_eval(None, add, (1,), {"y": 3})[0] in {oid.hex() for oid, _ in store.iter_oids(Kind.EVAL)}


def test_how_a_call_is_written_does_not_matter():
    """Defaults are filled in, and names and positions agree; other values and names do not."""
    same = [((1,), {}), ((1, 2), {}), ((), {"y": 2, "x": 1})]
    assert len({hash_args_eval(None, add, args, kwargs) for args, kwargs in same}) == 1
    others = [((2,), {}), ((1, 2, 3), {}), ((1, 2), {"z": 3}), ((1, 2), {"w": 3}), ((1, 3), {})]
    assert len({hash_args_eval(None, add, args, kwargs)[1] for args, kwargs in others}) == len(others)


def test_wrong_arguments_are_refused():
    """As in a call."""
    with pytest.raises(TaskArgumentError, match="'x'"):
        hash_args_eval(None, add, (), {})
