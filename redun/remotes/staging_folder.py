"""The folder in the cache where packs of a remote are brought to be checked, and what killed processes left of such.

The invariant: a folder whose process may be alive is never removed.  Each names its process in a file ``writer``, the
record that a journal begins with (docs/format/journal.md); of a process that cannot be seen from here only the age of
that file tells, and it is touched as packs come.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from redun.store.liveness import BadHeader, Clock, JournalHeader, describe_writer, is_writer_alive, now_us

_PREFIX = "fetch-"
_WRITER = "writer"
_MAX_WRITER_BYTES = 4096
GRACE_SECONDS = 86_400
"""Of a process that cannot be seen, or is not named yet, a folder is left so long: one large pack may take hours."""


class StagingFolder:
    """A folder that goes when it is closed, or when this process ends in order."""

    def __init__(self, cache_path: Path, clock: Clock = now_us) -> None:
        """Make one in the cache, and remove those that dead processes left there."""
        from tempfile import TemporaryDirectory  # 4 ms of imports that a fetch with nothing new does not need

        cache_path.mkdir(parents=True, exist_ok=True)
        remove_abandoned(cache_path, clock())
        self._folder = TemporaryDirectory(prefix=_PREFIX, dir=cache_path)
        self.path = Path(self._folder.name)
        (self.path / _WRITER).write_bytes(describe_writer(clock(), token=os.urandom(4)).encode())

    def touch(self) -> None:
        """Tell processes that cannot see this one that it lives."""
        with suppress(OSError):
            os.utime(self.path / _WRITER)

    def close(self) -> None:
        """Remove it.  Idempotent."""
        self._folder.cleanup()


def remove_abandoned(cache_path: Path, now_us: int) -> int:
    """Remove the folders whose process is dead; return how many they were.

    Args:
        cache_path: a repository's cache.
        now_us: the time now, microseconds since 1970 UTC.
    """
    from shutil import rmtree

    count = 0
    for path in _iter_folders(cache_path):
        if not _is_alive(path, now_us):
            rmtree(path, ignore_errors=True)
            count += 1
    return count


def _iter_folders(cache_path: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(cache_path) as entries:
        yield from [Path(entry.path) for entry in entries if entry.name.startswith(_PREFIX)]


def _is_alive(path: Path, now_us: int) -> bool:
    writer = path / _WRITER
    try:
        with writer.open("rb") as stream:
            header = JournalHeader.decode(stream.read(_MAX_WRITER_BYTES))
            modified_us = os.fstat(stream.fileno()).st_mtime_ns // 1000
    except (OSError, BadHeader):
        with suppress(OSError):
            return now_us - path.stat().st_mtime_ns // 1000 < GRACE_SECONDS * 1_000_000
        return True  # gone meanwhile
    # What is told of an unseen writer by an hour here takes a day.
    is_recent = now_us - modified_us < GRACE_SECONDS * 1_000_000
    return is_writer_alive(header, now_us if is_recent else modified_us, now_us)
