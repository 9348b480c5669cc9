"""``redun run``: evaluates a task of a script with the project's repository."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from redun.cli import ui
from redun.cli.collector import tune_collector
from redun.cli.errors import ExitCode
from redun.cli.options import Globals, find_config_dir, find_place
from redun.errors import RedunError
from redun.version import __version__

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from uuid import UUID

    from redun.remotes.lookup import LookupCounts
    from redun.session import Session
    from redun.tags import Tag

MAX_PRETTY_CHARS = 20_000
"""A longer result is printed as its plain repr: laying it out would cost more than a cached run."""
_HELP = (("help",), ("--help",), ("-h",))


class _Flags(NamedTuple):
    """The options of the command.  A named tuple: a dataclass of so many fields takes 1 ms of each start to define."""

    no_cache: bool
    no_prov: bool
    dryrun: bool
    keep_going: bool
    pdb: bool
    rerun: bool
    option: tuple[str, ...]
    tag: tuple[str, ...]
    project: str | None
    user: str | None
    doc: str | None
    exclude_user: tuple[str, ...]
    input: str | None
    execution_id: UUID | None
    context: tuple[str, ...]
    context_file: str | None
    remote: tuple[str, ...]
    no_remote: bool


class _Request(NamedTuple):
    """One run, as far as it is known before the repository is open."""

    flags: _Flags
    make: Callable[[Session], Any]
    """Gives the expression: what to run again is on record in the repository."""
    options: dict[str, Any]  # for ``Scheduler.run``


class _UiLogger:
    """Hands a run's lines to the terminal."""

    def __init__(self, *, is_heard: bool) -> None:
        self.is_heard = is_heard
        self.info = ui.log
        self.warning = ui.warn
        self.takes_lines = True  # the lines of cached jobs come some at a time


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--no-cache", is_flag=True, help="Use no result of earlier executions; new results are recorded.")
@click.option("--no-prov", is_flag=True, help="Record nothing of what runs, and use no cache.")
@click.option("--dryrun", is_flag=True, help="Look up, and run nothing; exit with 1 when something would have to run.")
@click.option("--keep-going", is_flag=True, help="After a failure, finish whatever does not depend on it.")
@click.option("--pdb", is_flag=True, help="After a failure, start the debugger where it was raised.")
@click.option("--rerun", is_flag=True, help="TASK is the id of a job or execution: call it again as it was called.")
@click.option("-o", "--option", multiple=True, metavar="K=V", help="Set an option of the task.")
@click.option("-t", "--tag", multiple=True, metavar="K=V", help="Tag the execution.")
@click.option("-p", "--project", metavar="TEXT", help="Tag the execution with a project.")
@click.option("-u", "--user", metavar="TEXT", help="Tag the execution with this user in place of yours.")
@click.option("--doc", metavar="TEXT", help="Tag the execution with what it is for.")
@click.option(
    "--exclude-user", multiple=True, type=click.Choice(["aws", "gcp"]), help="Do not tag with your user of a cloud."
)
@click.option("-i", "--input", metavar="FILE", help="Take arguments from a pickle of (args, kwargs).")
@click.option("--execution-id", type=click.UUID, metavar="UUID", help="The id to run under.")
@click.option("--context", multiple=True, metavar="K.K=V", help="Put a value into the context.")
@click.option("--context-file", metavar="FILE", help="Merge a JSON file into the context.")
@click.option("--remote", multiple=True, metavar="NAME", help="Look results up at this remote too; repeatable.")
@click.option("--no-remote", is_flag=True, help="Leave out the remotes of auto_pull and auto_push.")
@click.argument("script")
@click.argument("task", required=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--ARG VALUE]...")
@click.pass_obj
def command(options: Globals, /, script: str, task: str | None, words: tuple[str, ...], **given: Any) -> int:
    """Run TASK of SCRIPT, a Python file or the name of a module.

    Only what a change of data or code touches is run; everything else comes from the cache.

    \b
    redun run make.py make               run the task `make`
    redun run make.py help               list the tasks of the script
    redun run make.py make help          tell the arguments of a task
    redun run make.py make info          tell its hash, options and source
    redun run --dryrun make.py make      tell what would run
    redun run --rerun make.py ID         run a job again, as it was called
    redun run --remote origin make.py make    use what a remote has, too
    """  # noqa: D301 - click takes the character \b, not two, as "leave this paragraph as it is"
    flags = _Flags(**given)
    if task is not None and task.startswith("-") and task != "-":
        raise click.UsageError(f"expected TASK, found {task}; options stand before SCRIPT")
    # What a script prints while it is imported is the user's business; what it defines is ours.
    config_dir = find_config_dir(options.config_dir, Path.cwd(), os.environ)
    module = _load(script)
    if flags.rerun:
        if task is None:
            raise click.UsageError("--rerun needs the id of a job or an execution after SCRIPT")
        make = _prepare_rerun(flags, module, task, words)
    else:
        lines = _explain(module, task, words)
        if lines is not None:
            ui.page(lines, use_pager=False)
            return int(ExitCode.OK)
        assert task is not None, "without a task, there is something to explain"
        make = _prepare(flags, module, task, words)
    return _run(config_dir, _Request(flags, make, _run_options(flags, config_dir)), options)


def _load(script: str) -> Any:
    from redun.cli.scripts import load_script
    from redun.task import get_task_registry

    get_task_registry().on_replace = _warn_of_clash
    return load_script(script)


def _warn_of_clash(old: Any, new: Any) -> None:
    """Warn of two functions under one name; a module that is imported twice has only one."""
    places = [getattr(task.func, "__code__", None) for task in (old, new)]
    where = [f"{code.co_filename}:{code.co_firstlineno}" if code is not None else "?" for code in places]
    if where[0] != where[1]:
        ui.warn(f"task {new.fullname} is defined twice, at {where[0]} and at {where[1]}; the second one counts")


def _explain(module: Any, task: str | None, words: tuple[str, ...]) -> Any:
    """Return the lines that ``help`` and ``info`` print; None when something is to be run."""
    if task is None or task == "help":
        from redun.cli.render.task import task_list_lines
        from redun.cli.scripts import tasks_of

        return task_list_lines(module.__name__, tasks_of(module))
    if words in _HELP or words == ("info",):
        from redun.cli.render.task import task_help_lines, task_info_lines
        from redun.cli.scripts import find_task

        found = find_task(module, task)
        return task_info_lines(found) if words == ("info",) else task_help_lines(found)
    return None


def _prepare(flags: _Flags, module: Any, name: str, words: tuple[str, ...]) -> Callable[[Session], Any]:
    from redun.cli.given import apply_options
    from redun.cli.params import bind_input, make_call, parse_arguments
    from redun.cli.scripts import find_task

    task = find_task(module, name)
    arguments = parse_arguments(task, words, reserved=_own_options())
    if flags.input is not None:
        from redun.cli.recall import read_input

        args, named = read_input(flags.input)
        arguments = {**bind_input(task, args, named), **arguments}
    expression = make_call(apply_options(task, flags.option, prov=not flags.no_prov), arguments)
    return lambda _session: expression


def _prepare_rerun(flags: _Flags, module: Any, text: str, words: tuple[str, ...]) -> Callable[[Session], Any]:
    if flags.input is not None:
        raise click.UsageError("--rerun and --input both give the arguments; use one")

    def make(session: Session) -> Any:
        from redun.cli.given import apply_options
        from redun.cli.params import bind_recorded, make_call, parse_arguments
        from redun.cli.recall import recall
        from redun.cli.scripts import find_task

        recalled = recall(session, text)
        task = find_task(module, recalled.fullname)
        given = parse_arguments(task, words, reserved=_own_options())
        arguments = {**bind_recorded(task, recalled.items, recalled.named), **given}
        return make_call(apply_options(task, flags.option, prov=not flags.no_prov), arguments)

    return make


def _own_options() -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


def _run_options(flags: _Flags, config_dir: Path) -> dict[str, Any]:
    from uuid import uuid4

    from redun.cli.given import parse_context

    options: dict[str, Any] = {
        "cache": not flags.no_cache,
        "dryrun": flags.dryrun,
        "keep_going": flags.keep_going,
        "execution_id": str(flags.execution_id or uuid4()),
        "tags": _tags(flags, config_dir),
    }
    if flags.context or flags.context_file is not None:
        options["context"] = parse_context(flags.context_file, flags.context)
    return options


def _tags(flags: _Flags, config_dir: Path) -> list[Tag]:
    """Return what tags the execution: what is found out, unless an option says it, then what the user adds."""
    from redun.cli.default_tags import default_tags, given_tags
    from redun.cli.given import parse_tags

    added = parse_tags("--tag", flags.tag)
    named = given_tags(project=flags.project, user=flags.user, doc=flags.doc)
    taken = {key for key, _ in named}
    found = default_tags(Path.cwd(), os.environ, config_dir / "cache", now=time.time(), excluded=flags.exclude_user)
    return [*(tag for tag in found if tag[0] not in taken), *named, *added]


def _project_tag(expression: Any, given: Collection[str]) -> list[Tag]:
    """Return the task's namespace as the project, unless there is a tag of that key."""
    from redun.namespace import split_task_fullname
    from redun.tags import PROJECT_KEY

    namespace, _ = split_task_fullname(expression.task_name)
    return [(PROJECT_KEY, namespace)] if namespace and PROJECT_KEY not in given else []


def _run(config_dir: Path, request: _Request, options: Globals) -> int:
    from redun.session import open_session

    tune_collector()
    ui.log(f"redun :: version {__version__}")
    ui.log(f"config dir: {config_dir}")
    logger = _UiLogger(is_heard=ui.is_heard("INFO"))
    place = find_place(options, config_dir, is_run=True)
    session = open_session(config_dir, logger, ui.warn, setup=options.setup, place=place)
    try:
        with _asking_remotes(session, request.flags):
            code = _evaluate(session, request.make(session), request)
        if code != ExitCode.INTERRUPTED and not (request.flags.dryrun or request.flags.no_remote):
            _push(session, request.options["execution_id"])
        return code
    finally:
        session.close()


def _asking_remotes(session: Session, flags: _Flags) -> AbstractContextManager[None]:
    from redun.sharing import asking_remotes

    def tell(counts: list[LookupCounts]) -> None:
        from redun.cli.render.remote import counts_line

        for one in counts:
            ui.log(counts_line(one))

    return asking_remotes(
        session.config,
        session.scheduler,
        session.repository,
        flags.remote,
        warn=ui.warn,
        note=ui.log,
        on_end=tell,
        on_progress=_show_progress,
        uses_settings=not flags.no_remote,
    )


def _show_progress(done: int, total: int, label: str) -> None:
    from redun.cli.render.remote import progress_line

    ui.show_status(progress_line(done, total, label) if label else "")


def _push(session: Session, execution_id: str) -> None:
    from redun.sharing import push_run

    bases = [session.config_dir.parent, Path.cwd()]
    pushed = push_run(
        session.config, session.repository, execution_id, ui.warn, bases=bases, on_progress=_show_progress
    )
    for report in pushed:
        from redun.cli.render.sync import report_line, skipped_lines

        for text in skipped_lines(report):
            ui.warn(text)
        ui.log(report_line(report, "push"))


def _evaluate(session: Session, expression: Any, request: _Request) -> int:
    from redun.scheduler.errors import DryRunResult, Interrupted
    from redun.scheduler.preview import message_of

    scheduler = session.scheduler
    tags = request.options["tags"]
    tags = [*_project_tag(expression, {*scheduler.config.tags, *(key for key, _ in tags)}), *tags]
    try:
        result = scheduler.run(expression, exec_argv=["redun", *sys.argv[1:]], **{**request.options, "tags": tags})
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
        if isinstance(error, RedunError) and error.hint:
            ui.hint(error.hint)
        if request.flags.pdb:
            ui.debug_error(error)
        return int(ExitCode.FAILED)
    if result is not None:
        ui.echo(_pretty(result))
    return int(ExitCode.OK)


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
