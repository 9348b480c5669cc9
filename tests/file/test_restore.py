"""Facts about restore_file."""

import io
import os
import stat
from pathlib import Path

import pytest

from redun.errors import ObjectError
from redun.file.errors import RedunOSError
from redun.file.identity import identify
from redun.file.restore import ContentMismatch, NotRestorable, restore_file
from redun.file.state import FileState, check_file
from redun.hashing import hash_blob
from redun.objects.value_records import FileRecord

CONTENT = os.urandom(3 << 20)
RECORD = FileRecord("d/e/prog", "blake3", hash_blob(CONTENT), len(CONTENT))


class Failing(io.BytesIO):
    """A content whose reading fails after the first mebibyte."""

    def __init__(self, error):
        super().__init__(CONTENT)
        self._error = error

    def read(self, size=-1):
        if self.tell():
            raise self._error
        return super().read(size)


@pytest.fixture
def umask():
    previous = os.umask(0o027)
    yield
    os.umask(previous)


def restore(record=RECORD, content=CONTENT, *, is_executable=False):
    restore_file(record, io.BytesIO(content), is_executable=is_executable)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def all_files():
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(".") for name in names)


def test_a_missing_file_comes_back_with_its_folders():
    """The content is there again, and the record holds."""
    restore()
    assert Path("d/e/prog").read_bytes() == CONTENT
    assert check_file(RECORD).state is FileState.SAME
    assert all_files() == ["./d/e/prog"]


def test_the_mode_follows_the_umask(umask):
    """A restored program runs again; nobody gets more rights than the umask leaves."""
    restore()
    assert mode("d/e/prog") == 0o640
    restore(is_executable=True)
    assert mode("d/e/prog") == 0o750


def test_an_existing_file_is_replaced_in_one_step():
    """Whoever has the old file open keeps it whole; other hard links to it stay as they are."""
    os.makedirs("d/e")
    with open("d/e/prog", "wb") as stream:
        stream.write(b"old")
    os.link("d/e/prog", "other")
    with open("d/e/prog", "rb") as reader:
        restore()
        assert reader.read() == b"old"
    assert Path("other").read_bytes() == b"old"
    assert Path("d/e/prog").read_bytes() == CONTENT


def test_a_wrong_content_changes_nothing():
    """A content that hashes to something else is refused, and what was there stays."""
    os.makedirs("d/e")
    with open("d/e/prog", "wb") as stream:
        stream.write(b"old")
    with pytest.raises(ContentMismatch) as caught:
        restore(content=CONTENT[:-1])
    assert isinstance(caught.value, ObjectError)
    assert (caught.value.record, caught.value.size) == (RECORD, len(CONTENT) - 1)
    assert Path("d/e/prog").read_bytes() == b"old"
    assert all_files() == ["./d/e/prog"]


@pytest.mark.parametrize("error", [OSError("disk"), RuntimeError("store"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_changes_nothing(error):
    """Whatever stops the copying leaves the old file and no draft."""
    os.makedirs("d/e")
    with open("d/e/prog", "wb") as stream:
        stream.write(b"old")
    with pytest.raises((RedunOSError, RuntimeError, KeyboardInterrupt)):
        restore_file(RECORD, Failing(error), is_executable=False)
    assert Path("d/e/prog").read_bytes() == b"old"
    assert all_files() == ["./d/e/prog"]


def test_a_folder_at_the_path_is_left_alone():
    """A folder is never replaced, and no draft stays behind."""
    os.makedirs("d/e/prog/sub")
    with pytest.raises(RedunOSError) as caught:
        restore()
    assert caught.value.path == "d/e/prog"
    assert os.path.isdir("d/e/prog/sub")
    assert all_files() == []


def test_a_link_is_replaced_and_its_target_left_alone():
    """What a symbolic link points at belongs to somebody else."""
    os.makedirs("d/e")
    with open("precious", "wb") as stream:
        stream.write(b"mine")
    os.symlink(os.path.abspath("precious"), "d/e/prog")
    restore()
    assert not os.path.islink("d/e/prog")
    assert Path("d/e/prog").read_bytes() == CONTENT
    assert Path("precious").read_bytes() == b"mine"


def test_a_dangling_link_is_replaced():
    """Nothing is made at the place where the link points."""
    os.symlink("elsewhere", "a")
    restore(FileRecord("a", "blake3", hash_blob(b"x"), 1), b"x")
    assert all_files() == ["./a"]


def test_a_linked_folder_is_followed():
    """A folder on the way may be a link: users put large outputs on another disk."""
    os.mkdir("disk")
    os.symlink("disk", "d")
    restore()
    assert Path("disk/e/prog").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "record",
    [
        FileRecord("a", "absent", b"", None),
        FileRecord("a", "stat", b"x" * 16, 1),
        FileRecord("s3://b/a", "blake3", hash_blob(b"x"), 1),
    ],
)
def test_only_local_contents_are_restored(record):
    """Other records name no content, or a place that is not here."""
    with pytest.raises(NotRestorable):
        restore(record, b"x")
    assert all_files() == []


def test_a_long_odd_name_can_be_restored():
    """A name may have all the bytes that a file system allows, and any of them."""
    name = os.fsdecode(b"\xff\n " + b"n" * 252)
    restore(FileRecord(name, "blake3", hash_blob(b"x"), 1), b"x")
    assert identify(name).size == 1


def test_an_empty_content_is_a_content():
    """An empty file is not a missing one."""
    restore(FileRecord("a", "blake3", hash_blob(b""), 0), b"")
    assert os.path.getsize("a") == 0
