"""The tasks behind scripts, and ``script``, which calls them.

A call of ``redun.script`` is one job: it copies the inputs, runs the command, copies the outputs.  Its key covers the
command, the inputs with their contents, and the outputs by path.  What the outputs hold is part of the result, so a
missing one is restored or made again as any file that a job produced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redun.expression_codec import is_concrete
from redun.file import File
from redun.scripting.outputs import STDOUT, as_output
from redun.scripting.plan import Script
from redun.scripting.text import BadCommand, command_text
from redun.task import scheduler_task, task
from redun.task.scheduler_tasks import transparent
from redun.value.nested import map_nested_value

if TYPE_CHECKING:
    from redun.expression import SchedulerExpression
    from redun.promise import Promise
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler


class _Null:
    """What stands for "not given" where None is a value."""

    def __repr__(self) -> str:
        return "NULL"


NULL: Any = _Null()


@task(namespace="redun", name="script_task", version="1", script=True)
def script_task(command: str) -> str:
    """Run a command and return what it prints.  Nothing but the text of the command makes it run again."""
    return command


@task(namespace="redun", name="script", version="1", script=True)
def _script(command: Any, inputs: Any, outputs: Any, tempdir: bool | str, as_mount: bool) -> Any:
    """Return the script to be run; ``script`` says what the arguments are."""
    return Script(command, inputs, outputs, tempdir, as_mount)


@transparent
@scheduler_task(namespace="redun", name="script_with_outputs", version="1")
def _script_with_outputs(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    outputs: Any,
    arguments: tuple[Any, ...],
    task_options: dict[str, Any],
) -> Promise[Any]:
    """Evaluate the outputs, which must be known as paths before there can be a call."""

    def call(outputs: Any) -> Any:
        command, inputs, tempdir, as_mount = arguments
        made = _call(command, inputs, outputs, tempdir, as_mount, task_options)
        expression.upstreams = [made]
        return made

    return scheduler.evaluate(outputs, parent_job).then(call)


def script(
    command: str | Sequence[Any],
    inputs: Any = [],  # noqa: B006  (as users know it; nothing changes it)
    outputs: Any = NULL,
    tempdir: bool | str = False,
    as_mount: bool = False,
    **task_options: Any,
) -> Any:
    """Run a shell script as a job, and return its outputs.

    Args:
        command: shell text, without the indentation that it has in the source; bash runs it with ``set -exo pipefail``
            unless its first line names another interpreter (``#!``).  A list is a program and its arguments.
        inputs: nested; files and folders that the script depends on.  ``File(...).stage("in.txt")`` is copied to the
            local path before the script runs.
        outputs: nested, of any shape; files, folders and sets of files that the script makes.  A staged one is copied
            from its local path.  ``File("-")``, also the default, is what the script prints, as bytes.
        tempdir: whether the script works in an empty folder, removed at the end; relative local paths are in it.  A
            path makes it work in that folder, which is kept.
        as_mount: whether buckets are reached through the folders they are mounted at, as on Google Batch.
        task_options: options of the job: ``executor``, ``memory``, ``cache``, ``limits``, ...

    Returns:
        ``outputs``, with each file as it is after the script has run.

    Raises:
        BadCommand: the command is neither text nor a list of text and numbers.
        ScriptError: from the run: the script failed.
        MissingOutput: from the run: the script left out an output.
    """
    if is_concrete(command):
        command = command_text(command)
    if isinstance(tempdir, str) and not tempdir:
        raise BadCommand("expected tempdir to be True, False or the path of a folder, found an empty path")
    wanted = File(STDOUT) if outputs is NULL else outputs
    # What can be known as a path is turned into one here: the call that stands in a record must not name the content
    # that an output has before the script runs.
    wanted = map_nested_value(as_output, wanted)
    if is_concrete(wanted):
        return _call(command, inputs, wanted, tempdir, as_mount, task_options)
    return _script_with_outputs(wanted, (command, inputs, tempdir, as_mount), task_options)


def _call(
    command: Any, inputs: Any, outputs: Any, tempdir: bool | str, as_mount: bool, task_options: dict[str, Any]
) -> Any:
    made = _script.options(**task_options) if task_options else _script
    return made(command, inputs, map_nested_value(as_output, outputs), tempdir, as_mount)
