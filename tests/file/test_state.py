"""Facts about check_file."""

import os

import pytest

from redun.file import File, set_hash_mode
from redun.file.identity import identify, listing_record
from redun.file.state import FileState, check_file
from redun.hashing import hash_blob
from redun.objects.value_records import ABSENT_SCHEME, FileRecord


def put(path, content):
    with open(path, "w") as stream:
        stream.write(content)


@pytest.fixture
def record():
    put("a", "recorded")
    return identify("a")


def test_an_unchanged_file_is_the_same(record):
    """The check tells what is there now, which is what was recorded."""
    assert check_file(record) == (FileState.SAME, record, "")


def test_a_touched_or_rewritten_file_is_the_same(record):
    """Only the content counts."""
    os.utime("a", (5, 5))
    assert check_file(record).state is FileState.SAME
    os.remove("a")
    put("a", "recorded")
    assert check_file(record).state is FileState.SAME


def test_a_removed_file_is_missing(record):
    """There is nothing there now."""
    os.remove("a")
    assert check_file(record) == (FileState.MISSING, None, "")


def test_a_changed_file_is_different_and_told(record):
    """The check gives the record of the new content, so that it can be looked up."""
    put("a", "edited!!")
    assert check_file(record) == (FileState.DIFFERENT, FileRecord("a", "blake3", hash_blob(b"edited!!"), 8), "")


def test_an_absent_file_is_the_same_while_it_is_absent():
    """A file recorded as absent is different once there is one, and never missing."""
    record = identify("a")
    assert record.scheme == ABSENT_SCHEME
    assert check_file(record).state is FileState.SAME
    put("a", "")
    check = check_file(record)
    assert (check.state, check.current) == (FileState.DIFFERENT, identify("a"))


def test_a_folder_in_its_place_is_different(record):
    """Something that is no file cannot be identified; the check says why and raises nothing."""
    os.remove("a")
    os.mkdir("a")
    check = check_file(record)
    assert (check.state, check.current) == (FileState.DIFFERENT, None)
    assert "folder" in check.reason


def test_a_parent_that_became_a_file_makes_it_missing():
    """There is nothing below a file."""
    os.mkdir("d")
    put("d/a", "x")
    record = identify("d/a")
    os.remove("d/a")
    os.rmdir("d")
    put("d", "x")
    assert check_file(record).state is FileState.MISSING


def test_a_stat_record_looks_at_size_and_mtime():
    """With hash = stat a touched file is different, and a content is never read."""
    put("a", "one")
    os.utime("a", (5, 5))
    set_hash_mode("stat")
    record = File("a").record
    assert (record.scheme, record.size) == ("stat", 3)
    put("a", "two")
    os.utime("a", (5, 5))
    assert check_file(record).state is FileState.SAME
    os.utime("a", (6, 6))
    assert check_file(record).state is FileState.DIFFERENT
    os.remove("a")
    assert check_file(record).state is FileState.MISSING


def test_a_record_is_checked_in_its_own_scheme():
    """A setting that changed since makes no file look different."""
    put("a", "one")
    by_content = identify("a")
    set_hash_mode("stat")
    by_stat = identify("a")
    assert by_stat != by_content
    assert check_file(by_content).state is FileState.SAME
    set_hash_mode("content")
    assert check_file(by_stat).state is FileState.SAME


def test_an_unknown_scheme_is_different(record):
    """A record of a scheme that this file system does not know is a miss, not a crash."""
    assert check_file(record._replace(scheme="etag", digest=b"x")).state is FileState.DIFFERENT


def test_an_unknown_protocol_is_different():
    """A record whose protocol nothing serves here is a miss with a reason."""
    check = check_file(FileRecord("nosuch://a", "etag", b"x", 1))
    assert check.state is FileState.DIFFERENT
    assert "nosuch" in check.reason


def test_a_hash_mode_must_be_known():
    """A wrong setting is refused."""
    with pytest.raises(ValueError, match="'mtime'"):
        set_hash_mode("mtime")


def test_a_listing_notices_added_files_only():
    """A file that was added makes the listing different; a removed one is judged by its own record."""
    for name in "abc":
        put(f"{name}.txt", "x")
    record = listing_record("*.txt", "glob", ["c.txt", "a.txt", "b.txt"])
    assert record == identify("*.txt", "glob")
    os.remove("a.txt")
    assert check_file(record).state is FileState.SAME
    put("d.txt", "x")
    check = check_file(record)
    assert check.state is FileState.DIFFERENT
    assert check.current.digest == b"b.txt\0c.txt\0d.txt"


def test_an_empty_listing_notices_the_first_file():
    """Nothing is a listing too."""
    record = identify("d", "tree")
    assert record.digest == b""
    assert check_file(record).state is FileState.SAME
    os.mkdir("d")
    put("d/a", "x")
    assert check_file(record).state is FileState.DIFFERENT
