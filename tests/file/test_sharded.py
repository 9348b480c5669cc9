"""Facts about datasets of many files."""

import os
import pickle

import pandas as pd
import pytest

import redun
from redun.file import File, RedunOSError, ShardedS3Dataset
from redun.file.filesystems import FileSystem
from redun.file.sharded import FORMATS, BadDataset
from redun.scheduler import Scheduler
from redun.task import task
from redun.value.encoding import decode_value, encode_value


@pytest.fixture(params=["local", "memory"])
def base(request):
    """A folder here, and one that fsspec serves; its name would like to be a pattern."""
    import fsspec

    fsspec.filesystem("memory").store.clear()
    return "data[1]" if request.param == "local" else "memory://bucket/data[1]"


def put(base, *names):
    for name in names:
        File(f"{base}/{name}").write(f"x\n{len(name)}\n")


def test_shards_are_the_files_of_the_format(base):
    """By the ends of their names, at any depth; hidden and uncommitted files are none."""
    put(base, "b.csv", "a.csv", "sub/c.csv", "a.json", "acsv", ".h.csv", "_SUCCESS", "_temporary/0/d.csv", "_k=1/e.csv")
    dataset = ShardedS3Dataset(f"{base}/", format="csv")
    assert (dataset.path, dataset.format, dataset.recurse) == (base, "csv", True)
    assert dataset.filenames == [f"{base}/{name}" for name in ("_k=1/e.csv", "a.csv", "b.csv", "sub/c.csv")]
    flat = ShardedS3Dataset(base, format="csv", recurse=False)
    assert flat.filenames == [f"{base}/a.csv", f"{base}/b.csv"]
    assert [file.path for file in flat] == [file.path for file in flat.iter_subvalues()] == flat.filenames
    assert ShardedS3Dataset(base, "orc").filenames == []


def test_an_unknown_format_is_refused():
    """The message lists those that there are."""
    with pytest.raises(BadDataset, match=r"avro, csv, ion, grokLog, json, orc, parquet, xml, found 'xlsx'"):
        ShardedS3Dataset("d", format="xlsx")
    assert [ShardedS3Dataset("d", format=name).format for name in FORMATS] == list(FORMATS)
    assert ShardedS3Dataset("d").format == "parquet"


def test_the_hash_covers_names_and_contents(base):
    """Another path, format or depth, a shard added, removed or rewritten; what is no shard counts for nothing."""
    put(base, "a.csv")
    dataset = ShardedS3Dataset(base, "csv")
    before = dataset.hash
    assert before not in {ShardedS3Dataset(base, "json").hash, ShardedS3Dataset(base, "csv", recurse=False).hash}
    put(base, "notes.txt")
    assert ShardedS3Dataset(base, "csv").hash == before
    assert dataset.is_valid()
    put(base, "b.csv")
    added = ShardedS3Dataset(base, "csv").hash
    assert not dataset.is_valid()
    File(f"{base}/b.csv").remove()
    assert ShardedS3Dataset(base, "csv").hash == before
    File(f"{base}/a.csv").write("x\n9\n")
    assert len({before, added, ShardedS3Dataset(base, "csv").hash}) == 3
    assert not dataset.is_valid()
    dataset.update_hash()
    assert dataset.is_valid()


def test_a_dataset_is_read_back_as_it_was(base):
    """With its format and depth, and without a look at the disk."""
    put(base, "a.csv")
    dataset = ShardedS3Dataset(base, "csv", recurse=False)
    encoded = encode_value(dataset)
    nodes = {oid: data for oid, data, _kind in encoded.parts} | {encoded.oid: encoded.data}
    put(base, "b.csv")
    for again in (decode_value(encoded.oid, nodes.__getitem__), pickle.loads(pickle.dumps(dataset))):
        assert type(again) is ShardedS3Dataset
        assert (again.path, again.format, again.recurse, again.filenames) == (base, "csv", False, [f"{base}/a.csv"])
        assert again == dataset
    assert repr(dataset) == f"ShardedS3Dataset(path={base}, format=csv, hash={dataset.hash[:8]})"
    assert redun.ShardedS3Dataset is ShardedS3Dataset


def test_a_dataset_is_made_of_its_files(base):
    """In one folder, or below one; the format is that of the first."""
    put(base, "a.csv", "b.csv", "sub/x/c.csv", "sub/y/d.csv")
    flat = ShardedS3Dataset.from_files([File(f"{base}/b.csv"), File(f"{base}/a.csv")])
    assert (flat.path, flat.format, flat.recurse) == (base, "csv", False)
    assert flat.filenames == [f"{base}/a.csv", f"{base}/b.csv"]
    deep = ShardedS3Dataset.from_files([File(f"{base}/sub/x/c.csv"), File(f"{base}/sub/y/d.csv")])
    assert (deep.path, deep.recurse) == (f"{base}/sub", True)
    with pytest.raises(BadDataset, match="1 more files"):
        ShardedS3Dataset.from_files([File(f"{base}/a.csv")])
    more = ShardedS3Dataset.from_files([File(f"{base}/a.csv")], allow_additional_files=True)
    assert more == flat


def test_files_that_make_no_dataset_are_refused():
    """None, missing ones, of two formats, of two buckets."""
    put(".", "a.csv", "b.json")
    assert ShardedS3Dataset.from_files([File("a.csv")]).filenames == ["./a.csv"]
    for files, match in (
        ([], "at least one"),
        (["none.csv"], "none.csv"),
        (["a.csv", "b.json"], "b.json"),
        (["s3://a/x.csv", "s3://b/x.csv"], "one bucket"),
        (["a.txt"], "found 'txt'"),
    ):
        with pytest.raises(BadDataset, match=match):
            ShardedS3Dataset.from_files([File(path) for path in files])


def test_old_shards_are_purged(own_folder):
    """By hours since their last change; the manifest lists them."""
    put("d", "old.csv", "new.csv", "old.json")
    os.utime("d/old.csv", (1, 1))
    os.utime("d/old.json", (1, 1))
    dataset = ShardedS3Dataset("d", "csv")
    assert dataset.purge_spark(manifest_file_path="removed.txt") == ["d/old.csv"]
    assert File("removed.txt").read() == "d/old.csv\n"
    assert dataset.filenames == ["d/new.csv"]
    assert dataset.purge_spark(remove_older_than=0) == ["d/new.csv"]
    assert File("d/old.json").exists()


def test_purging_works_where_times_are_told(base):
    """Other file systems tell them too; one that does not says so."""
    put(base, "a.csv")
    dataset = ShardedS3Dataset(base, "csv")
    assert dataset.purge_spark(remove_older_than=1000) == []
    assert dataset.purge_spark(remove_older_than=0) == [f"{base}/a.csv"]
    assert dataset.filenames == []
    with pytest.raises(RedunOSError, match="does not tell when"):
        FileSystem.modified(File("a").filesystem, "a")


@task(namespace="test_sharded", version="1")
def make(path: str):
    File("runs").write(File("runs").read() + "make ")
    return ShardedS3Dataset.from_data(pd.DataFrame({"x": [1, 2]}), path, format="csv")


@task(namespace="test_sharded", version="1")
def total(dataset):
    File("runs").write(File("runs").read() + "total ")
    return int(dataset.load_pandas()["x"].sum())


@task(namespace="test_sharded", version="1")
def main(path: str):
    return total(make(path))


def test_tasks_exchange_datasets():
    """A deleted shard is put back; one that was edited makes its task run again."""
    File("runs").write("")
    scheduler = Scheduler()
    assert scheduler.run(main("out")) == 3
    assert scheduler.run(main("out")) == 3
    os.remove("out/part-00000.csv")
    assert scheduler.run(main("out")) == 3
    assert File("runs").read() == "make total "
    assert File("out/part-00000.csv").exists()
    File("out/part-00000.csv").write("x\n40\n")
    assert scheduler.run(main("out")) == 3
    assert File("runs").read() == "make total make "
