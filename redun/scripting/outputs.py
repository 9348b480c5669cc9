"""What a script is to leave behind: named before it runs by path alone, and found afterwards.

A file that is named as an output is not a file yet, and whatever is at its path now is not what the script will be
judged by.  So it enters the call as an ``Output``: its path and class, no content.  With its content, the first run and
the second would be two different calls, and every caller would be on record with the content that the run replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redun.errors import TaskError
from redun.file import Dir, File, FileSet
from redun.file.filesystems import get_filesystem
from redun.file.local_filesystem import local_path
from redun.file.produced import note_write
from redun.file.staging import Staging
from redun.value.objects import find_value_class
from redun.value.value import Value

STDOUT = "-"
"""The path that stands for standard output."""

Resolve = Callable[[str], str]
"""From a path as a script knows it to one as this process does."""


class MissingOutput(TaskError):
    """A script ended well and left no file where it was to leave one."""

    hint = "the script must write each of its outputs, or fail"

    def __init__(self, title: str, path: str, remote: str) -> None:
        staged = f" (to be copied to {remote})" if remote != path else ""
        super().__init__(f"script {title!r} ended well, and there is no output {path}{staged}")
        self.title = title
        self.path = path
        self.remote = remote

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.title, self.path, self.remote)


class Output(Value):
    """A file, folder or set of files that a script is to make.

    Args:
        place: one like it, as it was named; its content does not matter.
        local: where the script writes it; None where that is its own path.
    """

    type_name = "redun.scripting.outputs.Output"

    def __init__(self, place: File | FileSet, local: str | None = None) -> None:
        path = place.path if isinstance(place, (File, Dir)) else place.pattern
        self.remote = path
        self.local = path if local is None else local
        self._class_name = type(place).type_name
        # Whatever else its class was made of: a dataset has a format.
        self._extra = {} if isinstance(place, File) else _open_attributes(place)

    @property
    def is_stdout(self) -> bool:
        """Whether what the script prints is asked for, as bytes."""
        return self.remote == STDOUT

    def make(self) -> File | FileSet:
        """Return a new File, Dir or other set of what is at the path now."""
        cls: Any = find_value_class(self._class_name)
        made = cls.__new__(cls)
        if issubclass(cls, File):
            File.__init__(made, self.remote)  # a subclass may be made of something else than a path
        else:
            FileSet.__init__(made, self.remote)
            made.__dict__.update(self._extra)
        return made  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Output) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash((self._class_name, self.local, self.remote))

    def __repr__(self) -> str:
        return f"Output({', '.join(f'{name}={value!r}' for name, value in self.__getstate__().items())})"

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {"path": self.remote}
        if self.local != self.remote:
            state["local"] = self.local
        if self._class_name != File.type_name:
            state["class"] = self._class_name
        return {**state, "extra": self._extra} if self._extra else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.remote = state["path"]
        self.local = state.get("local", self.remote)
        self._class_name = state.get("class", File.type_name)
        self._extra = state.get("extra", {})


def as_output(part: Any) -> Any:
    """Return an Output for a file, folder, set or staging; anything else as it is."""
    if isinstance(part, Staging):
        return Output(part.remote, part.local.path)
    return Output(part) if isinstance(part, (File, FileSet)) else part


def collect(output: Output, title: str, stdout: Path, resolve: Resolve, *, is_unstaged: bool = False) -> Any:
    """Return what a script was to make, copied to where it belongs.

    Args:
        output: what was named.
        title: what errors call the script.
        stdout: the file that holds what the script printed.
        resolve: finds the local paths.
        is_unstaged: whether files and folders have been copied already.

    Raises:
        MissingOutput: it is not there.
        RedunOSError: it cannot be copied.
    """
    if output.is_stdout:
        return stdout.read_bytes()
    made = output.make()
    if output.local == STDOUT and isinstance(made, File):
        return File(str(stdout)).copy_to(made)
    local = resolve(output.local)
    if not isinstance(made, (File, Dir)):
        if local != output.local:
            _copy_members(local, len(local) - len(output.local))
        return made
    staging = made.stage(local)
    if is_unstaged or staging.is_same_place():
        if made.exists():
            return made
    # A staged pipe or device has no end to copy to; in place, it is what its reader makes of it.
    elif staging.local.isfile() if isinstance(staging.local, File) else staging.local.exists():
        return staging.unstage()
    raise MissingOutput(title, output.local, output.remote)


def _copy_members(pattern: str, start: int) -> None:
    """Copy the files of a set to the paths that are left of theirs from ``start`` on."""
    for file in FileSet(pattern):
        file.copy_to(File(file.path[start:]))


class Marks:
    """What was at the places of outputs before the script ran.

    A file that ``tar`` unpacks or ``cp -p`` copies has an old time of modification, and is new all the same: it is told
    by inode and time of change.
    """

    def __init__(self, outputs: list[Output]) -> None:
        self._before = {output.remote: _mark(output.remote) for output in outputs if not output.is_stdout}

    def note_writes(self) -> None:
        """Tell the job that runs here which of the outputs are other files now."""
        for path, mark in self._before.items():
            now = _mark(path)
            if now is not None and now != mark:
                note_write(path)


def _mark(path: str) -> tuple[int, ...] | None:
    if not get_filesystem(url=path).is_local:
        return None
    try:
        info = os.stat(local_path(path))
    except (OSError, ValueError):
        return None
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _open_attributes(place: FileSet) -> dict[str, Any]:
    hidden = {"pattern", "_listing", "_members", "_hash"}
    return {name: value for name, value in place.__dict__.items() if name not in hidden}
