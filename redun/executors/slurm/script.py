"""The batch script of a job, and the files that a job leaves.

A script says in a file of its own how its command ended: Slurm forgets jobs (``MinJobAge``, five minutes as a rule),
and not every cluster keeps accounts.  The invariant: the file is there if and only if the script of the job's last
start has ended by itself, and it holds the exit code, as digits.  Bytes:

    <log folder>/<id>.log     what the job wrote, stdout and stderr as they came
    <log folder>/<id>.exit    the exit code, a decimal number and a line feed

where ``id`` is that of a single job, ``41``, or of an element of an array, ``42_7``.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOG_SUFFIX, EXIT_SUFFIX = ".log", ".exit"
RANK_VARIABLE = "SLURM_ARRAY_TASK_ID"
_LEFT_NAME = re.compile(r"[0-9]+(_[0-9]+)?\.(log|exit)(\.part)?")

# A job that is begun again (its node was lost, it gave way to another) must not find the code of an earlier start.
# When a signal ends the shell, the trap runs with the code of some earlier command, 0 as a rule: only a command that
# ended has a code that may be told, or a line of the setup that failed.  The rename makes the file whole or absent.
_SCRIPT = """\
#!/bin/bash
# redun: {task_name}
redun_exit_file={folder}/"{job_id}"{suffix}
redun_code=
rm -f -- "$redun_exit_file"
redun_end() {{
    local code=$?
    trap - EXIT
    [ "$code" -eq 0 ] || redun_code="${{redun_code:-$code}}"
    [ -n "$redun_code" ] || exit 143
    printf '%d\\n' "$redun_code" > "$redun_exit_file.part" && mv -f -- "$redun_exit_file.part" "$redun_exit_file"
    exit "$redun_code"
}}
trap redun_end EXIT
{exports}set -e
{setup}
set +e
{command}
redun_code=$?
exit "$redun_code"
"""
_SINGLE_ID = "${SLURM_JOB_ID}"
# Not SLURM_ARRAY_TASK_ID whenever there is one: a single job that a job of an array submits inherits it.
_ELEMENT_ID = "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"


def make_script(
    command: Sequence[str],
    log_folder: Path,
    *,
    is_array: bool,
    setup: str = "",
    environment: Mapping[str, str] | None = None,
    task_name: str = "",
) -> str:
    """Return a batch script for bash: ``setup``, line by line until one fails, and then ``command``."""
    exports = "".join(f"export {name}={shlex.quote(text)}\n" for name, text in (environment or {}).items())
    return _SCRIPT.format(
        task_name=task_name.replace("\n", " "),
        folder=shlex.quote(str(log_folder)),
        job_id=_ELEMENT_ID if is_array else _SINGLE_ID,
        suffix=EXIT_SUFFIX,
        exports=exports,
        setup=setup.strip() or ":",
        command=shlex.join(command),
    )


def log_pattern(log_folder: Path, *, is_array: bool) -> str:
    """Return the file for what a job writes, as ``sbatch --output`` is told of it."""
    return str(log_folder).replace("%", "%%") + ("/%A_%a" if is_array else "/%j") + LOG_SUFFIX


def read_exit_code(log_folder: Path, job_id: str) -> int | None:
    """Return how the script of a job ended; None when it did not say."""
    try:
        return int((log_folder / f"{job_id}{EXIT_SUFFIX}").read_text("ascii"))
    except (OSError, ValueError):
        return None


def read_log(log_folder: Path, job_id: str, max_lines: int, *, max_bytes: int = 1 << 18) -> list[str]:
    """Return the last lines that a job wrote, of at most ``max_bytes``; none when there are none."""
    try:
        with (log_folder / f"{job_id}{LOG_SUFFIX}").open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - max_bytes))
            tail = stream.read(max_bytes)
    except OSError:
        return []
    lines = tail.decode("utf-8", "replace").splitlines()
    # The first of them may be the second half of a line.
    return (lines[1:] if size > max_bytes else lines)[-max_lines:]


def sweep_left(log_folder: Path, before_seconds: float) -> None:
    """Remove what jobs left before a moment, seconds since 1970; other files stay, and what cannot be removed."""
    with suppress(OSError):
        for entry in list(os.scandir(log_folder)):
            if _LEFT_NAME.fullmatch(entry.name):
                with suppress(OSError):
                    if entry.stat().st_mtime < before_seconds:
                        Path(entry.path).unlink()
