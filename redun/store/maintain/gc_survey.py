"""What there is in a repository that is to be collected, and what of it running processes need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.oid import is_file_stem
from redun.store.blobs import FOLDER as BLOB_FOLDER
from redun.store.condemned import Condemned, list_condemned
from redun.store.maintain.gc_policy import GcRefused
from redun.store.maintain.mark import Marks
from redun.store.maintain.namespaces import iter_outer_links
from redun.store.objectdb import ObjectDb
from redun.store.pack import PackReader
from redun.store.ref_texts import BadRef, ExecutionRef

if TYPE_CHECKING:
    from redun.store.repository import Repository


class Survey:
    """What there is, and what of it some refs need."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.store: ObjectDb = repository.store
        self.store.refresh(force=True)
        self.blob_entries = {
            Oid(bytes.fromhex(entry.name.rpartition("/")[2])): entry
            for entry in repository.storage.iter_entries(BLOB_FOLDER)
            if is_file_stem(entry.name.rpartition("/")[2])
        }
        self.lists = list_condemned(repository.storage)
        self.starts_elsewhere = _find_starts(repository) if repository.is_shared else []
        self._outer_links = set(iter_outer_links(repository.storage))

    def marks(self) -> Marks:
        """Return fresh marks, with what running processes need."""
        made = Marks(self.store, {oid: entry.size for oid, entry in self.blob_entries.items()})
        made.reach_journals()
        made.reach_known(self._outer_links)
        pinned = self.store.journals.pinned_packs()
        for reader in self.store.packs.readers:
            if reader.name in pinned:
                made.keep(reader)
        return made

    def is_due(self, condemned: Condemned, now: int, grace_seconds: float) -> bool:
        """Tell whether a list is older than the grace period, and known to all who write here.

        A run that began before it, on a machine whose journal cannot be seen from here, may have built on what is
        condemned.
        """
        if any(start_us <= condemned.modified_us for start_us in self.starts_elsewhere):
            return False
        return grace_seconds <= 0 or now - condemned.modified_us >= grace_seconds * 1e6

    def condemned_blobs(self) -> set[Oid]:
        """Return the large contents on some list and not written again since."""
        return {oid for one in self.lists for oid in self.doomed_blobs(one)}

    def doomed_blobs(self, condemned: Condemned) -> list[Oid]:
        """Return the large contents that a list still condemns."""
        entries = self.blob_entries
        there = [oid for oid in condemned.blobs if oid in entries]
        return [oid for oid in there if condemned.dooms_blob(oid, entries[oid].modified_us)]


def find_doomed(survey: Survey, marks: Marks, condemned: Condemned) -> tuple[list[PackReader], list[Oid], int]:
    """Return the packs of a list and those of its contents that can be deleted, and how much of it is needed again."""
    packs = [reader for reader in survey.store.packs.condemned if reader.name in condemned.packs]
    doomed = survey.doomed_blobs(condemned)
    blobs = [oid for oid in doomed if oid not in marks.blobs]
    return packs, blobs, sum(bool(marks.count(reader)) for reader in packs) + len(doomed) - len(blobs)


def _find_starts(repository: Repository) -> list[int]:
    """Return when the runs began that go on at a URL, in microseconds since 1970 UTC."""
    running = (ref for ref in list_refs(repository) if not ref.status.is_ended)
    return [ref.start_us for ref in running if repository.is_alive(ref)]


def list_refs(repository: Repository) -> list[ExecutionRef]:
    """Return all refs, own and seen at remotes, the newest first."""
    refs: list[ExecutionRef] = []
    try:
        for remote in (None, *repository.refs.iter_remotes()):
            names = list(repository.refs.iter_names(remote=remote))
            repository.refs.prefetch(names, remote=remote)
            refs += [repository.refs.read(name, remote=remote) for name in names]
    except BadRef as error:
        raise GcRefused(repository.location, str(error)) from error
    return sorted(refs, key=lambda ref: ref.name, reverse=True)
