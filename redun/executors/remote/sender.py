"""Sends calls to the scratch and brings outcomes home: all that a remote executor does with bytes.

Its verbs may be called from any thread, run long, and know nothing of what the cluster does meanwhile.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from redun.executors.remote.code_package import CodePackage, pack_code, read_code
from redun.executors.remote.jobs import RemoteJob
from redun.executors.remote.scratch import Scratch, ScratchError
from redun.executors.remote.submitter import Submission

T = TypeVar("T")

SCRATCH_PAUSE_SECONDS = (0.5, 2.0, 5.0)
"""Before each further attempt to reach the scratch; clients of buckets repeat by themselves too."""

MakeCommand = Callable[[Mapping[str, Any], Sequence[str]], tuple[str, ...]]


class Sent(NamedTuple):
    """Calls that lie in the scratch, ready to be submitted."""

    submission: Submission
    jobs: list[RemoteJob]
    array_id: str = ""


class Sender:
    """Between the work of one executor and its scratch."""

    def __init__(
        self,
        scratch: Scratch,
        base: Path,
        make_command: MakeCommand,
        rank_variable: str | None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """Make one; nothing is read or written yet.

        Args:
            scratch: where calls go.
            base: the folder whose code is sent.
            make_command: makes the command line of a worker from options and the words behind ``redun``.
            rank_variable: where an element of an array finds its number.
            pause: waits for some seconds.
        """
        self.scratch = scratch
        self._base = base
        self._make_command = make_command
        self._rank_variable = rank_variable
        self._pause = pause
        self._code_lock = threading.Lock()
        self._code: dict[Any, str] = {}

    def pack(self, job: RemoteJob) -> bytes:
        """Return a job's call as a parcel; its large contents are in the scratch then."""
        return self._patiently(lambda: job.work.pack(self.scratch.contents))

    def send(
        self, jobs: Sequence[RemoteJob], calls: Sequence[tuple[str, bytes]], stale: Sequence[str], *, is_array: bool
    ) -> Sent:
        """Write packed calls to the scratch, with their code.

        Args:
            jobs: equal ones.
            calls: the key and the parcel of each.
            stale: keys of theirs under which an earlier attempt may have left something.
            is_array: whether they are one array.

        Raises:
            RedunError: the code cannot be packed, the scratch cannot be written.
            OSError: the scratch cannot be reached.
        """
        options = jobs[0].options
        code = self.send_code(options)
        for key in stale:
            self._patiently(lambda key=key: self.scratch.forget_outcome(key))  # type: ignore[misc]
        if is_array:
            return self._send_array(list(jobs), calls, code)
        (job,), ((_, parcel),) = jobs, calls
        self._patiently(lambda: self.scratch.put_call(job.key, parcel))
        words = ["worker", "--scratch", self.scratch.url, "--job", job.key, *code, *_beat(options)]
        name = f"{job.prefix}{job.key}"
        command = self._make_command(options, words)
        work, token = job.work, uuid.uuid4().hex
        submission = Submission(name, command, options, task_name=work.task_name, labels=dict(work.labels), token=token)
        return Sent(submission, [job])

    def take_outcome(self, job: RemoteJob, *, takes_errors: bool) -> bool | None:
        """Hand a job what its worker left; return whether that was a result, None when the worker left nothing."""
        found = self._patiently(lambda: self.scratch.look_for_outcome(job.key, with_error=takes_errors))
        if found is None:
            return None
        job.work.take(found.outcome, self.scratch.contents)
        return not found.is_error

    def take_earlier(self, job: RemoteJob) -> bool:
        """Hand a job the result that an earlier run left, if that may still serve; return whether it was taken."""
        found = self._patiently(lambda: self.scratch.find_outcome(job.key, with_error=False))
        if found is None or not job.work.is_served_by(found.outcome, self.scratch.contents):
            return False
        job.work.take(found.outcome, self.scratch.contents)
        return True

    def list_jobs(self) -> dict[str, dict[str, int]]:
        """Return what lies in the scratch of calls.  Raises ScratchError."""
        return self._patiently(self.scratch.list_jobs)

    def read_array_keys(self, array_id: str) -> list[str]:
        """Return the keys of an array's calls, in order; none when there is no such array.  Raises ScratchError."""
        return self._patiently(lambda: self.scratch.read_array_keys(array_id))

    def send_code(self, options: Mapping[str, Any]) -> list[str]:
        """Send the code that options name, once; return the words that tell a worker of it.

        Raises:
            BadCodePackage: there is none.
            ScratchError, OSError: the scratch cannot be written.
        """
        package = options["code_package"]
        if package is False or package is None:
            return []
        includes, excludes = _patterns(options["code_includes"]), _patterns(options["code_excludes"])
        choice = (package, includes, excludes)
        with self._code_lock:  # whoever comes second waits: it needs the package as well
            if choice not in self._code:
                made = self._package(package, includes, excludes)
                now_us = time.time_ns() // 1000
                self._code[choice] = self._patiently(lambda: self.scratch.put_code(made, now_us))
            return ["--code", self._code[choice]]

    def _package(self, package: bool | str, includes: Sequence[str], excludes: Sequence[str]) -> CodePackage:
        if isinstance(package, str):
            return read_code(self._base / Path(package).expanduser())
        return pack_code(self._base, includes, excludes)

    def _send_array(self, jobs: list[RemoteJob], calls: Sequence[tuple[str, bytes]], code: list[str]) -> Sent:
        array_id, options = uuid.uuid4().hex, jobs[0].options
        self._patiently(lambda: self.scratch.put_array(array_id, calls))
        rank = ["--array-rank-env", str(self._rank_variable)]
        words = ["worker", "--scratch", self.scratch.url, "--array", array_id, *rank, *code, *_beat(options)]
        submission = Submission(
            f"{jobs[0].prefix}{array_id}",
            self._make_command(options, words),
            options,
            size=len(jobs),
            is_array=True,
            task_name=jobs[0].work.task_name,
            labels=dict(set.intersection(*(set(job.work.labels.items()) for job in jobs))),
            token=array_id,
        )
        return Sent(submission, jobs, array_id)

    def _patiently(self, step: Callable[[], T]) -> T:
        for seconds in SCRATCH_PAUSE_SECONDS:
            try:
                return step()
            except OSError:
                self._pause(seconds)
        try:
            return step()
        except OSError as error:
            raise ScratchError(self.scratch.url, f"cannot be reached: {error}") from error


def _beat(options: Mapping[str, Any]) -> list[str]:
    seconds = options["heartbeat_interval"]
    return ["--heartbeat", f"{seconds:g}"] if seconds else []


def _patterns(given: Any) -> tuple[str, ...]:
    return tuple(given.split()) if isinstance(given, str) else tuple(given)
