"""A folder of a storage as a storage: the contract, and that nothing leads out of it."""

from __future__ import annotations

import pytest

from redun.store.memory_storage import MemoryStorage
from redun.store.storage import BadName
from redun.store.subtree import Subtree
from redun.testing.storage import StorageSuite


class TestSubtree(StorageSuite):
    @pytest.fixture
    def storage(self):
        return Subtree(MemoryStorage(), "a/folder")


def test_it_lies_where_it_says():
    """Names are those of the whole storage, behind the folder's; what lies beside it does not show."""
    whole = MemoryStorage()
    part = Subtree(whole, "part")
    part.write("x/y", b"1")
    whole.write("partly", b"2")
    assert whole.read("part/x/y") == b"1"
    assert [entry.name for entry in part.iter_entries("")] == ["x/y"]
    assert part.location.endswith("/part")
    with pytest.raises(BadName):
        Subtree(whole, "../part")
