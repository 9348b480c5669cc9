"""Requests to one place: several at once where they take long, and every failure told by the remote's name.

The invariant: whatever goes wrong on the way becomes a RemoteError that names the remote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from redun.errors import RemoteError
from redun.store.base import ReadOnlyStore
from redun.store.local_storage import LocalStorage
from redun.store.storage import NameMissing, Storage

_MAX_REQUESTS = 16
"""Requests under way at once.  One takes 20 to 100 ms at a bucket, and 16 of them share a line well."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class RemoteUnreachable(RemoteError):
    """A remote cannot be read or written."""

    def __init__(self, name: str, location: str, why: str, *, is_refused: bool = False) -> None:
        hint = "who may only read can still pull, and run with `--remote`" if is_refused else ""
        verb = "write to" if is_refused else "reach"
        super().__init__(f"cannot {verb} remote {name!r} at {location}: {why}", hint=hint)
        self.name = name
        self.location = location


class NotARemote(RemoteError):
    """There is no repository where a remote should be, or one of another format."""

    def __init__(self, name: str, location: str, why: str, hint: str = "") -> None:
        super().__init__(f"remote {name!r} at {location}: {why}", hint=hint)
        self.name = name
        self.location = location


class NothingThere(NotARemote):
    """There is no repository where a remote should be: nobody has pushed to it yet, or its URL is wrong."""

    def __init__(self, name: str, location: str) -> None:
        hint = "check the url with `redun remote show`; the first `redun push` makes a repository there"
        super().__init__(name, location, "there is no repository there", hint)


class RemoteDamaged(RemoteError):
    """Something at a remote is not what its name says.  Nothing of it was taken."""

    def __init__(self, name: str, location: str, what: str) -> None:
        super().__init__(
            f"remote {name!r} at {location} is damaged: {what}",
            hint="nothing of it was taken; `redun fsck` in that repository tells what else is",
        )
        self.name = name
        self.location = location
        self.what = what


class RemoteChanged(RemoteDamaged):
    """Something that was listed at a remote is gone: merged into something else, collected, or lost."""


class Reach:
    """A remote's name, and the storage that it is reached by."""

    def __init__(self, name: str, storage: Storage) -> None:
        self.name = name
        self.storage = storage

    @property
    def location(self) -> str:
        """Where it is, for people."""
        return self.storage.location

    def damaged(self, what: str) -> RemoteDamaged:
        """Return the error for something at this remote that is not what it should be."""
        return RemoteDamaged(self.name, self.location, what)

    def map(self, function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
        """Apply a function that makes one request to each item, several at once where requests take long."""
        items = list(items)
        if isinstance(self.storage, LocalStorage) or len(items) < 2:
            return [function(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_MAX_REQUESTS) as pool:
            return list(pool.map(function, items))

    def together(self, *requests: Callable[[], Any]) -> list[Any]:
        """Make some requests at once, where they take long; return what each gives, raise what the first raises."""
        return self.map(lambda request: request(), requests)

    @contextmanager
    def reaching(self) -> Iterator[None]:
        try:
            yield
        except NameMissing as error:
            raise RemoteChanged(self.name, self.location, f"{error.name} is missing") from error
        except ReadOnlyStore as error:
            raise RemoteUnreachable(self.name, self.location, str(error), is_refused=True) from error
        except OSError as error:
            raise RemoteUnreachable(self.name, self.location, str(error)) from error
