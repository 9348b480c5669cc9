"""``redun oneshot``: runs the function of one task, without a repository, as the machines of clusters do for users.

Arguments come from the command line or a pickle, and the value goes to one.  (Executors of this program talk to their
workers in another way: see ``redun worker``.)
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import click

from redun.cli import ui
from redun.cli.errors import ExitCode, report
from redun.cli.recall import BadInput, read_element, read_input
from redun.cli.scripts import find_task, load_script
from redun.file import File

RANK_VARIABLE = "AWS_BATCH_JOB_ARRAY_INDEX"
"""Where the number of an array's element is looked for when nobody says."""


class _Places(NamedTuple):
    """Where one call's arguments come from and its value or error goes to; None where nowhere."""

    input: str | None
    output: str | None
    error: str | None


@click.command("oneshot", context_settings={"allow_interspersed_args": False})
@click.option("--no-cache", is_flag=True, help="Run, though there is an output already.")
@click.option("-c", "--code", metavar="FILE", help="Unpack a code package, and run in it.")
@click.option("-i", "--input", metavar="FILE", help="Take arguments from a pickle of (args, kwargs).")
@click.option("-o", "--output", metavar="FILE", help="Write a pickle of the value.")
@click.option("-e", "--error", metavar="FILE", help="Write a pickle of (error, traceback) when it fails.")
@click.option("--array-job", "is_array", is_flag=True, help="The files above are those of an array's elements.")
@click.option("--array-rank-env", default=RANK_VARIABLE, metavar="VAR", help="The variable with the element's number.")
@click.option("-p", "--import-path", multiple=True, metavar="DIR", help="Look for modules there.")
@click.argument("script")
@click.argument("task")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--ARG VALUE]...")
def command(
    *,
    no_cache: bool,
    code: str | None,
    input: str | None,
    output: str | None,
    error: str | None,
    is_array: bool,
    array_rank_env: str,
    import_path: tuple[str, ...],
    script: str,
    task: str,
    words: tuple[str, ...],
) -> int:
    """Run TASK of SCRIPT alone: its function, not the calls that it returns.

    Nothing is recorded.  Without --output the value is printed.  In an array, --input holds a pickle of
    (list of args, list of kwargs), and --output and --error hold JSON lists of files.
    """
    rank = _read_rank(array_rank_env) if is_array else None
    places = _Places(input, *(_pick(path, rank) for path in (output, error)))
    if places.output is not None and not no_cache and _has_valid(places.output):
        ui.log(f"there is an output already: {places.output}")
        return int(ExitCode.OK)
    with ExitStack() as stack:
        if code is not None:
            _enter_code(stack, code)
        sys.path[:0] = [str(Path(folder).resolve()) for folder in import_path]
        try:
            value = _call(find_task(load_script(script), task), places, rank, words)
            if places.output is not None:
                _write_pickle(places.output, value)
            elif value is not None:
                ui.echo(repr(value))
        except Exception as failure:
            if places.error is not None:
                _write_error(places.error, failure)
            report(failure)
            return int(ExitCode.FAILED)
    return int(ExitCode.OK)


def _call(task: Any, places: _Places, rank: int | None, words: Sequence[str]) -> Any:
    from redun.cli.params import bind_input, make_call, parse_arguments

    arguments = parse_arguments(task, words) if words or places.input is None else {}
    if places.input is not None:
        args, named = read_input(places.input) if rank is None else read_element(places.input, rank)
        arguments = {**bind_input(task, args, named), **arguments}
    call = make_call(task, arguments)
    value = task.func(*call.args, **call.kwargs)
    if not task.is_async():
        return value
    import asyncio

    return asyncio.run(value)


def _enter_code(stack: ExitStack, package: str) -> None:
    from redun.executors.remote.code_package import unpack_code

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="redun-code-"))
    with File(package).open("rb") as stream:
        unpack_code(stream.read(), Path(folder))
    stack.callback(os.chdir, Path.cwd())  # before the folder goes
    os.chdir(folder)
    sys.path.insert(0, folder)


def _read_rank(variable: str) -> int:
    text = os.environ.get(variable, "")
    if not text.isdecimal():
        raise click.UsageError(f"--array-job: expected the number of an element in ${variable}, found {text!r}")
    return int(text)


def _pick(path: str | None, rank: int | None) -> str | None:
    """Return the file of one element, out of a JSON list of files."""
    if path is None or rank is None:
        return path
    try:
        with File(path).open("r") as stream:
            return str(json.load(stream)[rank])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BadInput(f"{path}: expected a JSON list with a file for element {rank}: {error}") from error


def _has_valid(path: str) -> bool:
    """Tell whether a value was left there that still holds."""
    from redun.value.registry import get_type_registry

    try:
        with File(path).open("rb") as stream:
            return bool(get_type_registry().is_valid_nested(pickle.load(stream)))
    except Exception:  # none, half of one, or of a class that only the script defines
        return False


def _write_pickle(path: str, value: Any) -> None:
    data = pickle.dumps(value)
    with File(path).open("wb") as stream:
        stream.write(data)


def _write_error(path: str, failure: Exception) -> None:
    from redun.scheduler.errors import Traceback, describe_error
    from redun.scheduler.trace_frames import cause_lines, frames_of

    frames = frames_of(failure.__traceback__, has_locals=True)
    trace = Traceback([], frames, describe_error(failure), cause_lines(failure))
    try:
        _write_pickle(path, (failure, trace))
    except (pickle.PicklingError, TypeError, AttributeError):
        _write_pickle(path, (Exception(repr(failure)), trace))
