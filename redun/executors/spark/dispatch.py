"""Gathers calls, sends them to a cluster as Spark jobs, and brings their results home.

Theory of operation.  Three kinds of threads.  *gather* packs calls as they come.  It sends those that it has once they
have waited for a moment, or are many, and the cluster has room: as long as it has none they go on gathering, so jobs
are small where calls are few and large where the cluster is busy.  A *lane* waits for one Spark job; there are as many
as Spark jobs, so that one long call holds nobody up.  *home* takes results as they come, hands them back, and looks
after the cluster.

What Spark gives up (it has tried each part several times by then) is tried once more, each call in a Spark job of its
own, so that a call which brings down whole executors fails alone.  What a part hands back unrun goes to the front.

The invariant: each call that was submitted is in ``_waiting``, in ``_ready`` or in ``left`` of one batch, until it is
reported or dropped.  All three are touched under the lock only.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from queue import Empty, SimpleQueue
from typing import NamedTuple

from redun.errors import ExecutorError
from redun.executors.base import PortableWork, Report
from redun.executors.spark.cluster import Cluster, SparkFailed
from redun.executors.spark.pace import Pace
from redun.executors.spark.part import PartResult, Place, decode_result
from redun.executors.spark.piece import Batch, Piece
from redun.executors.thread import ThreadExecutor
from redun.store.blobs import Blobs

MAX_LANES = 500
WATCH_SECONDS = 1.0
CANCEL_SECONDS = 5.0
"""How long a run that stops waits for the Spark jobs that it cancelled."""
CANCEL_AGAIN_SECONDS = 0.2
PARTS_PER_SLOT = 2
"""Parts that are on their way or run, for each slot: one that waits keeps a slot busy while results come home."""
PACKED_AT_ONCE = 50
_jobs = count(1)


class WorkerDied(ExecutorError):
    """The process that ran a call ended."""


class Cancelled(ExecutorError):
    """A call was ended with the run, or because its time was up."""


class Ground(NamedTuple):
    """What calls of one run stand on, once Spark has started."""

    cluster: Cluster
    place: Place
    contents: Blobs | None


class Limits(NamedTuple):
    """How calls are gathered; as in the section of the config."""

    max_batch_size: int
    gather_seconds: float
    cluster_timeout_seconds: float


class Dispatcher:
    """Serves one run: made at its first call, stopped at its end."""

    def __init__(
        self, name: str, limits: Limits, pace: Pace, open_ground: Callable[[], Ground], report: Report
    ) -> None:
        """``open_ground`` is called once, in a thread of the dispatcher, and may take its time."""
        self._name = name
        self._limits = limits
        self._pace = pace
        self._open_ground = open_ground
        self._report = report
        self._lock = threading.Condition()
        self._waiting: deque[Piece] = deque()  # to be packed, or packed and handed back
        self._ready: list[Piece] = []  # packed, but for the last one perhaps
        self._ready_since = 0.0
        self._batches: dict[str, Batch] = {}  # that run, by job
        self._numbers = count()
        self._broken: Exception | None = None  # why nothing can be run any more
        self._is_stopped = False
        self._n_slots = 0
        self._slots_until = 0.0
        self._ground: Ground | None = None
        self._fault_since: float | None = None
        self._home: SimpleQueue[tuple[Batch, bytes | SparkFailed | None] | None] = SimpleQueue()
        self._lanes = ThreadExecutor(f"{name}-spark", max_workers=MAX_LANES)
        self._lanes.start(lambda _work: None, lambda: None)
        for part, body in (("gather", self._gather), ("home", self._take_home)):
            threading.Thread(target=body, name=f"redun-{name}-{part}", daemon=True).start()

    def submit(self, work: PortableWork, *, has_time_limit: bool) -> None:
        """Take a call."""
        piece = Piece(work, next(self._numbers), has_time_limit=has_time_limit)
        with self._lock:
            if self._broken is None:
                self._waiting.append(piece)
                if len(self._waiting) == 1:
                    self._lock.notify_all()
                return
        self._fail([piece], self._broken)

    def cancel_waiting(self) -> int:
        """Drop what was not sent; return how many calls that were."""
        with self._lock:
            n_dropped = len(self._waiting) + len(self._ready)
            self._waiting.clear()
            self._ready = []
        return n_dropped

    def cancel_running(self) -> None:
        """End what was sent; return once it has ended, or was given its time."""
        with self._lock:
            batches = list(self._batches.values())
        deadline = time.monotonic() + CANCEL_SECONDS
        # Again and again: Spark forgets that a job was to be cancelled which had not begun yet.
        while left := [batch for batch in batches if batch.job in self._batches]:
            for batch in left:
                self._cancel(batch)
            if time.monotonic() > deadline:
                return
            with self._lock:
                self._lock.wait(CANCEL_AGAIN_SECONDS)

    def abandon(self, work: object) -> None:
        """End a call whose time is up."""
        with self._lock:
            found = [batch for batch in self._batches.values() if any(one.work is work for one in batch.left.values())]
        for batch in found:
            if all(piece.goes_alone for piece in list(batch.left.values())):
                self._cancel(batch)

    def stop(self) -> None:
        """Let go of the threads; what runs goes on."""
        with self._lock:
            self._is_stopped = True
            self._lock.notify_all()

    def _cancel(self, batch: Batch) -> None:
        batch.is_cancelled = True
        if self._ground is not None:
            self._ground.cluster.cancel(batch.job)

    # -- gather

    def _gather(self) -> None:
        try:
            self._ground = self._open_ground()
            while self._step():
                continue
        except Exception as error:
            self._break(error)
        self._lanes.stop()
        self._home.put(None)

    def _step(self) -> bool:
        """Do one thing: pack some calls, send what is ready, or wait.  False at the end."""
        n_slots = self._count_slots()
        with self._lock:
            if self._is_stopped and not self._batches:
                return False
            n_free = PARTS_PER_SLOT * n_slots - sum(batch.n_parts_left for batch in self._batches.values())
            n_wanted = min(PACKED_AT_ONCE, self._limits.max_batch_size - len(self._ready), len(self._waiting))
            is_due = n_free > 0 and self._is_due()
            batches = self._take_ready(n_free, n_slots) if is_due else []
            fresh = [] if is_due else [self._waiting.popleft() for _ in range(n_wanted)]
            if fresh and not self._ready:
                self._ready_since = time.monotonic()
            self._ready += fresh
            if not batches and not fresh:
                self._lock.wait(self._limits.gather_seconds if self._ready and n_free > 0 else WATCH_SECONDS)
                return True
        for batch in batches:
            self._send(batch)
        for piece in fresh:
            self._pack(piece)
        return True

    def _is_due(self) -> bool:
        if len(self._ready) >= self._limits.max_batch_size:
            return True
        waited = time.monotonic() - self._ready_since
        return bool(self._ready) and not self._waiting and waited >= self._limits.gather_seconds

    def _count_slots(self) -> int:
        """Return how many parts can run at a time; asked of Spark now and then, since a cluster grows."""
        assert self._ground is not None
        now = time.monotonic()
        if now >= self._slots_until:
            self._n_slots = self._ground.cluster.count_slots()
            self._slots_until = now + WATCH_SECONDS
        return self._n_slots

    def _pack(self, piece: Piece) -> None:
        assert self._ground is not None
        if piece.parcel:
            return  # it was sent before, and handed back
        try:
            piece.parcel = piece.work.pack(self._ground.contents)
        except Exception as error:
            with self._lock:
                was_dropped = piece not in self._ready
                if not was_dropped:
                    self._ready.remove(piece)
            if not was_dropped:
                self._fail([piece], error)

    def _take_ready(self, n_free: int, n_slots: int) -> list[Batch]:
        """Return Spark jobs of as many parts as there is room for; the other pieces stay.  Under the lock."""
        parts = self._pace.split(self._ready, n_slots)
        sent, self._ready = parts[:n_free], [piece for part in parts[n_free:] for piece in part]
        together = [part for part in sent if not part[0].goes_alone]
        jobs = [*([together] if together else []), *([part] for part in sent if part[0].goes_alone)]
        batches = [Batch(f"redun-{self._name}-{next(_jobs)}", job) for job in jobs]
        self._batches.update((batch.job, batch) for batch in batches)
        return batches

    def _send(self, batch: Batch) -> None:
        assert self._ground is not None
        batch.prepare(self._ground.cluster, self._ground.place, self._deliver, self._end)
        for piece in list(batch.left.values()):
            piece.work.begin()
        self._lanes.submit(batch)

    # -- in a lane, or wherever results arrive

    def _deliver(self, batch: Batch, result: bytes) -> None:
        self._home.put((batch, result))

    def _end(self, batch: Batch, failure: SparkFailed | None) -> None:
        self._home.put((batch, failure))

    # -- home

    def _take_home(self) -> None:
        while True:
            try:
                arrived = self._home.get(timeout=WATCH_SECONDS)
            except Empty:
                self._watch()
                continue
            if arrived is None:
                return
            batch, what = arrived
            try:
                if isinstance(what, bytes):
                    self._take_part(batch, decode_result(what))
                else:
                    self._take_end(batch, what)
            except Exception as error:  # a result that cannot be read
                self._drop_batch(batch)
                self._fail(self._empty(batch), error)

    def _take_part(self, batch: Batch, result: PartResult) -> None:
        with self._lock:
            ended = [(batch.left.pop(done.number, None), done) for done in result.done]
            dead = [(batch.left.pop(number, None), why) for number, why in result.died]
            undone = [batch.left.pop(number) for number in result.undone if number in batch.left]
            if not batch.is_cancelled:
                self._waiting.extendleft(reversed(undone))
            batch.n_parts_left -= 1
            for piece, done in ended:
                if piece is not None:
                    self._pace.note(piece.task_name, done.seconds)
            self._lock.notify_all()
        contents = None if self._ground is None else self._ground.contents
        for piece, done in ended:
            if piece is not None:
                piece.work.take(done.outcome, contents)
                self._report(piece.work)
        for piece, why in dead:
            if piece is not None:
                self._fail([piece], WorkerDied(f"executor {self._name!r}: {why}"))
        if batch.is_cancelled:
            self._fail(undone, self._cancelled())

    def _take_end(self, batch: Batch, failure: SparkFailed | None) -> None:
        self._drop_batch(batch)
        left = self._empty(batch)
        if not left:
            return
        if batch.is_cancelled:
            self._fail(left, self._cancelled())
        elif failure is not None and ((len(left) == 1 and left[0].goes_alone) or self._is_gone()):
            self._fail(left, failure)
        else:
            # Without a failure: results were lost between Spark and here, which Spark does not notice.
            for piece in left:
                piece.is_suspect = True
            with self._lock:
                self._waiting.extendleft(reversed(left))
                self._lock.notify_all()

    def _empty(self, batch: Batch) -> list[Piece]:
        with self._lock:
            left = list(batch.left.values())
            batch.left = {}
        return left

    def _drop_batch(self, batch: Batch) -> None:
        with self._lock:
            self._batches.pop(batch.job, None)
            self._lock.notify_all()

    def _cancelled(self) -> Cancelled:
        return Cancelled(f"executor {self._name!r}: the call was cancelled")

    def _fail(self, pieces: Sequence[Piece], error: Exception) -> None:
        for piece in pieces:
            piece.work.fail(error, getattr(error, "log", ()))
            self._report(piece.work)

    # -- a cluster that goes away

    def _find_fault(self) -> tuple[str, bool] | None:
        return None if self._ground is None else self._ground.cluster.find_fault()

    def _is_gone(self) -> bool:
        fault = self._find_fault()
        return fault is not None and fault[1]

    def _watch(self) -> None:
        """Fail what waits for a cluster that is gone, at once or once that has lasted for too long."""
        if not self._batches:
            self._fault_since = None
            return
        fault = self._find_fault()
        if fault is None:
            self._fault_since = None
            return
        why, is_final = fault
        now = time.monotonic()
        since = self._fault_since = now if self._fault_since is None else self._fault_since
        if is_final or now - since >= self._limits.cluster_timeout_seconds:
            lasted = "" if is_final else f", for {now - since:.0f} s"
            self._break(SparkFailed(f"{why}{lasted}"))

    def _break(self, error: Exception) -> None:
        """Fail all there is, and all that comes."""
        with self._lock:
            self._broken = error
            pieces = [*self._ready, *self._waiting]
            self._ready, batches = [], list(self._batches.values())
            self._waiting.clear()
            self._batches = {}
            self._lock.notify_all()
        for batch in batches:
            pieces += self._empty(batch)
            self._cancel(batch)
        self._fail(pieces, error)
