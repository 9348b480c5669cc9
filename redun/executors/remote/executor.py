"""An executor whose workers are machines of a cluster: all that is the same for every cluster.

The executor itself holds settings only.  What it does in an execution is done by a ``Monitor``, which is made with the
first piece of work: a run that submits nothing asks the cluster nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any, TypeVar

from redun.errors import RedunError
from redun.executors.base import Executor, Report
from redun.executors.options import BadOption, OptionTable
from redun.executors.remote.arrays import Grouper, Sizes
from redun.executors.remote.chores import PAUSE_SECONDS, Patience
from redun.executors.remote.cleaning import remove_done, sweep
from redun.executors.remote.jobs import RemoteJob
from redun.executors.remote.monitor import Monitor, Parts
from redun.executors.remote.scratch import Scratch
from redun.executors.remote.sender import Sender
from redun.executors.remote.submitter import RemoteState, RemoteStatus, Submission, Submitter

T = TypeVar("T")

CANCEL_SECONDS = 10.0
"""How long a run that stops waits for a monitor that waits for its cluster."""


class RemoteExecutor(Executor):
    """Runs work as jobs of a cluster: docs/internals/executors.md.  Types of executors derive from ClusterExecutor."""

    handles = frozenset({"timeout"})

    def __init__(
        self,
        name: str,
        values: Mapping[str, Any],
        submitter: Submitter,
        *,
        table: OptionTable,
        scratch: str,
        base: Path | None = None,
        pauses: Sequence[float] = PAUSE_SECONDS,
    ) -> None:
        """Make an executor; nothing is asked of the cluster, and nothing is written, before there is work.

        Args:
            name: as tasks name it.
            values: the value of every option, from ``table.read_section``.
            submitter: talks to the cluster.
            table: reads what tasks and calls say; holds at least ``common_options()``.
            scratch: path or URL of the scratch.
            base: where a relative scratch and a relative code package start, and what the code package holds; the
                working directory when None.
            pauses: seconds before each further attempt at a request that fails for a reason that may pass.
        """
        super().__init__(name)
        self.values = dict(values)
        self.submitter = submitter
        self.table = table
        self.scratch_url = scratch
        self.base = base
        self.option_names = frozenset(table.options)
        self._pauses = tuple(pauses)
        self._report: Report | None = None
        self._thread_setup: Callable[[], None] = lambda: None
        self._monitor: Monitor | None = None
        self._previous: Monitor | None = None  # of the execution before, which may not have let go yet

    # -- what a type of executor may say otherwise

    def allows_array(self, options: Mapping[str, Any]) -> bool:
        """Tell whether jobs with these options can be elements of an array."""
        del options
        return True

    def make_command(self, options: Mapping[str, Any], words: Sequence[str]) -> tuple[str, ...]:
        """Return the command line that a machine of the cluster runs: ``words`` are what stands behind ``redun``."""
        given = options["worker_command"]
        return (*(given.split() if isinstance(given, str) else given), *words)

    # -- the contract

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        self._report = report
        self._thread_setup = thread_setup

    def submit(self, work: Any) -> None:
        assert self._report is not None, "it was started"
        if self._monitor is None:
            try:
                self._monitor = self._make_monitor()
            except RedunError as error:
                work.fail(error)
                self._report(work)
                return
        self._monitor.submit(work, self._report)

    def cancel_waiting(self) -> int:
        return 0 if self._monitor is None else self._monitor.cancel_waiting(CANCEL_SECONDS)

    def cancel_running(self) -> None:
        if self._monitor is not None:
            self._monitor.cancel_running("the run was stopped")

    def abandon(self, work: Any) -> None:
        if self._monitor is not None:
            self._monitor.abandon(work)

    def stop(self) -> None:
        """As the contract says; it waits for what ``clean_scratch`` asks for."""
        monitor, self._monitor = self._monitor, None
        if monitor is not None:
            monitor.stop()
            self._previous = monitor
            if self.values["clean_scratch"]:
                remove_done(self._open_scratch(), monitor.done_keys, monitor.array_keys)

    # -- whole commands

    def launch(self, command: Sequence[str], options: Mapping[str, Any], *, sends_code: bool = False) -> str:
        """Start a command line as one job and leave it to itself; return its id at the cluster.

        Args:
            command: the words; a first one ``redun`` is the redun of the workers.
            options: what a call would say.
            sends_code: whether it runs in a folder with the project's code.

        Raises:
            RedunError: an option, the code or the scratch is not as it must be, or the cluster refuses.
            OSError: the cluster cannot be reached.
        """
        self.submitter.check()
        merged = self.table.read_task(self.name, self.values, options)
        words = list(command)
        if words[:1] == ["redun"]:
            words = list(self.make_command(merged, words[1:]))
        if sends_code:
            sender = self._make_sender(self._open_scratch())
            code = sender.send_code({**merged, "code_package": merged["code_package"] or True})
            words = list(self.make_command(merged, ["worker", "--scratch", sender.scratch.url, *code, "--", *words]))
        token = uuid.uuid4().hex
        name = f"{merged['job_name_prefix']}-launch-{token}"
        submission = Submission(name, tuple(words), merged, task_name="redun.launch", token=token)
        return self._insist(lambda: self.submitter.submit(submission))[0]

    def wait_for(self, job_id: str) -> RemoteState:
        """Wait until a job that was launched has ended; return how.

        Raises:
            RedunError: the cluster refuses.
            OSError: the cluster cannot be reached.
        """
        ended = {RemoteStatus.SUCCEEDED, RemoteStatus.FAILED, RemoteStatus.GONE}
        while True:
            state = self._insist(lambda: self.submitter.poll([job_id]))[job_id]
            if state.status in ended:
                return state
            sleep(self.values["job_monitor_interval"])

    # -- private steps

    def _make_monitor(self) -> Monitor:
        scratch = self._open_scratch()
        parts = Parts(
            name=self.name,
            values=self.values,
            table=self.table,
            submitter=self.submitter,
            sender=self._make_sender(scratch),
            new_grouper=self._new_grouper,
            allows_array=self.allows_array,
            prepare=partial(self._prepare, scratch, self._previous),
            thread_setup=self._thread_setup,
            pauses=self._pauses,
        )
        return Monitor(parts)

    def _prepare(self, scratch: Scratch, previous: Monitor | None) -> None:
        if previous is not None:
            previous.join(CANCEL_SECONDS)  # it closes the submitter at its end
        sweep(scratch, self.values["scratch_keep_days"])

    def _make_sender(self, scratch: Scratch) -> Sender:
        return Sender(scratch, self.base or Path.cwd(), self.make_command, self.submitter.array_rank_variable)

    def _open_scratch(self) -> Scratch:
        if not self.scratch_url:
            raise BadOption(self.name, "scratch", "needs a scratch, found none", hint="a path or a URL")
        return Scratch(self.scratch_url, self.base)

    def _new_grouper(self) -> Grouper[RemoteJob]:
        values, submitter = self.values, self.submitter
        most = min(values["max_array_size"], submitter.max_array_size) if submitter.array_rank_variable else 1
        return Grouper(Sizes(values["job_stale_time"], values["min_array_size"], most))

    def _insist(self, step: Callable[[], T]) -> T:
        patience = Patience(self._pauses)
        while True:
            try:
                return step()
            except OSError:
                pause = patience.fail()
                if pause is None:
                    raise
                sleep(pause)
