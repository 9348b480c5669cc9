"""Shell commands that copy files: what scripts run before and after the user's own command.  Pure text.

With ``as_mount`` a bucket is reached through a folder, as Google Batch mounts it: ``gs://bucket/key`` is
``/mnt/disks/bucket/key``.
"""

from __future__ import annotations

from shlex import quote

from redun.file.filesystems import LOCAL, get_protocol
from redun.file.local_filesystem import local_path

MOUNT_ROOT = "/mnt/disks"
_BUCKET_COMMANDS = {"s3": "aws s3 cp --no-progress", "gs": "gsutil -q cp"}
_RECURSIVE_FLAGS = {"s3": "--recursive"}
_DOWNLOAD_PROTOCOLS = ("http", "https", "ftp")


def render_copy(source: str, target: str | None, *, as_mount: bool = False) -> str:
    """Return a command that copies one file; to standard output when ``target`` is None."""
    source, target = _place(source, as_mount), None if target is None else _place(target, as_mount)
    protocol, target_protocol = get_protocol(source), LOCAL if target is None else get_protocol(target)
    if protocol == target_protocol == LOCAL:
        return f"cat {_word(source)}" if target is None else f"cp {_word(source)} {_word(target)}"
    if protocol in _DOWNLOAD_PROTOCOLS and target_protocol == LOCAL:
        command = f"curl -fsSL {quote(source)}"
        return command if target is None else f"{command} -o {_word(target)}"
    words = f"{_word(source)} {'-' if target is None else _word(target)}"
    return f"{_bucket_command(protocol, target_protocol)} {words}"


def render_copy_folder(source: str, target: str, *, as_mount: bool = False) -> str:
    """Return a command that copies what a folder holds into another folder, which is made when it is not there."""
    source, target = _place(source, as_mount).rstrip("/"), _place(target, as_mount).rstrip("/")
    protocol, target_protocol = get_protocol(source), get_protocol(target)
    if protocol == target_protocol == LOCAL:
        return f"mkdir -p {_word(target)} && cp -r {_word(source + '/.')} {_word(target)}"
    bucket = next((name for name in (protocol, target_protocol) if name in _BUCKET_COMMANDS), None)
    if bucket is None or {protocol, target_protocol} - {bucket, LOCAL}:
        return f"redun fs cp --recursive {_word(source)} {_word(target)}"
    if bucket == "gs":
        made = f"mkdir -p {_word(target)} && " if target_protocol == LOCAL else ""
        return f"{made}gsutil -q -m rsync -r {_word(source)} {_word(target)}"
    return f"{_BUCKET_COMMANDS[bucket]} {_RECURSIVE_FLAGS[bucket]} {_word(source)} {_word(target)}"


def _bucket_command(protocol: str, target_protocol: str) -> str:
    """Return the tool of one bucket's vendor; redun's own command where two kinds of remote meet."""
    remotes = {protocol, target_protocol} - {LOCAL}
    if len(remotes) == 1:
        return _BUCKET_COMMANDS.get(remotes.pop(), "redun fs cp")
    return "redun fs cp"


def _place(path: str, as_mount: bool) -> str:
    if get_protocol(path) == LOCAL:
        return local_path(path)
    return f"{MOUNT_ROOT}/{path.partition('://')[2]}" if as_mount else path


def _word(path: str) -> str:
    """Quote a path; one that begins with a dash must not read as an option."""
    return quote(f"./{path}" if path.startswith("-") else path)
