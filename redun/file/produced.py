"""Was a file that a result names *produced* by the job, or merely named by it, as ``make`` names its sources?

A file was produced when the job wrote it through redun's own file API, or when its mtime lies within the job's run, by
the clock that the kernel stamps files with.  The answer decides whether redun may put the content back later, so what
is in doubt counts as not produced: then at worst the job runs again.

Known limits, by design: a file moved or extracted with its old mtime is not seen as produced; a file that somebody else
changed while the job ran, or within the tick before, is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from redun.file.clock import stamp_ceiling_ns, stamp_floor_ns
from redun.file.filesystems import get_filesystem
from redun.file.identity import LISTING_SCHEMES
from redun.file.local_filesystem import local_path
from redun.objects.value_records import ABSENT_SCHEME

Writes = set[str]
"""What was written: real paths of local files, URLs of others."""

# A context variable and not a thread-local: jobs of async tasks share a thread.
_writes: ContextVar[Writes | None] = ContextVar("redun_file_writes", default=None)


class Named(Protocol):
    """A File or a FileRecord."""

    @property
    def path(self) -> str: ...

    @property
    def scheme(self) -> str: ...


def mark_start() -> int:
    """Return the moment before which nothing that runs from now on stamps a file; ns since 1970 UTC."""
    return stamp_floor_ns()


def mark_end() -> int:
    """Return the moment after which nothing that ran until now has stamped a file; ns since 1970 UTC."""
    return stamp_ceiling_ns()


@contextmanager
def track_writes() -> Iterator[Writes]:
    """Collect what the body writes through the file API, in this thread or async task.  Wraps a job's function."""
    writes: Writes = set()
    token = _writes.set(writes)
    try:
        yield writes
    finally:
        _writes.reset(token)


def note_write(path: str) -> None:
    """Tell that a path was opened for writing, or written otherwise, by the job that runs here (if any does)."""
    writes = _writes.get()
    if writes is not None:
        writes.add(_place(path))


def was_produced(file: Named, start_ns: int, end_ns: int, writes: Collection[str] | None = None) -> bool:
    """Tell whether a file was written by a job.

    Args:
        file: what the job's result names.
        start_ns: ``mark_start()`` before the job's function ran.
        end_ns: ``mark_end()`` after it.
        writes: what ``track_writes`` gave; None takes those of the job that still runs here.
    """
    if file.scheme in LISTING_SCHEMES or file.scheme == ABSENT_SCHEME:
        return False
    known = _writes.get() if writes is None else writes
    if known and _place(file.path) in known:
        return True
    if not get_filesystem(url=file.path).is_local:
        return False
    try:
        info = os.stat(local_path(file.path))
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(info.st_mode) and start_ns <= info.st_mtime_ns <= end_ns


def is_executable(path: str) -> bool:
    """Tell whether a local file may be executed by its owner; False when there is none."""
    try:
        return bool(os.stat(local_path(path)).st_mode & stat.S_IXUSR)
    except (OSError, ValueError):
        return False


def _place(path: str) -> str:
    return os.path.realpath(local_path(path)) if get_filesystem(url=path).is_local else path
