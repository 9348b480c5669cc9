"""Damaged refs, and what they must have said.

The invariant: a ref is only replaced by one that names the same execution, of the same start; of several, by the one
that tells most of it: a run's own word before a judgement from outside, then the later end, then one that is signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redun.errors import ObjectError, RefError
from redun.hashing import Oid
from redun.objects.execution_records import ExecutionRecord
from redun.objects.ids import format_id
from redun.objects.kinds import Kind
from redun.store.maintain.fsck_refs import find_contradictions
from redun.store.ref_names import EXECUTIONS, REMOTES, TAGS, execution_id_of, is_ref_name, ref_name
from redun.store.ref_texts import ExecutionRef, RefStatus, TagRef

if TYPE_CHECKING:
    from redun.store.repository import Repository

OWN = "its execution"
"""What a ref is said to be repaired from that follows from what is here."""


@dataclass(frozen=True, slots=True)
class FoundRef:
    """What a damaged ref is replaced by."""

    path: str  # of the damaged one
    ref: ExecutionRef | TagRef
    source: str

    @property
    def roots(self) -> tuple[Oid, ...]:
        """The objects that it names."""
        if isinstance(self.ref, TagRef):
            return self.ref.tags
        return () if self.ref.object is None else (self.ref.object,)

    def write(self, repository: Repository) -> None:
        """Put it in place of the damaged one, forced to the disk."""
        if isinstance(self.ref, TagRef):
            repository.refs.write_tags(self.ref, is_forced=True)
        else:
            folder = self.path.rpartition("/")[0]
            remote = folder[len(REMOTES) + 1 :] if folder.startswith(f"{REMOTES}/") else None
            repository.refs.write(self.ref, remote=remote, is_forced=True)


def find_damaged(repository: Repository, paths: Iterable[str]) -> list[str]:
    """Return those of some refs that are damaged themselves: of the others only what they lead to may be."""
    return [path for path in dict.fromkeys(paths) if _is_ref_path(path) and _is_damaged(repository, path)]


def find_ref(
    repository: Repository, path: str, offered: Iterable[tuple[str, ExecutionRef | TagRef]]
) -> FoundRef | None:
    """Return what a damaged ref must have said; None when nobody knows.

    Args:
        repository: this one; what was seen at remotes, and its own executions, tell too.
        path: of the damaged ref.
        offered: refs of the same name from elsewhere, each with the name of where it is from.
    """
    folder, _, name = path.rpartition("/")
    if folder == TAGS:
        tags = (FoundRef(path, ref, source) for source, ref in offered if isinstance(ref, TagRef) and ref.name == name)
        return next(tags, None)
    found = [FoundRef(path, ref, source) for source, ref in offered if _is_same(repository, ref, name)]
    if any(folder == f"{REMOTES}/{one.source}" for one in found):  # it says what was seen there, and nowhere else
        found = [one for one in found if folder == f"{REMOTES}/{one.source}"]
    found += [FoundRef(path, ref, source) for source, ref in _iter_tracked(repository, path, name)]
    found += [FoundRef(path, ref, OWN) for ref in _iter_derived(repository, name)]
    return max(found, key=_weigh, default=None)


def _is_ref_path(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return is_ref_name(name) and (folder in {EXECUTIONS, TAGS} or folder.startswith(f"{REMOTES}/"))


def _is_damaged(repository: Repository, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    try:
        if folder == TAGS:
            repository.refs.read_tags(name)
            return False
        remote = None if folder == EXECUTIONS else folder[len(REMOTES) + 1 :]
        ref = repository.refs.read(name, remote=remote)
    except RefError:
        return True
    return ref.status.is_ended and (ref.object is None or not _fits(repository, ref))


def _is_same(repository: Repository, ref: ExecutionRef | TagRef, name: str) -> bool:
    """Tell whether a ref from elsewhere is of an execution, and says nothing else than the execution itself."""
    is_named = isinstance(ref, ExecutionRef) and ref.name == name and ref.object is not None
    return is_named and isinstance(ref, ExecutionRef) and _fits(repository, ref)


def _fits(repository: Repository, ref: ExecutionRef) -> bool:
    """Tell whether a ref says what its execution says; yes when that is not here."""
    record = None if ref.object is None else _read(repository, ref.object)
    return record is None or not list(find_contradictions(ref, record))


def _read(repository: Repository, oid: Oid) -> ExecutionRecord | None:
    with suppress(ObjectError):
        return ExecutionRecord.decode(repository.store.get_node(oid))
    return None


def _iter_tracked(repository: Repository, path: str, name: str) -> Iterator[tuple[str, ExecutionRef]]:
    """Yield what the other refs of the name say: the own one, and those seen at remotes."""
    places = {EXECUTIONS: None, **{f"{REMOTES}/{remote}": remote for remote in repository.refs.iter_remotes()}}
    for folder, remote in places.items():
        if path != f"{folder}/{name}":
            with suppress(RefError):
                ref = repository.refs.read(name, remote=remote)
                if _is_same(repository, ref, name):
                    yield f"{folder}/{name}", ref


def _iter_derived(repository: Repository, name: str) -> Iterator[ExecutionRef]:
    """Yield what the executions of the name on record here say."""
    wanted = execution_id_of(name)
    for oid, _ in list(repository.store.iter_oids(int(Kind.EXECUTION))):
        record = _read(repository, oid)
        if record is None or format_id(record.execution_id) != wanted:
            continue
        with suppress(RefError):
            if ref_name(record.start_us, wanted) == name:
                status = RefStatus(record.status.name.lower())
                yield ExecutionRef(name, wanted, status, record.start_us, record.end_us, record.argv, oid, None, ())


def _weigh(found: FoundRef) -> tuple[bool, int, bool, bool]:
    ref = found.ref
    assert isinstance(ref, ExecutionRef), "edits of tags are not weighed"
    is_own_word = ref.status is not RefStatus.INTERRUPTED
    return is_own_word, ref.end_us or 0, bool(ref.signatures), found.source != OWN
