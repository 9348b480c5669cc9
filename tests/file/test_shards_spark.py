"""Facts about what Spark is asked for, with a stand-in that keeps the requests.

The stand-in's answers are those that Spark 4 gave to the same requests.
"""

import os
import sys
from types import ModuleType, SimpleNamespace

import pandas as pd
import pytest

from redun.errors import ConfigError
from redun.file import File, ShardedS3Dataset
from redun.file.sharded import BadDataset


class Builder:
    """A reader or writer: each step is kept, the last one does something."""

    def __init__(self, spark):
        self.spark = spark
        self.steps = {"options": {}}

    def format(self, name):
        self.steps["format"] = name
        return self

    def mode(self, name):
        self.steps["mode"] = name
        return self

    def options(self, **options):
        self.steps["options"].update(options)
        return self

    def option(self, name, value):
        return self.options(**{name: value})

    def partitionBy(self, *keys):
        self.steps["keys"] = keys
        return self

    def load(self, paths):
        self.spark.requests.append({**self.steps, "load": paths})
        return "a DataFrame"

    def save(self, path):
        self.spark.requests.append({**self.steps, "save": path})
        File(path.removeprefix("file://") + f"/part-0-uuid.snappy.{self.steps['format']}").write("shard")

    def saveAsTable(self, name):
        self.spark.requests.append({**self.steps, "table": name})


class Frame:
    def __init__(self, spark):
        self.sparkSession = spark
        self.write = Builder(spark)


class Session:
    """A Spark session; ``s3`` says whether its Hadoop serves s3:// itself."""

    active = None

    def __init__(self, s3=None):
        self.requests = []
        self._jsc = SimpleNamespace(hadoopConfiguration=lambda: {"fs.s3.impl": s3})

    @property
    def read(self):
        return Builder(self)

    def createDataFrame(self, table):
        self.requests.append(table)
        return Frame(self)

    @classmethod
    def getActiveSession(cls):
        return cls.active


Session.builder = SimpleNamespace(getOrCreate=lambda: pytest.fail("there is a session"))


@pytest.fixture
def spark(monkeypatch):
    top, sql = ModuleType("pyspark"), ModuleType("pyspark.sql")
    top.TaskContext = SimpleNamespace(get=lambda: None)
    sql.SparkSession = Session
    monkeypatch.setitem(sys.modules, "pyspark", top)
    monkeypatch.setitem(sys.modules, "pyspark.sql", sql)
    monkeypatch.setattr(Session, "active", Session())
    return Session.active


def test_spark_reads_the_very_shards_of_the_hash(spark, own_folder):
    """By name, with the folder as the base of partitions, and characters of patterns taken as they are."""
    File("d[1]/k=1/a.csv").write("x\n1\n")
    dataset = ShardedS3Dataset("d[1]", format="csv")
    assert dataset.hash
    File("d[1]/late.csv").write("x\n2\n")
    assert dataset.load_spark(format_options={"sep": ";"}) == "a DataFrame"
    assert spark.requests == [
        {
            "format": "csv",
            "options": {"header": "true", "basePath": f"file://{own_folder}/d[1]", "sep": ";"},
            "load": [f"file://{own_folder}/d\\[1\\]/k=1/a.csv"],
        }
    ]


def test_shards_that_changed_are_refused_if_told(spark):
    """And a dataset without shards always is."""
    File("d/a.json").write("{}")
    dataset = ShardedS3Dataset("d", format="json")
    assert dataset.load_spark(validate=True) == "a DataFrame"
    File("d/a.json").write("[]")
    assert dataset.load_spark() == "a DataFrame"
    with pytest.raises(BadDataset, match="no longer"):
        dataset.load_spark(validate=True)
    with pytest.raises(BadDataset, match="no shards"):
        ShardedS3Dataset("none").load_spark()


def test_a_spark_table_becomes_a_dataset(spark, own_folder):
    """It replaces what was there, and the hash is of what Spark wrote."""
    dataset = ShardedS3Dataset.from_data(Frame(spark), "out", partition_keys=["k"], format_options={"a": "b"})
    assert spark.requests == [
        {
            "format": "parquet",
            "mode": "overwrite",
            "options": {"a": "b"},
            "keys": ("k",),
            "save": f"file://{own_folder}/out",
        }
    ]
    assert dataset.filenames == ["out/part-0-uuid.snappy.parquet"]
    assert dataset.is_valid()


def test_a_pandas_table_is_saved_by_spark_when_asked_to(spark, own_folder):
    """By ``save_spark``, or to enter it into the catalog."""
    table = pd.DataFrame({"x": [1]})
    dataset = ShardedS3Dataset("out", format="csv")
    dataset.save_spark(table)
    assert spark.requests[0] is table
    assert spark.requests[1]["options"] == {"header": "true"}
    assert len(dataset.filenames) == 1
    ShardedS3Dataset.from_data([table, table], "out", catalog_database="db", catalog_table="table")
    assert len(spark.requests[2]) == 2
    assert spark.requests[3]["table"] == "db.table"
    assert spark.requests[3]["options"] == {"path": f"file://{own_folder}/out"}


@pytest.mark.parametrize(("own", "protocol"), [(None, "s3a"), ("com.amazon.ws.emr.hadoop.fs.EmrFileSystem", "s3")])
def test_buckets_are_named_as_sparks_hadoop_knows_them(spark, monkeypatch, s3_bucket, own, protocol):
    """Only Amazon's distributions serve s3:// themselves."""
    monkeypatch.setattr(Session, "active", Session(own))
    File(f"{s3_bucket}/d/a.json").write("{}")
    ShardedS3Dataset(f"{s3_bucket}/d", format="json").load_spark()
    (request,) = Session.active.requests
    assert request["load"] == [f"{s3_bucket}/d/a.json".replace("s3:", f"{protocol}:")]


def test_spark_that_is_not_there_is_named(monkeypatch):
    """With the extra that brings it; importing redun.file does not need it."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    File("d/a.parquet").write("")
    with pytest.raises(ConfigError, match="Spark is not here") as caught:
        ShardedS3Dataset("d").load_spark()
    assert "redun[spark]" in caught.value.hint
    assert os.path.exists("d/a.parquet")
