"""What every Storage must do, as tests to inherit.

class TestBucketStorage(StorageSuite):
    @pytest.fixture
    def storage(self): return BucketStorage(...)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from redun.hashing import Buffer
from redun.store.storage import BadName, NameMissing, Storage

BAD_NAMES = ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\\b", "a\0b"]


class StorageSuite:
    """The contract of ``redun.store.storage.Storage``.  Override the ``storage`` fixture with an empty one."""

    @pytest.fixture
    def storage(self) -> Storage:
        """Return an empty storage."""
        raise RuntimeError("override this fixture")

    def test_what_is_written_is_read(self, storage: Storage) -> None:
        """A content comes back whole, by each way of reading."""
        storage.write("a/b", b"content")
        assert storage.read("a/b") == b"content"
        assert bytes(storage.view("a/b")) == b"content"
        with storage.open("a/b") as stream:
            assert stream.read() == b"content"
        assert storage.size("a/b") == 7

    @pytest.mark.parametrize(("start", "length"), [(0, 3), (2, 3), (5, 99), (7, 1), (99, 1), (3, 0), (2, None)])
    def test_a_range_is_read_as_a_slice(self, storage: Storage, start: int, length: int | None) -> None:
        """Reading from a start, at most a length, gives what slicing the content gives."""
        storage.write("a", b"content")
        end = None if length is None else start + length
        assert storage.read("a", start, length) == b"content"[start:end]

    def test_an_empty_content_is_there(self, storage: Storage) -> None:
        """Nothing is a content too."""
        storage.write("empty", b"")
        assert storage.size("empty") == 0
        assert storage.read("empty") == bytes(storage.view("empty")) == b""

    def test_pieces_are_joined(self, storage: Storage) -> None:
        """A content may come in pieces of any type of buffer."""
        pieces: list[Buffer] = [b"one ", bytearray(b"two "), memoryview(b"three")]
        storage.write("pieces", iter(pieces))
        assert storage.read("pieces") == b"one two three"

    def test_a_local_file_is_written(self, storage: Storage, tmp_path: Path) -> None:
        """A file's content can be put without being read by the caller."""
        source = tmp_path / "source"
        source.write_bytes(b"x" * 3_000_000)
        storage.write_file("copy", source)
        assert storage.read("copy") == source.read_bytes()

    def test_a_local_file_that_is_not_there_is_an_os_error(self, storage: Storage, tmp_path: Path) -> None:
        """What cannot be read is told apart from what cannot be written, and nothing is written."""
        with pytest.raises(FileNotFoundError):
            storage.write_file("copy", tmp_path / "absent")
        assert storage.size("copy") is None

    def test_the_last_writer_wins(self, storage: Storage) -> None:
        """Writing a name again replaces the content, shorter or longer."""
        for content in (b"first", b"2", b"the third"):
            storage.write("name", content)
            assert storage.read("name") == content

    def test_what_is_absent_is_told(self, storage: Storage) -> None:
        """Each way of reading raises NameMissing with the name; a size is None."""
        storage.write("folder/file", b"")
        for name in ("absent", "folder", "folder/file/below"):
            for verb in (storage.read, storage.view, storage.open):
                with pytest.raises(NameMissing) as caught:
                    verb(name)
                assert caught.value.name == name
            assert storage.size(name) is None

    def test_a_failing_content_leaves_the_old_one(self, storage: Storage) -> None:
        """When the content breaks off, the old bytes stay and no other name appears."""

        def break_off() -> Iterator[Buffer]:
            yield b"half"
            raise EOFError

        storage.write("name", b"old")
        for name in ("name", "new"):
            with pytest.raises(EOFError):
                storage.write(name, break_off())
        assert [entry.name for entry in storage.iter_entries("")] == ["name"]
        assert storage.read("name") == b"old"

    def test_entries_come_in_order_at_any_depth(self, storage: Storage) -> None:
        """A listing has all names under a folder in order of name, with sizes and plausible times."""
        names = ["a", "a-b", "a.c/x", "b/c/d", "b/c.d", "b0", "bb/x"]
        for name in names:
            storage.write(name, name.encode())
        entries = list(storage.iter_entries(""))
        assert [entry.name for entry in entries] == sorted(names)
        assert [entry.size for entry in entries] == [len(name) for name in sorted(names)]
        assert all(entry.modified_us > 0 for entry in entries)
        assert [entry.name for entry in storage.iter_entries("b")] == ["b/c.d", "b/c/d"]

    def test_an_absent_folder_lists_nothing(self, storage: Storage) -> None:
        """A folder that is not there has no entries, and neither has a file."""
        storage.write("file", b"")
        assert list(storage.iter_entries("absent")) == []
        assert list(storage.iter_entries("file")) == []

    def test_anything_at_all_is_found(self, storage: Storage) -> None:
        """An empty place has nothing; else something that is there is named: a file, or the folder it is in."""
        assert storage.find_any() is None
        storage.write("folder/of/a", b"x")
        found = storage.find_any()
        assert found is not None
        assert "folder/of/a".startswith(found)

    def test_deleting_is_idempotent(self, storage: Storage) -> None:
        """What is deleted is gone; deleting what is not there does nothing."""
        storage.write("a/b", b"x")
        for _ in range(2):
            storage.delete("a/b")
            assert storage.size("a/b") is None
        storage.delete("never/was")

    def test_syncing_keeps_what_was_written(self, storage: Storage) -> None:
        """A name can be forced to the disk, and reads as before."""
        storage.write("a/b/c", b"x")
        storage.sync(["a/b/c"])
        assert storage.read("a/b/c") == b"x"

    def test_syncing_passes_over_what_is_gone(self, storage: Storage) -> None:
        """Another process may have removed a name since it was written, and even its folder."""
        storage.write("a/b/c", b"x")
        storage.sync(["never/was", "a/b/c", "a/gone"])
        assert storage.read("a/b/c") == b"x"

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_names_cannot_escape(self, storage: Storage, name: str) -> None:
        """A name that is absolute, or has an empty, dot or backslash part, is refused by each verb."""
        for verb in (storage.read, storage.view, storage.open, storage.size, storage.delete):
            with pytest.raises(BadName):
                verb(name)
        with pytest.raises(BadName):
            storage.write(name, b"")

    def test_many_threads_write_one_name(self, storage: Storage) -> None:
        """Racing writers leave the whole content of one of them, and readers see nothing else."""
        contents = [bytes([65 + number]) * 100_000 for number in range(4)]
        seen: set[bytes] = set()

        def write(content: bytes) -> None:
            for _ in range(10):
                storage.write("raced", content)
                seen.add(storage.read("raced"))

        threads = [threading.Thread(target=write, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen <= set(contents)
        assert storage.read("raced") in contents
