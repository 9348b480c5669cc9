"""What a script is to leave behind, named by path alone."""

from __future__ import annotations

import os

import pytest

from redun import Dir, File, FileSet, ShardedS3Dataset
from redun.file import ContentFile, IDir, IFile
from redun.file.produced import track_writes
from redun.scripting.outputs import Marks, Output, as_output
from redun.value.encoding import decode_value, encode_value


class Report(File):
    """A file of a user's class, made of something else than a path."""

    type_name = "test_outputs_of_scripts.Report"

    def __init__(self, day: int) -> None:
        super().__init__(f"report-{day}.txt")


PLACES = {
    "file": lambda: File("out.txt"),
    "immutable file": lambda: IFile("out.txt"),
    "staged file": lambda: File("s3://bucket/out.txt").stage("out.txt"),
    "content file": lambda: ContentFile("out.txt").stage("other.txt"),
    "file of a user's class": lambda: Report(3),
    "folder": lambda: Dir("out"),
    "staged folder": lambda: IDir("out").stage("there"),
    "set": lambda: FileSet("*.out"),
    "dataset": lambda: ShardedS3Dataset("table", format="csv", recurse=False),
}


def encoded(value):
    """Return the oid of a value, and a reader of its parts."""
    done = encode_value(value)
    return done, {oid: data for oid, data, _ in done.parts} | {done.oid: done.data}


@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES.keys())
def test_what_is_there_before_does_not_count(make, tmp_path, monkeypatch):
    """An output is the same value whether its file is there or not, and names no file on record."""
    monkeypatch.chdir(tmp_path)
    before = encode_value(as_output(make()))
    for name in ("out.txt", "report-3.txt", "a.out", "table/a.csv", "out/x"):
        File(name).write("old")
    after = encode_value(as_output(make()))
    assert before.oid == after.oid
    assert not after.externals


@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES.keys())
def test_an_output_comes_back_as_what_it_names(make):
    """Read back from the store it makes a place of the same class, path and form."""
    place = make()
    remote = getattr(place, "remote", place)
    done, parts = encoded(as_output(place))
    output = decode_value(done.oid, parts.__getitem__)
    assert output == as_output(place)
    assert hash(output) == hash(as_output(place))
    made = output.make()
    assert type(made) is type(remote)
    assert made.path == remote.path if isinstance(made, File) else made.pattern == remote.pattern
    if isinstance(made, ShardedS3Dataset):
        assert (made.path, made.format, made.recurse) == ("table", "csv", False)


def test_places_with_different_paths_are_different_outputs():
    """Both the path that counts and the local one are part of it, and so is the class."""
    outputs = [as_output(PLACES[name]()) for name in PLACES]
    outputs += [as_output(File("s3://bucket/out.txt").stage("b.txt")), as_output(File("b.txt"))]
    assert len({encode_value(output).oid for output in outputs}) == len(outputs)
    assert len(set(outputs)) == len(outputs)


def test_what_is_no_file_stays_as_it_is():
    """Numbers and texts among the outputs are part of the result as they are."""
    assert [as_output(part) for part in (3, "a.txt", None)] == [3, "a.txt", None]


def test_a_log_shows_paths_only():
    """The line of a job names the path, and the local one where it differs."""
    assert repr(as_output(File("a.txt"))) == "Output(path='a.txt')"
    assert repr(as_output(File("a.txt").stage("b.txt"))) == "Output(path='a.txt', local='b.txt')"
    assert repr(as_output(Dir("a/"))) == "Output(path='a', class='redun.file.Dir')"


def test_a_new_file_with_an_old_time_is_a_write(tmp_path):
    """What tar unpacked has its old time of modification, and was written all the same; the rest was not."""
    paths = [str(tmp_path / name) for name in ("kept", "unpacked", "absent")]
    for path in paths[:2]:
        File(path).write("old")
    with track_writes() as writes:
        marks = Marks([Output(File(path)) for path in [*paths, "memory://x/y", "-"]])
        os.remove(paths[1])
        with open(paths[1], "w") as stream:
            stream.write("new")
        os.utime(paths[1], (1, 1))
        marks.note_writes()
    assert writes == {os.path.realpath(paths[1])}
