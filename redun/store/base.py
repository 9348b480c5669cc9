"""The ObjectStore contract.  Every implementation passes ``redun.testing.object_store``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from redun.errors import ObjectError, StoreError
from redun.hashing import Oid
from redun.objects.codec import Node, decode_node
from redun.objects.oid import short

if TYPE_CHECKING:
    from redun.store.absent import Absence


class ObjectMissing(ObjectError):
    """No object of this name is in the store."""

    def __init__(self, oid: Oid) -> None:
        super().__init__(f"object {short(oid)} is not in the store")
        self.oid = oid


class ObjectCorrupt(ObjectError):
    """The bytes stored under a name do not hash to it, or their container is damaged."""

    def __init__(self, oid: Oid | None, where: str, why: str | Exception) -> None:
        """``why``: what was expected and found, or the error that tells."""
        self.oid = oid
        self.where = where
        self.why: str = why.why if isinstance(why, ObjectCorrupt) else str(why)
        name = "an object" if oid is None else f"object {short(oid)}"
        super().__init__(f"{name} in {where} is damaged: {self.why}", hint="run `redun fsck` to see what else is")


class ReadOnlyStore(StoreError):
    """Something was to be written to a store that cannot be written."""


class Candidate(NamedTuple):
    """One recorded outcome of an eval."""

    time_us: int  # when the job that made it ended, microseconds since 1970 UTC
    target: Oid  # a call or a reduction


class ObjectStore(ABC):
    """Immutable objects by name.

    * ``put`` and its kin are idempotent: the same object twice is one object.
    * A reader never sees half an object: it is whole, or missing, or ``ObjectCorrupt`` is raised.
    * Any thread may put, get and ask: a workflow that runs inside another shares its store.  ``seal``, ``finish`` and
      ``close`` are for when nobody puts.
    * Whoever puts a node has put what its hard links name before it.
    """

    @abstractmethod
    def put(self, oid: Oid, data: bytes, kind: int) -> None:
        """Store an object under the name its caller computed: a node's canonical bytes, or a blob (``Kind.BLOB``)."""

    @abstractmethod
    def put_file(self, path: Path) -> tuple[Oid, int]:
        """Store a file's content as a blob, streaming; return its oid and its size in bytes.

        Safe to call from any thread.

        Raises:
            OSError: the file cannot be read.
        """

    @abstractmethod
    def get(self, oid: Oid) -> bytes:
        """Return an object's bytes, checked against its name.

        Raises:
            ObjectMissing: it is not here.
            ObjectCorrupt: it is here, and damaged.
        """

    def get_node(self, oid: Oid) -> Node:
        """Return an object decoded as a node.  Raises as ``get`` does, and NotCanonical for what is no node."""
        return decode_node(self.get(oid))

    @abstractmethod
    def open(self, oid: Oid) -> BinaryIO:
        """Open a blob for reading from its start, without holding it in memory.  Raises as ``get`` does.

        The caller checks the hash of what it streams when it matters.
        """

    @abstractmethod
    def has(self, oid: Oid) -> bool:
        """Tell whether an object is here, whole or not."""

    @abstractmethod
    def kind_of(self, oid: Oid) -> int | None:
        """Return an object's kind, None when it is not here."""

    @abstractmethod
    def iter_oids(self, kind: int | None = None) -> Iterator[tuple[Oid, int]]:
        """Yield (oid, kind) of each object once, the most recently sealed first; of one kind, when given."""

    @abstractmethod
    def find_prefix(self, prefix: str, limit: int = 20) -> list[tuple[Oid, int]]:
        """Return at most ``limit`` (oid, kind) whose hex begins with ``prefix`` (4 to 64 digits), in oid order."""

    @abstractmethod
    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        """Return all recorded outcomes of an eval, newest first: by time, then by oid, both descending.

        An eval that was never put has none.
        """

    @abstractmethod
    def find_producers(self, file_oid: Oid) -> list[Oid]:
        """Return the calls and reductions that list a file among what they themselves produced, in oid order."""

    @abstractmethod
    def flush(self) -> None:
        """Hand everything put so far to the operating system: it survives a kill of this process."""

    @abstractmethod
    def refresh(self) -> None:
        """Notice what other processes have written since."""

    @abstractmethod
    def close(self) -> None:
        """Release what is held.  Idempotent.  What was put and flushed stays."""

    def bring(self, _oids: Iterable[Oid]) -> bool:
        """Have contents brought here that a remote has promised, many at once; tell whether there were any to bring.

        Reading one brings it too: this is for who knows that several will be read.

        Raises:
            ObjectMissing: one of them cannot be had now; it says why.
        """
        return False

    def expect(self, _find: Callable[[], Iterable[Oid]]) -> None:
        """Learn of contents that may be needed soon, so that they are brought with the first of them.

        ``_find`` returns them; it is only called where something may be brought.
        """
        return

    def is_elsewhere(self, _oid: Oid) -> bool:
        """Tell whether a large content is read from another repository, in place."""
        return False

    def find_absence(self, _oid: Oid) -> Absence | None:
        """Return why an object is missing on purpose, None when nothing is known of that."""
        return None

    def find_kind_and_data(self, oid: Oid) -> tuple[int, bytes] | None:
        """Return kind and bytes, or None when the object is not here: the reader that ``objects.links.walk`` takes."""
        kind = self.kind_of(oid)
        return None if kind is None else (kind, self.get(oid))
