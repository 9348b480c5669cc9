"""Datasets read and written by a real Spark of this machine."""

from __future__ import annotations

import pandas as pd
import pytest

from redun.file import File, ShardedS3Dataset
from redun.file.sharded import BadDataset
from redun.file.spark_session import set_session

pytestmark = pytest.mark.cluster

ROWS = [(1, "a", 2023), (2, "ä", 2024), (3, "c d", 2023)]


@pytest.fixture(autouse=True)
def spark(local_spark, own_folder):
    """The session of this process, in a folder of the test's own."""
    set_session(local_spark)
    yield local_spark
    set_session(None)


def rows_of(frame) -> list[tuple]:
    """Return the rows of a Spark DataFrame, in order."""
    return sorted(tuple(row) for row in frame.select("x", "name", "year").collect())


@pytest.mark.parametrize("format", ["parquet", "csv", "json", "orc", "xml"])
def test_what_spark_writes_spark_and_pandas_read(spark, format):
    """With partitions as columns, whatever the format."""
    frame = spark.createDataFrame(ROWS, "x long, name string, year long")
    dataset = ShardedS3Dataset.from_data(frame.coalesce(1), "out", format=format, partition_keys=["year"])
    assert sorted({name.split("/")[-2] for name in dataset.filenames}) == ["year=2023", "year=2024"]
    assert [tuple(map(str, row)) for row in rows_of(dataset.load_spark(validate=True))] == [
        tuple(map(str, row)) for row in ROWS
    ]
    table = dataset.load_pandas().sort_values("x")
    assert table[["x", "name", "year"]].to_numpy().tolist() == [list(row) for row in ROWS]


def test_what_pandas_writes_spark_reads(spark):
    """From folders whose names hold what Hadoop takes for patterns."""
    table = pd.DataFrame(ROWS, columns=["x", "name", "year"])
    dataset = ShardedS3Dataset.from_data(table, "da[ta]{1} b%20c", partition_keys=["year"])
    assert rows_of(dataset.load_spark()) == ROWS


def test_saving_replaces_what_was_there(spark):
    """The hash is of what Spark wrote; a shard that came since is not read."""
    dataset = ShardedS3Dataset("out")
    dataset.save_spark(spark.createDataFrame(ROWS, "x long, name string, year long"))
    first = dataset.hash
    dataset.save_spark(pd.DataFrame(ROWS[:1], columns=["x", "name", "year"]))
    assert dataset.hash != first
    File("out/late.parquet").write("no table")
    assert rows_of(dataset.load_spark()) == ROWS[:1]


def test_a_shard_that_changed_is_refused_if_told(spark):
    """Spark would read it, and the result would be under the wrong hash."""
    dataset = ShardedS3Dataset.from_data(pd.DataFrame({"id": [1, 2]}), "out", format="json")
    assert dataset.hash
    File(dataset.filenames[0]).write('{"id": 7}\n')
    assert [row.id for row in dataset.load_spark().collect()] == [7]
    with pytest.raises(BadDataset, match="no longer"):
        dataset.load_spark(validate=True)


def test_a_table_of_the_catalog_is_a_dataset_too(spark):
    """It is asked by name, and lies where the dataset is."""
    dataset = ShardedS3Dataset("table")
    dataset.save_spark(spark.range(5), catalog_table="numbers")
    try:
        assert spark.sql("SELECT sum(id) AS total FROM default.numbers").collect()[0].total == 10
        assert len(dataset.load_pandas()) == 5
    finally:
        spark.sql("DROP TABLE default.numbers")
