"""``redun launch``: starts a command on an executor and leaves it to itself."""

from __future__ import annotations

import os
from pathlib import Path

import click

from redun.cli import ui
from redun.cli.errors import ExitCode
from redun.cli.given import parse_tags
from redun.cli.options import Globals, find_config_dir
from redun.config import Config
from redun.config_dir import CONFIG_FILE
from redun.executors.launch import launch_script


@click.command("launch", context_settings={"allow_interspersed_args": False})
@click.option("--executor", "executor_name", required=True, metavar="NAME", help="Where: a section of redun.ini.")
@click.option("--code-package", "sends_code", is_flag=True, help="Send the project's code along, and run in it.")
@click.option("-o", "--option", multiple=True, metavar="K=V", help="Set an option of the executor for this command.")
@click.option("--wait", "is_waited", is_flag=True, help="Wait until it has ended; exit with 1 if it failed.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="CMD...")
@click.pass_obj
def command(
    options: Globals,
    /,
    *,
    executor_name: str,
    sends_code: bool,
    option: tuple[str, ...],
    is_waited: bool,
    words: tuple[str, ...],
) -> int:
    """Start CMD, mostly `redun run ...`, on an executor, and leave.

    On a cluster it becomes a job, whose id is printed.  An executor of this machine starts a program that goes on by
    itself, with no terminal; its process id is printed.  With --wait it shares this terminal instead.

    \b
    redun launch --executor batch redun run wf.py main
    redun launch --executor batch --code-package -o memory=8 redun run wf.py main
    """  # noqa: D301 - click takes the character \b, not two, as "leave this paragraph as it is"
    config = Config()
    path = find_config_dir(options.config_dir, Path.cwd(), os.environ) / CONFIG_FILE
    if path.is_file():
        config.read_path(path)
    given = dict(parse_tags("--option", option))
    launched = launch_script(
        config, words, executor_name=executor_name, task_options=given, sends_code=sends_code, is_heard=is_waited
    )
    ui.log(f"launched on {launched.executor}")
    ui.echo(launched.job_id)
    if not is_waited:
        return int(ExitCode.OK)
    ui.flush()
    why = launched.wait()
    if why:
        ui.error(f"{launched.job_id} failed: {why}")
    return int(ExitCode.FAILED if why else ExitCode.OK)
