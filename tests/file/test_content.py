"""Facts about files that are identified by content wherever they are."""

import pytest

from redun.file import ContentDir, ContentFile, ContentFileSet, File
from redun.file.local_filesystem import set_hash_mode
from redun.file.state import FileState, check_file
from redun.hashing import hash_blob


@pytest.fixture
def base():
    import fsspec

    fsspec.filesystem("memory").store.clear()
    return "memory://content"


def test_a_remote_file_is_read(base):
    """The same bytes written again are the same file; others are not."""
    file = ContentFile(f"{base}/a")
    file.write("one")
    record = file.record
    assert (record.scheme, record.digest, record.size) == ("blake3", hash_blob(b"one"), 3)
    before = file.hash
    ContentFile(f"{base}/a").write("one")
    assert file.is_valid()
    assert ContentFile(f"{base}/a").hash == before
    File(f"{base}/a").write("two")
    assert not file.is_valid()
    file.update_hash()
    assert file.hash != before


def test_the_setting_for_huge_files_does_not_count(write_old):
    """With ``[files] hash = stat`` it is read all the same."""
    write_old("a", b"one")
    set_hash_mode("stat")
    assert (File("a").record.scheme, ContentFile("a").record.scheme) == ("stat", "blake3")
    file = ContentFile("a")
    assert file.hash
    write_old("a", b"two")
    assert File("a").record.digest == File("a").record.digest
    assert not file.is_valid()


def test_an_absent_file_has_a_record(base):
    """And it stops being valid when the file appears."""
    for path in ("none", f"{base}/none"):
        file = ContentFile(path)
        assert file.record.scheme == "absent"
        assert check_file(file.record).state is FileState.SAME
        File(path).write("x")
        assert check_file(file.record).state is FileState.DIFFERENT


@pytest.mark.parametrize(("cls", "tail"), [(ContentFileSet, "/d/*"), (ContentDir, "/d")])
def test_members_are_read(base, cls, tail):
    """A set is as its members are, and notices one that was added."""
    for name in "ab":
        File(f"{base}/d/{name}").write(name)
    value = cls(base + tail)
    assert [file.record.digest for file in value.files] == [hash_blob(b"a"), hash_blob(b"b")]
    File(f"{base}/d/a").write("a")
    assert value.is_valid()
    assert cls(base + tail).hash == value.hash
    File(f"{base}/d/c").write("c")
    assert not value.is_valid()
