"""Facts about reading and writing shards with pandas."""

import sys

import pandas as pd
import pytest

from redun.errors import ConfigError
from redun.file import File, ShardedS3Dataset
from redun.file.sharded import BadDataset

AVRO_SCHEMA = {
    "type": "record",
    "name": "row",
    "fields": [{"name": "number", "type": "long"}, {"name": "name", "type": "string"}],
}


@pytest.fixture(params=["local", "memory"])
def base(request):
    import fsspec

    fsspec.filesystem("memory").store.clear()
    return "data" if request.param == "local" else "memory://bucket/data"


@pytest.fixture
def table():
    return pd.DataFrame({"number": [3, 1, 2], "name": ["c", "ä", "b c"]})


@pytest.mark.parametrize(
    ("format", "options"),
    [("csv", {}), ("json", {}), ("orc", {}), ("parquet", {}), ("xml", {}), ("avro", {"schema": AVRO_SCHEMA})],
)
def test_a_table_written_is_read_back(base, table, format, options):
    """In each format that pandas knows, on each file system."""
    dataset = ShardedS3Dataset.from_data(table, base, format=format, format_options=options)
    assert dataset.filenames == [f"{base}/part-00000.{format}"]
    pd.testing.assert_frame_equal(dataset.load_pandas(), table, check_dtype=False)


@pytest.mark.parametrize("format", ["ion", "grokLog"])
def test_formats_that_only_spark_knows_are_refused(format, table):
    """By name, and with what to do; nothing that was there is lost."""
    File(f"d/a.{format}").write("text")
    with pytest.raises(BadDataset, match=f"does not read {format}") as caught:
        ShardedS3Dataset("d", format=format).load_pandas()
    assert "load_spark" in caught.value.hint
    with pytest.raises(BadDataset, match=f"does not write {format}"):
        ShardedS3Dataset.from_data(table, "d", format=format)
    assert File(f"d/a.{format}").read() == "text"


def test_a_list_of_tables_makes_a_shard_each(base, table):
    """Read in order of path, all or the first few, apart or as one."""
    dataset = ShardedS3Dataset.from_data([table, table[:1], table[1:]], base)
    assert [len(shard) for shard in dataset.load_pandas_shards()] == [3, 1, 2]
    assert [len(shard) for shard in dataset.load_pandas_shards(max_shards=2)] == [3, 1]
    assert list(dataset.load_pandas().index) == list(range(6))
    assert len(dataset.load_pandas(max_shards=0)) == 0
    assert len(ShardedS3Dataset(f"{base}/none").load_pandas()) == 0


def test_writing_replaces_the_shards_of_the_format(base, table):
    """A task that runs again leaves what it makes, and nothing of what it made before."""
    ShardedS3Dataset.from_data([table, table], base, format="csv")
    File(f"{base}/notes.txt").write("kept")
    dataset = ShardedS3Dataset.from_data(table, base, format="csv")
    assert len(dataset.filenames) == 1
    assert File(f"{base}/notes.txt").exists()


def test_partitions_are_folders_and_columns(base):
    """As Spark writes and reads them: numbers come back as numbers, what is missing as nothing."""
    table = pd.DataFrame({"x": [1, 2, 3], "year": [2023, 2024, 2023], "zip": ["007", "a/b=c", None]})
    dataset = ShardedS3Dataset.from_data(table, base, partition_keys=["year", "zip"])
    assert dataset.filenames == [
        f"{base}/year=2023/zip=007/part-00000.parquet",
        f"{base}/year=2023/zip=__HIVE_DEFAULT_PARTITION__/part-00000.parquet",
        f"{base}/year=2024/zip=a%2Fb%3Dc/part-00000.parquet",
    ]
    again = dataset.load_pandas().sort_values("x")
    assert again["x"].tolist() == [1, 2, 3]
    assert again["year"].tolist() == [2023, 2024, 2023]
    assert again["zip"].tolist()[:2] == ["007", "a/b=c"]
    assert pd.isna(again["zip"].tolist()[2])
    with pytest.raises(BadDataset, match="found 'month'"):
        ShardedS3Dataset.from_data(table, base, partition_keys=["month"])
    assert len(dataset.filenames) == 3


def test_a_partition_whose_values_are_no_plain_numbers_is_text(base):
    """A number written another way is a name: 007 must not come back as 7."""
    table = pd.DataFrame({"x": [1, 2], "code": ["007", "8"], "count": ["-7", "8"]})
    again = ShardedS3Dataset.from_data(table, base, partition_keys=["code", "count"]).load_pandas()
    assert again["code"].tolist() == ["007", "8"]
    assert again["count"].tolist() == [-7, 8]


def test_avro_needs_a_schema(table):
    """pandas does not tell one."""
    with pytest.raises(BadDataset, match="schema"):
        ShardedS3Dataset.from_data(table, "d", format="avro")


@pytest.mark.parametrize(("package", "format"), [("pandas", "csv"), ("fastavro", "avro")])
def test_a_missing_package_is_named(monkeypatch, package, format):
    """With the extra that brings it."""
    File(f"d/a.{format}").write("x\n1\n")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=package) as caught:
        ShardedS3Dataset("d", format=format).load_pandas()
    assert "redun[data]" in caught.value.hint
