"""Facts about files on a real S3 server."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
import s3fs

from redun.file import (
    ContentFile,
    Dir,
    File,
    FileSet,
    IFile,
    RedunFileNotFoundError,
    RedunOSError,
    RedunPermissionError,
    ShardedS3Dataset,
    copy_file,
    glob_file,
    open_file,
)
from redun.file.filesystems import get_filesystem
from redun.file.state import FileState, check_file
from redun.scheduler import Scheduler
from redun.task import task


def paths(files):
    return [file.path for file in files]


def outside(bucket, name, content):
    """Change an object behind the back of the clients that files have."""
    s3fs.S3FileSystem(skip_instance_cache=True).pipe_file(f"{bucket}/{name}", content)


def test_a_file_reads_and_writes(s3_bucket):
    """All verbs, for text and bytes, with an append and an empty file."""
    file = File(f"{s3_bucket}/d/a.txt")
    assert not file.exists()
    assert file.record.scheme == "absent"
    file.write("ä\nb\n")
    assert (file.exists(), file.isfile(), file.isdir(), file.size()) == (True, True, False, 5)
    assert (file.read(), file.readlines()) == ("ä\nb\n", ["ä\n", "b\n"])
    with file.open("a") as stream:
        stream.write("c")
    assert file.read() == "ä\nb\nc"
    file.write(b"\0\xff")
    with file.open("rb") as stream:
        assert stream.read() == b"\0\xff"
    file.touch()
    assert file.size() == 2
    assert Dir(f"{s3_bucket}/d").exists()
    file.remove()
    file.remove()
    assert not file.exists()
    assert paths(Dir(f"{s3_bucket}/d")) == []
    file.touch()
    assert file.size() == 0
    assert get_filesystem("s3").modified(file.path) > 1_600_000_000
    Dir(f"{s3_bucket}/made").mkdir()
    Dir(f"{s3_bucket}/made").mkdir()
    Dir(f"{s3_bucket}/made").file("sub/a").write("x")
    assert paths(Dir(f"{s3_bucket}/made")) == [f"{s3_bucket}/made/sub/a"]


def test_a_large_file_goes_up_in_parts_and_streams_down(s3_bucket):
    """More than one part of a multipart upload, read in the middle."""
    content = os.urandom(12 << 20)
    with open_file(f"{s3_bucket}/large", "wb", block_size=5 << 20) as stream:
        stream.write(content)
    with open_file(f"{s3_bucket}/large", "rb") as stream:
        stream.seek(7 << 20)
        assert stream.read(100) == content[7 << 20 :][:100]
    copy_file(f"{s3_bucket}/large", "large")
    assert Path("large").read_bytes() == content


def test_the_etag_identifies_a_content_without_reading_it(s3_bucket):
    """The same bytes are the same file; a change by somebody else is seen at once."""
    file = File(f"{s3_bucket}/a")
    file.write("one")
    record = file.record
    assert (record.scheme, record.size) == ("etag", 3)
    assert check_file(record).state is FileState.SAME
    File(f"{s3_bucket}/a").write("one")
    assert file.is_valid()
    outside(s3_bucket, "a", b"two")
    assert check_file(record).state is FileState.DIFFERENT
    file.remove()
    assert check_file(record).state is FileState.MISSING


def test_content_files_are_read_and_immutable_ones_are_not(s3_bucket):
    """The families hold here too."""
    File(f"{s3_bucket}/a").write("one")
    content, fixed = ContentFile(f"{s3_bucket}/a"), IFile(f"{s3_bucket}/a")
    assert (content.record.scheme, fixed.record.scheme) == ("blake3", "path")
    File(f"{s3_bucket}/a").write("two")
    assert (content.is_valid(), fixed.is_valid()) == (False, True)


def test_folders_and_patterns(s3_bucket):
    """Listings are in order, without hidden files, and see what others wrote."""
    names = ["b", "a", "sub/c", ".hidden", "sub/.h/x", "sub/deep/d"]
    for name in names:
        File(f"{s3_bucket}/d/{name}").write(name)
    File(f"{s3_bucket}/dd/x").write("x")
    folder = Dir(f"{s3_bucket}/d/")
    assert paths(folder) == [f"{s3_bucket}/d/{name}" for name in ("a", "b", "sub/c", "sub/deep/d")]
    assert paths(FileSet(f"{s3_bucket}/d/*")) == [f"{s3_bucket}/d/a", f"{s3_bucket}/d/b"]
    assert glob_file(f"{s3_bucket}/d/**/[cd]") == [f"{s3_bucket}/d/sub/c", f"{s3_bucket}/d/sub/deep/d"]
    assert folder.hash
    assert folder.is_valid()
    assert {file.record.scheme for file in folder} == {"etag"}
    outside(s3_bucket, "d/new", b"x")
    assert not folder.is_valid()
    outside(s3_bucket, "d/a", b"longer")
    assert File(f"{s3_bucket}/d/a").size() == 6
    assert f"{s3_bucket}/d/new" in paths(folder)
    folder.rmdir(recursive=True)
    assert paths(folder) == []
    assert paths(Dir(s3_bucket)) == [f"{s3_bucket}/dd/x"]


def test_copies_between_and_within_buckets(s3_bucket):
    """One file or a folder, there, within and back."""
    File("in/a").write("content")
    File("in/sub/b").write("more")
    remote = Dir("in").copy_to(Dir(f"{s3_bucket}/one"))
    again = remote.copy_to(Dir(f"{s3_bucket}/two"))
    again.file("a").write("newer")
    assert remote.copy_to(again, skip_if_exists=True).file("a").read() == "newer"
    back = again.copy_to(Dir("back"))
    assert (back.file("a").read(), back.file("sub/b").read()) == ("newer", "more")


def test_stagings_copy_by_method_and_by_shell(s3_bucket, s3_server, redun_environment):
    """What the rendered commands do is what the methods do."""
    staging = File(f"{s3_bucket}/it is").stage("work/x")
    staging.local.write("content")
    assert staging.unstage().read() == "content"
    folder = Dir(f"{s3_bucket}/d").stage("work")
    script = " && ".join([staging.render_stage(), folder.render_unstage(), f"redun fs cp {s3_bucket}/d/x -"])
    search_path = f"{Path(sys.executable).parent}{os.pathsep}{redun_environment['PATH']}"
    staging.local.remove()
    environment = {**redun_environment, **s3_server.environment, "PATH": search_path}
    done = subprocess.run(script, shell=True, check=True, capture_output=True, text=True, env=environment)
    assert done.stdout == staging.local.read() == "content"
    assert folder.remote.file("x").read() == "content"


def test_what_is_missing_is_a_typed_error_with_the_path(s3_bucket):
    """A key or a whole bucket; on reading, measuring and copying."""
    for url in (f"{s3_bucket}/none", "s3://no-such-bucket-anywhere/key"):
        for verb in (File(url).read, File(url).size, lambda url=url: File(url).copy_to(File("copy"))):
            with pytest.raises(RedunFileNotFoundError) as caught:
                verb()
            assert caught.value.path == url
        assert File(url).record.scheme == "absent"


def test_what_is_forbidden_is_a_typed_error_with_the_path(s3_bucket, s3_server):
    """With a wrong secret a file is not absent but out of reach."""
    File(f"{s3_bucket}/a").write("x")
    code = f"""
from redun.file import File, RedunPermissionError, open_file
def write(file): file.write("y")
def copy(file): file.copy_to(File("b"))
def stream(file):
    with open_file(file.path, "w") as stream: stream.write("y")
for verb in (File.read, File.exists, File.update_hash, write, copy, stream):
    try:
        verb(File("{s3_bucket}/a"))
    except RedunPermissionError as error:
        print(error.path)
"""
    environment = {**os.environ, "AWS_SECRET_ACCESS_KEY": "wrong"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines() == [f"{s3_bucket}/a"] * 6
    assert done.stderr == ""
    assert issubclass(RedunPermissionError, PermissionError)
    assert File(f"{s3_bucket}/a").read() == "x"


def test_a_server_that_is_gone_is_no_absent_file(monkeypatch):
    """Not knowing is not the same as knowing that there is nothing."""
    code = """
from redun.file import File, RedunFileNotFoundError, RedunOSError
try:
    File("s3://bucket/a").hash
except RedunOSError as error:
    print(error.path, isinstance(error, RedunFileNotFoundError))
"""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout == "s3://bucket/a False\n"
    assert issubclass(RedunFileNotFoundError, RedunOSError)


def test_threads_write_and_read_at_once(s3_bucket):
    """Jobs run in threads, each with a client of its own."""
    read = {}

    def work(number):
        file = File(f"{s3_bucket}/threads/{number}")
        file.write(str(number))
        read[number] = file.read()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == {number: str(number) for number in range(8)}
    assert len(list(Dir(f"{s3_bucket}/threads"))) == 8


def test_a_dataset_lies_in_a_bucket(s3_bucket):
    """Written, partitioned, read back and replaced."""
    table = pd.DataFrame({"x": [1, 2, 3], "year": [2023, 2024, 2023]})
    dataset = ShardedS3Dataset.from_data(table, f"{s3_bucket}/table", partition_keys=["year"])
    assert dataset.filenames == [f"{s3_bucket}/table/year={year}/part-00000.parquet" for year in (2023, 2024)]
    assert dataset.load_pandas()["x"].sum() == 6
    assert dataset.is_valid()
    assert ShardedS3Dataset(f"{s3_bucket}/table") == dataset
    again = ShardedS3Dataset.from_data(table, f"{s3_bucket}/table")
    assert again.filenames == [f"{s3_bucket}/table/part-00000.parquet"]
    assert not dataset.is_valid()
    assert again.purge_spark(remove_older_than=1) == []


@task(namespace="test_s3", version="1")
def count(source: File, target: str):
    with open("runs", "a") as stream:
        stream.write("x")
    result = File(target)
    result.write(str(len(source.read())))
    return result


def test_jobs_are_cached_by_what_the_server_tells(s3_bucket):
    """A file that did not change runs nothing; a changed input or a lost output runs its job again."""
    scheduler = Scheduler()
    Path("runs").write_text("")

    def run():
        result = scheduler.run(count(File(f"{s3_bucket}/in"), f"{s3_bucket}/out"))
        return result.read(), len(Path("runs").read_text())

    File(f"{s3_bucket}/in").write("four")
    assert run() == ("4", 1)
    assert run() == ("4", 1)
    outside(s3_bucket, "in", b"fives")
    assert run() == ("5", 2)
    File(f"{s3_bucket}/out").remove()
    assert run() == ("5", 3)
    outside(s3_bucket, "out", b"mine")
    assert run() == ("5", 4)
