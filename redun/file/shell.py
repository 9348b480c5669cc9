"""Shell commands that copy files: what scripts run before and after the user's own command.  Pure text.

Between two places of this machine it is ``cp``.  Wherever a remote takes part it is ``redun fs cp``: it reaches every
protocol that files can have, with the same credentials and end points, on every machine that has redun.  The vendors'
own tools were rejected: which of them is installed where a script runs, and how it is configured there, nobody knows.

With ``as_mount`` a bucket is reached through a folder, as Google Batch mounts it: ``gs://bucket/key`` is
``/mnt/disks/bucket/key``.
"""

from __future__ import annotations

from shlex import quote

from redun.file.filesystems import LOCAL, get_protocol
from redun.file.local_filesystem import local_path

MOUNT_ROOT = "/mnt/disks"
COPY_COMMAND = "redun fs cp"


def render_copy(source: str, target: str | None, *, as_mount: bool = False) -> str:
    """Return a command that copies one file, making parent folders; to standard output when ``target`` is None."""
    source, target = _place(source, as_mount), None if target is None else _place(target, as_mount)
    if get_protocol(source) != LOCAL or (target is not None and get_protocol(target) != LOCAL):
        return f"{COPY_COMMAND} {_word(source)} {'-' if target is None else _word(target)}"
    if target is None:
        return f"cat {_word(source)}"
    folder = target.rpartition("/")[0]
    return f"{f'mkdir -p {_word(folder)} && ' if folder else ''}cp {_word(source)} {_word(target)}"


def render_copy_folder(source: str, target: str, *, as_mount: bool = False) -> str:
    """Return a command that copies what a folder holds into another folder, which is made when it is not there."""
    source, target = _trim(_place(source, as_mount)), _trim(_place(target, as_mount))
    if get_protocol(source) != LOCAL or get_protocol(target) != LOCAL:
        return f"{COPY_COMMAND} --recursive {_word(source)} {_word(target)}"
    return f"mkdir -p {_word(target)} && cp -r {_word(source + '/.')} {_word(target)}"


def _place(path: str, as_mount: bool) -> str:
    if get_protocol(path) == LOCAL:
        return local_path(path)
    return f"{MOUNT_ROOT}/{path.partition('://')[2]}" if as_mount else path


def _trim(path: str) -> str:
    return path.rstrip("/") or path[:1]


def _word(path: str) -> str:
    """Quote a path; one that begins with a dash must not read as an option, nor as standard output."""
    return quote(f"./{path}" if path.startswith("-") else path)
