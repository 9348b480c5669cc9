"""The Storage contract: named pieces of bytes, wherever they lie.

``store/`` and ``remotes/`` reach bytes through this and nothing else, so that a bucket is one more implementation and
not a redesign.  Every implementation passes ``redun.testing.storage``.  Names are relative, with ``/`` between parts,
no empty part, no ``.`` and no ``..``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from redun.errors import StoreError
from redun.hashing import Buffer


class NameMissing(StoreError):
    """There is nothing under this name."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(f"{name} is not in {where}")
        self.name = name


class BadName(StoreError):
    """A name would reach outside its storage, or is not in the one form that names have."""


class RepositoryUnreachable(StoreError):
    """The place of a repository cannot be read or written now."""

    def __init__(self, location: str, why: str) -> None:
        super().__init__(
            f"cannot reach the repository at {location}: {why}",
            hint="check the url, the network and the credentials; what is recorded here and not there waits in .redun",
        )
        self.location = location
        self.why = why


class Entry(NamedTuple):
    """One thing in a listing."""

    name: str
    size: int  # bytes
    modified_us: int  # by the storage's own clock, microseconds since 1970 UTC
    version: str = ""  # changes with the content, where the storage tells one (an ETag)


class Sliced(Protocol):
    """A content that is taken in plain slices; a memoryview is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, wanted: slice, /) -> Buffer: ...


class Storage(ABC):
    """Whole pieces of bytes by name.

    * ``write`` is atomic: a reader sees the old bytes, or the new ones, or none; after an error, the old ones or none.
    * The last writer wins.  Everything but refs is named by its content, so who wins does not matter.
    * All verbs may be called from any thread, and by many processes.
    """

    location: str
    """What to call this storage in messages: a path or a URL."""

    @abstractmethod
    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return bytes from ``start``, to the end or at most ``length`` of them.  Raises NameMissing."""

    @abstractmethod
    def view(self, name: str) -> Buffer:
        """Return the whole content for random access: a map of the file where that is possible.  Raises NameMissing."""

    def view_parts(self, name: str) -> Sliced:
        """Return the content of a pack, to be taken in slices: where each byte has its price, only those are fetched.

        Raises NameMissing, here or when a slice is taken.
        """
        return memoryview(self.view(name))

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open for reading from the start.  Raises NameMissing."""

    @abstractmethod
    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        """Put a content under a name, making folders as needed.

        Raises:
            ReadOnlyStore: the storage cannot be written.
            OSError: the disk is full, or fails.
        """

    @abstractmethod
    def write_file(self, name: str, path: Path) -> None:
        """Put a local file's content under a name, streaming.  Raises as ``write`` does."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Return the size in bytes, None when there is nothing under the name."""

    @abstractmethod
    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        """Yield what lies under ``prefix`` (a folder name, or "" for all), at any depth, in order of name.

        Unfinished writes do not show.
        """

    def find_any(self) -> str | None:
        """Return the name of something that is there, a file or a folder; None when there is nothing at all.

        One request, however much there is.
        """
        return next((entry.name for entry in self.iter_entries("")), None)

    def prefetch(self, names: Iterable[str]) -> None:  # noqa: B027 - doing nothing is right for most
        """Get ready to read these names, many at a time, where each read would be a request of its own.

        A name that is not there is passed over.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a name; nothing happens when it is not there.

        Only ``store/maintain`` deletes objects; a sealed journal is removed by whoever sealed it.
        """

    def sync(self, names: Iterable[str]) -> None:  # noqa: B027 - doing nothing is right for most
        """Force what was written under these names to the disk, so that it survives a power cut.

        A name that somebody has deleted since is passed over.  Does nothing where ``write`` already returns only then,
        or where nothing survives.  Raises OSError.
        """


def check_name(name: str) -> str:
    """Return a name that stays inside its storage.

    Raises:
        BadName: it is absolute, empty, or has an empty, ``.`` or ``..`` part, a backslash or a NUL.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name:
        raise BadName(f"not a name inside a storage: {name!r}")
    return name
