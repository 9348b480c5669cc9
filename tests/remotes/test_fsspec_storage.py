"""Storage behind fsspec URLs: memory:// keeps whole objects, file:// stands for file systems that move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from redun.remotes.fsspec_storage import FsspecStorage
from redun.store.storage import BadName, NameMissing


@pytest.fixture(params=["memory", "file"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> FsspecStorage:
    """An empty storage of either sort."""
    if request.param == "memory":
        return FsspecStorage(f"memory://{tmp_path}")
    return FsspecStorage(f"file://{tmp_path}/root")


def test_what_was_written_is_read(storage: FsspecStorage) -> None:
    """Whole, in part, as a view and as a stream."""
    storage.write("a/b", b"0123456789")
    assert storage.read("a/b") == b"0123456789"
    assert storage.read("a/b", 3, 4) == b"3456"
    assert storage.read("a/b", 8) == b"89"
    assert storage.read("a/b", 8, 100) == b"89"
    assert storage.read("a/b", 2, 0) == b""
    assert bytes(storage.view("a/b")) == b"0123456789"
    with storage.open("a/b") as stream:
        assert stream.read(3) == b"012"
    assert storage.size("a/b") == 10
    assert storage.size("a") is None


def test_the_last_writer_wins(storage: FsspecStorage, tmp_path: Path) -> None:
    """A name holds what was written last, from bytes, pieces or a file."""
    storage.write("x", b"one")
    storage.write("x", iter([b"t", memoryview(b"wo")]))
    assert storage.read("x") == b"two"
    (tmp_path / "content").write_bytes(b"three")
    storage.write_file("x", tmp_path / "content")
    assert storage.read("x") == b"three"


def test_a_stream_that_fails_leaves_the_old_content(storage: FsspecStorage) -> None:
    """Half a content is never seen, and no unfinished name is listed."""
    storage.write("x", b"old")

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        storage.write("x", pieces())
    assert storage.read("x") == b"old"
    assert [entry.name for entry in storage.iter_entries("")] == ["x"]


def test_a_listing_is_in_order_and_below_its_prefix(storage: FsspecStorage) -> None:
    """Names at any depth, with size and time; a name that only begins alike is no part."""
    for name in ("b/2", "b/1/x", "bb/3", "a"):
        storage.write(name, name.encode())
    assert [entry.name for entry in storage.iter_entries("b")] == ["b/1/x", "b/2"]
    entries = list(storage.iter_entries(""))
    assert [entry.name for entry in entries] == ["a", "b/1/x", "b/2", "bb/3"]
    assert [entry.size for entry in entries] == [1, 5, 3, 4]
    assert all(entry.modified_us > 1_600_000_000_000_000 for entry in entries)
    assert list(storage.iter_entries("none")) == []


def test_a_missing_name_is_named(storage: FsspecStorage) -> None:
    """Reading says which name is not there; deleting does nothing."""
    for read in (storage.read, storage.view, storage.open):
        with pytest.raises(NameMissing, match="no/such"):
            read("no/such")
    storage.delete("no/such")
    storage.write("x", b"")
    storage.delete("x")
    assert storage.size("x") is None


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", ""])
def test_a_name_cannot_reach_outside(storage: FsspecStorage, name: str) -> None:
    """Names are checked before anything is touched."""
    with pytest.raises(BadName):
        storage.write(name, b"x")
