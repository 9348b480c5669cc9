"""What a bucket holds, as it was last listed.

The invariant: what this process has written is in the listing, and what it has deleted is not; what other machines do
is seen at most ``LISTING_SECONDS`` later, and contents are listed after the packs that speak of them.

A listing costs a request for each 1 000 names, and most questions of a run are about objects that are nowhere: asking
the bucket each time would take 30 ms where a look into a dictionary takes none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import RLock

from redun.store.blobs import FOLDER as CONTENTS
from redun.store.pack_format import FOLDER as PACKS
from redun.store.storage import Entry, Storage

REFS = "refs"
LISTING_SECONDS = 10.0
"""So long a listing serves; one that took long itself, 20 times as long as it took."""
_WORTH = 20
FOLDERS = (PACKS, CONTENTS, REFS)


class _Listing:
    """One folder at one moment."""

    def __init__(self, entries: dict[str, Entry], until: float) -> None:
        self.entries = entries
        self.until = until


class Listings:
    """The kept listings of a storage, one a folder.  All of it may be used from any thread."""

    def __init__(self, storage: Storage, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make empty ones; a folder is listed when it is first asked about.

        Args:
            storage: what to list.
            clock: seconds, for the age of a listing.
        """
        self._storage = storage
        self._clock = clock
        self._listings: dict[str, _Listing] = {}
        self._locks = {folder: RLock() for folder in FOLDERS}

    def find(self, name: str) -> Entry | None:
        """Return what the listing says of a name in one of FOLDERS, None when it is not there."""
        folder = folder_of(name)
        with self._locks[folder]:
            return self._get(folder).entries.get(name)

    def list_below(self, prefix: str) -> list[Entry]:
        """Return the entries below one of FOLDERS or a folder in it, in order of name."""
        folder, start = folder_of(prefix), f"{prefix}/"
        with self._locks[folder]:
            return sorted(entry for name, entry in self._get(folder).entries.items() if name.startswith(start))

    def load(self, folder: str) -> None:
        """List one of FOLDERS now, unless it was listed just now.  Raises what listing it raises."""
        with self._locks[folder]:
            self._get(folder)

    def note(self, entry: Entry) -> None:
        """Take in what this process has written."""
        self._change(entry.name, entry)

    def forget(self, name: str) -> None:
        """Leave out what this process has deleted."""
        self._change(name, None)

    def expire(self, folder: str) -> None:
        """Have a folder listed anew at the next question: it is not as it was listed."""
        with self._locks[folder]:
            self._listings.pop(folder, None)

    def _change(self, name: str, entry: Entry | None) -> None:
        # Under the folder's lock: a listing that began before the change must not come after it.
        folder = folder_of(name)
        with self._locks[folder]:
            listing = self._listings.get(folder)
            if listing is None:
                return
            if entry is None:
                listing.entries.pop(name, None)
            else:
                listing.entries[name] = entry

    def _get(self, folder: str) -> _Listing:
        listing = self._listings.get(folder)
        return self._list(folder) if listing is None or self._clock() >= listing.until else listing

    def _list(self, folder: str) -> _Listing:
        begun = self._clock()
        entries = {entry.name: entry for entry in self._storage.iter_entries(folder)}
        took = self._clock() - begun
        listing = self._listings[folder] = _Listing(entries, begun + took + max(LISTING_SECONDS, _WORTH * took))
        if folder == PACKS:
            self._listings.pop(CONTENTS, None)
        return listing


def folder_of(name: str) -> str:
    """Return which of FOLDERS a name lies in, or is; "" for none of them."""
    return next((folder for folder in FOLDERS if name == folder or name.startswith(f"{folder}/")), "")
