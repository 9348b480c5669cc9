"""The stat cache: digests of local files that did not change, so that each content is read once.

Theory of operation.  An entry maps an absolute path to what ``stat`` said (device, inode, size, mtime, ctime, both in
nanoseconds) and to the digest.  A file whose stat is equal to its entry's has the entry's content, with one exception,
the racy one that git's index knows: a file changed twice within one tick of the clock has the same stamps both times.
So an entry is kept only if both stamps are *older* than the tick in which reading began; then any later change gets
another stamp.  A file younger than that is simply read again next time.

ctime is part of the entry because programs may set mtime back; none can set ctime.  Stamps of whole seconds come from
file systems that count in seconds (two, on FAT), so for them the margin is two seconds and not a tick.

What it cannot see: writes through a memory map that the kernel has not stamped yet, and a change on a network disk
whose server's clock runs behind this one's, within one tick of the one before.

On disk it is one msgpack file, ``["redun stat cache", 1, [[path, dev, ino, size, mtime, ctime, digest]...]]``, oldest
entry first, replaced in one step and merged with what other processes wrote meanwhile.  It is derived and disposable:
a damaged file is an empty one, and failing to write it is no error.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from redun.file.clock import Clock, stamp_floor_ns
from redun.hashing import OID_SIZE, Oid, hash_stream

MAX_ENTRIES = 200_000
READ_ATTEMPTS = 3
_MAGIC = "redun stat cache"
_VERSION = 1
_SECOND_NS = 1_000_000_000

Opener = Callable[[str], BinaryIO]


class Stamp(NamedTuple):
    """What ``stat`` says of a file's content.  Times in nanoseconds since 1970 UTC, size in bytes."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Stamp:
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    def is_settled(self, now_ns: int) -> bool:
        """Tell whether a change after ``now_ns`` is bound to show in the stamps."""
        margin = 2 * _SECOND_NS if self.ctime_ns % _SECOND_NS == 0 else 0
        return max(self.mtime_ns, self.ctime_ns) + margin < now_ns


Entry = tuple[Stamp, Oid]


class StatCache:
    """Digests by path.  All verbs may be called from any thread.

    Args:
        path: where to keep the entries between processes; None keeps them in memory only.
        clock: gives the moment that stamps are compared with.
        opener: opens a file for reading, unbuffered.
        max_entries: beyond this many, the oldest are dropped.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Clock = stamp_floor_ns,
        opener: Opener | None = None,
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self.path = path
        self._clock = clock
        self._open = opener or _open_unbuffered
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] | None = None
        self._fresh: set[str] = set()  # paths recorded since the last load or save

    def hash_file(self, path: str) -> tuple[Oid, int]:
        """Return the digest and the size in bytes of a local file, reading it only when it may have changed.

        A file that is being written while it is read is read again, up to three times in all; what the last reading
        saw is returned and not remembered.

        Raises:
            OSError: it is missing or cannot be read.
        """
        key = absolute(path)
        found = self._find(key)
        if found is not None:
            return found
        for _ in range(READ_ATTEMPTS):
            now_ns = self._clock()
            with self._open(key) as stream:
                before = Stamp.of(os.fstat(stream.fileno()))
                digest, size = hash_stream(stream)
                after = Stamp.of(os.fstat(stream.fileno()))
            if before == after and before.size == size:
                if after.is_settled(now_ns):
                    self._record(key, after, digest)
                break
        return digest, size

    def __len__(self) -> int:
        with self._lock:
            return len(self._load())

    def save(self) -> bool:
        """Write the entries out, merged with those on disk.  Tell whether the file is up to date now."""
        if self.path is None:
            return False
        with self._lock:
            if not self._fresh:
                return True
            ours = self._load()
            merged = _read_entries(self.path)
            for key in self._fresh:
                merged.pop(key, None)
            # What only we know but did not just learn was loaded from the file; if it is gone there, it is gone.
            merged.update((key, entry) for key, entry in ours.items() if key in self._fresh)
            _drop_oldest(merged, self._max_entries)
            if not _write_entries(self.path, merged):
                return False
            self._entries = merged
            self._fresh = set()
            return True

    def take_fresh(self) -> bytes:
        """Return what was learned since the last time, for ``adopt`` in another process; nothing is empty bytes."""
        with self._lock:
            if not self._fresh:
                return b""
            fresh, self._fresh = self._fresh, set()
            entries = self._load()
            return _pack({key: entries[key] for key in fresh if key in entries})

    def adopt(self, taken: bytes) -> None:
        """Learn what another process took from its cache; what cannot be read is passed over."""
        for key, (stamp, digest) in _unpack(taken).items():
            self._record(key, stamp, digest)

    def _find(self, key: str) -> tuple[Oid, int] | None:
        with self._lock:
            entry = self._load().get(key)
        if entry is None:
            return None
        stamp, digest = entry
        return (digest, stamp.size) if Stamp.of(os.stat(key)) == stamp else None

    def _record(self, key: str, stamp: Stamp, digest: Oid) -> None:
        with self._lock:
            entries = self._load()
            entries.pop(key, None)
            entries[key] = (stamp, digest)
            self._fresh.add(key)
            _drop_oldest(entries, self._max_entries)

    def _load(self) -> dict[str, Entry]:
        if self._entries is None:
            self._entries = {} if self.path is None else _read_entries(self.path)
        return self._entries


def absolute(path: str) -> str:
    """Return a path that no longer depends on the working folder.

    ``..`` stays as it is: behind a link to a folder the kernel resolves it otherwise than text does.
    """
    return path if path.startswith("/") else f"{os.getcwd()}/{path}"


def _open_unbuffered(path: str) -> BinaryIO:
    return open(path, "rb", buffering=0)


def _drop_oldest(entries: dict[str, Entry], limit: int) -> None:
    excess = len(entries) - limit
    if excess > 0:
        for key in list(entries)[:excess]:
            del entries[key]


def _read_entries(path: Path) -> dict[str, Entry]:
    """Return the entries of a file; none when it is missing, damaged or of another version."""
    try:
        data = path.read_bytes()
    except OSError:
        return {}
    return _unpack(data)


def _unpack(data: bytes) -> dict[str, Entry]:
    import msgpack

    try:
        magic, version, rows = msgpack.unpackb(data, unicode_errors="surrogateescape")
        if (magic, version) != (_MAGIC, _VERSION):
            return {}
        return {key: (_checked_stamp(numbers), _checked_digest(digest)) for key, *numbers, digest in rows}
    except (ValueError, TypeError, msgpack.exceptions.UnpackException):
        return {}


def _pack(entries: dict[str, Entry]) -> bytes:
    import msgpack

    rows = [[key, *stamp, digest] for key, (stamp, digest) in entries.items()]
    packed: bytes = msgpack.packb([_MAGIC, _VERSION, rows], unicode_errors="surrogateescape")
    return packed


def _checked_stamp(numbers: list[int]) -> Stamp:
    if not all(type(number) is int for number in numbers):
        raise ValueError("a stamp is made of integers")
    return Stamp(*numbers)


def _checked_digest(digest: bytes) -> Oid:
    if type(digest) is not bytes or len(digest) != OID_SIZE:
        raise ValueError(f"a digest has {OID_SIZE} bytes")
    return Oid(digest)


def _write_entries(path: Path, entries: dict[str, Entry]) -> bool:
    data = _pack(entries)
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        return False
    return True


_current = StatCache()


def get_stat_cache() -> StatCache:
    """Return the cache that this process hashes local files with: in memory, until another is put in its place."""
    return _current


def use_stat_cache(cache: StatCache) -> StatCache:
    """Put a cache in place for the whole process; return the one that was in use."""
    global _current
    previous, _current = _current, cache
    return previous
