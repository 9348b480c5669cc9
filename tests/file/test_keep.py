"""Facts about keeping contents."""

import os

import pytest

from redun.file import ContentFile, File, set_hash_mode
from redun.file.keep import KEEP_BYTES, keep_content, keep_file
from redun.hashing import hash_blob
from redun.objects.value_records import FileRecord


class Blobs:
    """Where contents go: a dict."""

    def __init__(self):
        self.contents = {}

    def put_file(self, path):
        content = path.read_bytes()
        oid = hash_blob(content)
        self.contents[oid] = content
        return oid, len(content)


@pytest.fixture
def blobs():
    return Blobs()


def put(path, content):
    with open(path, "wb") as stream:
        stream.write(content)


def test_a_content_is_kept_under_the_digest_of_its_record(blobs):
    """The record stays what it is."""
    put("a", b"content")
    record = File("a").record
    assert keep_content(record, blobs.put_file) == record
    assert blobs.contents == {record.digest: b"content"}


def test_a_content_beyond_the_limit_is_not_kept(blobs):
    """The limit is the largest size that is kept, 16 MiB unless set."""
    put("a", b"12345")
    assert keep_content(File("a").record, blobs.put_file, limit_bytes=4) is None
    assert keep_content(File("a").record, blobs.put_file, limit_bytes=5) is not None
    assert KEEP_BYTES == 16 * 2**20


def test_a_file_that_changed_since_gets_a_new_record(blobs):
    """What is stored is what the record names, always."""
    put("a", b"before")
    record = File("a").record
    put("a", b"after")
    assert keep_content(record, blobs.put_file) == FileRecord("a", "blake3", hash_blob(b"after"), 5)


def test_keeping_a_file_brings_its_hash_up_to_date(blobs):
    """The File in the result names the content that was stored."""
    put("a", b"before")
    file = File("a")
    before = file.hash
    put("a", b"after")
    assert keep_file(file, blobs.put_file)
    assert file.hash != before
    assert blobs.contents == {file.record.digest: b"after"}
    assert file.is_valid()


def test_keeping_an_unchanged_file_leaves_its_hash(blobs):
    """Nothing to do."""
    put("a", b"x")
    file = File("a")
    before = file.hash
    assert keep_file(file, blobs.put_file)
    assert file.hash == before


def test_what_cannot_be_restored_is_not_kept(blobs):
    """Absent, remote and gone files, folders, and files identified by their stat."""
    put("a", b"x")
    gone = File("a").record
    os.remove("a")
    File("memory://keep/a").write("x")
    remote = File("memory://keep/a")
    for record in (gone, File("none").record, remote.record, remote.record._replace(scheme="blake3")):
        assert keep_content(record, blobs.put_file) is None
    os.mkdir("a")
    assert keep_content(gone, blobs.put_file) is None
    put("b", b"x")
    set_hash_mode("stat")
    assert not keep_file(File("b"), blobs.put_file)
    assert blobs.contents == {}


def test_a_store_that_cannot_read_the_file_keeps_nothing():
    """A job does not fail because its output could not be kept."""
    put("a", b"x")

    def refuse(_path):
        raise PermissionError("no")

    assert keep_content(File("a").record, refuse) is None


def test_what_is_kept_has_the_class_of_its_file(blobs):
    """Also when the content changed meanwhile."""
    put("a", b"before")
    record = ContentFile("a").record
    put("a", b"after it")
    assert keep_content(record, blobs.put_file) == FileRecord(
        "a", "blake3", hash_blob(b"after it"), 8, record.type_name
    )
