"""MemoryStore: the contract."""

from __future__ import annotations

import pytest

from redun.store.memory import MemoryStore
from redun.testing.object_store import ObjectStoreSuite


class TestMemoryStore(ObjectStoreSuite):
    @pytest.fixture
    def store(self):
        return MemoryStore()
