"""Facts about immutable files."""

import os

import pytest

from redun.file import Dir, File, IDir, IFile, IFileSet, IStagingFile
from redun.scheduler import Scheduler
from redun.task import task
from redun.value.encoding import encode_value

runs = []


@pytest.mark.parametrize("path", ["a", "none", "s3://no-such-bucket/key", "nosuch://a"])
def test_the_hash_is_of_the_path_alone(path):
    """Nothing is read or asked, not even a protocol that nobody serves."""
    file = IFile(path)
    assert file.hash == IFile(path).hash != IFile(path + "x").hash
    assert file.record.scheme == "path"
    assert file.is_valid()


def test_no_change_counts():
    """Written, rewritten or removed: the hash stands and the file is valid."""
    file = IFile("a")
    before = file.hash
    for change in (lambda: file.write("1"), lambda: file.write("2"), file.update_hash, file.remove):
        change()
        assert file.hash == before
        assert file.is_valid()


def test_it_reads_and_writes_as_any_file():
    """Only the identity differs."""
    file = IFile("d/a")
    file.write("text")
    assert (file.read(), file.size(), file.exists()) == ("text", 4, True)
    assert type(file.copy_to(File("b"))) is File
    assert File("b").read() == "text"


@pytest.mark.parametrize(("cls", "pattern"), [(IFileSet, "d/*"), (IDir, "d")])
def test_a_set_is_valid_whatever_becomes_of_its_members(cls, pattern):
    """Its hash is of its pattern; its files are those that are there now."""
    value = cls(pattern)
    before = value.hash
    File("d/a").write("1")
    value.update_hash()
    assert value.hash == before
    assert value.is_valid()
    assert [file.path for file in value] == [file.path for file in value.files] == ["d/a"]
    assert list(value.iter_subvalues()) == []
    os.remove("d/a")
    assert value.is_valid()
    assert value.files == []


def test_a_staging_is_identified_by_its_paths():
    """The remote is as immutable as a file of its own."""
    staging = IFile("a").stage("b")
    before = staging.get_hash()
    File("a").write("1")
    assert IStagingFile("b", "a").get_hash() == before
    assert IStagingFile("c", "a").get_hash() != before


@task(namespace="test_immutable", version="1")
def make(name: str):
    runs.append(name)
    file = IFile(f"out/{name}")
    file.write(name)
    return file, IDir("out")


@task(namespace="test_immutable", version="1")
def use(file, folder):
    runs.append("use")
    return file.path


@task(namespace="test_immutable", version="1")
def main(name: str):
    made = make(name)
    return use(made[0], made[1])


def test_a_deleted_output_is_no_reason_to_run_again():
    """Always valid means that the result on record serves."""
    runs.clear()
    scheduler = Scheduler()
    assert scheduler.run(main("a")) == "out/a"
    Dir("out").rmdir(recursive=True)
    assert scheduler.run(main("a")) == "out/a"
    assert runs == ["a", "use"]
    assert not File("out/a").exists()


def test_immutable_files_are_externals_that_never_change():
    """They are on record with the result as other files are."""
    assert len(encode_value([IFile("a"), IDir("d")]).externals) == 2
