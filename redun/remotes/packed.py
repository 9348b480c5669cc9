"""Contents inside the packs of a remote: leaving them there, and getting some of them later.

The invariant: of a pack that is not brought whole nothing is believed but what hashes to its name.  Contents stand
first in a pack, in blocks of their own, so one range of bytes has all else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.remotes.ranges import read_objects
from redun.remotes.reach import RemoteChanged, RemoteDamaged
from redun.store.base import ObjectCorrupt
from redun.store.block_cache import BlockCache
from redun.store.local_storage import LocalStorage
from redun.store.pack import PackReader, write_pack
from redun.store.pack_format import HEAD, decode_directory, idx_name, pack_name

if TYPE_CHECKING:
    from redun.remotes.remote import Remote
    from redun.store.storage import Storage

LEFT_BYTES = 1 << 20
"""So much the contents of a pack must weigh, compressed, to be left there."""
LEFT_MEAN_BYTES = 32 << 10
"""And so much each of them on the average: to write down that it was left costs 75 bytes."""
BATCH_BYTES = 64 << 20
"""So much is held in memory on its way into a new pack, about: contents of unknown size count as one of the mean."""
_RANGE_BYTES = 16 << 20
_BLOB = int(Kind.BLOB)


class _Place(NamedTuple):
    """Where a content is."""

    oid: Oid
    pack: Oid
    ordinal: int


def read_without_contents(remote: Remote, pack: Oid, folder: LocalStorage, cache: BlockCache) -> PackReader | None:
    """Return a pack whose contents were left at the remote; None where they are not worth that.

    Args:
        remote: where it is.
        pack: its name.
        folder: temporary; takes what is brought, as a file with a hole.
        cache: for decoded blocks.

    Raises:
        RemoteError: it cannot be read, or is damaged.
    """
    idx, name, size = remote.packs[pack], pack_name(pack), remote.sizes.get(pack, 0)
    count = idx.ends[_BLOB]
    worth = max(LEFT_BYTES, count * LEFT_MEAN_BYTES)
    if not count or size < worth:
        return None
    (raw,) = remote.read_ranges([(name, idx.directory_offset, idx.directory_size)])
    storage: Storage = remote.storage
    try:
        directory = decode_directory(raw, name)
        end = next((row.offset for row in directory.rows if row.first >= count), idx.directory_offset)
        if end < worth:
            return None
        if not isinstance(storage, LocalStorage):
            storage = folder
            _write_part(remote, folder, name, end, size)
        return PackReader(pack, storage, cache=cache, idx=idx)
    except ObjectCorrupt as error:
        raise remote.damaged(str(error)) from error


def _write_part(remote: Remote, folder: LocalStorage, name: str, start: int, end: int) -> None:
    path = folder.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(HEAD)
        for at in range(start, end, _RANGE_BYTES):
            (piece,) = remote.read_ranges([(name, at, min(_RANGE_BYTES, end - at))])
            stream.seek(at)
            stream.write(piece)


def get_packed(remote: Remote, storage: Storage, sizes: Mapping[Oid, int]) -> str:
    """Bring contents that lie in packs of a remote, as new packs; say why some did not come, else an empty text.

    Args:
        remote: where they are.
        storage: where they go.
        sizes: in bytes, of the contents wanted; 0 where it is not known.

    Raises:
        RemoteError: the remote cannot be read.
        OSError, StoreError: the storage cannot be written.
    """
    with suppress(RemoteChanged):
        return _get_packed(remote, storage, sizes)
    return _get_packed(remote, storage, sizes)  # packs were merged over there meanwhile


def _get_packed(remote: Remote, storage: Storage, sizes: Mapping[Oid, int]) -> str:
    remote.load_packs()
    lacking: list[Oid] = []
    places: list[_Place] = []
    for oid in sizes:
        pack = remote.find_pack(oid)
        ordinal = None if pack is None else remote.packs[pack].find(oid)
        if pack is None or ordinal is None or ordinal >= remote.packs[pack].ends[_BLOB]:
            lacking.append(oid)
        else:
            places.append(_Place(oid, pack, ordinal))
    for batch in _iter_batches(sorted(places, key=lambda place: (place.pack, place.ordinal)), sizes):
        sealed = write_pack(_iter_contents(remote, batch, lacking), storage)
        if sealed is not None:
            storage.sync([pack_name(sealed.name), idx_name(sealed.name)])
    if not lacking:
        return ""
    return str(remote.damaged(f"it lacks content {short(lacking[0])}, or has it damaged"))


def _iter_batches(places: Sequence[_Place], sizes: Mapping[Oid, int]) -> Iterator[list[_Place]]:
    batch: list[_Place] = []
    weight = 0
    for place in places:
        size = sizes[place.oid] or LEFT_MEAN_BYTES
        if batch and weight + size > BATCH_BYTES:
            yield batch
            batch, weight = [], 0
        batch.append(place)
        weight += size
    if batch:
        yield batch


def _iter_contents(remote: Remote, places: Sequence[_Place], lacking: list[Oid]) -> Iterator[tuple[Oid, int, bytes]]:
    """Yield contents; those in a damaged block are found by halves, and do not keep the others away."""
    wanted: dict[Oid, list[int]] = {}
    for place in places:
        wanted.setdefault(place.pack, []).append(place.ordinal)
    try:
        yield from list(read_objects(remote, wanted))
    except RemoteChanged:
        raise
    except RemoteDamaged:
        if len(places) == 1:
            lacking.append(places[0].oid)
            return
        middle = len(places) // 2
        yield from _iter_contents(remote, places[:middle], lacking)
        yield from _iter_contents(remote, places[middle:], lacking)
