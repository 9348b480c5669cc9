"""A storage in one file keeps the contract of any other, and opens nothing but what it makes itself."""

from __future__ import annotations

import zipfile

import pytest

from redun.remotes.zip_storage import NotABundle, ZipStorage
from redun.store.base import ReadOnlyStore
from redun.testing.storage import StorageSuite


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.bundle"


class TestZipStorage(StorageSuite):
    """An archive that is being made."""

    @pytest.fixture
    def storage(self, path):
        with ZipStorage(path, is_new=True) as made:
            yield made


def test_what_was_written_is_read_back(path):
    """Once closed, the archive holds what was written last under each name, and nothing that was deleted."""
    with ZipStorage(path, is_new=True) as storage:
        storage.write("a/b", b"old")
        storage.write("a/b", iter([b"ne", b"w"]))
        storage.write("c", b"gone")
        storage.delete("c")
    with ZipStorage(path) as storage:
        assert [(entry.name, entry.size) for entry in storage.iter_entries("")] == [("a/b", 3)]
        assert storage.read("a/b", 1, 1) == b"e"
        with pytest.raises(ReadOnlyStore):
            storage.write("d", b"x")
        with pytest.raises(ReadOnlyStore):
            storage.delete("a/b")


def test_equal_contents_make_equal_archives(path):
    """Neither time nor place is in the file."""
    made = []
    for each in (path, path.with_name("other")):
        with ZipStorage(each, is_new=True) as storage:
            storage.write("a", b"x" * 1000)
        made.append(each.read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(10)])
def test_other_files_are_refused(path, content):
    """What is no archive is told by name."""
    path.write_bytes(content)
    with pytest.raises(NotABundle, match=r"results\.bundle"):
        ZipStorage(path)


def test_a_compressed_archive_is_refused(path):
    """A thousand bytes cannot become a gigabyte: contents are stored as they are, or not read at all."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1 << 20))
    with pytest.raises(NotABundle, match="'a' is compressed"):
        ZipStorage(path)


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_an_archive_without_its_beginning_is_refused(path, cut):
    """Its directory leads in front of the file; that is told as damage, not as an error of the disk."""
    with ZipStorage(path, is_new=True) as storage:
        storage.write("a", b"content")
        storage.write("b", b"more")
    path.write_bytes(path.read_bytes()[cut:])
    with pytest.raises(NotABundle), ZipStorage(path) as storage:
        storage.read("a")


def test_a_name_that_stands_twice_is_refused(path):
    """Two readers must not see two contents."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"one")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"two")
    with pytest.raises(NotABundle, match="twice"):
        ZipStorage(path)


def test_a_damaged_entry_is_told(path):
    """A byte that changed on the way does not fit the checksum of its entry."""
    with ZipStorage(path, is_new=True) as storage:
        storage.write("a", b"0123456789" * 100)
    content = bytearray(path.read_bytes())
    content[content.index(b"0123456789")] ^= 1
    path.write_bytes(content)
    with ZipStorage(path) as storage, pytest.raises(NotABundle, match="CRC"):
        storage.read("a")


def test_a_write_that_fails_leaves_what_was_there(path):
    """After an error the old bytes stand under the name, or none."""

    def pieces():
        yield b"half"
        raise OSError("no more")

    with ZipStorage(path, is_new=True) as storage:
        storage.write("a", b"old")
        for name in ("a", "b"):
            with pytest.raises(OSError, match="no more"):
                storage.write(name, pieces())
        assert storage.read("a") == b"old"
        assert storage.size("b") is None
    with ZipStorage(path) as storage:
        assert storage.read("a") == b"old"
