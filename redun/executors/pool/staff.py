"""The workers of a pool: starting them, hearing of them, parting with them.

The invariant: whoever was started is a member until its end is known, so that no work is lost with it.  Only the pool's
thread touches any of this.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from redun.executors.pool.children import close_end, keep_from_children
from redun.executors.pool.frames import FrameKind, WorkerSetup
from redun.executors.pool.member import Member
from redun.executors.pool.starters import make_starter
from redun.store.blobs import Blobs

CANCEL_SECONDS = 2.0
"""How long work that is ended may take to clean up."""
POLL_SECONDS = 0.5
"""How often is asked whether a worker has ended without closing its connection: what it started may hold that open."""


class PoolSettings(NamedTuple):
    """What a pool is to be."""

    name: str  # of its executor
    max_workers: int
    start_method: str
    setup: WorkerSetup
    contents: Blobs | None


class Staff:
    """All workers that have been started and are not known to have ended."""

    def __init__(self, settings: PoolSettings, bell: socket.socket) -> None:
        """``bell`` can be read from when there is something else to do than to hear workers."""
        self.members: dict[int, Member] = {}
        self._bell = bell
        self._setup = settings.setup.encode()
        self._starter = make_starter(settings.start_method, settings.setup)
        self._selector = selectors.DefaultSelector()
        self._selector.register(bell, selectors.EVENT_READ)
        self._news: socket.socket | None = None
        self._writing: set[int] = set()

    def live(self) -> list[Member]:
        """Return those that may be given work."""
        return [member for member in self.members.values() if not member.is_ending]

    @property
    def has_idle(self) -> bool:
        """Whether one of them has nothing to do."""
        return any(not member.flights for member in self.live())

    def start_one(self, number: int) -> None:
        """Start one more, under a number of its own.  Raises OSError."""
        ours, its = socket.socketpair()
        ours.setblocking(False)
        keep_from_children(ours)
        try:
            with its:
                self._starter.start(number, its)
        except OSError:
            close_end(ours)
            raise
        member = self.members[number] = Member(number, ours)
        member.say(FrameKind.SETUP, body=self._setup)
        self._selector.register(ours, selectors.EVENT_READ, member)
        self._watch_news()

    def send(self) -> None:
        """Send to each what it has to be told, as far as it listens."""
        for member in self.members.values():
            if member.has_unsent and member.number not in self._writing:
                self._send(member)

    def _send(self, member: Member) -> None:
        member.send()
        if member.has_unsent != (member.number in self._writing) and not member.is_closed:
            self._writing ^= {member.number}
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if member.has_unsent else 0)
            self._selector.modify(member.channel, events, member)

    def hear(self, seconds: float | None) -> list[Member]:
        """Wait for the bell, or until a worker has something to say; return those that have."""
        speaking = []
        for key, events in self._selector.select(seconds):
            if key.fileobj is self._bell:
                with suppress(BlockingIOError):
                    self._bell.recv(1 << 12)
            elif isinstance(key.data, Member):
                if events & selectors.EVENT_WRITE:
                    self._send(key.data)
                if events & selectors.EVENT_READ:
                    speaking.append(key.data)
        return speaking

    def patience(self) -> float | None:
        """Return how many seconds may pass before somebody should be looked after; None for any number."""
        if not self.members:
            return None
        due = [member.due for member in self.members.values() if member.due is not None]
        return max(0.0, min([POLL_SECONDS, *(when - monotonic() for when in due)]))

    def iter_ended(self) -> Iterator[tuple[Member, int | None]]:
        """Yield those that have ended since the last time, and their exit codes; force those that should have."""
        for number, code in self._starter.poll():
            if number in self.members:
                yield self.members[number], code
        self._watch_news()
        now = monotonic()
        for member in list(self.members.values()):
            if member.due is not None and now >= member.due:
                if member.is_forced:
                    yield member, None  # nobody tells how it ended: what started it is gone
                self._force(member, now)

    def _force(self, member: Member, now: float) -> None:
        member.is_forced = True
        member.kill()
        if not member.is_ready:
            self.disconnect(member)
        member.due = now + CANCEL_SECONDS

    def lose(self, member: Member) -> None:
        """Note that a worker has closed its connection: it has ended, and the starter is about to say how."""
        self.disconnect(member)
        member.is_ending = True
        member.due = monotonic() + CANCEL_SECONDS

    def disconnect(self, member: Member) -> None:
        """Let go of the connection to a worker."""
        if not member.is_closed:
            self._selector.unregister(member.channel)
            self._writing.discard(member.number)
            member.close()

    def remove(self, member: Member) -> None:
        """Forget a worker that has ended."""
        self.disconnect(member)
        del self.members[member.number]

    def close(self) -> None:
        """Let go of everything; workers that are still there end."""
        for member in list(self.members.values()):
            self.remove(member)
        self._starter.close()
        self._selector.close()

    def _watch_news(self) -> None:
        """Look at what tells of ended workers, which may be another connection than before."""
        if self._starter.news is not self._news:
            if self._news is not None:
                with suppress(KeyError, ValueError):
                    self._selector.unregister(self._news)
            self._news = self._starter.news
            if self._news is not None:
                self._selector.register(self._news, selectors.EVENT_READ)
