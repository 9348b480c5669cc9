"""What happens to handles during an execution, and whether a recorded state of one still stands.

The invariants: an event is only ever added; that a job runs on a state is on disk before its function is called, so
that a kill in the middle of it leaves no older result in force; and validity follows from events and nodes in the store
alone, so repositories that exchange objects agree.  Normative page: docs/format/handle.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

from redun.handle import Handle, HandleInfo
from redun.hashing import Oid
from redun.objects.codec import decode_node
from redun.objects.execution_records import JobStatus
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.objects.value_records import HandleForm, HandleRecord
from redun.scheduler.branches import Branches, has_handle
from redun.scheduler.record import Recorder
from redun.store.base import ObjectStore
from redun.value.encoding import Encoded, encode_value
from redun.value.names import NotFound
from redun.value.objects import find_value_class

if TYPE_CHECKING:
    from redun.scheduler.facts import TaskFacts
    from redun.scheduler.job import Caller, Job
    from redun.task.binding import BoundArguments

_NEVER = -1


class _Verdict(NamedTuple):
    """What is known of a state."""

    rolled_us: int  # when a state above it was last run on, microseconds since 1970 UTC
    fault: str  # why it does not stand; empty when it does


class _Events:
    """The events that one execution knows of, in whichever of its runs: a run inside a job is in another thread."""

    __slots__ = ("__weakref__", "latest", "n_noted", "times")

    def __init__(self) -> None:
        self.times: dict[Oid, int] = {}  # of each state: its latest event
        self.latest: dict[Oid, int] = {}  # of each root whose events are known: the latest of them
        self.n_noted = 0  # by this execution


_events_of: WeakValueDictionary[bytes, _Events] = WeakValueDictionary()
"""By the id of the execution."""


class Handles:
    """The handles of one run.  Only its own thread calls it."""

    def __init__(self, store: ObjectStore, recorder: Recorder, warn: Callable[[str], None]) -> None:
        self._store = store
        self._recorder = recorder
        self._warn = warn
        self._branches = Branches()
        self._events = _events_of.setdefault(recorder.execution_id, _Events())
        self._times = self._events.times
        self._latest = self._events.latest
        self._n_seen = 0  # how many of the events noted by this execution the verdicts have taken in
        self._verdicts: dict[Oid, _Verdict] = {}
        self._children: dict[Oid, list[Oid]] = {}  # of each state: those below it that have been judged
        self._running: dict[int, int] = {}  # of each job that runs on a handle: the time of its event
        self._users: dict[Oid, Job] = {}  # of each state: the job that uses it in this execution

    # -- a call takes handles

    def reserve(self, caller: Caller, values: Sequence[Any]) -> None:
        """Note a call that is asked for: see ``Branches``."""
        self._branches.reserve(caller, values)

    def fork(
        self, facts: TaskFacts, bound: BoundArguments, caller: Caller
    ) -> tuple[BoundArguments, list[HandleInfo] | None]:
        """Return a call's arguments with a branch in the place of each handle, and the branches.

        Raises:
            ValueNotEncodable: an argument has no hash.
        """
        if not has_handle(bound.values):
            return bound, None
        call = (facts.oid, *((name, encode_value(value).oid) for name, value in bound.hashed()))
        values, infos = self._branches.fork(caller, bound.values, call)
        return bound.replace(values), infos

    def take(self, job: Job, infos: list[HandleInfo]) -> None:
        """Give a new job its branches; warn when another one of this execution uses the same."""
        job.handles = infos
        for info in infos:
            other = self._users.setdefault(info.oid, job)
            if other.eval != job.eval:
                self._warn(
                    f"handle {info.fullname} is used from two branches: by {other.task.fullname} in job "
                    f"{other.short_id} and by {job.task.fullname} in job {job.short_id}. Each undoes what the other "
                    f"has made, so both run again in every run; give each its own fork(key), or one the other's result"
                )

    def forget(self, job: Job) -> None:
        """Drop what is known of the calls below a job, which has ended."""
        self._branches.forget(job.number)

    def drop(self, job: Job) -> None:
        """Note that a job has failed."""
        self.end(job, None)
        self.forget(job)

    # -- events

    def start(self, job: Job) -> None:
        """Put on disk that a job begins to run on its handles."""
        infos = job.handles or []
        time_us = self._next_time(infos)
        for info in infos:
            for part in info.unstored:
                self._store.put(*part)
            info.note_stored()
            self._note(info.root, info.oid, time_us, job)
        self._running[job.number] = time_us
        self._recorder.flush()

    def end(self, job: Job, result: Encoded | None) -> None:
        """Note the states that a job leaves; ``result`` is None when it has failed."""
        started_us = self._running.pop(job.number, None)
        if job.status == JobStatus.STEPPED:
            return
        infos = job.handles or []
        if started_us is not None and any(self._times[info.oid] != started_us for info in infos):
            # Another job began on a state of it before it ended: nobody can tell what the two have left.
            time_us = self._next_time(infos)
            for info in infos:
                self._note(info.root, info.oid, time_us, job)
            return
        for oid, root in self._left_by(job, result):
            self._load(root)
            self._note(root, oid, self._now(root) if started_us is None else started_us, job)

    def _left_by(self, job: Job, result: Encoded | None) -> list[tuple[Oid, Oid]]:
        """Return state and root of each handle in a result that has just gone through this very call."""
        left: list[tuple[Oid, Oid]] = []
        if result is None or job.eval is None:
            return left
        for oid, data, kind in (*result.parts, (result.oid, result.data, result.kind)):
            if kind == Kind.HANDLE and oid in result.externals:
                record = HandleRecord.decode(decode_node(data))
                if record.form is HandleForm.CALLED and record.texts == [job.eval.hex()]:
                    left.append((oid, record.links[0]))
        return left

    def _note(self, root: Oid, state: Oid, time_us: int, job: Job) -> None:
        self._recorder.note_handle(root, state, time_us, job)
        self._times[state] = max(time_us, self._times.get(state, _NEVER))
        self._latest[root] = max(time_us, self._latest.get(root, _NEVER))
        self._events.n_noted += 1
        if self._events.n_noted == self._n_seen + 1:
            self._n_seen += 1
        self._unjudge(state)

    def _unjudge(self, state: Oid) -> None:
        """Forget the verdicts that an event of a state may change: its own and of those below.

        All of them would make a chain of calls that all run again cost the square of its length.
        """
        stack = [state]
        while stack:
            top = stack.pop()
            self._verdicts.pop(top, None)
            stack.extend(self._children.pop(top, ()))

    def _next_time(self, infos: list[HandleInfo]) -> int:
        for info in infos:
            self._load(info.root)
        return max(self._now(info.root) for info in infos)

    def _now(self, root: Oid) -> int:
        """Return the time of a new event: later than all that are known of the root, whatever the clock says."""
        return max(self._recorder.epoch_us + self._recorder.now_us(), self._latest[root] + 1)

    def _load(self, root: Oid) -> None:
        """Take in the events on record of a root, once."""
        if root in self._latest:
            return
        latest = _NEVER
        for time_us, state in self._store.find_candidates(root):
            self._times[state] = max(time_us, self._times.get(state, _NEVER))
            latest = max(time_us, latest)
        self._latest[root] = latest

    # -- validity

    def find_fault(self, oid: Oid) -> str:
        """Return why a recorded state does not stand, an empty text when it does.

        Raises:
            ObjectMissing, ObjectCorrupt: its lineage cannot be read.
        """
        if self._n_seen != self._events.n_noted:  # another run of this execution has noted some
            self._n_seen = self._events.n_noted
            self._verdicts.clear()
            self._children.clear()
        stack = [oid]
        while stack:
            state = stack[-1]
            if state in self._verdicts:
                stack.pop()
                continue
            record = HandleRecord.decode(self._store.get_node(state))
            unknown = [parent for parent in record.parents if parent not in self._verdicts]
            if unknown:
                stack.extend(unknown)
                continue
            self._verdicts[state] = self._judge(state, record)
            stack.pop()
        return self._verdicts[oid].fault

    def _judge(self, state: Oid, record: HandleRecord) -> _Verdict:
        """Judge a state whose parents have been judged."""
        if record.form is HandleForm.ROOT:
            return _Verdict(_NEVER, _find_class_fault(*record.texts))
        above = [self._verdicts[parent] for parent in record.parents]
        for parent in record.parents:
            self._children.setdefault(parent, []).append(state)
        self._load(record.links[0])
        rolled_us = max(verdict.rolled_us for verdict in above)
        fault = next((verdict.fault for verdict in above if verdict.fault), "")
        reached_us = self._times.get(state, _NEVER)
        if record.form is HandleForm.CALLED and not fault:
            if reached_us == _NEVER:
                fault = f"handle {short(state)} was never reached, or not alone"
            elif rolled_us > reached_us:
                fault = f"handle {short(state)} was rolled back: another call has run on what it was made from"
        if record.form is HandleForm.FORK:
            rolled_us = max(rolled_us, reached_us)
        return _Verdict(rolled_us, fault)


def _find_class_fault(type_name: str, fullname: str) -> str:
    try:
        is_there = issubclass(find_value_class(type_name), Handle)
    except NotFound:
        is_there = False
    return "" if is_there else f"{type_name}, the class of handle {fullname}, is no more"
