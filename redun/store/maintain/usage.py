"""How much room a repository takes, and what for."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.objects.oid import is_file_stem
from redun.store.blobs import FOLDER as BLOB_FOLDER
from redun.store.journal import FOLDER as JOURNALS
from redun.store.maintain.mark import Marks
from redun.store.pack_format import FOLDER as PACK_FOLDER
from redun.store.pack_format import IDX_SUFFIX, PACK_SUFFIX

if TYPE_CHECKING:
    from redun.store.repository import Repository

_FOLDERS = {JOURNALS: "journals", "refs": "refs"}


@dataclass(frozen=True, slots=True)
class Usage:
    """Sizes are bytes, as the files say."""

    location: str
    sizes: dict[str, int]  # by what it is for: packs, lookup tables, large contents, journals, refs, cache
    counts: dict[str, int]  # of files, by the same names
    objects: dict[str, int]  # in packs, by kind
    condemned_bytes: int  # of packs that gc is about to delete

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return sum(self.sizes.values())


@dataclass(frozen=True, slots=True)
class Share:
    """What some executions take.  Bytes on disk: of packs by the share of their objects."""

    needed_bytes: int  # of all that they lead to
    own_bytes: int  # of what nothing else leads to: as much goes with them


def measure(repository: Repository) -> Usage:
    """Return how much room a repository takes; objects are counted by their lookup tables, and none is read."""
    store = repository.store
    store.refresh(force=True)
    names = ("packs", "lookup tables", "large contents", "journals", "refs", "cache")
    sizes, counts = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for entry in repository.storage.iter_entries(""):
        what = _what_of(entry.name)
        if what is not None:
            sizes[what] += entry.size
            counts[what] += 1
    if repository.cache_path is not None:
        sizes["cache"], counts["cache"] = _measure_folder(repository.cache_path)
    objects = {
        kind.name.lower(): sum(len(reader.idx.ordinals_of(kind)) for reader in store.packs.readers) for kind in Kind
    }
    condemned = sum(reader.size for reader in store.packs.condemned)
    return Usage(repository.location, sizes, counts, {kind: n for kind, n in objects.items() if n}, condemned)


def measure_executions(repository: Repository, names: list[str]) -> Share:
    """Return what the executions of some refs take, and how much of that is theirs alone.

    Raises:
        RefError: there is no such ref.
    """
    repository.store.refresh(force=True)
    refs = {name: repository.refs.read(name) for name in names}
    blob_sizes = {
        Oid(bytes.fromhex(entry.name.rpartition("/")[2])): entry.size
        for entry in repository.storage.iter_entries(BLOB_FOLDER)
        if is_file_stem(entry.name.rpartition("/")[2])
    }
    needed, others = Marks(repository.store, blob_sizes), Marks(repository.store, blob_sizes)
    roots = [ref.object for ref in refs.values() if ref.object is not None]
    needed.reach(roots)
    others.reach(ref.object for ref in repository.refs.iter_refs() if ref.name not in refs and ref.object is not None)
    without = others.size
    others.reach(roots)
    return Share(needed.size, others.size - without)


def _what_of(name: str) -> str | None:
    if name.startswith(f"{PACK_FOLDER}/"):
        return {PACK_SUFFIX: "packs", IDX_SUFFIX: "lookup tables"}.get(f".{name.rpartition('.')[2]}")
    if name.startswith(f"{BLOB_FOLDER}/"):
        return "large contents"
    return next((what for folder, what in _FOLDERS.items() if name.startswith(f"{folder}/")), None)


def _measure_folder(path: Path) -> tuple[int, int]:
    size = count = 0
    for folder, _, files in os.walk(path):
        for name in files:
            with suppress(FileNotFoundError):
                size += Path(folder, name).stat().st_size
                count += 1
    return size, count
