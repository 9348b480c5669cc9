"""One worker process as its pool sees it."""

from __future__ import annotations

import signal
import socket
from collections import deque
from contextlib import suppress
from pathlib import Path
from time import monotonic

from redun.executors.base import PortableWork
from redun.executors.pool.children import close_end, signal_group
from redun.executors.pool.frames import Frame, FrameKind, FrameReader, encode_frame

BACKLOG_SECONDS = 0.02
"""How much work a worker is given in advance, by what its work took so far.  The pool's thread may wait 5 ms for the
interpreter's lock, and a worker whose jobs take 100 us would stand still meanwhile."""
MAX_GIVEN = 128
MAX_UNSENT_BYTES = 1 << 20
_WEIGHT = 0.2  # of the last piece of work in the average
_SEND_BYTES = 1 << 20

MAX_LAST_FRAMES = 20
_FATAL = b"Fatal Python error: "
_PACKAGE = f'"{Path(__file__).parents[2]}/'


class Flight:
    """A piece of work on its way."""

    __slots__ = ("n_losses", "parcel", "turn", "work")

    def __init__(self, work: PortableWork, turn: int) -> None:
        """``turn``: its place in the order of submission."""
        self.work = work
        self.turn = turn
        self.parcel: bytes | None = None  # kept until the work has begun: it may have to be sent again
        self.n_losses = 0  # workers that died with it at hand, and had not begun it


class Member:
    """One worker.  Only the pool's thread touches it."""

    def __init__(self, number: int, channel: socket.socket) -> None:
        """``channel`` is the pool's end of the connection."""
        self.number = number
        self.channel = channel
        self.process_id: int | None = None  # until it has said so, nothing can be told to it but by closing the channel
        self.flights: dict[int, Flight] = {}  # what it was given, by number, in order
        self.running: int | None = None
        self.changed_at = 0.0  # when it last was given something, began or ended something
        self.average_seconds: float | None = None
        self.is_ending = False  # it gets nothing more
        self.was_told = False  # to end, by the pool
        self.is_recalled = False
        self.is_forced = False
        self.is_closed = False
        self.due: float | None = None  # when it must have ended
        self._reader = FrameReader(channel)
        self._unsent: deque[memoryview] = deque()
        self._n_unsent = 0

    @property
    def is_ready(self) -> bool:
        """Whether it has come so far that it could run work."""
        return self.process_id is not None

    @property
    def room(self) -> int:
        """How many more pieces of work it may be given now."""
        if self.is_ending or self._n_unsent > MAX_UNSENT_BYTES:
            return 0
        limit = 1
        is_long = self.running is not None and monotonic() - self.changed_at > BACKLOG_SECONDS
        if self.average_seconds is not None and not is_long:
            limit = max(1, min(MAX_GIVEN, int(BACKLOG_SECONDS / max(self.average_seconds, 1e-6))))
        return limit - len(self.flights)

    @property
    def n_recallable(self) -> int:
        """How many pieces it holds that it may not have begun."""
        return len(self.flights) - (self.running is not None)

    # -- talking

    def give(self, number: int, flight: Flight) -> None:
        """Hand over a piece of work, which was packed."""
        assert flight.parcel is not None
        self.flights[number] = flight
        self.changed_at = monotonic()
        self.say(FrameKind.JOB, number, flight.parcel)

    def say(self, kind: FrameKind, number: int = 0, body: bytes = b"") -> None:
        """Send a frame, now or as soon as the worker takes it."""
        message = encode_frame(kind, number, body)
        self._unsent.append(memoryview(message))
        self._n_unsent += len(message)

    @property
    def has_unsent(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent)

    def send(self) -> None:
        """Send what the connection takes.  A broken one shows when it is read."""
        unsent = self._unsent
        while unsent:
            try:
                n_sent = self.channel.send(self._gather(), socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                unsent.clear()
                self._n_unsent = 0
                return
            self._n_unsent -= n_sent
            while n_sent:
                first = unsent[0]
                if n_sent < len(first):
                    unsent[0] = first[n_sent:]
                    break
                n_sent -= len(first)
                unsent.popleft()

    def _gather(self) -> bytes | memoryview:
        """Return what to send next: a part of a large message, or many small ones as one."""
        unsent = self._unsent
        if len(unsent) == 1 or len(unsent[0]) >= _SEND_BYTES:
            return unsent[0][:_SEND_BYTES]
        pieces, size = [], 0
        for piece in unsent:
            if size + len(piece) > _SEND_BYTES:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def read(self) -> list[Frame] | None:
        """Return what it has said, of one reading; None when its end of the connection is closed."""
        try:
            return self._reader.read()
        except BlockingIOError:
            return []
        except OSError:
            return None

    def read_rest(self) -> list[Frame]:
        """Return all that it has said, once it has ended."""
        found: list[Frame] = []
        with suppress(OSError):
            while (frames := self._reader.read()) is not None:
                found += frames
        return found

    def last_words(self) -> list[str]:
        """Return where it was when it crashed, as Python's fault handler tells it: the frames of user code."""
        text = self._reader.rest.partition(_FATAL)[2].decode(errors="replace")
        if not text:
            return []
        ours = _PACKAGE, 'File "<'
        frames = [line for line in text.splitlines() if line.startswith("  File ") and not any(map(line.count, ours))]
        return [_FATAL.decode() + text.partition("\n")[0], *frames[:MAX_LAST_FRAMES]]

    # -- noting

    def note_begun(self, number: int) -> Flight | None:
        """Note that it runs a piece of work now; return that."""
        self.running, self.changed_at = number, monotonic()
        flight = self.flights.get(number)
        if flight is not None:
            flight.parcel = None
        return flight

    def note_ended(self, number: int) -> Flight | None:
        """Note that a piece of work has ended; return that."""
        now = monotonic()
        seconds, self.changed_at = now - self.changed_at, now
        self.running = None
        before = self.average_seconds
        self.average_seconds = seconds if before is None else before + _WEIGHT * (seconds - before)
        return self.flights.pop(number, None)

    # -- ending

    def end(self, seconds: float) -> None:
        """Have it end once it has done what it was given, and within some time from now."""
        self.is_ending = self.was_told = True
        self.due = monotonic() + seconds
        self.say(FrameKind.END)

    def terminate(self, seconds: float) -> None:
        """Have it end with what it runs, within some time from now."""
        if not self.was_told:
            self.is_ending = self.was_told = True
            self.due = monotonic() + seconds
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it by force."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.process_id is not None:
            signal_group(self.process_id, number)

    def close(self) -> None:
        """Let go of the connection: a worker that finds nobody there ends.  Idempotent."""
        self.is_closed = True
        close_end(self.channel)
