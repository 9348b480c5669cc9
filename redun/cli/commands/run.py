"""``redun run``: evaluates a task of a script with the project's repository."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redun.cli import ui
from redun.cli.errors import ExitCode
from redun.cli.options import Globals, find_config_dir
from redun.version import __version__

if TYPE_CHECKING:
    from uuid import UUID

MAX_PRETTY_CHARS = 20_000
"""A longer result is printed as its plain repr: laying it out would cost more than a cached run."""


class _UiLogger:
    """Hands a run's lines to the terminal."""

    def __init__(self, *, is_heard: bool) -> None:
        self.is_heard = is_heard
        self.info = ui.log
        self.warning = ui.warn
        self.takes_lines = True


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--no-cache", is_flag=True, help="Use no result of earlier executions; new results are recorded.")
@click.option("--dryrun", is_flag=True, help="Look up, and run nothing; exit with 1 when something would have to run.")
@click.option("--keep-going", is_flag=True, help="After a failure, finish whatever does not depend on it.")
@click.option("--execution-id", type=click.UUID, metavar="UUID", help="The id to run under.")
@click.argument("script")
@click.argument("task", required=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--ARG VALUE]...")
@click.pass_obj
def command(
    options: Globals,
    *,
    no_cache: bool,
    dryrun: bool,
    keep_going: bool,
    execution_id: UUID | None,
    script: str,
    task: str | None,
    words: tuple[str, ...],
) -> int:
    """Run TASK of SCRIPT, a Python file or the name of a module.

    Only what a change of data or code touches is run; everything else comes from the cache.

    \b
    redun run make.py make               run the task `make`
    redun run make.py help               list the tasks of the script
    redun run make.py make help          tell the arguments of a task
    redun run --dryrun make.py make      tell what would run
    """  # noqa: D301 - click takes the character \b, not two, as "leave this paragraph as it is"
    from redun.cli.scripts import find_task, load_script
    from redun.task import get_task_registry

    # What a script prints while it is imported is the user's business; what it defines is ours.
    config_dir = find_config_dir(options.config_dir, Path.cwd(), os.environ)
    get_task_registry().on_replace = _warn_of_clash
    module = load_script(script)
    if task is None or task == "help":
        _list_tasks(module)
        return int(ExitCode.OK)
    found = find_task(module, task)
    from redun.cli.params import help_of, parse_arguments

    if words in (("help",), ("--help",)):
        ui.echo(help_of(found))
        return int(ExitCode.OK)
    expression = _call(found, parse_arguments(found, words))
    return _run(
        config_dir,
        expression,
        cache=not no_cache,
        dryrun=dryrun,
        keep_going=keep_going,
        execution_id=None if execution_id is None else str(execution_id),
    )


def _warn_of_clash(old: Any, new: Any) -> None:
    """Warn of two functions under one name; a module that is imported twice has only one."""
    places = [getattr(task.func, "__code__", None) for task in (old, new)]
    where = [f"{code.co_filename}:{code.co_firstlineno}" if code is not None else "?" for code in places]
    if where[0] != where[1]:
        ui.warn(f"task {new.fullname} is defined twice, at {where[0]} and at {where[1]}; the second one counts")


def _call(task: Any, arguments: dict[str, Any]) -> Any:
    from inspect import Parameter

    unnamed = [p.name for p in task.signature.parameters.values() if p.kind is Parameter.POSITIONAL_ONLY]
    return task(*[arguments.pop(name) for name in unnamed if name in arguments], **arguments)


def _list_tasks(module: Any) -> None:
    from redun.cli.scripts import tasks_of

    ui.echo(f"Tasks of {module.__name__}:")
    tasks = tasks_of(module)
    width = max((len(task.fullname) for task in tasks), default=0)
    for task in tasks:
        doc = (task.func.__doc__ or "").strip().split("\n")[0]
        ui.echo(f"  {task.fullname:<{width}}  {doc}".rstrip())


def _run(config_dir: Path, expression: Any, **options: Any) -> int:
    from redun.scheduler.errors import DryRunResult, Interrupted
    from redun.scheduler.preview import message_of
    from redun.session import open_session

    _tune_collector()
    ui.log(f"redun :: version {__version__}")
    ui.log(f"config dir: {config_dir}")
    logger = _UiLogger(is_heard=ui.is_heard("INFO"))
    session = open_session(config_dir, logger, ui.warn)
    try:
        result = session.scheduler.run(
            expression,
            exec_argv=["redun", *sys.argv[1:]],
            **options,
        )
    except DryRunResult as stop:
        ui.log(str(stop))
        return int(ExitCode.FAILED)
    except Interrupted as stop:
        ui.warn(str(stop))
        return int(ExitCode.INTERRUPTED)
    except Exception as error:
        if not hasattr(error, "redun_traceback"):
            raise
        ui.error(f"{type(error).__name__}: {message_of(error)}")
        return int(ExitCode.FAILED)
    finally:
        session.close()
    if result is not None:
        ui.echo(_pretty(result))
    return int(ExitCode.OK)


def _tune_collector() -> None:
    """Let the cyclic collector look less often, and never at what has been loaded so far.

    A run holds many small objects in no cycles; looking at them again and again takes a tenth of a cold run's time.
    """
    import gc

    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _pretty(result: Any) -> str:
    try:
        text = repr(result)
    except Exception:
        # The run has succeeded: a result that cannot be written out does not undo that.
        from redun.scheduler.preview import preview

        return preview(result, MAX_PRETTY_CHARS)
    if len(text) <= ui.terminal_width(120) or len(text) > MAX_PRETTY_CHARS:
        return text
    from pprint import pformat

    return pformat(result, width=120)
