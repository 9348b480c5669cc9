"""Errors of reaching files.  Each is a RedunError and also the builtin error that Python code expects in its place."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from redun.errors import RedunError


class RedunOSError(RedunError, OSError):
    """A file or folder could not be reached or changed.  ``path`` is as the user wrote it."""

    default_errno = errno.EIO

    def __init__(self, message: str, path: str, *, hint: str = "", code: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.filename = path
        self.errno = self.default_errno if code is None else code
        self.strerror = message

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args[0], self.path, self.hint, self.errno)


class RedunFileNotFoundError(RedunOSError, FileNotFoundError):
    """There is nothing at a path."""

    default_errno = errno.ENOENT


class RedunPermissionError(RedunOSError, PermissionError):
    """The file system does not let us read or write at a path."""

    default_errno = errno.EACCES


def _rebuild(cls: type[RedunOSError], message: str, path: str, hint: str, code: int | None) -> RedunOSError:
    return cls(message, path, hint=hint, code=code)


@contextmanager
def typed_errors(path: str, doing: str, *, catch: type[Exception] = OSError) -> Iterator[None]:
    """Turn an error of the body into its typed form.

    Args:
        path: as the user wrote it.
        doing: completes "cannot ...": "read", "remove".
        catch: what to turn; clients of remote file systems raise errors of their own, so for them it is Exception.
    """
    try:
        yield
    except RedunOSError:
        raise
    except catch as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        cls = RedunOSError
        if isinstance(error, FileNotFoundError):
            cls = RedunFileNotFoundError
        elif isinstance(error, PermissionError):
            cls = RedunPermissionError
        raise cls(f"cannot {doing} {path}: {reason}", path, code=getattr(error, "errno", None)) from error
