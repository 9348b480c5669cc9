"""The part of fsck that looks at idx files without a pack: left by who was killed, or all that is left of a pack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.oid import is_file_stem
from redun.store.base import ObjectCorrupt
from redun.store.condemned import list_condemned
from redun.store.idx import Idx
from redun.store.maintain.findings import Findings, Problem, Severity
from redun.store.pack_format import FOLDER as PACK_FOLDER
from redun.store.pack_format import IDX_SUFFIX, PACK_SUFFIX
from redun.store.storage import NameMissing, Storage

if TYPE_CHECKING:
    from redun.store.repository import Repository


def judge_strays(repository: Repository, found: Findings, *, repair: bool) -> None:
    """Tell of each idx without a pack; remove it with ``repair`` when a killed merge or collection has left it."""
    there = {entry.name for entry in repository.storage.iter_entries(PACK_FOLDER)}
    for name in sorted(there):
        stem = name.removesuffix(IDX_SUFFIX)
        if stem != name and is_file_stem(stem[len(PACK_FOLDER) + 1 :]) and stem + PACK_SUFFIX not in there:
            _judge(repository, name, found, repair=repair)


def _judge(repository: Repository, name: str, found: Findings, *, repair: bool) -> None:
    storage = repository.storage
    pack = Oid(bytes.fromhex(name[len(PACK_FOLDER) + 1 : -len(IDX_SUFFIX)]))
    try:
        idx = Idx(storage.read(name), name, pack)
        is_merged = all(repository.store.has(idx.oid_at(ordinal)) for ordinal in range(idx.count))
    except NameMissing:
        return  # its pack was merged since the listing, and now it went too
    except ObjectCorrupt:
        is_merged = False
    if not (is_merged or _is_condemned(storage, name, pack)):
        found.error("idx", name, "its pack is missing")
        return
    if repair:
        storage.delete(name)
    why = f"it is left of a pack that was {'merged into another' if is_merged else 'collected'}"
    found.problems.append(Problem(Severity.NOTE, "idx", name, why, is_repaired=repair))


def _is_condemned(storage: Storage, name: str, pack: Oid) -> bool:
    """Tell whether a list still condemns a pack: collections delete the list last."""
    entries = (entry for entry in storage.iter_entries(PACK_FOLDER) if entry.name == name)
    idx = next(entries, None)
    return idx is not None and any(one.dooms_pack(pack, idx.modified_us) for one in list_condemned(storage))
