"""The families of errors that callers catch.  The leaf classes stand beside the code that raises them.

Every error carries one ``hint``: what the user can do about it, or an empty string.  The command line alone maps
families to exit codes (``redun/cli/errors.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class RedunError(Exception):
    """Root of every error that redun itself raises on purpose."""

    hint: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        # By message and fields: leaf classes have constructors of their own, and errors come back from other processes.
        return _restore, (type(self), self.args, dict(sorted(self.__dict__.items())))


class ObjectError(RedunError):
    """An object is missing, damaged or not what its name says."""


class StoreError(RedunError):
    """A repository cannot be opened, read or written."""


class RefError(RedunError):
    """A ref is missing, malformed or names something that is not there."""


class RemoteError(RedunError):
    """A remote cannot be reached, or refuses what was asked of it."""


class TaskError(RedunError):
    """A task is ill-defined, unknown or called in a way that it does not accept."""


class ExecutorError(RedunError):
    """An executor is unknown or cannot run what it was given."""


class ConfigError(RedunError):
    """A setting is missing, malformed or contradicts another."""


def _restore(kind: type[RedunError], args: tuple[Any, ...], fields: Mapping[str, Any]) -> RedunError:
    """Make an error of what ``__reduce__`` gave."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error
