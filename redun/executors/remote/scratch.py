"""The scratch: where a scheduler and the workers of a cluster leave each other bytes.  Layout: docs/format/scratch.md.

A scratch is a ``Storage``, so a folder that all machines mount and a bucket are the same thing.  Invariants: whatever
has a name there is whole; an outcome under a call's key is of that call, since the key is its eval hash.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from redun.errors import ExecutorError, RedunError
from redun.executors.remote.code_package import CodePackage
from redun.hashing import hash_blob
from redun.store.blobs import FOLDER as BLOB_FOLDER
from redun.store.blobs import Blobs
from redun.store.location import locate, open_storage
from redun.store.storage import NameMissing, Storage

JOBS, ARRAYS, CODE = "jobs", "array_jobs", "code"
INPUT, OUTPUT, ERROR, STATUS = "input", "output", "error", "status"
EVAL_HASHES = "eval_hashes"
DAY_US = 86_400_000_000
_ARRAY_HEAD = struct.Struct("<16sQ")
_ARRAY_MAGIC = b"redun-array 1\n\0\0"
_PLACE = struct.Struct("<QQ")
_KEY = re.compile(r"[0-9a-f]{64}(-[0-9a-f]{8})?")


class ScratchError(ExecutorError):
    """The scratch cannot be written or read, or what lies there is damaged."""

    def __init__(self, url: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"scratch {url} {why}", hint=hint)
        self.url = url


class Found(NamedTuple):
    """An outcome that a worker left."""

    outcome: bytes
    is_error: bool


class Scratch:
    """A scratch.  All of it may be used from any thread and by many processes."""

    def __init__(self, url: str, base: Path | None = None, storage: Storage | None = None) -> None:
        """Nothing is read or written yet.

        Args:
            url: a path or a URL.
            base: where a relative path starts; the working directory when None.
            storage: what stands behind the URL, when it is open already.

        Raises:
            ScratchError: there is no such kind of URL, or what reaches it is not installed.
        """
        self.url = locate(url, base or Path.cwd())
        try:
            self._storage = storage or open_storage(self.url)
        except RedunError as error:
            raise ScratchError(self.url, f"cannot be opened: {error}", hint=error.hint) from error
        self.contents = Blobs(self._storage)

    # -- the scheduler's half

    def put_code(self, package: CodePackage, now_us: int) -> str:
        """Send a code package unless it is there; return its name here.  Raises ScratchError, OSError."""
        name = f"{CODE}/{package.digits}.tar.gz"
        # One that is older is sent again, lest somebody's sweep takes it from the workers of this run.
        if not any(
            entry.name == name and entry.size == len(package.data) and entry.modified_us > now_us - DAY_US
            for entry in self._storage.iter_entries(CODE)
        ):
            self._write(name, package.data)
        return name

    def put_call(self, key: str, parcel: bytes) -> None:
        """Leave a call for its worker.  Raises ScratchError, OSError."""
        self._write(f"{JOBS}/{key}/{INPUT}", parcel)

    def put_array(self, array_id: str, calls: Sequence[tuple[str, bytes]]) -> None:
        """Leave the calls of an array, (key, parcel) each, in one piece.  Raises ScratchError, OSError."""
        rows = [key.encode() + b"\n" + parcel for key, parcel in calls]
        offset, places = _ARRAY_HEAD.size + _PLACE.size * len(rows), []
        for row in rows:
            places.append(_PLACE.pack(offset, len(row)))
            offset += len(row)
        self._write(f"{ARRAYS}/{array_id}/{EVAL_HASHES}", "".join(f"{key}\n" for key, _ in calls).encode())
        # Piece by piece: a thousand parcels of some hundred KiB need not be in memory twice.
        self._write(f"{ARRAYS}/{array_id}/{INPUT}", [_ARRAY_HEAD.pack(_ARRAY_MAGIC, len(rows)), *places, *rows])

    def read_array_keys(self, array_id: str) -> list[str]:
        """Return the keys of an array's calls, in order; none when the array is not here.  Raises OSError."""
        try:
            return self._storage.read(f"{ARRAYS}/{array_id}/{EVAL_HASHES}").decode().split()
        except NameMissing:
            return []

    def look_for_outcome(self, key: str, *, with_error: bool) -> Found | None:
        """Do as ``find_outcome``, and look twice: a network disk may remember that there was nothing.

        It forgets that when the folder is listed.  Raises OSError.
        """
        found = self.find_outcome(key, with_error=with_error)
        if found is None and any(True for _ in self._storage.iter_entries(f"{JOBS}/{key}")):
            return self.find_outcome(key, with_error=with_error)
        return found

    def find_outcome(self, key: str, *, with_error: bool) -> Found | None:
        """Return what a worker left of a call: its result, or else, if that is asked for too, its error.

        Raises OSError.
        """
        for name in (OUTPUT, ERROR) if with_error else (OUTPUT,):
            try:
                return Found(self._storage.read(f"{JOBS}/{key}/{name}"), name == ERROR)
            except NameMissing:
                continue
        return None

    def list_jobs(self) -> dict[str, dict[str, int]]:
        """Return what lies here of calls, by key: the names, and when each was written.  Raises ScratchError, OSError.

        One listing.
        """
        found: dict[str, dict[str, int]] = {}
        try:
            for entry in self._storage.iter_entries(JOBS):
                parts = entry.name.split("/")
                if len(parts) == 3:
                    found.setdefault(parts[1], {})[parts[2]] = entry.modified_us
        except (PermissionError, RedunError) as error:
            raise ScratchError(self.url, f"cannot be listed: {error}") from error
        return found

    def forget_outcome(self, key: str, names: Iterable[str] = (OUTPUT, ERROR, STATUS)) -> None:
        """Remove what an earlier attempt left of a call, lest it pass for what the next one makes.  Raises OSError."""
        for name in names:
            self._storage.delete(f"{JOBS}/{key}/{name}")

    def remove_call(self, key: str) -> None:
        """Remove all that belongs to a call that is done.  Raises OSError."""
        self.forget_outcome(key, (INPUT, OUTPUT, ERROR, STATUS))

    def remove_array(self, array_id: str) -> None:
        """Remove the calls of an array that is done.  Raises OSError."""
        for name in (INPUT, EVAL_HASHES):
            self._storage.delete(f"{ARRAYS}/{array_id}/{name}")

    def sweep(self, now_us: int, keep_us: int) -> int:
        """Remove what is older than ``keep_us``; return how many pieces that were.  Raises OSError.

        What calls share, contents and code, is kept for twice as long: a call that finds it here is no older then than
        ``keep_us`` when it goes.
        """
        ages = {JOBS: keep_us, ARRAYS: keep_us, CODE: 2 * keep_us, BLOB_FOLDER: 2 * keep_us}
        names = [
            entry.name
            for folder, age_us in ages.items()
            for entry in self._storage.iter_entries(folder)
            if 0 < entry.modified_us < now_us - age_us
        ]
        for name in names:
            self._storage.delete(name)
        return len(names)

    # -- the worker's half

    def read_call(self, key: str) -> bytes:
        """Return the parcel of a call.  Raises ScratchError when there is none, OSError."""
        return self._read(f"{JOBS}/{_check_key(key)}/{INPUT}")

    def read_element(self, array_id: str, rank: int) -> tuple[str, bytes]:
        """Return the key and the parcel of an array's element, reading no other.  Raises ScratchError, OSError."""
        name = f"{ARRAYS}/{array_id}/{INPUT}"
        head = self._read(name, 0, _ARRAY_HEAD.size)
        if len(head) != _ARRAY_HEAD.size or not head.startswith(_ARRAY_MAGIC):
            raise ScratchError(self.url, f"holds no array under {name}")
        n_elements = _ARRAY_HEAD.unpack(head)[1]
        if not 0 <= rank < n_elements:
            raise ScratchError(self.url, f"holds {n_elements} calls in array {array_id}, found none for number {rank}")
        place = self._read(name, _ARRAY_HEAD.size + _PLACE.size * rank, _PLACE.size)
        start, length = _PLACE.unpack(place) if len(place) == _PLACE.size else (0, -1)
        row = self._read(name, start, max(0, length))
        key, _, parcel = row.partition(b"\n")
        if len(row) != length:
            raise ScratchError(self.url, f"holds {name}, which is cut short")
        return _check_key(key.decode(errors="replace")), parcel

    def read_code(self, name: str) -> bytes:
        """Return a code package, checked against its name.  Raises ScratchError, OSError."""
        package = self._read(name)
        if hash_blob(package).hex() != name.rpartition("/")[2].removesuffix(".tar.gz"):
            raise ScratchError(self.url, f"holds {name}, whose bytes do not hash to its name")
        return package

    def put_outcome(self, key: str, outcome: bytes, *, is_error: bool) -> None:
        """Leave what came of a call.  Raises ScratchError, OSError."""
        self._write(f"{JOBS}/{key}/{ERROR if is_error else OUTPUT}", outcome)

    def put_status(self, key: str, status: Mapping[str, Any]) -> None:
        """Leave how a worker ended, for people.  Raises ScratchError, OSError."""
        self._write(f"{JOBS}/{key}/{STATUS}", json.dumps(dict(status)).encode())

    def _write(self, name: str, content: bytes | list[bytes]) -> None:
        try:
            self._storage.write(name, content)
        except (FileNotFoundError, NotADirectoryError, FileExistsError, PermissionError, RedunError) as error:
            # Repeating mends none of these: no such bucket, no right to write, a file where the folder should be.
            hint = "make it, or name another: workers and this machine must both be able to write there"
            raise ScratchError(self.url, f"cannot be written: {error}", hint=hint) from error

    def _read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        try:
            return self._storage.read(name, start, length)
        except NameMissing as error:
            raise ScratchError(self.url, f"holds no {name}") from error


def _check_key(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise ExecutorError(f"expected the key of a call, 64 hex digits, found {key!r}")
    return key
