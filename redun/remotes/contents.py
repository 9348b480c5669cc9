"""Large contents on their way: several at once, each hashed before it shows under its name.

The invariant: what stands under a name is whole, whatever was cut off; what has come stays when another fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from redun.errors import RemoteError
from redun.hashing import Oid
from redun.remotes.reach import RemoteUnreachable
from redun.remotes.transfer import ContentChanged, OnProgress, checked, ignore_progress
from redun.store.blobs import blob_name
from redun.store.local_storage import LocalStorage

if TYPE_CHECKING:
    from redun.remotes.remote import Remote
    from redun.store.storage import Storage

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

MAX_REQUESTS = 8
"""Requests under way at once: a few fill a line."""
_AT_ONCE = ((4 << 20, MAX_REQUESTS), (16 << 20, 3), (1 << 63, 1))
"""So many contents of at most so many bytes are moved at once.  Each of the first is one request; one of the last is
several by itself, and holds their bytes in memory."""
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
    unreachable: list[RemoteError] = []

    def told(pieces: Iterable[bytes]) -> Iterator[bytes]:
        nonlocal done
        for piece in pieces:
            yield piece
            with lock:
                done += len(piece)
                on_progress(done, total, "getting contents")

    def get(oid: Oid) -> RemoteError | None:
        if len(unreachable) >= MAX_REQUESTS:
            return unreachable[-1]  # it is down: to try each of a thousand takes hours
        name = blob_name(oid)
        try:
            storage.write(name, told(checked(remote.iter_pieces(name), oid, name)))
        except ContentChanged as error:
            return remote.damaged(str(error))
        except RemoteUnreachable as error:
            unreachable.append(error)
            return error
        except RemoteError as error:
            return error
        return None

    on_progress(0, total, "getting contents")
    return [error for error in map_contents(remote, get, sizes) if error is not None]


def map_contents(remote: Remote, function: Callable[[Oid], _Result], sizes: Mapping[Oid, int]) -> list[_Result]:
    """Apply a function that moves a content to each of some, given with their sizes in bytes, in their order.

    Several go at once, but few of those that take memory for several requests.
    """
    results: dict[Oid, _Result] = {}
    is_one_by_one, above = is_near(remote, len(sizes)), 0
    for limit, at_once in _AT_ONCE:
        oids = [oid for oid, size in sizes.items() if above <= size < limit]
        results.update(zip(oids, map_parallel(function, oids, is_one_by_one or at_once == 1, at_once)))
        above = limit
    return [results[oid] for oid in sizes]


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
    """Apply a function that makes a request to each item, a few at once; after an error no more are begun."""
    if is_one_by_one:
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
