"""What namespaces build on: objects of a repository that nothing but a namespace in it may need.

The invariant: a namespace holds what it added and nothing else, so what its nodes link to outside of it is a root of
the repository around it.  Format: docs/format/refs.md, *Namespaces*.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from redun.errors import StoreError
from redun.hashing import Oid
from redun.objects.codec import NotCanonical
from redun.objects.kinds import Kind
from redun.objects.oid import is_file_stem
from redun.store.base import ObjectCorrupt
from redun.store.canonical import split_node
from redun.store.pack import PackReader, rebuild_idx
from redun.store.pack_format import FOLDER, PACK_SUFFIX, pack_name
from redun.store.storage import NameMissing, Storage
from redun.store.subtree import NAMESPACES, Subtree


class NamespaceDrop(NamedTuple):
    """What goes with a namespace."""

    name: str
    n_files: int
    size: int  # bytes


class NoSuchNamespace(StoreError):
    """There is no namespace of a name."""

    def __init__(self, name: str, known: list[str]) -> None:
        others = f"; there are {', '.join(known)}" if known else ""
        super().__init__(f"there is no namespace {name!r}{others}")
        self.name = name


def drop_namespace(storage: Storage, name: str, *, is_dry_run: bool = False) -> NamespaceDrop:
    """Delete a namespace with all that it holds, refs first: what it built on is left to the next collection.

    Raises:
        NoSuchNamespace: there is none of this name.
        ReadOnlyStore: the storage cannot be written.
    """
    listed = list(storage.iter_entries(NAMESPACES))
    entries = [entry for entry in listed if entry.name.startswith(f"{NAMESPACES}/{name}/")]
    if not entries:
        raise NoSuchNamespace(name, sorted({entry.name.split("/")[1] for entry in listed}))
    for entry in sorted(entries, key=lambda entry: not entry.name.startswith(f"{NAMESPACES}/{name}/refs/")):
        if not is_dry_run:
            storage.delete(entry.name)
    return NamespaceDrop(name, len(entries), sum(entry.size for entry in entries))


def iter_outer_links(storage: Storage) -> Iterator[Oid]:
    """Yield what the nodes of namespaces in a repository's tree link to, some more than once.

    A pack that is damaged, or that was being written, has none: nobody can read it either.
    """
    for entry in storage.iter_entries(NAMESPACES):
        parts = entry.name.split("/", 2)
        stem = parts[-1].removeprefix(f"{FOLDER}/").removesuffix(PACK_SUFFIX)
        if len(parts) == 3 and parts[2].endswith(PACK_SUFFIX) and is_file_stem(stem):
            try:
                yield from _iter_links(Subtree(storage, "/".join(parts[:2])), Oid(bytes.fromhex(stem)))
            except (ObjectCorrupt, NameMissing, NotCanonical, ValueError):
                continue


def _iter_links(tree: Storage, pack: Oid) -> Iterator[Oid]:
    reader = PackReader(pack, tree, idx=rebuild_idx(tree.view(pack_name(pack))))
    for _, kind, data in reader.iter_objects():
        if kind != Kind.BLOB:
            yield from split_node(data)[0]
