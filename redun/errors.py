"""The families of errors that callers catch.  The leaf classes stand beside the code that raises them.

Every error carries one ``hint``: what the user can do about it, or an empty string.  The command line alone maps
families to exit codes (``redun/cli/errors.py``).
"""

from __future__ import annotations


class RedunError(Exception):
    """Root of every error that redun itself raises on purpose."""

    hint: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


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
