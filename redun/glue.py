"""What tasks that use Spark ask for: session and context, functions of one's own, SQL, and AWS Glue's catalog.

The names are those that users know.  All but Glue's own work on any Spark: in AWS Glue, on a cluster, on this machine.
Tasks that call these run where the Spark session is: on an executor of type ``spark`` with ``mode="driver"``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

from redun.errors import ConfigError
from redun.file.spark_session import get_session

HOURS_PER_DAY = 24
_naming = threading.Lock()


class GlueMissing(ConfigError):
    """AWS Glue's own library is not here."""

    def __init__(self, what: str, error: ImportError) -> None:
        super().__init__(
            f"{what} needs AWS Glue's library: {error}",
            hint="it is there in jobs of AWS Glue alone; elsewhere, ShardedS3Dataset reads and writes tables by path",
        )
        self.what = what


class NoContext(ConfigError):
    """A Spark session has no SparkContext."""


def get_spark_session() -> Any:
    """Return the Spark session of this process, of type ``pyspark.sql.SparkSession``.

    Raises:
        SparkMissing: pyspark is not installed.
        NoSparkHere: this is a worker of Spark; the task needs ``mode="driver"``.
    """
    return get_session()


def get_spark_context() -> Any:
    """Return the SparkContext of this process.

    Raises:
        NoContext: Spark is reached through Spark Connect, which has none.
        ConfigError: as ``get_spark_session``.
    """
    session = get_session()
    try:
        return session.sparkContext
    except Exception as error:
        raise NoContext(
            "Spark Connect has no SparkContext", hint="get_spark_session() does what DataFrames need"
        ) from error


def get_num_workers() -> int:
    """Return how many executors the cluster has for this application at the moment; 1 with a master of ``local``.

    Raises:
        ConfigError: as ``get_spark_context``.
    """
    context = get_spark_context()
    if context.master.startswith("local"):
        return 1
    n_with_driver: int = context._jsc.sc().getExecutorMemoryStatus().size()
    return max(0, n_with_driver - 1)


def udf(wrapped_func: Callable[..., Any] | None = None, return_type: Any = None) -> Callable[..., Any]:
    """Make a Spark function for columns of a Python function; as a decorator, with or without arguments.

    Spark is asked for at the first call, so that a module that holds such functions can be imported without it.

    Args:
        wrapped_func: gets a value per column, and returns one.
        return_type: a type of ``pyspark.sql.types``, or its name; text if None.
    """
    if wrapped_func is None:
        return lambda func: udf(func, return_type)
    return update_wrapper(_ColumnFunction(wrapped_func, return_type), wrapped_func)


class _ColumnFunction:
    """A Python function that becomes one of Spark's when it is first called."""

    def __init__(self, func: Callable[..., Any], return_type: Any) -> None:
        self._func = func
        self._return_type = return_type
        self._made: tuple[Any, Any] | None = None  # the session and the function that was made for it

    def __call__(self, *columns: Any) -> Any:
        session = get_session()
        if self._made is None or self._made[0] is not session:
            from pyspark.sql.functions import udf as spark_udf
            from pyspark.sql.types import StringType

            self._made = session, spark_udf(self._func, self._return_type or StringType())
        return self._made[1](*columns)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None}


def sql_query(dataset: Any, query: str, dataset_alias: str = "dataset") -> Any:
    """Return the DataFrame that an SQL query over another one gives.

    Args:
        dataset: a Spark DataFrame.
        query: names the DataFrame by its alias.
        dataset_alias: the alias.  Over Spark Connect, queries that run side by side need different ones.
    """
    with _naming:  # the alias belongs to the session, and another thread may use the same
        dataset.createOrReplaceTempView(dataset_alias)
        return dataset.sparkSession.sql(query)


# -- AWS Glue


def get_glue_context() -> Any:
    """Return the ``awsglue.context.GlueContext`` of this process.

    Raises:
        GlueMissing: this is no job of AWS Glue.
    """
    try:
        from awsglue.context import GlueContext
    except ImportError as error:
        raise GlueMissing("get_glue_context", error) from error
    return GlueContext(get_spark_context())


def setup_glue_job(job_name: str, job_args: Sequence[str]) -> Any:
    """Begin a job of AWS Glue; return the ``awsglue.job.Job``, whose ``commit`` ends it.

    Args:
        job_name: what it is called.
        job_args: names of the job's arguments, found on the command line as ``--NAME value``.

    Raises:
        GlueMissing: this is no job of AWS Glue.
    """
    try:
        from awsglue.job import Job
        from awsglue.utils import getResolvedOptions
    except ImportError as error:
        raise GlueMissing("setup_glue_job", error) from error
    job = Job(get_glue_context())
    job.init(job_name, getResolvedOptions(sys.argv, list(job_args)))
    return job


def load_datacatalog_spark_dataset(database: str, table_name: str, hashfield: str | None = None) -> Any:
    """Return a table of AWS Glue's Data Catalog as a Spark DataFrame.

    Args:
        database: of the catalog.
        table_name: in the database.
        hashfield: the column by which a table of a JDBC database is read in parts, side by side.

    Raises:
        GlueMissing: this is no job of AWS Glue.
    """
    options = {} if hashfield is None else {"hashfield": hashfield}
    reader = get_glue_context().create_dynamic_frame
    return reader.from_catalog(database=database, table_name=table_name, additional_options=options).toDF()


def clean_datacatalog_table(database: str, table: str, remove_older_than: int = 1) -> None:
    """Remove the files of a table of AWS Glue's Data Catalog that are older than some days, and what tells of them.

    Raises:
        GlueMissing: this is no job of AWS Glue.
    """
    options = {"retentionPeriod": remove_older_than * HOURS_PER_DAY}
    get_glue_context().purge_table(database=database, table_name=table, options=options)
