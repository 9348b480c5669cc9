"""What of a remote is not taken: what was purged here, what is absent there, and code from where only data is trusted.

The invariant: whatever is passed over is written down as absent before anything that links to it, so what is here is
whole but for what is known to be missing.  From a remote that is trusted with data alone comes no node that runs code
when it is read (``objects/plain.py``), no content of a file, and no record of a file that a job wrote: a run puts such
files back, and a file can be a program.  Format: docs/format/absent.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.codec import decode_node
from redun.objects.kinds import Kind
from redun.objects.plain import find_produced, is_plain
from redun.store.absent import Absence, Cause, write_absent
from redun.store.liveness import Clock, now_us

if TYPE_CHECKING:
    from redun.remotes.remote import Remote
    from redun.remotes.wanted import Wanted
    from redun.store.objectdb import ObjectDb

_JUDGED = frozenset({Kind.VALUE, Kind.EXPRESSION})
_MAKERS = frozenset({Kind.CALL, Kind.REDUCTION})


class Sieve:
    """Decides for one fetch what is taken, and remembers what is not."""

    def __init__(self, store: ObjectDb, remote: Remote, clock: Clock = now_us) -> None:
        self._store = store
        self._remote = remote
        self._now = clock()
        self._here = store.packs.notes.absent
        self._purged = frozenset(oid for oid, absence in self._here.items() if absence.cause is Cause.PURGED)
        self._passed: dict[Oid, Absence] = {}
        self._written: set[Oid] = set()
        self._produced: set[Oid] = set()

    def skips(self, oid: Oid) -> bool:
        """Tell whether a walk need not come to an object: it is here, or was purged here."""
        return oid in self._purged or self._store.has(oid)

    @property
    def n_withheld(self) -> int:
        """How many objects were not taken for the sake of trust."""
        return sum(absence.cause is Cause.WITHHELD for absence in self._passed.values())

    def find_wanted_again(self) -> list[Oid]:
        """Return what was withheld from here before and what this remote has and may give."""
        if self._remote.is_data_only:
            return []
        wanted = [one for one in self._here.values() if one.cause is Cause.WITHHELD and not self._store.has(one.oid)]
        return [one.oid for one in wanted if self._has(one)]

    def is_absent_there(self, oid: Oid) -> bool:
        """Tell whether a remote that does not have an object knows why; it is passed over then."""
        absence = self._remote.notes.absent.get(oid)
        if absence is None:
            return False
        self._passed.setdefault(oid, absence)
        return True

    def takes(self, oid: Oid, kind: int, data: bytes) -> bool:
        """Tell whether a node may come here, with what it links to."""
        if not self._remote.is_data_only:
            return True
        if kind in _MAKERS:
            self._produced.update(find_produced(decode_node(data)))
        elif kind in _JUDGED and not is_plain(decode_node(data)):
            self._passed[oid] = Absence(oid, kind, Cause.WITHHELD, self._now)
            return False
        return True

    def follows(self, kind: int) -> bool:
        """Tell whether what a node links to comes along."""
        return not (self._remote.is_data_only and kind == Kind.FILE)

    def sift(self, wanted: Wanted) -> None:
        """Take out of what is wanted the records of files that a run would put back."""
        for oid in wanted.drop(self._produced):
            self._passed[oid] = Absence(oid, Kind.FILE, Cause.WITHHELD, self._now)

    def write(self) -> None:
        """Write down what was passed over and is not here.  Raises as writing to a storage does."""
        passed = [one for oid, one in self._passed.items() if not (oid in self._written or oid in self._here)]
        new = [one for one in passed if not self._store.has(one.oid)]
        self._written.update(self._passed)
        if new:
            self._store.storage.sync([write_absent(self._store.storage, new, self._now)])

    def _has(self, absence: Absence) -> bool:
        """Tell whether the remote has an object; asking costs a request for a content that may be a file of its own."""
        if self._remote.find_pack(absence.oid) is not None:
            return True
        return absence.kind == Kind.BLOB and self._remote.blob_size(absence.oid) is not None
