"""Lists of packs and contents that gc will delete.  Normative page: docs/format/condemned.md.

The invariant: what a list names is still there, and can be read, until gc has looked once more.  Meanwhile nothing new
is built on it: a condemned pack answers no look-up, and what is put again is written again.  What was written after the
list, by the storage's own clock, is not condemned by it: names follow contents, so the same name may come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.oid import parse_oid
from redun.store.lists import is_list_name, write_list
from redun.store.pack_format import FOLDER
from redun.store.storage import Entry, NameMissing, Storage

SUFFIX = ".condemned"
_VERSION_LINE = "redun-condemned 1"


class Condemned(NamedTuple):
    """One list."""

    name: str  # in its storage
    modified_us: int  # by the storage's own clock
    packs: frozenset[Oid]
    blobs: frozenset[Oid]

    def dooms_pack(self, pack: Oid, modified_us: int) -> bool:
        """Tell whether a pack that was written then is condemned."""
        return pack in self.packs and modified_us < self.modified_us

    def dooms_blob(self, oid: Oid, modified_us: int) -> bool:
        """Tell whether a large content that was written then is condemned."""
        return oid in self.blobs and modified_us < self.modified_us


def is_condemned_list(name: str) -> bool:
    """Tell whether a name in a storage is that of a list."""
    return is_list_name(name, SUFFIX)


def write_condemned(storage: Storage, packs: Iterable[Oid], blobs: Iterable[Oid], now_us: int) -> str:
    """Write a list; return its name.

    Args:
        storage: holds the packs and contents.
        packs: names of packs.
        blobs: large contents.
        now_us: microseconds since 1970 UTC, for the name alone: how old a list is, the storage's own clock tells.

    Raises:
        OSError, StoreError: it cannot be written.
    """
    return write_list(storage, SUFFIX, [_VERSION_LINE, *_lines("pack", packs), *_lines("blob", blobs)], now_us)


def read_condemned(storage: Storage, entry: Entry) -> Condemned:
    """Read a list, given its entry in the storage.  One that is gone or malformed condemns nothing."""
    nothing = Condemned(entry.name, entry.modified_us, frozenset(), frozenset())
    found: dict[str, set[Oid]] = {"pack": set(), "blob": set()}
    try:
        version, *lines = storage.read(entry.name).decode().splitlines()
        if version != _VERSION_LINE:
            return nothing
        for line in lines:
            what, _, oid = line.partition(" ")
            found[what].add(parse_oid(oid))
    except (NameMissing, ObjectError, ValueError, KeyError):
        return nothing
    return nothing._replace(packs=frozenset(found["pack"]), blobs=frozenset(found["blob"]))


def list_condemned(storage: Storage) -> list[Condemned]:
    """Return the lists there are, the oldest first."""
    entries = [entry for entry in storage.iter_entries(FOLDER) if is_condemned_list(entry.name)]
    return [read_condemned(storage, entry) for entry in sorted(entries)]


def _lines(what: str, oids: Iterable[Oid]) -> list[str]:
    return [f"{what} {oid.hex()}" for oid in sorted(oids)]
