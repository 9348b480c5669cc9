"""Large contents on their way from a remote: several at once, each hashed before it shows under its name.

The invariant: what stands under a name is whole, whatever was cut off; what has come stays when another fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from redun.errors import RemoteError
from redun.hashing import Oid
from redun.remotes.transfer import ContentChanged, OnProgress, checked, ignore_progress
from redun.store.blobs import blob_name
from redun.store.local_storage import LocalStorage
from redun.store.read_ahead import PIECE_BYTES

if TYPE_CHECKING:
    from redun.remotes.remote import Remote
    from redun.store.storage import Storage

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

MAX_REQUESTS = 8
"""Contents of one request each that are under way at once: a few fill a line."""
MAX_LARGE = 3
"""Larger ones at once: each of them reads ahead, and holds some pieces of 4 MiB."""
MAX_ASKED = 100
"""So many sizes are asked for one by one, several at once; of more, the remote is asked to list what it has."""


def get_contents(
    remote: Remote, storage: Storage, sizes: Mapping[Oid, int], on_progress: OnProgress = ignore_progress
) -> list[RemoteError]:
    """Bring contents; return what went wrong with some, in no order, while the others came.

    Args:
        remote: where they are.
        storage: where they go.
        sizes: in bytes, of the contents wanted.
        on_progress: told now and then how far it is.

    Raises:
        OSError, StoreError: the storage cannot be written.
    """
    total = sum(sizes.values())
    done = 0
    lock = Lock()

    def told(pieces: Iterable[bytes]) -> Iterator[bytes]:
        nonlocal done
        for piece in pieces:
            yield piece
            with lock:
                done += len(piece)
                on_progress(done, total, "getting contents")

    def get(oid: Oid) -> RemoteError | None:
        name = blob_name(oid)
        try:
            storage.write(name, told(checked(remote.iter_pieces(name), oid, name)))
        except ContentChanged as error:
            return remote.damaged(str(error))
        except RemoteError as error:
            return error
        return None

    on_progress(0, total, "getting contents")
    is_one_by_one = is_near(remote, len(sizes))
    small = [oid for oid, size in sizes.items() if size <= PIECE_BYTES]
    large = [oid for oid, size in sizes.items() if size > PIECE_BYTES]
    results = map_parallel(get, small, is_one_by_one) + map_parallel(get, large, is_one_by_one, MAX_LARGE)
    return [error for error in results if error is not None]


def find_sizes(remote: Remote, oids: Iterable[Oid]) -> dict[Oid, int]:
    """Return the sizes in bytes of those contents that a remote has as files of their own.

    Raises:
        RemoteUnreachable: it cannot be read.
    """
    wanted = list(oids)
    if len(wanted) > MAX_ASKED and not is_near(remote, len(wanted)):
        listed = remote.list_blobs()
        sizes = [listed.get(oid) for oid in wanted]
    else:
        sizes = map_parallel(remote.blob_size, wanted, is_near(remote, len(wanted)))
    return {oid: size for oid, size in zip(wanted, sizes) if size is not None}


def is_near(remote: Remote, count: int) -> bool:
    """Tell whether requests take no longer one after the other."""
    return count < 2 or isinstance(remote.storage, LocalStorage)


def map_parallel(
    function: Callable[[_Item], _Result], items: Iterable[_Item], is_one_by_one: bool, at_once: int = MAX_REQUESTS
) -> list[_Result]:
    """Apply a function that makes a request to each item, a few at once."""
    if is_one_by_one:
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(function, items))
