"""A store with the two runs of the compile workflow."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.provenance.executions import ExecutionView, load_execution
from redun.store.base import ObjectCorrupt
from redun.store.memory import MemoryStore
from redun.store.memory_storage import MemoryStorage
from redun.store.refs import Refs
from redun.testing.compile_workflow import make_compile_runs


class DamagedStore(MemoryStore):
    """A memory store in which some objects read as damaged."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: set[Oid] = set()

    def get(self, oid: Oid) -> bytes:
        if oid in self.damaged:
            raise ObjectCorrupt(oid, "memory", "damaged by the test")
        return super().get(oid)


@dataclass
class Shelf:
    """A store, its refs, and the two runs in it."""

    store: DamagedStore
    refs: Refs
    first: ExecutionView
    second: ExecutionView

    def call_of(self, execution: ExecutionView, number: int) -> Oid:
        """Return the call of a job."""
        outcome = execution.by_number()[number].outcome
        if outcome is None:
            raise ObjectError(f"job {number} has no call")
        return outcome


@pytest.fixture
def shelf() -> Shelf:
    """The two runs of the compile workflow in a store that tests may damage."""
    store, refs = DamagedStore(), Refs(MemoryStorage())
    first, second = make_compile_runs(store, refs)
    return Shelf(store, refs, load_execution(store, refs, first.name), load_execution(store, refs, second.name))
