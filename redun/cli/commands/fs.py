"""`redun fs` and `redun fs cp SRC DST`: the file systems that files can have, and a copy between any two of them.

The copy is what scripts run to bring remote files to where they work, so it needs no repository, and streams.
"""

from __future__ import annotations

import sys
from shutil import COPY_BUFSIZE, copyfileobj  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import IO

import click

from redun.cli import ui
from redun.file import Dir, File, RedunFileNotFoundError, list_filesystems, open_file

STANDARD_STREAM = "-"


@click.group("fs", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context, /) -> None:
    """List the file systems that paths can name, or copy files.

    Others work too when a package of fsspec for them is installed.
    """
    if ctx.invoked_subcommand is None:
        for filesystem in list_filesystems():
            ui.echo(filesystem.name)


@command.command("cp")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option("-r", "--recursive", "is_recursive", is_flag=True, help="Copy what the folder SRC holds into folder DST.")
def copy(source: str, target: str, is_recursive: bool) -> None:
    """Copy a file between any two paths or URLs.

    `-` is standard input or output; write `./-` for a file of that name.  Folders on the way to DST are made.  A DST
    that ends with a slash, or is a folder of this machine, takes the file in under its own name.
    """
    if is_recursive:
        if STANDARD_STREAM in {source, target}:
            raise click.UsageError("--recursive copies folders, not standard input or output")
        _copy_folder(Dir(source), Dir(target))
    elif STANDARD_STREAM in {source, target}:
        _copy_stream(source, target)
    else:
        _copy_file(File(source), target)


def _copy_folder(source: Dir, target: Dir) -> None:
    if not source.exists():
        raise RedunFileNotFoundError(f"there is no folder {source.path}", source.path)
    source.copy_to(target)


def _copy_file(source: File, target: str) -> None:
    place = File(target)
    if target.endswith("/") or (place.filesystem.is_local and place.isdir()):
        place = Dir(target).file(source.basename())
    source.copy_to(place)


def _copy_stream(source: str, target: str) -> None:
    with _open(source, "rb") as reader:
        if target != STANDARD_STREAM:
            with open_file(target, "wb") as writer:
                copyfileobj(reader, writer, COPY_BUFSIZE)
            return
        while piece := reader.read(COPY_BUFSIZE):
            ui.echo_bytes(piece)


def _open(path: str, mode: str) -> IO[bytes]:
    return sys.stdin.buffer if path == STANDARD_STREAM else open_file(path, mode)
