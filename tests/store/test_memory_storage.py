"""MemoryStorage: the contract."""

from __future__ import annotations

import pytest

from redun.store.memory_storage import MemoryStorage
from redun.testing.storage import StorageSuite


class TestMemoryStorage(StorageSuite):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()


def test_the_clock_can_be_given():
    """Times of writing come from the clock that it was made with."""
    storage = MemoryStorage(clock=lambda: 1234)
    storage.write("a", b"x")
    assert [entry.modified_us for entry in storage.iter_entries("")] == [1234]
