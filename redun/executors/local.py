"""The ``local`` type of executor: from its section of the config to a pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redun.errors import ExecutorError
from redun.executors.base import Executor
from redun.executors.thread import DEFAULT_MAX_WORKERS, ThreadExecutor


def make_executor(name: str, options: Mapping[str, Any]) -> Executor:
    """Make a pool of threads.

    Raises:
        ExecutorError: ``max_workers`` is no positive number, or ``mode`` is not ``thread``.
    """
    mode = str(options.get("mode", "thread"))
    if mode != "thread":
        raise ExecutorError(f"executor {name!r}: expected mode = thread, found {mode!r}")
    text = str(options.get("max_workers", DEFAULT_MAX_WORKERS))
    if not text.isdecimal():
        raise ExecutorError(f"executor {name!r}: expected max_workers to be a positive number, found {text!r}")
    return ThreadExecutor(name, max_workers=int(text))
