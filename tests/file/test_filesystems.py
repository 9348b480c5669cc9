"""Facts about file systems: the registry, and what fsspec serves."""

import json
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from redun.errors import ConfigError
from redun.file import (
    Dir,
    File,
    FileSet,
    FileSystem,
    RedunFileNotFoundError,
    RedunOSError,
    copy_file,
    get_filesystem,
    glob_file,
    list_filesystems,
    open_file,
    register_filesystem,
)
from redun.file.filesystems import Found
from redun.file.fsspec_filesystem import FsspecFileSystem, _pick_checksum
from redun.file.local_filesystem import LocalFileSystem
from redun.file.state import FileState, check_file
from redun.hashing import hash_blob
from redun.objects.value_records import FileRecord


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, *_args):
        return


class EtagHandler(QuietHandler):
    """Adds an ETag made of the file's size, as a server would."""

    def end_headers(self):
        path = self.translate_path(self.path)
        if os.path.isfile(path):
            self.send_header("ETag", f'"size-{os.path.getsize(path)}"')
        super().end_headers()


@pytest.fixture
def serve(own_folder):
    servers = []

    def start(handler):
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(own_folder)))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def bucket():
    """A fresh place in fsspec's memory."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    return "memory://bucket"


def test_paths_without_a_protocol_are_local():
    """Protocols are told by ``://``, and a colon or slash in a name is none."""
    local = get_filesystem("local")
    for path in ("a", "/a", "a:b", "dir/x://y", "file:///a"):
        assert get_filesystem(url=path) is local
    assert isinstance(local, LocalFileSystem)
    assert get_filesystem(url="s3://b/k").name == "s3"
    assert get_filesystem("s3") is get_filesystem(url="s3://other")


@pytest.mark.parametrize("arguments", [{}, {"proto": "s3", "url": "s3://b"}])
def test_a_file_system_is_asked_for_in_one_way(arguments):
    """By protocol or by URL, not both."""
    with pytest.raises(ValueError, match="either"):
        get_filesystem(**arguments)


def test_the_known_protocols_are_listed():
    """At least those that users know."""
    assert {"local", "memory", "s3", "gs", "az", "ftp", "ssh", "http", "https"} <= {
        fs.name for fs in list_filesystems()
    }


def test_a_registered_file_system_serves_its_protocol():
    """A user's own class takes over its protocols."""

    @register_filesystem
    class Shouting(LocalFileSystem):
        protocols = ("shout",)

        def open(self, path, mode="r", encoding=None, **kwargs):
            return super().open(path.partition("://")[2].upper(), mode, encoding, **kwargs)

    File("shout://name").write("x")
    assert os.listdir() == ["NAME"]
    assert isinstance(File("shout://name").filesystem, Shouting)
    assert issubclass(Shouting, FileSystem)


def test_local_files_load_neither_fsspec_nor_asyncio():
    """Importing those takes longer than most runs."""
    code = (
        "import sys; from redun.file import File, Dir, FileSet; File('d/a').write('x'); File('d/a').hash; "
        "Dir('d').hash; FileSet('d/*').hash; File('d/a').copy_to(File('b'));"
        "bad = {'fsspec', 'asyncio', 's3fs', 'inspect'} & set(sys.modules); assert not bad, bad"
    )
    # Coverage, when it measures subprocesses, loads modules of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_an_unknown_protocol_says_what_is_missing():
    """The error names the protocol and is a matter of configuration."""
    with pytest.raises(RedunOSError, match="nosuch") as caught:
        File("nosuch://a").exists()
    assert isinstance(caught.value, ConfigError)
    assert caught.value.hint


def test_a_missing_package_is_named():
    """With the path, and the extra of redun that brings it."""
    code = """
import json, sys
for name in ("s3fs", "gcsfs", "adlfs", "paramiko", "aiohttp"):
    sys.modules[name] = None
from redun.errors import ConfigError
from redun.file import File
for url in ("s3://b/k", "gs://b/k", "az://b/k", "ssh://h/k", "http://h/k"):
    try:
        File(url).read()
    except ConfigError as error:
        print(json.dumps([error.path, error.hint]))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        ["s3://b/k", "`pip install 'redun[s3]'`"],
        ["gs://b/k", "`pip install 'redun[gs]'`"],
        ["az://b/k", "`pip install 'redun[az]'`"],
        ["ssh://h/k", "`pip install 'redun[ssh]'`"],
        ["http://h/k", "`pip install 'redun[http]'`"],
    ]


def test_a_remote_file_reads_and_writes(bucket):
    """All verbs work on a file that fsspec serves."""
    file = File(f"{bucket}/d/a.txt")
    assert not file.exists()
    assert file.record.scheme == "absent"
    file.write("one\ntwo")
    assert (file.exists(), file.isfile(), file.isdir(), file.size()) == (True, True, False, 7)
    assert (file.read(), file.readlines()) == ("one\ntwo", ["one\n", "two"])
    assert File(f"{bucket}/d").isdir()
    assert file.basename() == "a.txt"
    file.remove()
    file.remove()
    assert not file.exists()
    file.touch()
    assert file.size() == 0
    file.write("text")
    file.touch()
    assert file.size() == 4
    with pytest.raises(RedunOSError, match="stamps"):
        file.touch(1000)


def test_a_remote_file_is_checked_by_its_checksum(bucket):
    """The record holds what the file system tells; another write is another content."""
    file = File(f"{bucket}/a")
    file.write("one")
    record = file.record
    assert (record.scheme, record.size) == ("mtime", 3)
    assert check_file(record).state is FileState.SAME
    File(f"{bucket}/a").write("two")
    assert check_file(record).state is FileState.DIFFERENT
    file.remove()
    assert check_file(record).state is FileState.MISSING


def test_a_remote_file_can_be_identified_by_content(bucket):
    """A record of a content is checked by reading it."""
    File(f"{bucket}/a").write("one")
    from redun.file.identity import identify

    record = identify(f"{bucket}/a", "blake3")
    assert (record.digest, record.size) == (hash_blob(b"one"), 3)
    File(f"{bucket}/a").write("one")
    assert check_file(record).state is FileState.SAME


def test_missing_remote_files_are_typed_errors(bucket):
    """Reading or measuring nothing is the builtin error with the path as written."""
    for verb in (File(f"{bucket}/none").read, File(f"{bucket}/none").size):
        with pytest.raises(RedunFileNotFoundError) as caught:
            verb()
        assert caught.value.path == f"{bucket}/none"
        assert isinstance(caught.value, FileNotFoundError)


def test_a_remote_folder_is_no_file(bucket):
    """A prefix has no content."""
    File(f"{bucket}/d/a").write("x")
    with pytest.raises(RedunOSError, match="folder"):
        File(f"{bucket}/d").hash  # noqa: B018


def test_remote_folders_and_patterns(bucket):
    """Listings come back in the form of the URL that was asked, hidden files left out."""
    for name in ("d/b", "d/a", "d/sub/c", "d/.hidden", "dd/x"):
        File(f"{bucket}/{name}").write(name)
    assert [file.path for file in Dir(f"{bucket}/d")] == [f"{bucket}/d/{name}" for name in ("a", "b", "sub/c")]
    assert [file.path for file in FileSet(f"{bucket}/d/*")] == [f"{bucket}/d/a", f"{bucket}/d/b"]
    assert glob_file(f"{bucket}/d/.h*") == [f"{bucket}/d/.hidden"]
    assert list(Dir(f"{bucket}/none")) == []
    folder = Dir(f"{bucket}/d")
    assert folder.hash
    assert folder.is_valid()
    folder.rmdir(recursive=True)
    assert not folder.exists()
    folder.mkdir()
    assert folder.exists()
    folder.rmdir()
    assert not folder.exists()


def test_copies_between_and_within_file_systems(bucket):
    """Contents stream from any protocol to any other."""
    File("a").write("content")
    copy_file("a", f"{bucket}/a")
    copy_file(f"{bucket}/a", f"{bucket}/b")
    copy_file(f"{bucket}/b", f"{bucket}/b")
    copy_file(f"{bucket}/b", "d/b")
    assert File("d/b").read() == "content"
    with open_file(f"{bucket}/b", "rb") as stream:
        assert stream.read() == b"content"


def test_the_strongest_checksum_wins():
    """A content digest before an ETag, that before a generation, and time only when there is nothing else."""
    info = {"size": 3, "LastModified": "today", "generation": 7, "ETag": '"abc"', "md5Hash": "m=="}
    assert _pick_checksum(info, None) == ("md5", b"m==", 3)
    assert _pick_checksum(info, "etag") == ("etag", b"abc", 3)
    assert _pick_checksum(info, "unknown") == ("md5", b"m==", 3)
    del info["md5Hash"]
    assert _pick_checksum(info, None) == ("etag", b"abc", 3)
    del info["ETag"]
    assert _pick_checksum(info, None) == ("generation", b"7", 3)
    del info["generation"]
    assert _pick_checksum(info, None) == ("mtime", b"today", 3)
    assert _pick_checksum({"size": 3}, None) is None


def test_a_listing_that_tells_checksums_saves_asking_for_each(monkeypatch):
    """Members of a bucket get their records from the one listing."""
    listed = {"b/d/a": {"name": "b/d/a", "type": "file", "size": 1, "ETag": '"e"'}}
    calls = []

    class FakeBucket:
        def invalidate_cache(self, path=None):
            calls.append("invalidate_cache")

        def find(self, path, detail):
            calls.append("find")
            return listed

    monkeypatch.setattr(FsspecFileSystem, "_reach", lambda self, path: (FakeBucket(), path.partition("://")[2]))
    assert FsspecFileSystem("s3").list_folder("s3://b/d/") == [Found("s3://b/d/a", ("etag", b"e", 1))]
    assert calls == ["invalidate_cache", "find"]  # an old listing would be a wrong answer
    (file,) = Dir("s3://b/d")
    assert file.record == FileRecord("s3://b/d/a", "etag", b"e", 1)


def test_a_url_with_an_etag_is_not_read(serve, own_folder):
    """A server's ETag identifies what it serves."""
    (own_folder / "a.txt").write_text("content")
    file = File(f"{serve(EtagHandler)}/a.txt")
    assert file.read() == "content"
    assert file.record == FileRecord(file.path, "etag", b"size-7", 7)
    (own_folder / "a.txt").write_text("content 2")
    assert not file.is_valid()


def test_a_url_without_a_checksum_is_identified_by_content(serve, own_folder):
    """A server that tells nothing is read."""
    (own_folder / "a.txt").write_text("content")
    base = serve(QuietHandler)
    file = File(f"{base}/a.txt")
    assert (file.record.scheme, file.record.digest) == ("blake3", hash_blob(b"content"))
    assert file.is_valid()
    (own_folder / "a.txt").write_text("changed")
    assert not file.is_valid()
    assert File(f"{base}/none").record.scheme == "absent"
    copied = file.copy_to(File("copy"))
    assert copied.read() == "changed"


def test_a_server_that_is_gone_is_an_error_and_not_an_absent_file(serve):
    """Not knowing is not the same as knowing that there is nothing."""
    with pytest.raises(RedunOSError, match="cannot look at") as caught:
        File("http://127.0.0.1:9/a").exists()
    assert not isinstance(caught.value, FileNotFoundError)
