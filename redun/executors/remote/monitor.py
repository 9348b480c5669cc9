"""The thread in which a remote executor lives: takes work in, submits it, watches it, hands it back.

Theory of operation.  One thread, the monitor's, owns all state and makes all requests of the cluster but ``cancel``.
Everybody else puts steps into its inbox: ``submit`` a new piece of work, the pool an errand that is done.  So there is
no lock, and no order of events but that of the inbox.  Each turn of the loop takes what is in the inbox, moves arrays
on whose time has come, polls if that is due, and does one chore; so thousands of submissions do not keep it from
looking at what runs, and a finished job is noticed within a polling interval and the time of one request.

A job goes NEW -> WAITING -> SUBMITTED -> ENDED -> DONE:

* NEW, a reusable call waits until it was asked once what earlier runs left: a result in the scratch is taken, a job
  that still runs is joined as if it had been submitted here.
* WAITING, its call is packed by the pool, gathered with its equals, written to the scratch, and queued as a chore.
* SUBMITTED, it is in ``_active`` by the cluster's id, and every poll asks of all of them together.
* ENDED, the pool looks for its outcome.  One that is not there yet is looked for again for some seconds (listings of
  network disks lag); a job that the cluster does not know is given one more poll; one that was joined and comes to
  nothing is made anew; only then does it fail, with the last lines of its log.

Nothing waits for ever: an errand ends or fails, a chore is tried for minutes and then given up, polls that fail for as
long fail every job that is out, and an error that nobody thought of fails them all.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from redun.executors.base import PortableWork, Report
from redun.executors.options import BadOption, OptionTable
from redun.executors.remote.arrays import Batch, Grouper
from redun.executors.remote.earlier import Earlier
from redun.executors.remote.heartbeats import Heartbeats
from redun.executors.remote.jobs import RemoteJob, RemoteJobFailed, RemoteTimeout, Stage, lost_sight
from redun.executors.remote.logs import Logs
from redun.executors.remote.polls import Polls
from redun.executors.remote.sender import Sender, Sent
from redun.executors.remote.submitter import RemoteState, RemoteStatus, Submitter
from redun.executors.remote.turns import Turns

LOOK_AGAIN_SECONDS = (0.5, 1.5, 3.0, 5.0)
"""When to look again for the outcome of a job that ended well and seems to have left none."""
LOOK_AGAIN_FAILED_SECONDS = (0.5,)
"""The same for one that failed: most such have left none."""
POLLS_GONE = 2
"""A cluster that says so often in a row that it does not know a job is believed: the first time it may be too new."""
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_GONE = RemoteState(RemoteStatus.GONE, "the cluster knows nothing of it")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a monitor works with."""

    name: str  # of the executor
    values: Mapping[str, Any]  # of every option
    table: OptionTable
    submitter: Submitter
    sender: Sender
    new_grouper: Callable[[], Grouper[RemoteJob]]
    allows_array: Callable[[Mapping[str, Any]], bool]
    prepare: Callable[[], None]
    """Called once, before anything is written; never raises."""
    thread_setup: Callable[[], None]
    pauses: tuple[float, ...]


class Monitor:
    """Everything that one executor does in one execution."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._submitter = parts.submitter
        self._sender = parts.sender
        self._turns = Turns(parts.name, parts.pauses, parts.thread_setup)
        self._polls = Polls(parts.submitter, parts.values["job_monitor_interval"], parts.pauses)
        self._grouper = parts.new_grouper()
        self._earlier = Earlier(self._sender, self._submitter)
        self._parked: dict[str, list[RemoteJob]] = {}  # by prefix: NEW jobs
        self._jobs: dict[int, RemoteJob] = {}  # by id of the work, which the job holds
        self._keys: set[str] = set()  # of the jobs at hand
        self._used_keys: set[str] = set()  # under which an earlier attempt may have left something
        self._active: dict[str, RemoteJob] = {}  # by id at the cluster
        self._to_cancel: set[str] = set()  # by id at the cluster: nobody waits for them any more
        self.done_keys: set[str] = set()  # what succeeded here, and can be removed from the scratch
        self.array_keys: dict[str, list[str]] = {}
        self._logs = Logs(parts.submitter)
        self._refusal: Exception | None = None  # why nothing can be submitted
        beat: float = parts.values["heartbeat_interval"]
        self._heartbeats = Heartbeats(beat, self._turns, parts.sender, lambda: list(self._active.values()), self._miss)
        self._turns.start(self)

    # -- called from other threads

    def submit(self, work: PortableWork, report: Report) -> None:
        """Take a piece of work."""
        self._turns.do_soon(partial(self._accept, work, report))

    def cancel_waiting(self, seconds: float) -> int:
        """Drop what was not submitted; return how many that were.

        When the cluster does not answer for longer than ``seconds``, none were, and all that wait will fail.
        """
        question = _Question()
        self._turns.do_soon(partial(self._drop_waiting, question))
        return question.wait(seconds)

    def cancel_running(self, reason: str) -> None:
        """End the cluster's jobs that this execution submitted."""
        self._turns.is_ending = True
        own = [job_id for job_id, job in self._active.copy().items() if not job.is_reunited]
        own += self._to_cancel.copy()
        if own:
            with suppress(Exception):  # whatever it is, the run ends; the jobs can be found again
                self._submitter.cancel(own, reason)

    def abandon(self, work: PortableWork) -> None:
        """End one piece of work whose time is up."""
        self._turns.do_soon(partial(self._abandon, id(work)))

    def stop(self) -> None:
        """Let the thread end."""
        self._turns.stop()

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended."""
        self._turns.join(seconds)

    # -- the thread

    def prepare(self) -> None:
        """Called first."""
        self._parts.prepare()
        self._turns.chores.add(self._submitter.check, self._refuse)
        self._heartbeats.start()

    def turn(self, now: float) -> None:
        """Move on what is due."""
        for batch in self._grouper.take_due(now):
            self._send(batch)
        if self._active and now >= self._polls.due:
            self._poll()

    def iter_dues(self) -> list[float | None]:
        """Return when something will be due."""
        return [self._grouper.next_due(), self._polls.due if self._active else None]

    def take_mistake(self, error: Exception) -> None:
        """Fail whatever is at hand."""
        self._fail_each(list(self._jobs.values()), error)

    def close(self) -> None:
        """Called last."""
        self._submitter.close()

    # -- from new to submitted

    def _accept(self, work: PortableWork, report: Report) -> None:
        job = RemoteJob(work, report, work.eval_hash)
        self._jobs[id(work)] = job
        try:
            if self._refusal is not None:
                raise self._refusal
            job.options = _read_options(self._parts, work)
        except Exception as error:
            self._fail(job, error)
            return
        if not work.is_reusable or job.key in self._keys:
            # What comes of it is nobody else's, and what others left is not for it.
            job.key = f"{work.eval_hash}-{uuid.uuid4().hex[:8]}"
            self._keys.add(job.key)
            self._pack(job)
            return
        self._keys.add(job.key)
        if self._earlier.knows(job.prefix):
            self._look_back(job)
            return
        parked = self._parked.setdefault(job.prefix, [])
        parked.append(job)
        if len(parked) == 1:
            self._turns.chores.add(
                partial(self._look_for_earlier, job.prefix),
                lambda error: self._fail_each(self._parked.pop(job.prefix, []), error),
            )

    def _look_for_earlier(self, prefix: str) -> None:
        if any(job.stage is Stage.NEW for job in self._parked.get(prefix, [])):
            self._earlier.look(prefix)
        for job in self._parked.pop(prefix, []):
            self._look_back(job)

    def _look_back(self, job: RemoteJob) -> None:
        """Go on with what an earlier run left of a call, or make it."""
        if job.stage is not Stage.NEW:
            return  # dropped meanwhile
        if self._earlier.has_left(job.key):
            self._used_keys.add(job.key)
        live = self._earlier.take_live(job.prefix, job.key)
        if self._earlier.take_finished(job.key):
            job.stage = Stage.WAITING

            def go_on(is_taken: bool) -> None:
                if is_taken and job.stage is not Stage.DONE:
                    self.done_keys.add(job.key)
                    self._end(job)
                else:
                    self._join_or_make(job, live)

            self._turns.ask(lambda: self._sender.take_earlier(job), go_on, partial(self._fail, job))
        else:
            self._join_or_make(job, live)

    def _join_or_make(self, job: RemoteJob, live: str | None) -> None:
        if job.stage is Stage.DONE:
            return
        if live is None or live in self._active:
            self._pack(job)
            return
        job.is_reunited = True
        self._submitted(job, live)

    def _pack(self, job: RemoteJob) -> None:
        job.stage = Stage.WAITING

        def gather(parcel: bytes) -> None:
            if job.stage is Stage.WAITING:
                job.parcel = parcel
                if self._parts.allows_array(job.options):
                    for batch in self._grouper.add(job.like, job, monotonic()):
                        self._send(batch)
                else:
                    self._send(Batch([job], is_array=False))

        self._turns.ask(lambda: self._sender.pack(job), gather, partial(self._fail, job))

    def _send(self, batch: Batch[RemoteJob]) -> None:
        jobs = [job for job in batch.jobs if job.stage is Stage.WAITING]
        if not jobs:
            return
        if len(jobs) > self._submitter.max_array_size:  # some clusters tell it only when they are checked
            for part in Batch(jobs, is_array=batch.is_array).split(self._submitter.max_array_size):
                self._send(part)
            return
        calls = [(job.key, job.parcel or b"") for job in jobs]  # now: a job that is dropped lets go of its parcel
        stale = [job.key for job in jobs if job.key in self._used_keys]
        self._turns.ask(
            lambda: self._sender.send(jobs, calls, stale, is_array=batch.is_array and len(jobs) > 1),
            self._queue,
            partial(self._fail_each, jobs),
        )

    def _queue(self, sent: Sent) -> None:
        if sent.array_id:
            self.array_keys[sent.array_id] = [job.key for job in sent.jobs]
        self._turns.chores.add(partial(self._submit, sent), partial(self._fail_each, sent.jobs))

    def _submit(self, sent: Sent) -> None:
        if all(job.stage is Stage.DONE for job in sent.jobs):
            return
        ids = self._submitter.submit(sent.submission)
        if len(ids) != len(sent.jobs):
            raise RemoteJobFailed(self._parts.name, "", f"expected {len(sent.jobs)} ids, the cluster gave {len(ids)}")
        dropped = [job_id for job, job_id in zip(sent.jobs, ids) if job.stage is Stage.DONE]
        for job, job_id in zip(sent.jobs, ids):
            if job.stage is not Stage.DONE:
                job.parcel = None
                self._submitted(job, job_id)
        if self._turns.is_ending:  # whoever cancels did not know these
            dropped = ids
        if dropped:
            self._submitter.cancel(dropped, "the run does not need it any more")

    def _submitted(self, job: RemoteJob, job_id: str) -> None:
        if not self._active:
            self._polls.begin()
        job.stage, job.job_id, job.n_gone = Stage.SUBMITTED, job_id, 0
        self._active[job_id] = job

    # -- from submitted to done

    def _poll(self) -> None:
        states = self._polls.ask(list(self._active))
        if isinstance(states, Exception):
            self._fail_active(states)
        elif states is not None:
            for job_id, job in list(self._active.items()):
                self._note(job, states.get(job_id, _GONE))

    def _note(self, job: RemoteJob, state: RemoteState) -> None:
        job.add_tags(state.tags)
        if state.status is RemoteStatus.WAITING:
            job.n_gone = 0
        elif state.status is RemoteStatus.RUNNING:
            job.n_gone = 0
            job.begin(monotonic())
            limit = job.options.get("timeout")
            if limit and monotonic() - job.began_at > limit:
                self._give_up(job, RemoteTimeout(self._parts.name, job.job_id, limit))
        else:
            job.n_gone = job.n_gone + 1 if state.status is RemoteStatus.GONE else 0
            del self._active[job.job_id]
            job.stage = Stage.ENDED
            self._look_for_outcome(job, state, 0)

    def _look_for_outcome(self, job: RemoteJob, state: RemoteState, n_looks: int) -> None:
        if job.stage is Stage.DONE:
            return
        is_success = state.status is RemoteStatus.SUCCEEDED
        # An error that lay there before a job was joined is not known to be that job's.
        takes_errors = not is_success and not (job.is_reunited and job.key in self._used_keys)
        again = LOOK_AGAIN_SECONDS if is_success else LOOK_AGAIN_FAILED_SECONDS

        def take(is_result: bool | None) -> None:
            if job.stage is Stage.DONE:
                return  # abandoned meanwhile
            if is_result:
                self.done_keys.add(job.key)
                self._end(job)
            elif is_result is not None:
                self._turns.chores.add(partial(self._end_with_log, job), lambda _error: self._end(job))
            elif n_looks < len(again):
                self._turns.do_later(again[n_looks], lambda: self._look_for_outcome(job, state, n_looks + 1))
            else:
                self._lose(job, state)

        if is_success:
            job.begin(monotonic())
        self._turns.ask(
            lambda: self._sender.take_outcome(job, takes_errors=takes_errors), take, partial(self._fail, job)
        )

    def _lose(self, job: RemoteJob, state: RemoteState) -> None:
        """Take note that a job has ended and left nothing."""
        if job.is_reunited:
            job.is_reunited, job.job_id = False, ""
            self._used_keys.add(job.key)
            self._pack(job)
        elif state.status is RemoteStatus.GONE and job.n_gone < POLLS_GONE:
            n_gone = job.n_gone
            self._submitted(job, job.job_id)
            job.n_gone = n_gone
        else:
            self._turns.chores.add(partial(self._fail_with_log, job, state), partial(self._fail, job))

    def _fail_with_log(self, job: RemoteJob, state: RemoteState) -> None:
        is_success = state.status is RemoteStatus.SUCCEEDED
        why = f"it ended well and left no outcome in {self._sender.scratch.url}" if is_success else state.reason
        error = RemoteJobFailed(self._parts.name, job.job_id, why or "it gave no reason")
        self._fail(job, error, self._logs.fetch(job.job_id))

    def _end_with_log(self, job: RemoteJob) -> None:
        job.work.add_log(self._logs.fetch(job.job_id))
        self._end(job)

    def _abandon(self, work_id: int) -> None:
        job = self._jobs.get(work_id)
        if job is None:
            return
        self._give_up(job, RemoteJobFailed(self._parts.name, job.job_id, "its time was up"))

    def _miss(self, job: RemoteJob, seconds: float) -> None:
        why = f"its worker gave no sign of life for {seconds:g} seconds"
        self._give_up(job, RemoteJobFailed(self._parts.name, job.job_id, why))

    def _give_up(self, job: RemoteJob, error: RemoteJobFailed) -> None:
        """End a job that may go on over there."""
        if job.stage is Stage.SUBMITTED:
            self._to_cancel.add(job.job_id)
            self._turns.chores.add(partial(self._cancel_one, job.job_id, error.why), lambda _error: None)
        self._fail(job, error)

    def _cancel_one(self, job_id: str, reason: str) -> None:
        self._submitter.cancel([job_id], reason)
        self._to_cancel.discard(job_id)

    # -- ends

    def _fail(self, job: RemoteJob, error: Exception, log: list[str] | None = None) -> None:
        if job.stage is not Stage.DONE:
            job.work.fail(error, log or ())
            self._end(job)

    def _end(self, job: RemoteJob) -> None:
        if job.stage is not Stage.DONE:
            self._forget(job)
            job.report(job.work)

    def _forget(self, job: RemoteJob) -> None:
        job.stage, job.parcel = Stage.DONE, None
        self._active.pop(job.job_id, None)
        self._jobs.pop(id(job.work), None)
        self._keys.discard(job.key)
        self._used_keys.add(job.key)

    def _fail_each(self, jobs: list[RemoteJob], error: Exception) -> None:
        for job in jobs:
            self._fail(job, error)

    def _fail_active(self, error: Exception) -> None:
        for job in list(self._active.values()):
            self._fail(job, lost_sight(self._parts.name, job.job_id, error))

    def _refuse(self, error: Exception) -> None:
        self._refusal = error
        self.take_mistake(error)

    def _drop_waiting(self, question: _Question) -> None:
        waiting = [job for job in self._jobs.values() if job.stage in {Stage.NEW, Stage.WAITING}]
        self._grouper.take_all()
        if question.answer(len(waiting)):
            for job in waiting:
                self._forget(job)
        else:
            self._fail_each(waiting, RemoteJobFailed(self._parts.name, "", "the run was stopped"))


class _Question:
    """How many pieces of work were dropped: answered in time, or not at all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._number = 0

    def answer(self, number: int) -> bool:
        """Give the number; return whether anybody waits for it still."""
        with self._lock:
            if self._is_over.is_set():
                return False
            self._number = number
            self._is_over.set()
            return True

    def wait(self, seconds: float) -> int:
        """Return the number, or 0 when there is none in time."""
        self._is_over.wait(seconds)
        with self._lock:
            self._is_over.set()
            return self._number


def _read_options(parts: Parts, work: PortableWork) -> dict[str, Any]:
    options = parts.table.read_task(parts.name, parts.values, work.get_options())
    prefix = options["job_name_prefix"]
    if _PREFIX.fullmatch(prefix) is None:
        expected = "1 to 40 letters, digits, - and _, the first no sign"
        raise BadOption(parts.name, "job_name_prefix", f"expected job_name_prefix to be {expected}, found {prefix!r}")
    return options
