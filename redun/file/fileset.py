"""FileSet and Dir: many files as one value.

Its state is the pattern, a *listing* (a file node that names the members) and the members, so each of them counts among
the files of a result: a changed member is noticed by its own record, an added one by the listing.  Both are taken at
the first use of the hash and then stand, as a File's do; iterating always looks at what is there now.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from redun.file.file import File
from redun.file.filesystems import FileSystem, Found, get_filesystem
from redun.file.identity import GLOB_SCHEME, PATH_SCHEME, TREE_SCHEME, find_members, identify, listing_record
from redun.file.shell import render_copy_folder
from redun.file.state import FileState, check_file
from redun.objects.oid import SHORT_DIGITS
from redun.objects.value_records import FileRecord
from redun.value.encoding import encode_value
from redun.value.value import Value

if TYPE_CHECKING:
    from redun.file.families import FileClasses
    from redun.file.staging import StagingDir


class FileSet(Value):
    """The files that match a pattern with ``* ? [] **``.

    As in a shell, a wildcard does not match a leading dot.
    """

    type_name = "redun.file.FileSet"
    classes: ClassVar[FileClasses]
    """The classes of its family: its members are of its ``File``."""

    listing_scheme: ClassVar[str] = GLOB_SCHEME

    is_fixed: ClassVar[bool] = False
    """Whether the pattern is all there is to its hash: then it has no members on record, and is always valid."""

    def __init__(self, pattern: str | os.PathLike[str]) -> None:
        self.pattern: str = os.fspath(pattern)
        self._listing: File | None = None
        self._members: list[File] = []
        self._hash: str | None = None

    def __iter__(self) -> Iterator[File]:
        """Yield the files that are there now, in order of path."""
        return (self._make_member(found) for found in self._find())

    @property
    def files(self) -> list[File]:
        """The members that the hash covers, in order of path; those that are there now when it covers none."""
        if self.is_fixed:
            return list(self)
        self._snapshot()
        return list(self._members)

    @property
    def hash(self) -> str:
        """Its value hash in hex: of the pattern and of the members' paths and contents."""
        if self._hash is None:
            self._hash = encode_value(self).oid.hex()
        return self._hash

    @property
    def filesystem(self) -> FileSystem:
        """The file system of its protocol."""
        return get_filesystem(url=self.pattern)

    def update_hash(self) -> None:
        """Take the hash anew from what is there now."""
        self._take()

    def is_valid(self) -> bool:
        """Tell whether the members, all of them and no others, still are what the hash says."""
        if self._listing is None:
            return True
        return all(check_file(file.record).state is FileState.SAME for file in (self._listing, *self._members))

    def iter_subvalues(self) -> Iterator[File]:
        """Yield the members."""
        self._snapshot()
        yield from self._members

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FileSet):
            return NotImplemented
        return self is other or (type(self) is type(other) and self.hash == other.hash)

    def __hash__(self) -> int:
        return hash((self.pattern, self.hash))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(pattern={self.pattern}, hash={self.hash[:SHORT_DIGITS]})"

    def __getstate__(self) -> dict[str, Any]:
        return {"pattern": self.pattern, "listing": self._snapshot(), "files": self._members}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.pattern = state["pattern"]
        self._listing = state["listing"]
        self._members = state["files"]
        self._hash = None

    def _find(self) -> list[Found]:
        return find_members(self.pattern, self.listing_scheme)

    def _snapshot(self) -> File:
        if self._listing is None:
            return self._take()
        return self._listing

    def _take(self) -> File:
        members = [] if self.is_fixed else self._find()
        if self.is_fixed:
            record = identify(self.pattern, PATH_SCHEME)
        else:
            record = listing_record(self.pattern, self.listing_scheme, (found.path for found in members))
        self._members = [self._make_member(found) for found in members]
        self._listing = File.from_record(record)
        self._hash = None
        return self._listing

    def _make_member(self, found: Found) -> File:
        cls = self.classes.File
        if found.checksum is None or cls.identity_scheme is not None:
            return cls(found.path)
        return cls.from_record(FileRecord(found.path, *found.checksum))


class Dir(FileSet):
    """A folder: the files below it at any depth, those with a leading dot in a name left out.

    Args:
        path: kept as it is written, but for slashes at its end.
    """

    type_name = "redun.file.Dir"
    listing_scheme: ClassVar[str] = TREE_SCHEME

    def __init__(self, path: str | os.PathLike[str]) -> None:
        text = os.fspath(path)
        super().__init__(text.rstrip("/") or text[:1])

    @property
    def path(self) -> str:
        """The folder."""
        return self.pattern

    def exists(self) -> bool:
        """Tell whether the folder is there; in a bucket, whether it holds anything."""
        return self.filesystem.exists(self.path)

    def file(self, rel_path: str) -> File:
        """Return the file at a path relative to the folder."""
        return self.classes.File(f"{self.path.rstrip('/')}/{rel_path}")

    def rel_path(self, file_path: str) -> str:
        """Return a path below the folder relative to it.

        Raises:
            ValueError: the path does not lie below the folder.
        """
        prefix = self.path.rstrip("/") + "/"
        if not file_path.startswith(prefix):
            raise ValueError(f"expected a path below {prefix}, found {file_path}")
        return file_path[len(prefix) :]

    def mkdir(self) -> None:
        """Make the folder and its parents; nothing happens when it is there."""
        self.filesystem.mkdir(self.path)

    def rmdir(self, recursive: bool = False) -> None:
        """Remove the folder; with what it holds when ``recursive``."""
        self.filesystem.rmdir(self.path, recursive=recursive)
        self._forget()

    def copy_to(self, dest_dir: Dir, skip_if_exists: bool = False) -> Dir:
        """Copy its files into another folder, of any protocol, and return that; leave alone what may and does exist."""
        for file in self:
            file.copy_to(dest_dir.file(self.rel_path(file.path)), skip_if_exists=skip_if_exists)
        dest_dir._forget()
        return dest_dir

    def shell_copy_to(self, dest_path: str, as_mount: bool = False) -> str:
        """Return a shell command that copies what it holds into another folder.  See ``File.shell_copy_to``."""
        return render_copy_folder(self.path, dest_path, as_mount=as_mount)

    def stage(self, local: str | os.PathLike[str] | None = None) -> StagingDir:
        """Return this folder paired with a local one, named as its own last part when None, that scripts work on."""
        return self.classes.StagingDir(os.path.basename(self.path) if local is None else os.fspath(local), self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self.path}, hash={self.hash[:SHORT_DIGITS]})"

    def _forget(self) -> None:
        self._listing = self._hash = None
        self._members = []
