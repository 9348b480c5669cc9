"""``redun worker``: what a cluster runs for a remote executor.  People have no need of it, but may try it by hand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from redun.cli.errors import ExitCode
from redun.executors.remote.delivery import RunParcel, code_paths, deliver, fetch_code
from redun.executors.remote.scratch import Scratch


@click.command("worker", context_settings={"allow_interspersed_args": False})
@click.option("--scratch", "url", required=True, metavar="URL", help="The scratch: a path or a URL.")
@click.option("--job", "key", metavar="KEY", help="Run the call in jobs/KEY of the scratch.")
@click.option("--array", "array_id", metavar="ID", help="Run one call of array_jobs/ID of the scratch.")
@click.option("--array-rank-env", metavar="VAR", help="The variable that says which call of the array.")
@click.option("--code", metavar="NAME", help="Unpack a code package of the scratch, and run there.")
@click.option("--heartbeat", default=0.0, metavar="SECONDS", help="Say so often in the scratch that this lives.")
@click.option("--without-output", is_flag=True, help="Leave no outcome: for nodes beside the main one.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def command(
    *,
    url: str,
    key: str | None,
    array_id: str | None,
    array_rank_env: str | None,
    code: str | None,
    heartbeat: float,
    without_output: bool,
    words: tuple[str, ...],
) -> int:
    """Run a call that a scheduler left in a scratch, and leave its outcome there; or run a COMMAND.

    Exits with 0 when the outcome is a result, and with 1 when it is an error.
    """
    if [key, array_id, words or None].count(None) != 2:
        raise click.UsageError("expected one of --job, --array and a command")
    scratch = Scratch(url)
    with tempfile.TemporaryDirectory(prefix="redun-code-") as folder:
        here = Path.cwd()
        try:
            if code is not None:
                fetch_code(scratch, code, Path(folder))
                os.chdir(folder)
            if words:
                return subprocess.run(words, check=False).returncode
            if array_id is not None:
                key, parcel = scratch.read_element(array_id, _read_rank(array_rank_env))
            else:
                parcel = scratch.read_call(str(key))
            if code is not None:
                # In front of what is installed here: the code that was sent is the code that was called.
                sys.path[:0] = code_paths(parcel, Path.cwd())
            is_result = deliver(
                scratch, str(key), parcel, _load_run(), leaves_outcome=not without_output, beat_seconds=heartbeat
            )
        finally:
            os.chdir(here)  # the folder is about to go
    return int(ExitCode.OK if is_result else ExitCode.FAILED)


def _load_run() -> RunParcel:
    from redun.worker import run_parcel  # with the code that was sent on the path

    return run_parcel


def _read_rank(variable: str | None) -> int:
    if variable is None:
        raise click.UsageError("--array needs --array-rank-env")
    text = os.environ.get(variable, "")
    if not text.isdecimal():
        raise click.UsageError(f"expected the number of a call in ${variable}, found {text!r}")
    return int(text)
