"""Facts about File."""

import gc
import os
import pickle
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun.file import Dir, File, RedunFileNotFoundError, RedunOSError, RedunPermissionError
from redun.file.produced import track_writes
from redun.hashing import hash_blob
from redun.objects.codec import decode_node
from redun.objects.kinds import Kind
from redun.objects.value_records import ABSENT_SCHEME, FileRecord
from redun.scheduler import Scheduler
from redun.task import task
from redun.value.encoding import decode_value, encode_value


def put(path, text):
    with open(path, "w") as stream:
        stream.write(text)


def round_trip(value):
    encoded = encode_value(value)
    nodes = {oid: data for oid, data, _kind in encoded.parts} | {encoded.oid: encoded.data}
    return decode_value(encoded.oid, nodes.__getitem__)


def test_repr_shows_path_and_eight_digits():
    """A file prints as users know it."""
    put("prog.c", "int main;")
    file = File("prog.c")
    assert repr(file) == f"File(path=prog.c, hash={file.hash[:8]})"


def test_the_hash_is_the_oid_of_its_file_node():
    """The hash covers the path as written, the scheme, the digest and the size."""
    put("a", "x")
    expected = FileRecord("./a", "blake3", hash_blob(b"x"), 1).encode()[0].hex()
    assert File("./a").hash == expected
    assert File("a").hash != expected


def test_identity_is_content_and_not_mtime(own_folder, monkeypatch):
    """Touching, rewriting or checking out the same content elsewhere changes no hash."""
    put("a", "x")
    before = File("a").hash
    os.utime("a", (5, 5))
    assert File("a").hash == before
    put("a", "x")
    assert File("a").hash == before
    (own_folder / "other checkout").mkdir()
    monkeypatch.chdir(own_folder / "other checkout")
    put("a", "x")
    assert File("a").hash == before


def test_other_content_is_another_file():
    """Equal size and mtime do not make two contents one."""
    put("a", "one")
    os.utime("a", (5, 5))
    before = File("a")
    assert before.hash
    put("a", "two")
    os.utime("a", (5, 5))
    assert File("a") != before


def test_an_absent_file_has_an_identity_of_its_own():
    """A file that is not there is recorded as absent, and becomes another one when it appears."""
    file = File("a")
    assert file.record == FileRecord("a", ABSENT_SCHEME, b"", None)
    put("a", "")
    assert File("a") != file
    assert not file.is_valid()


def test_the_hash_stands_until_it_is_updated():
    """A hash once taken does not follow the disk by itself."""
    put("a", "one")
    file = File("a")
    before = file.hash
    put("a", "two")
    assert file.hash == before
    assert not file.is_valid()
    file.update_hash()
    assert file.hash != before
    assert file.is_valid()


def test_the_hash_is_not_taken_before_it_is_needed():
    """Making a File reads nothing."""
    file = File("a")
    put("a", "late")
    assert file.record.digest == hash_blob(b"late")


@pytest.mark.parametrize("mode", ["w", "a", "x", "wb", "ab", "r+", "w+"])
def test_closing_a_write_updates_the_hash(mode):
    """Each mode that can write makes the hash follow."""
    if "x" not in mode:
        put("a", "old")
    file = File("a")
    before = file.hash
    with file.open(mode) as stream:
        stream.write(b"something" if "b" in mode else "something")
    assert file.hash != before
    assert file.is_valid()


def test_closing_a_read_keeps_the_hash():
    """Reading does not take the hash anew."""
    put("a", "old")
    file = File("a")
    before = file.hash
    put("a", "new")
    with file.open() as stream:
        assert stream.read() == "new"
    assert file.hash == before


def test_a_program_that_appends_after_a_write_is_seen():
    """The hash after a write is taken when it is needed, so it covers what a program did to the file since."""
    file = File("a")
    file.write("one")
    subprocess.run("echo two >> a", shell=True, check=True)
    assert file.record.digest == hash_blob(b"onetwo\n")


def test_an_open_stream_is_what_the_builtin_gives():
    """Libraries that look at a stream's type or descriptor find a real one."""
    import io

    with File("a").open("w") as stream:
        assert isinstance(stream, io.TextIOWrapper)
        assert stream.fileno() >= 0
    assert stream.closed


def test_a_dropped_stream_is_flushed_at_once():
    """A stream that nobody closed is closed when its last name goes, without the cycle collector."""
    gc.disable()
    try:
        stream = File("a").open("w")
        stream.write("text")
        del stream
        assert File("a").read() == "text"
    finally:
        gc.enable()


def test_text_is_utf_8_unless_told_otherwise():
    """The same text gives the same bytes on every machine."""
    file = File("a")
    file.write("é")
    assert Path("a").read_bytes() == "é".encode()
    assert file.read() == "é"
    file.write("é", encoding="latin-1")
    assert Path("a").read_bytes() == b"\xe9"
    assert file.read(encoding="latin-1") == "é"


def test_bytes_are_written_as_they_are():
    """``write`` takes bytes, and ``open("rb")`` reads them."""
    file = File("a")
    file.write(b"\x00\xff")
    with file.open("rb") as stream:
        assert stream.read() == b"\x00\xff"


def test_a_mode_tells_bytes_from_text():
    """Reading and writing take a mode, as open does, before the encoding."""
    file = File("a")
    file.write("é\n", "w", "utf-8")
    file.write(b"z", mode="ab")
    assert file.read("rb") == "é\nz".encode()
    assert file.read("r", "utf-8") == "é\nz"
    assert file.readlines("rb") == ["é\n".encode(), b"z"]


def test_readlines_keeps_line_ends():
    """Lines come with their ends, the last one as it is."""
    put("a", "1\n2\n3")
    assert File("a").readlines() == ["1\n", "2\n", "3"]


@pytest.mark.parametrize("mode", ["w", "a", "x"])
def test_a_write_makes_parent_folders(mode):
    """A file can be written where no folder was."""
    with File("x/y/z").open(mode) as stream:
        stream.write("text")
    assert File("x/y/z").read() == "text"


def test_reading_makes_no_folders():
    """A failed read leaves nothing behind."""
    with pytest.raises(RedunFileNotFoundError):
        File("x/y").open()
    assert not os.path.exists("x")


def test_names_and_sizes():
    """The small methods say what is on disk."""
    os.mkdir("d")
    put("d/a.txt", "four")
    file = File("d/a.txt")
    assert (file.exists(), file.isfile(), file.isdir(), file.size()) == (True, True, False, 4)
    assert (file.basename(), file.dirname(), file.filesystem.name) == ("a.txt", "d", "local")
    assert (File("d").exists(), File("d").isfile(), File("d").isdir()) == (True, False, True)
    assert not File("none").exists()
    with pytest.raises(RedunFileNotFoundError):
        File("none").size()


def test_a_path_object_is_a_path(own_folder):
    """Paths of pathlib are taken for what they say."""
    assert File(own_folder / "a").path == str(own_folder / "a")


def test_touch_makes_and_dates():
    """Touching makes an empty file, keeps a content, and sets times when told."""
    file = File("x/a")
    file.touch()
    assert file.size() == 0
    file.write("kept")
    file.touch(1000)
    assert file.read() == "kept"
    assert os.stat("x/a").st_mtime == 1000


def test_remove_is_idempotent_and_seen():
    """A removed file is absent; removing nothing is no error."""
    put("a", "x")
    file = File("a")
    before = file.hash
    file.remove()
    file.remove()
    assert not file.exists()
    assert file.hash != before


def test_copies_keep_content_and_mode():
    """A copy makes parents, is returned, may be executed if the source may, and can be skipped."""
    put("a", "x")
    os.chmod("a", 0o755)
    source, target = File("a"), File("d/b")
    assert source.copy_to(target) is target
    assert target.read() == "x"
    assert os.access("d/b", os.X_OK)
    put("a", "y")
    source.copy_to(target, skip_if_exists=True)
    assert target.read() == "x"
    source.copy_to(target)
    assert target.read() == "y"
    assert target.is_valid()
    source.copy_to(File("./a"))
    assert source.read() == "y"


def test_errors_carry_the_path_and_are_the_builtin_ones():
    """What Python code catches for plain files catches these too, also after a pickle."""
    with pytest.raises(FileNotFoundError) as caught:
        File("none").read()
    error = caught.value
    assert isinstance(error, RedunFileNotFoundError)
    again = pickle.loads(pickle.dumps(error))
    for one in (error, again):
        assert (one.path, one.filename, one.errno) == ("none", "none", 2)
        assert "none" in str(one)
    assert issubclass(RedunPermissionError, PermissionError)
    assert issubclass(RedunOSError, OSError)


@pytest.fixture
def as_nobody():
    """Run as a user who may not read everything, as root may."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.fixture
def locked():
    put("a", "x")
    os.chmod("a", 0)


@pytest.mark.usefixtures("locked", "as_nobody")
def test_an_unreadable_file_is_a_permission_error():
    """A file that may not be read has no hash, and prints all the same."""
    with pytest.raises(RedunPermissionError):
        File("a").hash  # noqa: B018
    assert repr(File("a")) == "File(path=a, hash=unreadable)"


def test_a_folder_is_no_file():
    """A folder has no content: its hash is refused with a hint, and it prints all the same."""
    os.mkdir("d")
    with pytest.raises(RedunOSError, match="found a folder") as caught:
        File("d").hash  # noqa: B018
    assert "Dir" in caught.value.hint
    assert repr(File("d")) == "File(path=d, hash=unreadable)"


def test_a_device_is_identified_without_reading():
    """A device or pipe cannot be read twice, so it is itself."""
    os.mkfifo("pipe")
    assert File("/dev/null").record.scheme == "special"
    assert File("pipe").is_valid()
    assert File("pipe").record.digest != File("/dev/null").record.digest


def test_a_link_is_what_it_points_at():
    """A symbolic link has its target's content, and a dangling one is absent."""
    put("a", "x")
    os.symlink("a", "link")
    os.symlink("nowhere", "dangling")
    assert File("link").record.digest == hash_blob(b"x")
    assert File("dangling").record.scheme == ABSENT_SCHEME


def test_equality_is_path_and_hash():
    """Two objects of one file are equal and hash alike; another class is not equal."""
    put("a", "x")
    put("b", "x")
    assert File("a") == File("a")
    assert len({File("a"), File("a"), File("b")}) == 2
    assert File("a") != File("b")
    assert File("a") != "a"


def test_a_decoded_file_has_the_recorded_hash():
    """Decoding does not look at the disk."""
    put("a", "x")
    file = File("a")
    kind, oid, data = file.encode_node()
    assert (kind, oid.hex()) == (Kind.FILE, file.hash)
    assert FileRecord.decode(decode_node(data)) == file.record
    os.remove("a")
    again = round_trip(file)
    assert type(again) is File
    assert (again.path, again.hash) == ("a", file.hash)
    assert not again.is_valid()


def test_a_pickled_file_keeps_its_hash():
    """A file that travels to another process is the same file there."""
    put("a", "x")
    file = File("a")
    assert file.hash
    put("a", "y")
    assert pickle.loads(pickle.dumps(file)) == file


def test_files_in_containers_are_externals():
    """Whoever encodes a nested value learns of the files in it."""
    put("a", "x")
    put("b", "y")
    encoded = encode_value({"files": [File("a"), (File("b"), 1)], "again": File("a")})
    assert {oid.hex() for oid in encoded.externals} == {File("a").hash, File("b").hash}
    assert round_trip([File("a"), 1]) == [File("a"), 1]


def test_parse_arg_takes_the_path():
    """A command-line argument is the path."""
    assert File.parse_arg(File, "a b").path == "a b"
    assert Dir.parse_arg(Dir, "d/").path == "d"


def test_writes_are_noted_for_the_running_job():
    """Writing, touching and copying through the API are noted; reading is not."""
    put("seen", "x")
    with track_writes() as writes:
        File("w").write("x")
        File("t").touch()
        File("w").copy_to(File("c"))
        File("seen").read()
    assert {os.path.basename(path) for path in writes} == {"w", "t", "c"}


NAMES = st.binary(min_size=1, max_size=40).filter(lambda b: b"/" not in b and b"\0" not in b and b not in {b".", b".."})


@given(name=NAMES, content=st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_that_linux_allows_works(own_folder, name, content):
    """Spaces, newlines, wildcards and bytes that are not UTF-8 are names like any other."""
    path = os.fsdecode(name)
    file = File(path)
    file.write(content)
    try:
        assert Path(own_folder / path).read_bytes() == content
        assert file.record.digest == hash_blob(content)
        assert round_trip([file]) == [file]
        assert pickle.loads(pickle.dumps(file)) == file
        assert file.is_valid()
        shown = subprocess.run(file.shell_copy_to(None), shell=True, capture_output=True, check=True).stdout
        assert shown == content
    finally:
        file.remove()
    assert not file.exists()


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_what_no_path_can_be_is_absent(path):
    """A name that the operating system refuses names no file."""
    assert not File(path).exists()
    assert File(path).record.scheme == ABSENT_SCHEME


@task(namespace="test_file", version="1")
def measure(source: File) -> int:
    return source.size()


@pytest.mark.parametrize(("path", "reason"), [("loop", "symbolic links"), ("folder", "found a folder")])
def test_an_input_that_cannot_be_read_is_a_typed_error(path, reason):
    """The workflow fails before the job runs, with the path and the reason."""
    os.symlink("loop", "loop")
    os.mkdir("folder")
    with pytest.raises(RedunOSError, match=reason) as caught:
        Scheduler().run(measure(File(path)))
    assert caught.value.path == path
