"""Jobs of AWS Glue: a managed Spark for each call."""

from __future__ import annotations

from typing import Any

__all__ = ["AWSGlueExecutor"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from redun.executors.aws_glue import executor

        return getattr(executor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
