"""Talks to a Slurm cluster by its command lines, which every machine of a cluster has.

Ids are Slurm's own, ``41`` and ``42_7``, and with the log folder they are all that is needed to poll a job: of any of
them squeue is asked first, then the file that the job's script wrote at its end, then the accounts, where the cluster
keeps them.  So how a job ended is never guessed, however long ago.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from redun.executors.remote.submitter import RemoteState, RemoteStatus, Submission, Submitter, SubmitterError
from redun.executors.slurm.commands import SlurmRefused, SlurmUnreachable, read_pairs, run_command
from redun.executors.slurm.options import sbatch_words
from redun.executors.slurm.script import (
    LOG_SUFFIX,
    RANK_VARIABLE,
    log_pattern,
    make_script,
    read_exit_code,
    read_log,
    sweep_left,
)
from redun.executors.slurm.states import (
    ACCOUNT_FORMAT,
    COMMENT_FORMAT,
    QUEUE_FORMAT,
    Seen,
    is_failed,
    judge,
    read_accounts,
    read_queue,
)

_N_IDS_A_CALL = 1000
"""The kernel allows 128 KiB for one word of a command line, which is about 6 000 ids."""
_N_NOTE_LINES = 20
_DAY_SECONDS = 86_400
_ENDING = "COMPLETING"

Run = Callable[..., str]


class SlurmSubmitter(Submitter):
    """Talks to the cluster that Slurm's commands on this machine belong to.

    Args:
        name: of the executor, for messages.
        values: the executor's options.
        log_folder: for what jobs write; this machine and all nodes see it under the same absolute path.
        run: runs one of Slurm's commands, as ``run_command`` does.
        now: gives the time, seconds since 1970.
    """

    array_rank_variable = RANK_VARIABLE
    max_array_size = 1001  # Slurm's own default, until the cluster is asked

    def __init__(
        self,
        name: str,
        values: Mapping[str, Any],
        log_folder: Path,
        *,
        run: Run = run_command,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._now = now
        self._values = values
        self._base_folder = log_folder
        self._run = run
        self._settings: Mapping[str, str] | None = None
        self._unsure: set[str] = set()  # tokens of what may have been submitted, the reply being lost

    def check(self) -> None:
        settings = self._get_settings()
        self.max_array_size = max(1, int(settings.get("MaxArraySize") or 1))
        folder = self._get_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(folder, os.W_OK | os.X_OK)
        except OSError as error:
            raise self._bad_folder(folder, error.strerror or str(error)) from error
        if not writable:
            raise self._bad_folder(folder, "no permission")
        if self._values["scratch_keep_days"]:
            sweep_left(folder, self._now() - self._values["scratch_keep_days"] * _DAY_SECONDS)
        for partition in filter(None, (self._values["partition"] or "").split(",")):
            try:
                self._run("scontrol", "--oneliner", "show", "partition", partition)
            except SlurmRefused as error:
                hint = f"`sinfo` lists the partitions; see option partition of [executors.{self._name}]"
                raise SubmitterError(
                    f"executor {self._name!r}: there is no partition {partition!r}: {error.said}", hint=hint
                ) from error

    def submit(self, submission: Submission) -> list[str]:
        if submission.token in self._unsure:
            submitted = self._find_submitted(submission.token)
            self._unsure.discard(submission.token)
            if submitted:
                return _element_ids(submitted, submission)
        folder = self._get_folder()
        folder.mkdir(parents=True, exist_ok=True)
        words = ["--parsable", f"--job-name={submission.name}", f"--comment={submission.token}"]
        words += [f"--output={log_pattern(folder, is_array=submission.is_array)}"]
        words += sbatch_words(self._name, submission.options)
        words += [f"--array=0-{submission.size - 1}"] if submission.is_array else []
        script = make_script(
            submission.command,
            folder,
            is_array=submission.is_array,
            setup=submission.options["setup"],
            environment=submission.environment,
            task_name=submission.task_name,
        )
        job_id = self._sbatch(submission, words, script)
        return _element_ids(job_id, submission)

    def poll(self, ids: Sequence[str]) -> dict[str, RemoteState]:
        queue: dict[str, Seen] = {}
        for asked in _groups(_roots(ids)):
            queue.update(self._squeue(f"--jobs={','.join(asked)}", "--states=all"))
        folder = self._get_folder()
        states: dict[str, RemoteState] = {}
        lost: list[str] = []
        for job_id in ids:
            seen = queue.get(job_id)
            code = read_exit_code(folder, job_id) if seen is None or seen.state == _ENDING else None
            if seen is None and code is None:
                seen = _find_row(queue, job_id)
                if seen is None:
                    lost.append(job_id)
                    continue
            states[job_id] = self._judge(folder, job_id, seen, code)
        known = self._ask_accounts(lost)
        for job_id in lost:
            states[job_id] = self._judge(folder, job_id, _find_row(known, job_id), None)
        self._end_hopeless(queue, states)
        return states

    def cancel(self, ids: Sequence[str], reason: str) -> None:  # noqa: ARG002 - Slurm takes no reason
        for asked in _groups(ids):
            self._run("scancel", "--quiet", *asked)

    def fetch_log(self, job_id: str, max_lines: int) -> list[str]:
        return read_log(self._get_folder(), job_id, max_lines)

    def find_live(self, prefix: str) -> dict[str, str]:
        live: dict[str, str] = {}
        for job_id, seen in self._squeue(f"--user={os.getuid()}").items():
            if seen.name.startswith(prefix) and seen.state != _ENDING:
                rank = job_id.partition("_")[2]
                live[f"{seen.name}:{rank}" if rank else seen.name] = job_id
        return live

    def _sbatch(self, submission: Submission, words: Sequence[str], script: str) -> str:
        try:
            printed = self._run("sbatch", *words, stdin=script)
        except SlurmUnreachable as error:
            if error.may_have_happened:
                self._unsure.add(submission.token)
            raise
        except SlurmRefused as error:
            asked = _shown(submission.options)
            raise SubmitterError(f"executor {self._name!r}: {error}{asked}", hint=error.hint) from error
        return printed.strip().partition(";")[0]  # behind it, the name of the cluster

    def _find_submitted(self, token: str) -> str | None:
        """Return the id of what a call of sbatch without a reply did submit, if it did."""
        words = (f"--user={os.getuid()}", "--states=all", f"--Format={COMMENT_FORMAT}")
        printed = self._run("squeue", "--noheader", *words)
        lines = (line.partition("|") for line in printed.splitlines())
        return next((job_id.partition("_")[0] for job_id, _, comment in lines if comment.strip() == token), None)

    def _squeue(self, *words: str) -> dict[str, Seen]:
        try:
            printed = self._run("squeue", "--noheader", "--array", *words, f"--Format={QUEUE_FORMAT}")
        except SlurmRefused as error:
            if "invalid job id" in error.said.lower():  # only when a single one was asked for
                return {}
            raise
        return dict(read_queue(printed))

    def _ask_accounts(self, ids: Sequence[str]) -> dict[str, Seen]:
        """Return what the accounts know of jobs that squeue has forgotten and that left no exit code."""
        if self._get_settings().get("AccountingStorageType", "(null)") in {"accounting_storage/none", "(null)", ""}:
            return {}
        known: dict[str, Seen] = {}
        # Accounts that cannot be asked leave jobs unknown, whose outcomes may be there all the same; the other jobs
        # are not to fail of it.
        with suppress(SlurmUnreachable, SubmitterError):
            for asked in _groups(_roots(ids)):
                words = ("--noheader", "--allocations", "--parsable2", f"--format={ACCOUNT_FORMAT}")
                known.update(read_accounts(self._run("sacct", *words, f"--jobs={','.join(asked)}")))
        return known

    def _judge(self, folder: Path, job_id: str, seen: Seen | None, code: int | None) -> RemoteState:
        if not is_failed(seen):
            return self._tag(folder, job_id, judge(job_id, seen, code))
        # The daemon of the node tells there what it did to the job, and why: "exceeded memory limit".
        lines = (line for line in read_log(folder, job_id, _N_NOTE_LINES) if line.startswith("slurmstepd"))
        notes = dict.fromkeys(line.partition("error: ")[2] for line in lines)
        # "*** JOB 7 ON n1 CANCELLED AT ... DUE TO TIME LIMIT ***" is what the state says already.
        told = [note for note in notes if note[:3] not in {"", "***"}]
        return self._tag(folder, job_id, judge(job_id, seen, read_exit_code(folder, job_id), told))

    @staticmethod
    def _tag(folder: Path, job_id: str, state: RemoteState) -> RemoteState:
        if state.status in {RemoteStatus.WAITING, RemoteStatus.GONE}:
            return state  # it has no log yet, or none at all
        return replace(state, tags={**state.tags, "slurm_log": str(folder / f"{job_id}{LOG_SUFFIX}")})

    def _end_hopeless(self, queue: Mapping[str, Seen], states: Mapping[str, RemoteState]) -> None:
        """Take jobs out of the queue that are reported as failed since they would stay there for ever."""
        failed = (job_id for job_id, state in states.items() if state.status is RemoteStatus.FAILED)
        stuck = [job_id for job_id in failed if job_id in queue and not is_failed(queue[job_id])]
        if stuck:
            self.cancel(stuck, "it would wait for ever")

    def _get_settings(self) -> Mapping[str, str]:
        if self._settings is None:
            self._settings = read_pairs(self._run("scontrol", "show", "config"))
        return self._settings

    def _get_folder(self) -> Path:
        # Of each cluster its own: their job numbers are the same.
        return self._base_folder / self._get_settings().get("ClusterName", "cluster")

    def _bad_folder(self, folder: Path, why: str) -> SubmitterError:
        hint = "the scratch, or else option log_dir, must be a folder that this machine and the nodes can write"
        return SubmitterError(
            f"executor {self._name!r}: the folder of logs {folder} cannot be written: {why}", hint=hint
        )


def _element_ids(job_id: str, submission: Submission) -> list[str]:
    return [f"{job_id}_{rank}" for rank in range(submission.size)] if submission.is_array else [job_id]


def _shown(options: Mapping[str, Any]) -> str:
    asked = [f"{name} {options[name]!r}" for name in ("partition", "account", "qos", "constraint") if options[name]]
    return f" (asked for {', '.join(asked)})" if asked else ""


def _roots(ids: Iterable[str]) -> list[str]:
    """Return the ids of jobs and arrays: Slurm tells of all elements of an array that it is asked for."""
    return sorted({job_id.partition("_")[0] for job_id in ids})


def _find_row(rows: Mapping[str, Seen], job_id: str) -> Seen | None:
    """Return what stands of a job: the elements that an array had left when it was cancelled share the array's row."""
    return rows.get(job_id) or rows.get(job_id.partition("_")[0])


def _groups(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + _N_IDS_A_CALL] for at in range(0, len(ids), _N_IDS_A_CALL))
