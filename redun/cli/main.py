"""The console entry: global options, and the table of commands.

The invariant: `redun --help` imports no command.  The table holds each command's one line of help; the module that
implements it (``redun/cli/commands/<module>.py``, attribute ``command``) is imported when the command is called.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple

import click

from redun.cli import ui
from redun.cli.collector import collector_kept, tune_collector
from redun.cli.errors import MEANINGS, ExitCode, report
from redun.cli.options import Globals
from redun.version import __version__


class CommandEntry(NamedTuple):
    """One command as the table knows it."""

    module: str
    help: str
    is_hidden: bool = False


COMMANDS = {
    "init": CommandEntry("init", "Make a repository."),
    "run": CommandEntry("run", "Run a workflow."),
    "launch": CommandEntry("launch", "Start a run on an executor, and leave."),
    "log": CommandEntry("log", "Show executions, jobs, files and where they came from."),
    "tag": CommandEntry("tag", "List, add and remove tags."),
    "show": CommandEntry("show", "Show one object of the store."),
    "fsck": CommandEntry("fsck", "Check the repository, and repair what can be."),
    "du": CommandEntry("du", "Tell how much room the repository takes, and what for."),
    "repack": CommandEntry("repack", "Merge packs, so that look-ups stay quick."),
    "gc": CommandEntry("gc", "Delete what no kept execution needs."),
    "forget": CommandEntry("forget", "Let recorded results not serve again, or drop executions."),
    "purge": CommandEntry("purge", "Remove the bytes of an object for good."),
    "key": CommandEntry("key", "Make a key, and sign what is recorded here."),
    "remote": CommandEntry("remote", "List, add and remove remotes."),
    "repo": CommandEntry("remote", "Another name of `remote`.", is_hidden=True),
    "push": CommandEntry("push", "Send executions and their objects to a remote."),
    "pull": CommandEntry("pull", "Get executions and their objects from a remote."),
    "fetch": CommandEntry("fetch", "Get objects from a remote, and remember what it has."),
    "clone": CommandEntry("clone", "Copy a whole repository."),
    "bundle": CommandEntry("bundle", "Put executions into one file, and take them out of one."),
    "aws": CommandEntry("aws", "List and end jobs of AWS Batch, and read their logs."),
    "fs": CommandEntry("fs", "List file systems, and copy files between them."),
    "oneshot": CommandEntry("oneshot", "Run one task without a repository.", is_hidden=True),
    "worker": CommandEntry("worker", "Run a call that lies in a scratch.", is_hidden=True),
    "help": CommandEntry("help", "Explain redun, or one command."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [name for name, entry in COMMANDS.items() if not entry.is_hidden]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = import_module(f"redun.cli.commands.{entry.module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no such command: {args[0]!r}{_did_you_mean(args[0])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, entry.help) for name, entry in COMMANDS.items() if not entry.is_hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANINGS.items()])


@click.group(cls=LazyGroup, name="redun", invoke_without_command=True, subcommand_metavar="COMMAND [ARGS]...")
@click.option("-c", "--config", "config_dir", metavar="DIR", help="The .redun folder to use.")
@click.option("-r", "--repo", metavar="NAME", help="The repository to use: a remote's name, a path or a URL.")
@click.option(
    "--log-level",
    type=click.Choice(list(ui.LEVELS), case_sensitive=False),
    default="INFO",
    show_default=True,
    help="How much to say along the way; DEBUG adds tracebacks.",
)
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Say only warnings and errors along the way.")
@click.option("-s", "--setup", multiple=True, metavar="K=V", help="A parameter of [scheduler] setup_scheduler.")
@click.option("--setup-help", is_flag=True, help="Tell what --setup can say, and leave.")
@click.option("--check-version", "spec", metavar="SPEC", help="Fail unless this is such a redun: '>=0.1,<2'.")
@click.version_option(__version__, "-V", "--version", prog_name="redun")
@click.pass_context
def cli(
    ctx: click.Context, /, *, config_dir: str | None, repo: str | None, log_level: str, is_quiet: bool,
    setup: tuple[str, ...], setup_help: bool, spec: str | None,
) -> None:  # fmt: skip
    """Run workflows whose results are cached, traced and shared as git shares source."""
    tune_collector()
    ctx.obj = Globals(config_dir, log_level.upper(), is_quiet, repo=repo)
    ui.configure(ctx.obj.log_level, is_quiet=is_quiet)
    if spec is not None:
        from redun.cli.version_check import check_version

        check_version(spec, __version__)
    if setup:
        from redun.cli.given import parse_setup

        ctx.obj = replace(ctx.obj, setup=parse_setup(setup))
    if setup_help:
        from redun.cli.setup_help import setup_help_lines

        ui.page(setup_help_lines(ctx.obj), use_pager=False)
        ctx.exit()
    if ctx.invoked_subcommand is None and spec is None:
        ui.echo(ctx.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name; ``sys.argv`` when None) and return its exit code.

    A command returns its exit code, or None for 0.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    ui.configure()
    code = int(ExitCode.OK)
    try:
        # The program's own command line is all that its process is for: thawing would cost 10 ms at its end.
        with nullcontext() if argv is None else collector_kept():
            code = _invoke(arguments)
        ui.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        ui.mute()
        return int(ExitCode.OK)
    except OSError as error:  # the disk that the output goes to is full
        code = code or int(report(error))  # unless that was told already
        ui.mute()
    return code


class RedunClient:
    """The command line as an object, for programs that call it."""

    def execute(self, argv: Sequence[str] | None = None) -> int:
        """Run a command line whose first word may be ``redun``, as in ``sys.argv``; return its exit code."""
        if argv is None:
            return main()
        return main(argv[1:] if argv[:1] == ["redun"] else argv)


def _invoke(arguments: list[str]) -> int:
    # click's own main() would turn a closed pipe into exit code 1 before we see it, so its two steps are called here.
    try:
        with cli.make_context("redun", arguments) as ctx:
            result: Any = cli.invoke(ctx)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        return int(report(error))
    return result if isinstance(result, int) else int(ExitCode.OK)


def _did_you_mean(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, [name for name, entry in COMMANDS.items() if not entry.is_hidden], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


if __name__ == "__main__":
    sys.exit(main())
