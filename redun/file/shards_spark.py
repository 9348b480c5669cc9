"""Reading and writing a dataset's shards with Spark.

Spark is asked for the very files that the dataset's hash covers, with the folder as base path, so that it takes
``key=value`` folders for columns and nothing that came later.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from redun.file.filesystems import get_filesystem
from redun.file.local_filesystem import local_path
from redun.file.spark_session import get_session

_DEFAULTS: dict[str, dict[str, str]] = {"csv": {"header": "true"}, "xml": {"rowTag": "row"}}
"""Options by format, so that Spark and pandas read what the other wrote."""


def load_table(root: str, format: str, paths: Sequence[str], options: Mapping[str, Any]) -> Any:
    """Return files as a Spark DataFrame."""
    spark = get_session()
    settings = {**_DEFAULTS.get(format, {}), "basePath": _spark_url(spark, root), **options}
    names = [_as_pattern(_spark_url(spark, path)) for path in paths]
    return spark.read.format(format).options(**settings).load(names)


def save_table(
    table: Any, root: str, format: str, partition_keys: Sequence[str], name: str | None, options: Mapping[str, Any]
) -> None:
    """Write a pandas or Spark DataFrame in place of what a folder holds; enter it as ``database.table`` if named."""
    spark = get_session()
    frame = table if hasattr(table, "sparkSession") else spark.createDataFrame(table)
    writer = frame.write.format(format).mode("overwrite").options(**{**_DEFAULTS.get(format, {}), **options})
    if partition_keys:
        writer = writer.partitionBy(*partition_keys)
    if name is None:
        writer.save(_spark_url(spark, root))
    else:
        writer.option("path", _spark_url(spark, root)).saveAsTable(name)


def _spark_url(spark: Any, path: str) -> str:
    """Return a path as Spark takes it: a URL, and of the protocol that its Hadoop knows S3 by."""
    if get_filesystem(url=path).is_local:
        return "file://" + os.path.abspath(local_path(path))
    if path.startswith("s3://") and not _serves_s3(spark):
        return "s3a" + path[2:]
    return path


def _as_pattern(url: str) -> str:
    """Return the pattern that matches a path and nothing else: Spark takes what it loads for patterns of Hadoop."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", url)


def _serves_s3(spark: Any) -> bool:
    """Tell whether Spark has a file system of its own for ``s3://``, as Amazon's distributions have."""
    context = getattr(spark, "_jsc", None)
    # Over Spark Connect nobody can ask.
    return context is not None and context.hadoopConfiguration().get("fs.s3.impl") is not None
