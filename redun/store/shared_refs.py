"""Refs that other machines see: a run that goes on is told by how lately its ref was written.

The invariant: a run that has ended is never told as running again by this process.  So a heartbeat and the last word
of a run wait for each other.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock, Thread

from redun.errors import StoreError
from redun.store.liveness import UNSEEN_WRITER_TIMEOUT_SECONDS, Clock
from redun.store.ref_names import EXECUTIONS
from redun.store.ref_texts import ExecutionRef, RefStatus
from redun.store.refs import Refs
from redun.store.spooled_storage import SpooledStorage

HEARTBEAT_SECONDS = 600
"""A sixth of the time after which others take a run for dead: five may be lost on the way."""


class SharedRefs(Refs):
    """The refs of a repository at a URL.  All of it may be used from any thread."""

    def __init__(self, storage: SpooledStorage, clock: Clock) -> None:
        """Take the refs of a storage; ``clock`` gives microseconds since 1970 UTC."""
        super().__init__(storage)
        self._tree = storage
        self._clock = clock
        self._running: dict[str, ExecutionRef] = {}  # of runs of this process
        self._beaten_us = clock()
        self._lock = Lock()
        self._beats: Thread | None = None

    def write(self, ref: ExecutionRef, *, remote: str | None = None, is_forced: bool = False) -> None:
        with self._lock:
            if remote is None and ref.status is RefStatus.RUNNING:
                self._running[ref.name] = ref
            elif remote is None:
                self._running.pop(ref.name, None)
            super().write(ref, remote=remote, is_forced=is_forced)

    def beat(self) -> None:
        """Tell other machines, now and then and without waiting for it, that the runs of this process go on."""
        if self._clock() - self._beaten_us < HEARTBEAT_SECONDS * 1_000_000 or not self._running:
            return
        if self._beats is None or not self._beats.is_alive():
            self._beaten_us = self._clock()
            self._beats = Thread(target=self._beat, name="redun-heartbeat", daemon=True)
            self._beats.start()

    def is_fresh(self, ref: ExecutionRef) -> bool:
        """Tell whether a ref was written so lately that its run, which cannot be seen from here, may go on."""
        modified_us = self._tree.modified_us(f"{EXECUTIONS}/{ref.name}")
        return modified_us is not None and self._clock() - modified_us < UNSEEN_WRITER_TIMEOUT_SECONDS * 1_000_000

    def _beat(self) -> None:
        with self._lock:
            for ref in self._running.values():
                with suppress(OSError, StoreError):  # the next one is in ten minutes
                    super().write(ref)
