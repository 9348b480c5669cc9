"""File: a file as a value, identified by its path as written and by its content.

A subclass is read back as what it is: its type name is part of the record.  Only the path and what identifies the
content are stored, so attributes that a subclass adds do not survive.

The hash is taken at its first use and then stands, until ``update_hash`` or a write through this object.  A write only
drops it, and the next use takes the new one: were it taken when the stream closes, a program that appends to the file
afterwards would leave a hash of a content that is gone.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal, overload

from redun.file.errors import RedunOSError, typed_errors
from redun.file.filesystems import FileSystem, copy_file, get_filesystem
from redun.file.identity import identify
from redun.file.produced import note_write
from redun.file.shell import render_copy
from redun.file.state import FileState, check_file
from redun.file.streams import Close, shadow_close
from redun.hashing import Oid
from redun.objects.codec import Node
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.objects.value_records import FileRecord
from redun.value.encoding import Read, register_kind
from redun.value.objects import find_value_class
from redun.value.value import Value

if TYPE_CHECKING:
    from redun.file.families import FileClasses
    from redun.file.staging import StagingFile

_WRITE_LETTERS = frozenset("wax+")


class File(Value):
    """A file by path or URL.

    Args:
        path: kept as it is written, so a relative path means the same in another checkout.
    """

    type_name = "redun.file.File"
    classes: ClassVar[FileClasses]
    """The classes of its family: what its copies, sets, folders and stagings are made of."""

    identity_scheme: ClassVar[str | None] = None
    """How it is identified; None takes the usual way of its file system."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: str = os.fspath(path)
        self._record: FileRecord | None = None
        self._node: tuple[Oid, bytes] | None = None

    @classmethod
    def from_record(cls, record: FileRecord) -> File:
        """Return a file with the identity that was recorded, whatever is at its path now."""
        file = cls.__new__(cls)
        File.__init__(file, record.path)  # a subclass may be made of something else than a path
        file.set_record(record)
        return file

    # What identifies it

    @property
    def record(self) -> FileRecord:
        """Its identity, taken at first use.  Raises RedunOSError when it is a folder or cannot be read."""
        if self._record is None:
            self._record = self._identify()
        return self._record

    def set_record(self, record: FileRecord) -> None:
        """Take over an identity that somebody else found out."""
        self._record = self._name_class(record)
        self._node = None

    @property
    def scheme(self) -> str:
        """How its content is identified: "blake3", "absent", "etag"..."""
        return self.record.scheme

    @property
    def hash(self) -> str:
        """Its value hash in hex: of path and content."""
        return self._encoded()[0].hex()

    def update_hash(self) -> None:
        """Take the hash anew from what is at the path now."""
        self.set_record(self._identify())

    def is_valid(self) -> bool:
        """Tell whether what is at the path is still what the hash says."""
        return self._record is None or check_file(self._record).state is FileState.SAME

    def encode_node(self) -> tuple[int, Oid, bytes]:
        """Return its file node: kind, oid and canonical bytes."""
        return (int(Kind.FILE), *self._encoded())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, File):
            return NotImplemented
        return self is other or (self.path == other.path and self.hash == other.hash)

    def __hash__(self) -> int:
        return hash((self.path, self.hash))

    def __repr__(self) -> str:
        try:
            shown = short(self._encoded()[0])
        except RedunOSError:
            shown = "unreadable"
        return f"{type(self).__name__}(path={self.path}, hash={shown})"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "record": tuple(self.record)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = state["path"]
        self.set_record(FileRecord(*state["record"]))

    # What is at the path

    @property
    def filesystem(self) -> FileSystem:
        """The file system of its protocol."""
        return get_filesystem(url=self.path)

    def exists(self) -> bool:
        """Tell whether there is a file or a folder."""
        return self.filesystem.exists(self.path)

    def isfile(self) -> bool:
        """Tell whether there is a file."""
        return self.filesystem.isfile(self.path)

    def isdir(self) -> bool:
        """Tell whether there is a folder."""
        return self.filesystem.isdir(self.path)

    def size(self) -> int:
        """Return its size in bytes.  Raises RedunFileNotFoundError."""
        return self.filesystem.size(self.path)

    def basename(self) -> str:
        """Return the last part of its path."""
        return os.path.basename(self.path)

    def dirname(self) -> str:
        """Return its path without the last part."""
        return os.path.dirname(self.path)

    # Reading and writing

    def open(self, mode: str = "r", encoding: str | None = None, **kwargs: Any) -> IO[Any]:
        """Open it as the builtin does, as UTF-8 unless told otherwise; a write makes parent folders.

        Raises:
            RedunOSError: it cannot be opened; RedunFileNotFoundError and RedunPermissionError say why.
        """
        stream = self.filesystem.open(self.path, mode, encoding, **kwargs)
        if not _WRITE_LETTERS.isdisjoint(mode):
            self._note_write()
            shadow_close(stream, self._note_close)
        return stream

    @overload
    def read(self, mode: Literal["r"] = "r", encoding: str | None = None) -> str: ...

    @overload
    def read(self, mode: Literal["rb"]) -> bytes: ...

    @overload
    def read(self, mode: str, encoding: str | None = None) -> Any: ...

    def read(self, mode: str = "r", encoding: str | None = None) -> Any:
        """Return its content: a text, or bytes with mode "rb"."""
        with self.open(mode, encoding) as stream, typed_errors(self.path, "read"):
            return stream.read()

    @overload
    def readlines(self, mode: Literal["r"] = "r", encoding: str | None = None) -> list[str]: ...

    @overload
    def readlines(self, mode: Literal["rb"]) -> list[bytes]: ...

    @overload
    def readlines(self, mode: str, encoding: str | None = None) -> list[Any]: ...

    def readlines(self, mode: str = "r", encoding: str | None = None) -> list[Any]:
        """Return its lines, line ends included; of bytes with mode "rb"."""
        with self.open(mode, encoding) as stream, typed_errors(self.path, "read"):
            return list(stream)

    def write(self, data: str | bytes, mode: str | None = None, encoding: str | None = None) -> None:
        """Write a text or bytes: in place of its content, or as ``mode`` says ("a" appends; "w" or "wb" by default)."""
        mode = mode or ("w" if isinstance(data, str) else "wb")
        with typed_errors(self.path, "write"), self.open(mode, encoding) as stream:
            stream.write(data)

    def touch(self, time: float | None = None) -> None:
        """Make it when it is not there; set its times to ``time`` (seconds since 1970 UTC, now when None)."""
        self.filesystem.touch(self.path, time)
        self._note_write()

    def remove(self) -> None:
        """Remove it; nothing happens when it is not there."""
        self.filesystem.remove(self.path)
        self._forget()

    def copy_to(self, dest_file: File, skip_if_exists: bool = False) -> File:
        """Copy it to another file, of any protocol, and return that; leave that alone if it may and does exist."""
        if not (skip_if_exists and dest_file.exists()):
            copy_file(self.path, dest_file.path)
            dest_file._note_write()
        return dest_file

    def shell_copy_to(self, dest_path: str | None, as_mount: bool = False) -> str:
        """Return a shell command that copies it to a path or URL, or to standard output when that is None.

        Args:
            dest_path: where to.
            as_mount: reach buckets through the folders they are mounted at: see ``redun.file.shell``.
        """
        return render_copy(self.path, dest_path, as_mount=as_mount)

    def stage(self, local: str | os.PathLike[str] | None = None) -> StagingFile:
        """Return this file paired with a local path, its own last part when None, that scripts work on."""
        return self.classes.StagingFile(self.basename() if local is None else os.fspath(local), self)

    def _identify(self) -> FileRecord:
        return self._name_class(identify(self.path, self.identity_scheme))

    def _name_class(self, record: FileRecord) -> FileRecord:
        type_name = "" if type(self) is File else self.type_name
        return record if record.type_name == type_name else record._replace(type_name=type_name)

    def _encoded(self) -> tuple[Oid, bytes]:
        if self._node is None:
            self._node = self.record.encode()
        return self._node

    def _forget(self) -> None:
        self._record = self._node = None

    def _note_close(self, close: Close) -> None:
        try:
            close()
        finally:
            self._note_write()

    def _note_write(self) -> None:
        note_write(self.path)
        self._forget()


def _decode(node: Node, _oid: Oid, _read: Read) -> File:
    record = FileRecord.decode(node)
    cls = find_value_class(record.type_name) if record.type_name else File
    if not issubclass(cls, File):
        raise TypeError(f"{record.type_name} is no class of files")
    return cls.from_record(record)


register_kind(Kind.FILE, _decode)
