"""What a store can read and does not hold: the objects of its alternates.

The invariant: nothing is written here, and whatever goes wrong with an alternate is a miss, never a failure: a disk
that is unmounted in the middle of a run costs the results that only it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from redun.errors import StoreError
from redun.hashing import Oid
from redun.store.base import Candidate, ObjectCorrupt, ObjectMissing
from redun.store.local_storage import LocalStorage

if TYPE_CHECKING:
    from redun.store.alternates import GoneAlternate
    from redun.store.objectdb import ObjectDb

_Answer = TypeVar("_Answer")
_FAILURES = (OSError, StoreError)  # what a disk, a bucket or a missing name raises


class Beyond:
    """Alternates, as one.  All of it may be used from any thread."""

    def __init__(self, alternates: Sequence[ObjectDb], gone: Sequence[GoneAlternate] = ()) -> None:
        """Take stores that are open already, in the order in which they are asked.

        ``gone`` are those that the settings name and that cannot be read.
        """
        self.alternates = tuple(alternates)
        self.gone = tuple(gone)

    def holds(self, oid: Oid) -> bool:
        """Tell whether a pack of an alternate has an object to stay: then it need not be stored again.

        What is in a journal over there, or condemned, does not count: it may still go.
        """
        return any(store.packs.has(oid) for store in self.alternates)

    def holds_content(self, oid: Oid, size: int) -> bool:
        """Tell whether an alternate on this machine has a large content, whole, of a size in bytes.

        It is hashed: a damaged copy over there could not be put right from here.  To hash what is at a URL would cost
        more than to store it.
        """
        for store in self.alternates:
            if not isinstance(store.storage, LocalStorage):
                continue
            with suppress(*_FAILURES):
                if store.blobs.size(oid) == size and not store.packs.condemns_blob(oid) and store.blobs.is_whole(oid):
                    return True
        return False

    def read(self, oid: Oid) -> bytes | None:
        """Return an object's bytes when a pack has it, the usual case, in few steps."""
        for store in self.alternates:
            # What is damaged, or merged since, is found out by ``find``.
            with suppress(ObjectCorrupt, *_FAILURES):
                data = store.packs.read(oid)
                if data is not None:
                    return data
        return None

    def find(self, oid: Oid) -> bytes | None:
        """Return an object's bytes, wherever it is; None when it is nowhere.  Raises ObjectCorrupt."""
        failure: ObjectCorrupt | None = None
        for store in self.alternates:
            try:
                return store.get(oid)
            except ObjectCorrupt as error:
                failure = error
            except (ObjectMissing, *_FAILURES):
                continue
        if failure is not None:
            raise failure
        return None

    def open(self, oid: Oid) -> BinaryIO | None:
        """Open a large content; None when it is nowhere."""
        for store in self.alternates:
            with suppress(*_FAILURES):
                return store.blobs.open(oid)
        return None

    def blob_size(self, oid: Oid) -> int | None:
        """Return the size in bytes of a large content; None when it is nowhere."""
        return next(self._ask(lambda store: store.blobs.size(oid)), None)

    def kind_of(self, oid: Oid) -> int | None:
        """Return an object's kind; None when it is nowhere."""
        return next(self._ask(lambda store: store.find_kind(oid)), None)

    def iter_oids(self, kind: int | None) -> Iterator[tuple[Oid, int]]:
        """Yield (oid, kind) of all, or of one kind; some more than once."""
        for store in self.alternates:
            with suppress(*_FAILURES):
                yield from store.iter_oids(kind)

    def find_prefix(self, prefix: str, limit: int) -> set[tuple[Oid, int]]:
        """Return (oid, kind) of those whose hex begins so: the first ``limit`` of each alternate."""
        return {row for rows in self._ask(lambda store: store.find_prefix(prefix, limit)) for row in rows}

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        """Return the recorded outcomes of an eval, in no order, some more than once."""
        return [one for found in self._ask(lambda store: store.find_candidates(eval_oid)) for one in found]

    def find_producers(self, file_oid: Oid) -> set[Oid]:
        """Return the calls and reductions that produced a file."""
        return {one for found in self._ask(lambda store: store.find_producers(file_oid)) for one in found}

    def refresh(self, *, force: bool) -> None:
        """Notice what was written over there."""
        for _ in self._ask(lambda store: store.refresh(force=force)):
            pass

    def _ask(self, question: Callable[[ObjectDb], _Answer | None]) -> Iterator[_Answer]:
        """Put a question to each alternate; yield the answers but None."""
        for store in self.alternates:
            with suppress(*_FAILURES):
                answer = question(store)
                if answer is not None:
                    yield answer
