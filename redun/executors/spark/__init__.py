"""Jobs on Apache Spark: many calls as one Spark job, and tasks that use Spark (docs/guide/executors-spark.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.executors.spark.executor import SparkExecutor

__all__ = ["SparkExecutor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from redun.executors.spark import executor

    return getattr(executor, name)
