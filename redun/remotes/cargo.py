"""What a push is to send: found by a walk over what refs reach, and given out in batches that memory can hold.

The invariant: a batch holds all that the remote lacks so that it can have the refs in it, given that the batches before
it were sent.  A batch ends with the execution that fills it, so memory is bounded by what a batch and the largest
execution need: 220 bytes an object while the pack is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from redun.hashing import Oid, hash_stream
from redun.objects.codec import decode_node
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import format_id
from redun.objects.kinds import Kind
from redun.objects.links import BrokenLink, walk
from redun.objects.oid import short
from redun.objects.value_records import FileRecord
from redun.remotes.transfer import LARGE_CONTENT_BYTES, OnProgress, Skipped
from redun.store.absent import Absence
from redun.store.base import ObjectMissing

if TYPE_CHECKING:
    from redun.remotes.remote import Remote
    from redun.store.ref_texts import ExecutionRef, TagRef
    from redun.store.repository import Repository

BATCH_OBJECTS = 250_000
"""A batch is full with so many objects: 55 MB, and four million objects make 16 packs."""

_BLOB = int(Kind.BLOB)
_MISSING = 0x80  # of a kind: the object is not in the store


@dataclass(slots=True)
class Cargo:
    """One batch of what is to be sent."""

    refs: list[ExecutionRef] = field(default_factory=list)
    tags: list[TagRef] = field(default_factory=list)
    by_kind: dict[int, list[Oid]] = field(default_factory=dict)  # parents first, as the walk comes to them
    files: dict[Oid, Path] = field(default_factory=dict)  # contents that lie in the working tree alone
    large: dict[Oid, int] = field(default_factory=dict)  # contents that are files of their own, with their sizes
    absent: dict[Oid, Absence] = field(default_factory=dict)  # missing here on purpose, and then there

    def count_packed(self) -> int:
        """Return how many objects go into a pack."""
        return sum(map(len, self.by_kind.values()))


class _Found(NamedTuple):
    """What a walk came to, in its order; a tuple an object would take 70 bytes more."""

    oids: list[Oid]
    kinds: bytearray


class Loader:
    """Walks what refs reach and picks what the remote lacks."""

    def __init__(
        self,
        repository: Repository,
        remote: Remote,
        bases: Sequence[Path],
        on_progress: OnProgress,
        has: Callable[[Oid], bool],
        *,
        limit: int = BATCH_OBJECTS,
    ) -> None:
        """Make a loader that has found nothing yet.

        Args:
            repository: where the objects are.
            remote: where they go.
            bases: folders where files are looked up whose contents the repository does not keep.
            on_progress: told now and then how far it is.
            has: tells what the remote has in packs, those of the batches before among them.
            limit: a batch is full with so many objects.
        """
        self._store = repository.store
        self._remote = remote
        self._bases = bases
        self._on_progress = on_progress
        self._has = has
        self._limit = limit
        self._paths: dict[Oid, list[str]] = {}  # content: the paths of files that were seen to have it
        self._taken: set[Oid] = set()
        self._settled: set[Oid] = set()  # what no pack tells of later batches: large contents, and what is absent
        self._n_found = 0
        self._cargo = Cargo()
        self.skipped: list[Skipped] = []
        """What is not whole here, and not sent."""

    def iter_cargoes(
        self, refs: Iterable[ExecutionRef], tags: Iterable[TagRef], executions: Collection[str] | None
    ) -> Iterator[Cargo]:
        """Yield what must be sent so that the remote can have these refs; each batch is sent before the next is made.

        Args:
            refs: executions.
            tags: the edits of tags.
            executions: uuids of those that the remote will have; edits that speak of anything else stay here.  None
                sends all edits, with whatever they speak of.
        """
        for ref in refs:
            assert ref.object is not None, "only refs that name an object are planned"
            found = self._walk_whole(ref.name, [ref.object])
            if found is not None:
                self._take(found)
                self._cargo.refs.append(ref)
                if self._is_full():
                    yield self._unload()
        for tag_ref in tags:
            found = self._walk_whole(tag_ref.name, tag_ref.tags)
            if found is not None and (executions is None or self._is_only_of(found, executions)):
                self._take(found)
                self._cargo.tags.append(tag_ref)
                if self._is_full():
                    yield self._unload()
        if self._cargo.refs or self._cargo.tags:
            yield self._unload()

    def _is_full(self) -> bool:
        return len(self._taken) >= self._limit

    def _unload(self) -> Cargo:
        cargo, self._cargo = self._cargo, Cargo()
        self._n_found += len(self._taken)
        # Cleared before it is sent, since packing needs that memory.
        self._taken = set()
        self._paths = {}
        return cargo

    def _is_only_of(self, found: _Found, executions: Collection[str]) -> bool:
        """Tell whether the remote lacks nothing but tags, and these are of objects that it has or of executions."""
        for oid, kind in zip(*found):
            if kind != Kind.TAG:
                return False
            subject = TagRecord.decode(decode_node(self._store.get(oid))).subject
            if isinstance(subject, RunSubject) and format_id(subject.execution_id) not in executions:
                return False
        return True

    def _walk_whole(self, name: str, roots: Iterable[Oid]) -> _Found | None:
        """Return all that is reached and that the remote lacks; None when something is missing, which is noted."""
        found = _Found([], bytearray())
        try:
            for reached in walk(roots, self._read, skip=self._is_dealt_with):
                found.oids.append(reached.oid)
                found.kinds.append(reached.kind if reached.data is not None else reached.kind | _MISSING)
        except BrokenLink as error:
            why = f"object {short(error.oid)} is missing here, so it is not whole"
            self.skipped.append(Skipped(name, why))
            return None
        return found

    def _is_dealt_with(self, oid: Oid) -> bool:
        """Tell whether a walk passes an object over: the remote has it, or will."""
        if oid in self._taken or oid in self._settled or self._has(oid):
            return True
        notes = self._store.packs.notes
        if oid in notes.absent and not self._store.has(oid):
            self._cargo.absent[oid] = notes.absent[oid]
            self._settled.add(oid)
            return True
        promise = self._store.promises.find(oid) if oid in notes.promised else None
        return promise is not None and promise.remote == self._remote.name  # which has it

    def _brings(self, oid: Oid) -> bool:
        """Have a content brought that another remote has promised; tell whether it can be had."""
        try:
            self._store.bring((oid,))
        except ObjectMissing:
            return False
        return True

    def _read(self, oid: Oid) -> tuple[int, bytes] | None:
        kind = self._store.kind_of(oid)
        if kind is None or kind == Kind.BLOB:
            if kind is not None and not self._brings(oid):
                return None
            # A content is not read to be walked: it may be large, and leads nowhere.
            return None if kind is None else (kind, b"")
        data = self._store.get(oid)
        if kind == Kind.FILE:
            node = decode_node(data)
            for link in node.links:
                self._paths.setdefault(link, []).append(FileRecord.decode(node).path)
        return kind, data

    def _take(self, found: _Found) -> None:
        for oid, marked in zip(*found):
            if oid in self._taken or oid in self._settled:
                continue  # a soft link met twice
            kind = marked & ~_MISSING
            if kind != Kind.BLOB:
                self._cargo.by_kind.setdefault(kind, []).append(oid)
            elif not self._take_content(oid, is_here=kind == marked):
                continue
            self._taken.add(oid)
            if not len(self._taken) % 1024:
                self._on_progress(0, 0, f"found {self._n_found + len(self._taken)} objects")

    def _take_content(self, oid: Oid, *, is_here: bool) -> bool:
        if is_here:
            size = self._store.blob_size(oid) or 0
        else:
            found = self._find_in_working_tree(oid)
            if found is None:
                return False
            self._cargo.files[oid], size = found
        if size < LARGE_CONTENT_BYTES:
            self._cargo.by_kind.setdefault(_BLOB, []).append(oid)
            return True
        self._settled.add(oid)
        if self._remote.blob_size(oid, is_for_writing=True) is None:
            self._cargo.large[oid] = size
        return True

    def _find_in_working_tree(self, oid: Oid) -> tuple[Path, int] | None:
        """Return a file whose content is the one wanted, and its size."""
        for written in dict.fromkeys(self._paths.get(oid, ())):
            for base in self._bases:
                path = base / written
                try:
                    with path.open("rb") as stream:
                        digest, size = hash_stream(stream)
                except (OSError, ValueError):  # ValueError: a path that no file can have
                    continue
                if digest == oid:
                    return path, size
        return None
