"""What tasks that use Spark ask for: on a real Spark of this machine, and with stand-ins for AWS Glue's library."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from redun import glue
from redun.errors import ConfigError
from redun.file import spark_session
from redun.file.spark_session import NoSparkHere, set_session


@pytest.fixture
def awsglue(monkeypatch):
    """AWS Glue's library, as far as it is called: what it is asked for is noted."""
    asked = []

    class Frame:
        def toDF(self):
            return "a DataFrame"

    class GlueContext:
        def __init__(self, context):
            self.context = context
            self.create_dynamic_frame = SimpleNamespace(from_catalog=self.from_catalog)

        def from_catalog(self, **options):
            asked.append(options)
            return Frame()

        def purge_table(self, **options):
            asked.append(options)

    class Job:
        def __init__(self, context):
            self.context = context

        def init(self, name, args):
            asked.append((name, args))

    parts = {
        "awsglue": {},
        "awsglue.context": {"GlueContext": GlueContext},
        "awsglue.job": {"Job": Job},
        "awsglue.utils": {"getResolvedOptions": lambda argv, names: dict.fromkeys(names, argv[1])},
    }
    for name, members in parts.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(spark_session, "_own", SimpleNamespace(sparkContext="a SparkContext"))
    return asked


def test_the_catalog_of_glue_is_read_and_cleaned(awsglue):
    """By database and table; the age that is kept is given in days, and Glue counts hours."""
    assert glue.load_datacatalog_spark_dataset("db", "t", hashfield="id") == "a DataFrame"
    glue.clean_datacatalog_table("db", "t", remove_older_than=2)
    assert awsglue == [
        {"database": "db", "table_name": "t", "additional_options": {"hashfield": "id"}},
        {"database": "db", "table_name": "t", "options": {"retentionPeriod": 48}},
    ]
    assert glue.get_glue_context().context == "a SparkContext"


def test_a_job_of_glue_begins_with_its_arguments(awsglue, monkeypatch):
    """They are found on the command line by their names."""
    monkeypatch.setattr(sys, "argv", ["script", "nightly"])
    job = glue.setup_glue_job("etl", ["WHEN"])
    assert awsglue == [("etl", {"WHEN": "nightly"})]
    assert job.context.context == "a SparkContext"


@pytest.mark.parametrize(
    "call",
    [
        glue.get_glue_context,
        lambda: glue.setup_glue_job("etl", []),
        lambda: glue.load_datacatalog_spark_dataset("db", "t"),
        lambda: glue.clean_datacatalog_table("db", "t"),
    ],
)
def test_glue_that_is_not_there_is_named(call):
    """With what does the same elsewhere."""
    with pytest.raises(ConfigError, match="needs AWS Glue's library") as caught:
        call()
    assert "ShardedS3Dataset" in caught.value.hint


def test_spark_connect_has_no_context(monkeypatch):
    """The error says what there is instead."""

    class Session:
        @property
        def sparkContext(self):
            raise AttributeError("JVM_ATTRIBUTE_NOT_SUPPORTED")

    monkeypatch.setattr(spark_session, "_own", Session())
    with pytest.raises(ConfigError, match="no SparkContext") as caught:
        glue.get_spark_context()
    assert "get_spark_session" in caught.value.hint


def test_a_function_of_columns_is_made_without_spark():
    """A module that holds some can be imported where there is no Spark, and it keeps its name."""

    @glue.udf(return_type="int")
    def double(number):
        """Twice."""
        return 2 * number

    assert (double.__name__, double.__doc__) == ("double", "Twice.")


@pytest.mark.cluster
class TestOnThisMachine:
    """On a Spark of this machine."""

    @pytest.fixture(autouse=True)
    def session(self, local_spark):
        """Share the session."""
        set_session(local_spark)
        yield
        set_session(None)

    def test_session_and_context_are_those_of_the_process(self, local_spark):
        """Whoever started them."""
        assert glue.get_spark_session() is local_spark
        assert glue.get_spark_context() is local_spark.sparkContext
        assert glue.get_num_workers() == 1
        set_session(None)
        assert glue.get_spark_session().sparkContext is local_spark.sparkContext

    def test_columns_are_computed_by_functions(self, local_spark):
        """Of type text, or of a type that is named."""
        frame = local_spark.createDataFrame([(1, "a"), (2, "b")], ["number", "word"])
        double = glue.udf(lambda number: 2 * number, return_type="long")
        shout = glue.udf(lambda word: word.upper())
        rows = frame.select(double("number").alias("n"), shout(frame.word).alias("w")).collect()
        assert [tuple(row) for row in rows] == [(2, "A"), (4, "B")]

    def test_tables_are_asked_in_sql(self, local_spark):
        """By the alias, or by another one."""
        frame = local_spark.range(10)
        assert glue.sql_query(frame, "SELECT sum(id) AS total FROM dataset").collect()[0].total == 45
        assert glue.sql_query(frame, "SELECT max(id) AS top FROM other", "other").collect()[0].top == 9

    def test_workers_have_no_session(self, local_spark):
        """One that asks is told to run beside Spark."""

        def ask(_number):
            try:
                glue.get_spark_session()
            except NoSparkHere as error:
                return error.hint
            return "a session"

        (told,) = local_spark.sparkContext.parallelize([1], 1).map(ask).collect()
        assert 'mode="driver"' in told
