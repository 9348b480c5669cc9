"""What one listing of a remote's packs tells: the packs, and the small lists that lie among them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from redun.hashing import Oid
from redun.objects.oid import is_file_stem
from redun.store.condemned import is_condemned_list
from redun.store.notes import is_note
from redun.store.pack_format import FOLDER, IDX_SUFFIX, PACK_SUFFIX
from redun.store.storage import Entry


class Listing(NamedTuple):
    """The packs that have an idx, and the lists."""

    times: dict[Oid, int]  # of each pack, by the storage's own clock, microseconds since 1970 UTC; 0 when it is missing
    sizes: dict[Oid, int]  # bytes of each pack; 0 when it is missing
    condemned: list[Entry]  # lists of what gc is about to delete
    notes: list[str]  # names of lists of absent and of forgotten objects


def read_listing(entries: Iterable[Entry]) -> Listing:
    """Sort out what is listed under ``objects/pack``; what has none of the known forms of name is passed over."""
    idxs: list[str] = []
    packs: dict[str, Entry] = {}
    condemned: list[Entry] = []
    notes: list[str] = []
    for entry in entries:
        stem, dot, suffix = entry.name.removeprefix(f"{FOLDER}/").rpartition(".")
        if is_file_stem(stem):
            if dot + suffix == IDX_SUFFIX:
                idxs.append(stem)
            elif dot + suffix == PACK_SUFFIX:
                packs[stem] = entry
        elif is_condemned_list(entry.name):
            condemned.append(entry)
        elif is_note(entry.name):
            notes.append(entry.name)
    times = {Oid(bytes.fromhex(stem)): packs[stem].modified_us if stem in packs else 0 for stem in idxs}
    sizes = {Oid(bytes.fromhex(stem)): packs[stem].size if stem in packs else 0 for stem in idxs}
    return Listing(times, sizes, condemned, notes)
