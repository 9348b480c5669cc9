"""LocalStorage: the contract, and what only a folder can do wrong."""

from __future__ import annotations

import errno
import os

import pytest

from redun.store import local_storage
from redun.store.base import ReadOnlyStore
from redun.store.local_storage import FLUSH_BYTES, TEMPORARY_PREFIX, LocalStorage
from redun.store.storage import BadName
from redun.testing.storage import StorageSuite


class TestLocalStorage(StorageSuite):
    @pytest.fixture
    def storage(self, tmp_path):
        return LocalStorage(tmp_path / "root")


def test_unfinished_writes_do_not_show(tmp_path):
    """A temporary file that a crash left behind is no entry and no name."""
    storage = LocalStorage(tmp_path)
    storage.write("a", b"x")
    (tmp_path / f"{TEMPORARY_PREFIX}1234").write_bytes(b"half")
    assert [entry.name for entry in storage.iter_entries("")] == ["a"]
    with pytest.raises(BadName):
        storage.read(f"{TEMPORARY_PREFIX}1234")


def test_a_view_outlives_replacement_and_deletion(tmp_path):
    """Who holds a view keeps the old bytes, whatever happens to the name."""
    storage = LocalStorage(tmp_path)
    storage.write("a", b"old")
    view = storage.view("a")
    storage.write("a", b"new and longer")
    assert bytes(view) == b"old"
    storage.delete("a")
    assert bytes(view) == b"old"


def test_a_read_only_storage_refuses_to_change(tmp_path):
    """Opened for reading only, it writes and deletes nothing."""
    LocalStorage(tmp_path).write("a", b"x")
    storage = LocalStorage(tmp_path, read_only=True)
    for change in (
        lambda: storage.write("b", b""),
        lambda: storage.write_file("b", tmp_path / "a"),
        lambda: storage.delete("a"),
    ):
        with pytest.raises(ReadOnlyStore):
            change()
    assert storage.read("a") == b"x"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
@pytest.mark.parametrize("call", ["open", "replace", "makedirs"])
def test_a_refusal_of_the_system_is_a_read_only_store(tmp_path, monkeypatch, number, call):
    """What the system says of a disk that cannot be written becomes ReadOnlyStore, and leaves nothing behind."""
    storage = LocalStorage(tmp_path)

    def refuse(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(local_storage.os, call, refuse)
    with pytest.raises(ReadOnlyStore):
        storage.write("folder/name", b"x")
    monkeypatch.undo()
    assert list(storage.iter_entries("")) == []


def test_a_full_disk_is_an_os_error_and_leaves_the_old_content(tmp_path, monkeypatch):
    """A write that fails half way removes what it began, and the old bytes stay."""
    storage = LocalStorage(tmp_path)
    storage.write("a", b"old")
    write = os.write

    def fill_up(descriptor, piece):
        if len(piece) > 3:
            return write(descriptor, piece[:3])
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(local_storage.os, "write", fill_up)
    with pytest.raises(OSError, match="no space") as caught:
        storage.write("a", b"new content")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename is not None, "of a full disk the system does not say which file it was"
    monkeypatch.undo()
    assert storage.read("a") == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_short_writes_are_completed(tmp_path, monkeypatch):
    """The system may take fewer bytes than it was given."""
    write = os.write
    monkeypatch.setattr(local_storage.os, "write", lambda descriptor, piece: write(descriptor, piece[:2]))
    storage = LocalStorage(tmp_path)
    storage.write("a", b"seven b")
    assert storage.read("a") == b"seven b"


def test_syncing_reaches_the_file_and_its_folders(tmp_path, monkeypatch):
    """The file is forced out and so is each folder up to the root: else the name itself could be lost."""
    storage = LocalStorage(tmp_path)
    storage.write("a/b/c", b"x")
    synced = []
    monkeypatch.setattr(local_storage, "_fsync", synced.append)
    storage.sync(["a/b/c"])
    assert synced == [f"{tmp_path}/a/b/c", f"{tmp_path}/a/b", f"{tmp_path}/a", f"{tmp_path}"]


def test_a_disk_mounted_read_only(tmp_path):
    """A real file system mounted read-only is read, and refuses to be written."""
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=1m tmpfs {tmp_path} 2>/dev/null") != 0:
        pytest.skip("needs root and the right to mount")
    try:
        storage = LocalStorage(tmp_path)
        storage.write("a", b"x")
        assert os.system(f"mount -o remount,ro {tmp_path}") == 0
        assert storage.read("a") == b"x"
        with pytest.raises(ReadOnlyStore):
            storage.write("b", b"x")
        with pytest.raises(ReadOnlyStore):
            storage.delete("a")
    finally:
        os.system(f"umount {tmp_path}")


def test_large_contents_go_to_the_disk_while_they_are_written(tmp_path, monkeypatch):
    """Range by range, each once, so that forcing them there at the end is quick; small ones wait for that."""
    asked = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _file, start, length, _advice: asked.append((start, length)))
    storage = LocalStorage(tmp_path)
    storage.write("small", bytes(FLUSH_BYTES - 1))
    assert asked == []
    storage.write("large", (bytes(FLUSH_BYTES // 2 + 1) for _ in range(5)))
    assert asked == [(0, FLUSH_BYTES + 2), (FLUSH_BYTES + 2, FLUSH_BYTES + 2)]


def test_a_system_that_takes_no_advice_is_no_matter(tmp_path, monkeypatch):
    """What is written is written all the same."""

    def refuse(*_):
        raise OSError(errno.EINVAL, "no advice here")

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    storage = LocalStorage(tmp_path)
    storage.write("large", bytes(FLUSH_BYTES))
    monkeypatch.delattr(os, "posix_fadvise")
    storage.write("large", bytes(FLUSH_BYTES))
    assert storage.size("large") == FLUSH_BYTES
