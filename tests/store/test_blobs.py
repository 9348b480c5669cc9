"""Blobs: large contents, one file each, under the name of just what they hold."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from redun.hashing import Oid, hash_blob
from redun.store.base import ObjectCorrupt
from redun.store.blobs import Blobs, blob_name
from redun.store.memory_storage import MemoryStorage
from redun.store.storage import NameMissing

CONTENT = b"0123456789" * 300_000


class ChangingStream(BytesIO):
    """A file that another process rewrites whenever somebody starts to read it, for the first ``changes`` times."""

    def __init__(self, changes):
        super().__init__(CONTENT)
        self.changes = changes

    def seek(self, *arguments):
        if self.changes:
            self.changes -= 1
            self.getbuffer()[:8] = b"%08d" % self.changes
        return super().seek(*arguments)


@pytest.fixture
def storage():
    return MemoryStorage()


def test_a_stream_is_stored_under_its_hash(storage):
    """The content lies under the first two digits of its name and comes back."""
    blobs = Blobs(storage)
    oid, size = blobs.put_stream(BytesIO(CONTENT), Path("f"))
    assert (oid, size) == (hash_blob(CONTENT), len(CONTENT))
    assert [entry.name for entry in storage.iter_entries("")] == [f"objects/blob/{oid.hex()[:2]}/{oid.hex()}"]
    assert blobs.get(oid) == CONTENT
    assert list(blobs.iter_oids()) == list(blobs.iter_oids(oid.hex()[:2])) == [oid]
    assert blobs.unsynced == [blob_name(oid)]


def test_a_content_that_is_there_is_not_written_again(storage):
    """Neither a stream nor bytes in memory are copied twice; one of another size is replaced."""
    blobs = Blobs(storage)
    oid = hash_blob(CONTENT)
    storage.write(blob_name(oid), CONTENT[:-1])
    blobs.put(oid, CONTENT)
    blobs.put(oid, CONTENT)
    blobs.put_stream(BytesIO(CONTENT), Path("f"))
    assert blobs.unsynced == [blob_name(oid)]
    assert blobs.get(oid) == CONTENT


@pytest.mark.parametrize("changes", [1, 2, 3, 4])
def test_a_file_that_changes_is_read_again(storage, changes):
    """What is stored is what was hashed, though the file changed between the two."""
    stream = ChangingStream(changes)
    oid, _ = Blobs(storage).put_stream(stream, Path("f"))
    assert hash_blob(storage.read(blob_name(oid))) == oid == hash_blob(stream.getvalue())


def test_a_file_that_always_changes_is_an_os_error(storage):
    """After three attempts the file is given up, by name, and nothing is stored."""
    with pytest.raises(OSError, match="changes while it is read") as caught:
        Blobs(storage).put_stream(ChangingStream(100), Path("some/file"))
    assert caught.value.filename == "some/file"
    assert list(storage.iter_entries("")) == []


def test_a_damaged_content_is_told(storage):
    """Bytes that do not hash to the name are ObjectCorrupt; what is absent is NameMissing."""
    blobs = Blobs(storage)
    oid = hash_blob(CONTENT)
    storage.write(blob_name(oid), CONTENT[:-1] + b"x")
    with pytest.raises(ObjectCorrupt):
        blobs.get(oid)
    with pytest.raises(NameMissing):
        blobs.get(Oid(bytes(32)))


def test_other_files_are_no_contents(storage):
    """A stray file in the folder is passed over."""
    storage.write("objects/blob/ab/README", b"x")
    storage.write("objects/blob/ab/" + "Z" * 64, b"x")
    assert list(Blobs(storage).iter_oids()) == []


def test_a_careful_put_writes_over_a_damaged_content(storage):
    """One that is there is trusted by its size, unless the caller asks for more."""
    blobs = Blobs(storage)
    oid = hash_blob(CONTENT)
    storage.write(blob_name(oid), CONTENT[:-1] + b"x")
    blobs.put(oid, CONTENT)
    assert not blobs.is_whole(oid)
    blobs.put(oid, CONTENT, is_careful=True)
    assert blobs.get(oid) == CONTENT
    assert blobs.unsynced == [blob_name(oid)]
    blobs.put(oid, CONTENT, is_careful=True)
    assert blobs.unsynced == [blob_name(oid)]


def test_a_careful_put_writes_what_is_collected_while_it_looks(storage):
    """A content that is gone between the question for its size and its hashing is written, not missed."""
    blobs = Blobs(storage)
    oid = hash_blob(CONTENT)
    storage.write(blob_name(oid), CONTENT)
    opened = storage.open
    storage.open = lambda name: storage.delete(name) or opened(name)
    blobs.put(oid, CONTENT, is_careful=True)
    assert blobs.get(oid) == CONTENT


def test_a_file_is_put_over_a_damaged_content(storage):
    """What a job has written anew is stored anew when what is there is not what its name says."""
    blobs = Blobs(storage)
    oid = hash_blob(CONTENT)
    storage.write(blob_name(oid), CONTENT[:-1] + b"x")
    assert blobs.put_stream(BytesIO(CONTENT), Path("f")) == (oid, len(CONTENT))
    assert blobs.get(oid) == CONTENT


def test_a_content_of_another_process_is_forced_out_too(storage):
    """What a worker has put is among the names that sealing forces to the disk."""
    blobs = Blobs(storage)
    Blobs(storage).put(hash_blob(CONTENT), CONTENT)
    assert blobs.unsynced == []
    blobs.note_written(hash_blob(CONTENT))
    assert blobs.unsynced == [blob_name(hash_blob(CONTENT))]
