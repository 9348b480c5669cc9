"""Jobs of AWS Batch."""

from __future__ import annotations

from typing import Any

__all__ = ["AWSBatchExecutor"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from redun.executors.aws_batch import executor

        return getattr(executor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
