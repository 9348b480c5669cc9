"""Merging the lists of absent and of forgotten objects, so that opening a repository reads few.

The invariant: what the lists say together stays the same at every moment: the merged list is written before any of its
parts goes, and two who merge at once leave two lists that say the same.
"""

from __future__ import annotations

from redun.store import absent, forgotten
from redun.store.absent import Absence, Cause, write_absent
from redun.store.forgotten import Forgotten, write_forgotten
from redun.store.liveness import Clock, now_us
from redun.store.objectdb import ObjectDb

MAX_LISTS = 8
"""So many of each kind may lie around; reading one costs 30 us on a disk, a request in a bucket."""


def merge_notes(store: ObjectDb, *, clock: Clock = now_us) -> None:
    """Replace the lists of each kind by one, where the store has seen more than MAX_LISTS.

    Raises:
        ReadOnlyStore: the storage cannot be written.
        OSError: it is full, or fails; nothing was removed.
    """
    notes = store.packs.notes
    for suffix in (absent.SUFFIX, forgotten.SUFFIX):
        names = [name for name in notes.names if name.endswith(suffix)]
        if len(names) <= MAX_LISTS or notes.strange:
            continue  # what is not understood here may be by a later release
        store.refresh(force=True)
        if suffix == absent.SUFFIX:
            merged = write_absent(store.storage, [one for one in notes.absent.values() if _counts(store, one)], clock())
        else:
            merged = write_forgotten(store.storage, notes.forgotten or Forgotten({}, {}), clock())
        store.storage.sync([merged])
        for name in names:
            store.storage.delete(name)
        store.refresh(force=True)


def _counts(store: ObjectDb, absence: Absence) -> bool:
    """Tell whether a line is still worth keeping: not when what was withheld has come after all."""
    return absence.cause is Cause.PURGED or not store.has(absence.oid)
