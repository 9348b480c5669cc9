"""What of the executions and edits at a remote is missing here: a walk over links, from packs that were checked.

The invariant: what is found is whole together with what is here: every hard link leads to something that is found,
here, or known to be absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.codec import NotCanonical, decode_node
from redun.objects.decoding import BadBody
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import format_id
from redun.objects.kinds import Kind
from redun.objects.links import BrokenLink, walk
from redun.objects.oid import short
from redun.objects.value_records import FileRecord
from redun.remotes.contents import find_sizes
from redun.remotes.sieve import Sieve
from redun.remotes.staging import Staging
from redun.remotes.transfer import LARGE_CONTENT_BYTES
from redun.store.base import ObjectCorrupt
from redun.store.pack_format import idx_name
from redun.store.ref_texts import TagRef

if TYPE_CHECKING:
    from redun.store.repository import Repository


@dataclass(slots=True)
class Wanted:
    """What is to be taken from a remote."""

    packs: dict[Oid, set[Oid]] = field(default_factory=dict)  # pack: which of its objects
    large: dict[Oid, int] = field(default_factory=dict)  # contents that are files of their own, with their sizes
    left: dict[Oid, int] = field(default_factory=dict)  # contents that stay in packs over there; 0: size not known


class Finder:
    """Walks what refs reach and finds out what of it is missing here."""

    def __init__(self, repository: Repository, staging: Staging) -> None:
        self._store = repository.store
        self._staging = staging
        self._remote = staging.remote
        self._wanted = Wanted()
        self.sieve = Sieve(repository.store, staging.remote)
        self._lacking: set[Oid] = set()  # contents that cannot be files of their own there, or are none
        self._sizes: dict[Oid, int] = {}  # of contents that may be left over there
        self._of_files: set[Oid] = set()  # large contents of files: kept or not
        self._unsure: dict[Oid, None] = {}  # what no pack holds: the remote is asked about all of it at once

    def find(self, roots: Iterable[Oid]) -> Wanted:
        """Return what is missing of all that was asked for so far.

        Raises:
            RemoteDamaged: the remote lacks something that must be there, or holds what is no object.
        """
        roots = list(roots)
        try:
            self._walk(roots)
            if self._ask():
                self._walk(roots)  # who links to what is not there
        except BrokenLink as error:
            of = "" if error.source is None else f" that {short(error.source)} links to"
            promise = self._remote.notes.promised.get(error.oid)
            left = "" if promise is None else f"; `redun pull {promise.remote}` there brings it: it was pulled lazily"
            raise self._remote.damaged(f"it lacks object {short(error.oid)}{of}{left}") from error
        except (NotCanonical, ObjectCorrupt) as error:
            raise self._remote.damaged(str(error)) from error
        return self._wanted

    def _walk(self, roots: Iterable[Oid]) -> None:
        for _ in walk(roots, self._read, skip=self.sieve.skip):
            pass

    def _ask(self) -> bool:
        """Ask about what no pack holds; tell whether something is not there that must be."""
        sizes = find_sizes(self._remote, self._unsure)
        self._wanted.large.update(sizes)
        gone = {oid for oid in self._unsure.keys() - sizes.keys() if not self.sieve.is_absent_there(oid)}
        self._lacking.update(self._unsure.keys() - sizes.keys())
        self._unsure.clear()
        return bool(gone - self._of_files)

    def is_only_of(self, ref: TagRef, executions: Collection[str]) -> bool:
        """Tell whether an edit speaks only of objects that are here or wanted, and of some executions (uuids).

        Raises:
            RemoteDamaged: one of its tags is not there, or is none.
        """
        own = set(ref.tags)
        for tag in ref.tags:
            subject, parents = self._read_tag(tag)
            if isinstance(subject, RunSubject):
                if format_id(subject.execution_id) not in executions:
                    return False
            elif not self._is_here(subject):
                return False
            if not all(parent in own or self._is_here(parent) for parent in parents):
                return False
        return True

    def _read_tag(self, oid: Oid) -> tuple[Oid | RunSubject, list[Oid]]:
        pack = self._remote.find_pack(oid)
        if pack is None:
            raise self._remote.damaged(f"it lacks tag {short(oid)}")
        reader = self._staging.reader(pack)
        ordinal = reader.idx.find(oid)
        try:
            record = TagRecord.decode(decode_node(reader.read(-1 if ordinal is None else ordinal)))
        except ObjectError as error:
            raise self._remote.damaged(str(error)) from error
        return record.subject, record.parents

    def _is_here(self, oid: Oid) -> bool:
        return self._store.has(oid) or any(oid in oids for oids in self._wanted.packs.values())

    def _read(self, oid: Oid) -> tuple[int, bytes] | None:
        pack = self._remote.find_pack(oid)
        if pack is None:
            if oid in self._lacking:
                return (int(Kind.BLOB), b"") if self.sieve.is_absent_there(oid) else None
            if oid not in self._wanted.large:
                self._unsure[oid] = None
            return int(Kind.BLOB), b""
        reader = self._staging.reader(pack)
        ordinal = reader.idx.find(oid)
        if ordinal is None:
            raise self._remote.damaged(f"{idx_name(pack)} lists object {short(oid)}, which its pack does not hold")
        kind = reader.idx.kind_at(ordinal)
        if kind == Kind.BLOB:
            if pack in self._staging.partial:
                self._wanted.left[oid] = self._sizes.get(oid, 0)
            else:
                self._wanted.packs.setdefault(pack, set()).add(oid)
            return kind, b""  # it leads nowhere, and was hashed when its pack was checked
        data = reader.read(ordinal)
        if not self.sieve.takes(oid, kind, data):
            return int(Kind.BLOB), b""
        self._wanted.packs.setdefault(pack, set()).add(oid)
        if not self.sieve.follows(kind):
            return int(Kind.BLOB), b""
        if kind == Kind.FILE:
            self._note_content(data)
        return kind, data

    def _note_content(self, data: bytes) -> None:
        node = decode_node(data)
        try:
            size = FileRecord.decode(node).size
        except BadBody as error:
            raise self._remote.damaged(str(error)) from error
        if size is not None and self._staging.partial:
            self._sizes.update(dict.fromkeys(node.links, size))
        # Asking costs a request, so it is asked only about what can be there.
        (self._lacking if size is not None and size < LARGE_CONTENT_BYTES else self._of_files).update(node.links)
