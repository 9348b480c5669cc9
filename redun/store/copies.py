"""What this machine keeps of a bucket: bytes that never change, and refs as they were when they were listed.

The invariant: nothing here tells what there is; a copy is asked for by what the bucket's listing says, and all of it
may be deleted at will.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from redun.hashing import Buffer, hash_blob
from redun.store.base import ReadOnlyStore
from redun.store.idx import check_idx
from redun.store.local_storage import LocalStorage
from redun.store.pack_format import FOLDER as PACKS
from redun.store.pack_format import IDX_SUFFIX, PACK_SUFFIX
from redun.store.storage import Entry, NameMissing, Storage

PARTS_SUFFIX = ".parts"
UNUSED_SECONDS = 24 * 3600
_REFS = "refs"


class Copies:
    """Copies of what lies in one bucket.  All of it may be used from any thread, and by many processes."""

    def __init__(self, storage: Storage) -> None:
        """Keep copies in a storage of this machine, which may be one in memory."""
        self.storage = storage

    def find(self, key: str, size: int | None = None) -> Buffer | None:
        """Return a copy; None when there is none, or one of another size."""
        with suppress(NameMissing, OSError):
            found = self.storage.view(key)
            if size is None or len(found) == size:
                return found
        return None

    def has(self, key: str, size: int | None = None) -> bool:
        """Tell whether there is a copy, of a size when given."""
        found = self.storage.size(key)
        return found is not None and size in (None, found)

    def keep(self, key: str, content: Buffer) -> Buffer:
        """Keep a copy, and return the content: mapped from the disk, where that was possible."""
        try:
            self.storage.write(key, content)
        except (OSError, ReadOnlyStore):
            return content  # a full disk, or one that is only read: then each process fetches it anew
        return self.find(key, len(content)) or content

    def send(self, key: str, target: Storage) -> int:
        """Write a copy to a storage under its own name, streaming; return its size in bytes.

        Raises:
            NameMissing: there is none.
            OSError, StoreError: the storage cannot be written.
        """
        if isinstance(self.storage, LocalStorage):
            target.write_file(key, self.storage.path / key)
        else:
            target.write(key, self.storage.view(key))
        return self.storage.size(key) or 0

    def drop(self, key: str) -> None:
        """Delete a copy, where that can be done."""
        with suppress(OSError, ReadOnlyStore):
            self.storage.delete(key)

    def prune(self, has: Callable[[str], bool]) -> None:
        """Delete old copies of packs, and of parts of packs, that ``has`` no longer knows: merged, or collected."""
        now_us = time.time_ns() // 1000
        for entry in list(self.storage.iter_entries(PACKS)):
            is_old = now_us - entry.modified_us > UNUSED_SECONDS * 1_000_000
            if is_old and not has(entry.name.partition(PARTS_SUFFIX)[0]):
                self.drop(entry.name)

    def clear(self) -> None:
        """Delete all copies, so that whatever is read next comes from the bucket."""
        for entry in list(self.storage.iter_entries("")):
            self.drop(entry.name)


def key_of_ref(entry: Entry) -> str:
    """Return where the copy of one version of a ref lies."""
    version = f"{entry.name} {entry.size} {entry.modified_us} {entry.version}"
    return f"{_REFS}/{hash_blob(version.encode()).hex()[:32]}"


def is_whole(name: str, content: Buffer) -> bool:
    """Tell whether bytes are what their name says, as far as that can be known."""
    stem = name.rpartition("/")[2]
    if stem.endswith(PACK_SUFFIX):
        return hash_blob(content).hex() == stem.removesuffix(PACK_SUFFIX)
    return check_idx(content) if stem.endswith(IDX_SUFFIX) else True
