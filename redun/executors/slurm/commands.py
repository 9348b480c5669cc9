"""Runs Slurm's command lines: sbatch, squeue, sacct, scancel, scontrol.

The invariant: a command either did what it was asked, or there is an error that says whether repeating may mend it.
Slurm has no codes for that, only sentences, and they are the same in all its versions of ten years.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping

from redun.executors.remote.submitter import SubmitterError

ANSWER_SECONDS = 60.0
"""A controller that is overloaded answers late: Slurm's own commands give up after MessageTimeout, 10 s, and repeat."""

_PASSING = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "connection reset",
    "connection timed out",
    "communication connection failure",
    "zero bytes were transmitted",
    "transport endpoint is not connected",
    "resource temporarily unavailable",
    "temporarily unable to accept job",
    "slurmctld is currently in standby",
    "slurm backup controller in standby",
    "unable to establish controller machine",
    "munge encode failed",
    "protocol authentication error",
    "maxsubmitjob",  # a user's or account's limit of jobs in the queue: it passes as jobs end
    "unable to contact slurmdbd",
    "slurmdbd connection",
)
_UNKNOWN_OUTCOME = ("socket timed out", "zero bytes were transmitted", "connection reset", "connection timed out")
_HINTS = {
    "invalid partition": "`sinfo` lists the partitions; see option partition",
    "invalid account": "`sacctmgr show associations user=$USER` lists your accounts; see options account and partition",
    "invalid qos": "`sacctmgr show qos` lists them; see option qos",
    "memory specification": "`sinfo -o '%n %m'` lists the nodes' memory in MiB; see option memory",
    "generic resource": "`sinfo -o '%n %G'` lists what nodes have; see options gpus and gres",
    "invalid feature": "`sinfo -o '%n %f'` lists what nodes have; see option constraint",
    "array specification": "`scontrol show config | grep MaxArraySize` tells the limit; see option max_array_size",
    "requested time limit": "`sinfo -o '%P %l'` lists the limits of partitions; see option timeout",
    "unrecognized option": "see option sbatch_args",
    "configuration source": "set SLURM_CONF to the cluster's slurm.conf, or run on a machine of the cluster",
    "accounting/qos policy": "ask `sacctmgr show associations user=$USER` for your limits",
}
_PREFIX = re.compile(r"^\w+: (error: |fatal: )?")
_N_REASON_CHARACTERS = 500


class SlurmRefused(SubmitterError):
    """Slurm ended a command with an error.  ``said`` is what it said."""

    def __init__(self, message: str, said: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.said = said


class SlurmUnreachable(ConnectionError):
    """Slurm's commands are there, and what is behind them does not answer, or has no room at the moment.

    ``may_have_happened``: whether what was asked may have been done all the same, its reply being lost.
    """

    def __init__(self, message: str, *, may_have_happened: bool = False) -> None:
        super().__init__(message)
        self.may_have_happened = may_have_happened


def run_command(*words: str, stdin: str = "", seconds: float = ANSWER_SECONDS) -> str:
    """Run one of Slurm's commands and return what it prints.

    Raises:
        SlurmRefused: it ended with an error that will not pass.
        SlurmUnreachable: it did not answer within ``seconds``, or ended with an error that may pass.
        SubmitterError: there is no such command on this machine.
    """
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except (FileNotFoundError, PermissionError) as error:
        hint = "install Slurm's commands (Debian: slurm-client), or run on a machine of the cluster that has them"
        raise SubmitterError(f"cannot run {words[0]!r}: {error.strerror}", hint=hint) from error
    except subprocess.TimeoutExpired:
        message = f"{words[0]}: no answer within {seconds:.0f} s"
        raise SlurmUnreachable(message, may_have_happened=True) from None
    if done.returncode == 0:
        return done.stdout
    said = _last_words(done.stderr) or f"exit code {done.returncode}"
    lower = done.stderr.lower()
    if _has_any(lower, _PASSING):
        raise SlurmUnreachable(f"{words[0]}: {said}", may_have_happened=_has_any(lower, _UNKNOWN_OUTCOME))
    hint = next((_HINTS[sign] for sign in _HINTS if sign in lower), "")
    raise SlurmRefused(f"{words[0]}: {said}", said, hint=hint)


def read_pairs(printed: str) -> Mapping[str, str]:
    """Return what ``scontrol show config`` prints, by name."""
    pairs = (line.partition("=") for line in printed.splitlines())
    return {name.strip(): text.strip() for name, sign, text in pairs if sign}


def _has_any(text: str, signs: Iterable[str]) -> bool:
    return any(sign in text for sign in signs)


def _last_words(stderr: str) -> str:
    """Return what Slurm meant, on one line, without the prefixes of its log."""
    lines = (_PREFIX.sub("", line).strip() for line in stderr.splitlines())
    return "; ".join(dict.fromkeys(filter(None, lines)))[-_N_REASON_CHARACTERS:]
