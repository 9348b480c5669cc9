"""Facts about the families of file classes, and about subclasses of users."""

import copy
import os
import pickle

import pytest

from redun.file import (
    ContentDir,
    ContentFile,
    ContentFileSet,
    Dir,
    File,
    FileSet,
    IDir,
    IFile,
    IFileSet,
    ShardedS3Dataset,
)
from redun.file.families import FAMILIES
from redun.objects.value_records import FileRecord
from redun.scheduler import Scheduler
from redun.task import task
from redun.value.encoding import decode_value, encode_value
from redun.value.errors import ValueUndecodable
from redun.value.registry import get_type_registry

ALL_FILES = [family.File for family in FAMILIES]
runs = []


class Sequence(File):
    """A user's own class, made of something else than a path."""

    type_name = "test_families.Sequence"

    def __init__(self, name, folder):
        super().__init__(f"{folder}/{name}.fa")


def round_trip(value):
    encoded = encode_value(value)
    nodes = {oid: data for oid, data, _kind in encoded.parts} | {encoded.oid: encoded.data}
    return decode_value(encoded.oid, nodes.__getitem__)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.File.__name__)
def test_members_files_and_stagings_are_of_the_family(family):
    """Whatever makes a file of another keeps to its kind."""
    File("d/a").write("x")
    folder = family.Dir("d")
    assert [type(file) for file in folder] == [family.File]
    assert [type(file) for file in family.FileSet("d/*").files] == [family.File]
    assert type(folder.file("a")) is family.File
    assert type(folder.stage()) is family.StagingDir
    assert type(folder.file("a").stage("b")) is family.StagingFile
    assert type(folder.file("a").stage("b").local) is family.File
    assert all(cls.classes is family for cls in family)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.File.__name__)
def test_each_class_is_read_back_as_itself(family):
    """From the store, from a pickle and from a copy, with the same hash, and within containers."""
    File("d/a").write("x")
    for value in (
        family.File("d/a"),
        family.FileSet("d/*"),
        family.Dir("d"),
        family.File("d/a").stage("e"),
        family.Dir("d").stage("e"),
    ):
        for again in (
            round_trip(value),
            round_trip([value])[0],
            pickle.loads(pickle.dumps(value)),
            copy.deepcopy(value),
        ):
            assert type(again) is type(value)
            assert again == value
            assert hash(again) == hash(value)
            assert again.get_hash() == value.get_hash()


def test_the_class_is_part_of_the_identity():
    """A task that is given another class may do something else."""
    File("a").write("x")
    assert len({cls("a").hash for cls in ALL_FILES}) == 3
    assert len({cls("*").hash for cls in (FileSet, IFileSet, ContentFileSet)}) == 3
    assert len({cls(".").hash for cls in (Dir, IDir, ContentDir)}) == 3
    assert File("a") != ContentFile("a")
    assert len({File("a"), ContentFile("a"), IFile("a")}) == 3


def test_a_plain_file_names_no_class():
    """Its bytes are those from before there were other classes."""
    File("a").write("x")
    assert File("a").record.type_name == ""
    assert ContentFile("a").record.type_name == "redun.file.ContentFile"


def test_a_users_subclass_is_read_back_as_itself():
    """It is made without its constructor, whose arguments nobody knows."""
    file = Sequence("chr1", "genome")
    file.write(">chr1")
    again = round_trip(file)
    assert (type(again), again.path, again.hash) == (Sequence, "genome/chr1.fa", file.hash)
    assert again.is_valid()
    file.write(">chr2")
    assert not again.is_valid()


def test_a_class_that_is_gone_is_undecodable():
    """A result that names it is a miss with a reason, and not a File of another class."""
    for name, reason in (("nowhere.Missing", "nowhere.Missing"), ("redun.file.Dir", "no class of files")):
        oid, data = FileRecord("a", "etag", b"e", 1, name).encode()
        with pytest.raises(ValueUndecodable, match=reason):
            decode_value(oid, {oid: data}.__getitem__)


@pytest.mark.parametrize("cls", [File, FileSet, Dir, IFile, IFileSet, IDir, ContentFile, ContentDir, ShardedS3Dataset])
def test_a_command_line_names_each_by_its_path(cls):
    """An option of a task whose parameter is annotated so."""
    value = get_type_registry().parse_arg(cls, "some/path")
    assert type(value) is cls
    assert value == cls("some/path")


@task(namespace="test_families", version="1")
def write_sequence(text: str):
    runs.append(text)
    file = Sequence("chr1", "out")
    file.write(text)
    copied = ContentFile("out/copy.fa")
    copied.write(text)
    return [file, copied]


@pytest.mark.parametrize(("change", "count"), [("nothing", 1), ("delete", 1), ("edit", 2)])
def test_a_cached_result_has_the_classes_of_the_first_run(change, count):
    """And a produced file of a subclass is put back as a plain one is."""
    runs.clear()
    scheduler = Scheduler()
    first = scheduler.run(write_sequence("acgt"))
    if change == "delete":
        os.remove("out/chr1.fa")
        os.remove("out/copy.fa")
    if change == "edit":
        File("out/chr1.fa").write("mine")
    again = scheduler.run(write_sequence("acgt"))
    assert [type(file) for file in again] == [type(file) for file in first] == [Sequence, ContentFile]
    assert again == first
    assert File("out/chr1.fa").read() == File("out/copy.fa").read() == "acgt"
    assert len(runs) == count
