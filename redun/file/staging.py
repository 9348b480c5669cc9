"""Staging: a file or folder paired with a local place where a script works on it.

``remote`` is the file that counts: its content is part of the value.  ``local`` is scratch, so its path alone is.
Where both are the same place there is nothing to copy, and nothing is rendered.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from redun.file.file import File
from redun.file.fileset import Dir
from redun.file.filesystems import get_filesystem
from redun.file.local_filesystem import local_path
from redun.value.value import Value

if TYPE_CHECKING:
    from redun.file.families import FileClasses

Place = TypeVar("Place", File, Dir)


class Staging(Value, Generic[Place]):
    """A pair of places, of files or of folders.

    Args:
        local: where scripts work, a path or a File or Dir of this machine.
        remote: the file or folder that is meant, anywhere.
    """

    type_name = "redun.file.Staging"
    classes: ClassVar[FileClasses]

    def __init__(self, local: str | os.PathLike[str] | Place, remote: str | os.PathLike[str] | Place) -> None:
        cls = self._place_class()
        self.local: Place = local if isinstance(local, cls) else cls(local)  # type: ignore[arg-type]
        self.remote: Place = remote if isinstance(remote, cls) else cls(remote)  # type: ignore[arg-type]

    @classmethod
    @abstractmethod
    def _place_class(cls) -> type[Place]:
        """Return the class of both places."""

    def stage(self) -> Place:
        """Copy the remote to the local place, and return the local one."""
        if self.is_same_place():
            return self.local
        return self._copy(self.remote, self.local)

    def unstage(self) -> Place:
        """Copy the local to the remote place, and return the remote one."""
        if self.is_same_place():
            return self.remote
        return self._copy(self.local, self.remote)

    def render_stage(self, as_mount: bool = False) -> str:
        """Return the shell command that stages; empty when there is nothing to copy.

        Args:
            as_mount: reach buckets through the folders they are mounted at: see ``redun.file.shell``.
        """
        return "" if self.is_same_place() else self.remote.shell_copy_to(self.local.path, as_mount=as_mount)

    def render_unstage(self, as_mount: bool = False) -> str:
        """Return the shell command that unstages; empty when there is nothing to copy."""
        return "" if self.is_same_place() else self.local.shell_copy_to(self.remote.path, as_mount=as_mount)

    def is_same_place(self) -> bool:
        """Tell whether both are one place, by their paths."""
        local, remote = self.local.path, self.remote.path
        if not get_filesystem(url=local).is_local or not get_filesystem(url=remote).is_local:
            return local == remote
        return os.path.abspath(local_path(local)) == os.path.abspath(local_path(remote))

    def iter_subvalues(self) -> Iterator[Place]:
        """Yield the file or folder that counts."""
        yield self.remote

    @abstractmethod
    def _copy(self, source: Place, target: Place) -> Place:
        """Copy one place to the other, and return that."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Staging):
            return NotImplemented
        return type(self) is type(other) and self.local.path == other.local.path and self.remote == other.remote

    def __hash__(self) -> int:
        return hash((self.local.path, self.remote))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(local={self.local.path}, remote={self.remote!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"local": self.local.path, "remote": self.remote}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.local = self._place_class()(state["local"])
        self.remote = state["remote"]


class StagingFile(Staging[File]):
    """A file, and a local path that scripts know it by."""

    type_name = "redun.file.StagingFile"

    @classmethod
    def _place_class(cls) -> type[File]:
        return cls.classes.File

    def _copy(self, source: File, target: File) -> File:
        return source.copy_to(target)


class StagingDir(Staging[Dir]):
    """A folder, and a local one that scripts know it by."""

    type_name = "redun.file.StagingDir"

    @classmethod
    def _place_class(cls) -> type[Dir]:
        return cls.classes.Dir

    def _copy(self, source: Dir, target: Dir) -> Dir:
        return source.copy_to(target)
