"""What a pool and a worker process say to each other through a socket: frames, one after the other.

A frame is a kind (u8), a number (u64) and a length (u64), little endian, and then so many bytes.

| from the pool | number | bytes |
| --- | --- | --- |
| SETUP, first | 0 | JSON: ``WorkerSetup`` |
| JOB | of the piece of work | a parcel |
| RECALL | at most how many to give back | |
| END: finish what was given, then end | 0 | |

| from the worker | number | bytes |
| --- | --- | --- |
| READY | its process id | |
| BEGUN: it runs this now | of the piece of work | |
| HASHED: local files that it has read | 0 | as ``StatCache.take_fresh`` gives them |
| OUTCOME | of the piece of work | an outcome |
| BROKEN: the runner itself raised | of the piece of work | what it said |
| RETURNED: it will not run these | 0 | numbers, u64 each |

Behind the last frame of a worker that crashes stands what Python's fault handler writes: ``Fatal Python error: ...``
and the frames of the thread that crashed.

The invariant: BEGUN is sent before anything of a piece of work runs.  So of a worker that died it is known which piece
it ran, and that the others can be given to another worker.
"""

from __future__ import annotations

import json
import socket
import struct
from enum import IntEnum
from typing import NamedTuple

_HEAD = struct.Struct("<BQQ")
_NUMBER = struct.Struct("<Q")
READ_SIZE_BYTES = 1 << 18

REQUEST = struct.Struct("<Q")
"""To a fork server: the number of a worker to be started; its end of the connection comes along."""
ENDED = struct.Struct("<Qq")
"""From a fork server: number and exit code, negative for a signal, of a worker that has ended."""


class FrameKind(IntEnum):
    """What a frame says; the table above."""

    SETUP = 0
    JOB = 1
    RECALL = 2
    END = 3
    READY = 4
    BEGUN = 5
    HASHED = 6
    OUTCOME = 7
    BROKEN = 8
    RETURNED = 9


class Frame(NamedTuple):
    """One frame.  A tuple: there are two or more for each job."""

    kind: int
    number: int
    body: bytes


class WorkerSetup(NamedTuple):
    """What a worker needs to know before its first piece of work."""

    runner: str  # dotted name of a function (parcel, contents) -> outcome
    contents: str | None  # path of the storage of large contents
    stat_cache: str | None  # path of what is known of local files
    import_paths: list[str]
    arguments: list[str]  # sys.argv

    def encode(self) -> bytes:
        """Return it as JSON: read before third-party packages can be found."""
        return json.dumps(self).encode()

    @classmethod
    def decode(cls, data: bytes) -> WorkerSetup:
        """Read it."""
        return cls(*json.loads(data))


def encode_frame(kind: FrameKind, number: int = 0, body: bytes = b"") -> bytes:
    """Return a frame as bytes."""
    return _HEAD.pack(kind, number, len(body)) + body


def encode_numbers(numbers: list[int]) -> bytes:
    """Return the body of RETURNED."""
    return b"".join(map(_NUMBER.pack, numbers))


def decode_numbers(body: bytes) -> list[int]:
    """Read the body of RETURNED."""
    return [number for (number,) in _NUMBER.iter_unpack(body)]


class FrameReader:
    """Takes frames from a socket, many at a time."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._buffer = bytearray()

    @property
    def rest(self) -> bytes:
        """What has come and is no whole frame.  Of a worker that crashed: what Python wrote as its last words."""
        return bytes(self._buffer)

    def read(self) -> list[Frame] | None:
        """Read once from the socket; return the frames that are whole now, None at its end.

        Raises:
            BlockingIOError: the socket does not wait, and there is nothing.
            OSError: the connection is broken.
        """
        data = self._source.recv(READ_SIZE_BYTES)
        if not data:
            return None
        buffer = self._buffer
        buffer += data
        frames, start = [], 0
        while len(buffer) - start >= _HEAD.size:
            kind, number, length = _HEAD.unpack_from(buffer, start)
            end = start + _HEAD.size + length
            if len(buffer) < end:
                break
            frames.append(Frame(kind, number, bytes(memoryview(buffer)[start + _HEAD.size : end])))
            start = end
        if start:
            del buffer[:start]
        return frames
