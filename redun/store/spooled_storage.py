"""The tree of a repository that lies at a URL, with what this machine keeps of it.

*Theory of operation.*  A bucket answers in 20 to 100 ms and charges for each request, so three places make one tree:

* the **bucket** has what is published: packs and their idx, contents, refs.  It alone says what there is.
* the **spool**, a local folder, has what is not published yet: journals, large contents on their way, and what concerns
  this machine alone (what was seen at remotes).  Nothing in it is ever the only telling of a name in the bucket.
* the **copies**, a local folder that may be deleted at will, have bytes of the bucket that never change, and refs as
  they were when the listing last spoke of them.

The invariant: what is published leads to nothing that is not.  Contents leave the spool before the next pack is
written, and a pack before its idx, both before the ref.  A copy is checked against its name before it is kept, and
serves only while the listing has the name.  See docs/internals/store.md, section *At a URL*.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import BinaryIO

from redun.hashing import Buffer
from redun.store.base import ReadOnlyStore
from redun.store.blobs import FOLDER as CONTENTS
from redun.store.copies import PARTS_SUFFIX, Copies, is_whole, key_of_ref
from redun.store.format_file import FORMAT_NAME
from redun.store.journal import FOLDER as JOURNALS
from redun.store.listings import REFS, Listings, folder_of
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.pack_format import FOLDER as PACKS
from redun.store.pack_format import IDX_SUFFIX, PACK_SUFFIX
from redun.store.ranged import Ranged
from redun.store.ref_names import REMOTES
from redun.store.storage import Entry, NameMissing, RepositoryUnreachable, Sliced, Storage, check_name

WHOLE_BYTES = 16 << 20
"""A pack of this size or less is fetched as one, on the first question: a request costs as much as 2 MiB do."""
MAX_REQUESTS = 16
MAX_CONTENTS = 6
"""Contents that are sent at once, of at most ``WHOLE_BYTES`` each and held in memory."""
_KEEPS_PACKS = "undeletable"
_READ_ONLY_HINT = "`[repository] read_only = yes` in redun.ini uses what is there, and records nothing"


class SpooledStorage(Storage):
    """A storage in a bucket, behind a local spool and local copies.  All of it may be used from any thread."""

    def __init__(
        self,
        inner: Storage,
        spool: LocalStorage,
        copies: Storage | None = None,
        *,
        is_read_only: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Put the three together; nothing is read or written yet.

        Args:
            inner: the bucket.
            spool: the local folder of what is not published; it need not exist.
            copies: what is known of the bucket; None keeps copies in memory.
            is_read_only: refuse to write.
            clock: seconds, for the age of listings.
        """
        self.location = inner.location
        self.path = spool.path
        self.is_read_only = is_read_only
        self._inner = inner
        self._spool = spool
        self._copies = Copies(copies or MemoryStorage())
        self._listings = Listings(inner, clock=clock)
        self._spooled: set[str] = set()  # contents that this process has put
        self._format: bytes | None = None
        self._lock = RLock()  # one thread publishes at a time

    def look(self) -> None:
        """Ask at once for what opening a repository asks for: its format, its packs, its refs.

        Raises:
            RepositoryUnreachable: it cannot be read.
        """
        self._together([self._look_for_format, partial(self._load, PACKS), partial(self._load, REFS)])
        self._copies.prune(lambda name: self._listings.find(name) is not None)

    def modified_us(self, name: str) -> int | None:
        """Return when a ref was last written, by the bucket's clock; None when it is not there."""
        with self._reaching():
            entry = self._listings.find(name)
        return None if entry is None else entry.modified_us

    def forget_copies(self) -> None:
        """Delete all copies, so that whatever is read next comes from the bucket."""
        self._copies.clear()

    @property
    def can_merge(self) -> bool:
        """Whether packs can be deleted here, as far as is known: merging them is of no use otherwise."""
        return not self._copies.has(_KEEPS_PACKS)

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        check_name(name)
        end = None if length is None else start + length
        if name == FORMAT_NAME:
            return self._read_format()[start:end]
        if self._is_private(name) or self._is_spooled(name):
            return self._spool.read(name, start, length)
        if folder_of(name) == CONTENTS:
            self._find(name)
        elif folder_of(name):
            return bytes(self.view_parts(name)[start:end])
        with self._reaching(name):
            return self._inner.read(name, start, length)

    def view(self, name: str) -> Buffer:
        check_name(name)
        if self._is_private(name) or self._is_spooled(name):
            return self._spool.view(name)
        if not folder_of(name) or folder_of(name) == CONTENTS:
            return self.read(name)
        key, entry = self._copy_of(name)
        found = None if entry is None else self._copies.find(key, entry.size)
        if found is not None:
            return found
        with self._reaching(name):
            content = self._inner.read(name)
        if entry is not None and len(content) == entry.size and is_whole(name, content):
            return self._copies.keep(key, content)
        return content

    def view_parts(self, name: str) -> Sliced:
        entry = self._find(name) if name.endswith(PACK_SUFFIX) and folder_of(name) == PACKS else None
        if entry is None or entry.size <= WHOLE_BYTES or self._copies.has(name, entry.size):
            return memoryview(self.view(name))
        return Ranged(
            entry.size,
            partial(self._fetch, name),
            find=lambda index: self._copies.find(f"{name}{PARTS_SUFFIX}/{index}"),
            keep=lambda index, part: self._copies.keep(f"{name}{PARTS_SUFFIX}/{index}", part),
        )

    def open(self, name: str) -> BinaryIO:
        check_name(name)
        if self._is_private(name) or self._is_spooled(name):
            return self._spool.open(name)
        if folder_of(name) != CONTENTS:
            return BytesIO(self.read(name))
        self._find(name)
        with self._reaching(name):
            return self._inner.open(name)

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        self._refuse_if_read_only(name)
        folder = folder_of(name)
        if self._is_private(name):
            self._spool.write(name, content)
        elif folder == CONTENTS:
            self._spool.write(name, content)
            self._spooled.add(name)
        elif name.endswith((PACK_SUFFIX, IDX_SUFFIX)):
            self._publish_pack(name, content)
        else:
            self._publish()
            whole = content if isinstance(content, (bytes, bytearray, memoryview)) else b"".join(content)
            with self._reaching():
                self._inner.write(name, whole)
            if folder == PACKS:
                self._listings.expire(PACKS)  # gc wants to know the time of these by the bucket's own clock
            else:
                self._note(name, len(whole))
            if name == FORMAT_NAME:
                self._format = bytes(whole)

    def write_file(self, name: str, path: Path) -> None:
        with path.open("rb") as stream:
            self.write(name, iter(lambda: stream.read(1 << 20), b""))

    def size(self, name: str) -> int | None:
        check_name(name)
        if name == FORMAT_NAME:
            with suppress(NameMissing):
                return len(self._read_format())
            return None
        if self._is_private(name) or self._is_spooled(name):
            return self._spool.size(name)
        if folder_of(name):
            with suppress(NameMissing):
                return self._find(name).size
            return None
        with self._reaching():
            return self._inner.size(name)

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        if prefix and self._is_private(f"{check_name(prefix)}/"):
            yield from self._spool.iter_entries(prefix)
            return
        if prefix and folder_of(prefix):
            with self._reaching():
                found = self._listings.list_below(prefix)
        else:
            with self._reaching():
                found = list(self._inner.iter_entries(prefix))
        entries = {entry.name: entry for entry in found if not self._is_private(entry.name)}
        entries.update((entry.name, entry) for entry in self._spool.iter_entries(prefix))
        yield from sorted(entries.values())

    def iter_unfinished(self) -> Iterator[Entry]:
        """Yield the temporary files in the spool.  A bucket has none."""
        return self._spool.iter_unfinished()

    def find_any(self) -> str | None:
        with self._reaching():
            return self._inner.find_any()

    def delete(self, name: str) -> None:
        self._refuse_if_read_only(name)
        if self._is_private(name) or folder_of(name) == CONTENTS:
            self._spool.delete(name)
            self._spooled.discard(name)
        if self._is_private(name):
            return
        try:
            with self._reaching():
                self._inner.delete(name)
        except ReadOnlyStore:
            if folder_of(name) == PACKS:
                self._copies.keep(_KEEPS_PACKS, b"")
            raise
        if folder_of(name):
            self._listings.forget(name)
            self._copies.drop(name)

    def sync(self, names: Iterable[str]) -> None:
        private = [name for name in names if self._is_private(name)]
        if private:
            self._spool.sync(private)
        self._publish()

    def prefetch(self, names: Iterable[str]) -> None:
        """Get copies of packs' tables and of refs that will be read next, several at a time."""
        missing = []
        for name in names:
            with suppress(NameMissing):
                key, entry = self._copy_of(name)
                if entry is not None and not self._copies.has(key):
                    missing.append(name)
        if len(missing) > 1:
            self._together([partial(self._prefetch_one, name) for name in missing])

    # -- the spool

    def _is_private(self, name: str) -> bool:
        return name.startswith((f"{JOURNALS}/", f"{REMOTES}/"))

    def _is_spooled(self, name: str) -> bool:
        return name.startswith(f"{CONTENTS}/") and self._spool.size(name) is not None

    def _publish(self) -> None:
        """Send the large contents that wait in the spool, several at a time.

        Those that go in parts go one by one, since each takes as much memory as several others.
        """
        if self.is_read_only:
            return
        with self._lock:
            waiting = list(self._spool.iter_entries(CONTENTS))
            small = [entry for entry in waiting if entry.size <= WHOLE_BYTES]
            self._together([partial(self._publish_content, entry) for entry in small], MAX_CONTENTS)
            for entry in waiting:
                if entry.size > WHOLE_BYTES:
                    self._publish_content(entry)

    def _publish_content(self, entry: Entry) -> None:
        with self._reaching():
            try:
                self._inner.write_file(entry.name, self._spool.path / entry.name)
            except FileNotFoundError:
                if self._spool.size(entry.name) is not None:
                    raise
                return  # another process that shares this spool has sent it
        self._note(entry.name, entry.size)
        self._spool.delete(entry.name)

    def _publish_pack(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        """Keep a copy of a pack or its idx, and send it."""
        self._copies.storage.write(name, content)
        self._publish()
        with self._reaching():
            size = self._copies.send(name, self._inner)
        self._note(name, size)

    # -- the bucket

    def _find(self, name: str) -> Entry:
        """Return what the listing says of a name.  Raises NameMissing, and RepositoryUnreachable."""
        with self._reaching():
            entry = self._listings.find(name)
            if entry is None and name in self._spooled:
                # It was in the spool, and another process that shares it has sent it.
                self._listings.expire(folder_of(name))
                entry = self._listings.find(name)
        if entry is None:
            raise NameMissing(name, self.location)
        return entry

    def _fetch(self, name: str, start: int, length: int) -> Buffer:
        with self._reaching(name):
            return self._inner.read(name, start, length)

    def _note(self, name: str, size: int) -> None:
        if folder_of(name):
            self._listings.note(Entry(name, size, time.time_ns() // 1000))

    def _load(self, folder: str) -> None:
        with self._reaching():
            self._listings.load(folder)

    def _look_for_format(self) -> None:
        with suppress(NameMissing):
            self._read_format()

    def _read_format(self) -> bytes:
        if self._format is None:
            with self._reaching():
                self._format = self._inner.read(FORMAT_NAME)
        return self._format

    # -- the copies

    def _copy_of(self, name: str) -> tuple[str, Entry | None]:
        """Return under which name a copy would lie, and what the listing says of the name.

        A copy of a ref is of one version; a ref that is not listed may have been written just now.  Raises NameMissing.
        """
        if folder_of(name) != REFS:
            return name, self._find(name)
        try:
            entry = self._find(name)
        except NameMissing:
            return name, None
        return key_of_ref(entry), entry

    def _prefetch_one(self, name: str) -> None:
        with suppress(NameMissing):
            self.view(name)

    # -- all of them

    def _refuse_if_read_only(self, name: str) -> None:
        check_name(name)
        if self.is_read_only:
            raise ReadOnlyStore(f"{self.location} is open for reading only")

    def _together(self, requests: list[Callable[[], object]], at_once: int = MAX_REQUESTS) -> None:
        """Make some requests at once; raise what the first of them raises."""
        if len(requests) < 2:
            for request in requests:
                request()
            return
        with ThreadPoolExecutor(at_once) as pool:
            for done in [pool.submit(request) for request in requests]:
                done.result()

    @contextmanager
    def _reaching(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except NameMissing:
            if folder_of(name):
                self._listings.expire(folder_of(name))  # it was listed, and is gone
            raise
        except ReadOnlyStore as error:
            raise ReadOnlyStore(str(error), hint=_READ_ONLY_HINT) from error
        except OSError as error:
            raise RepositoryUnreachable(self.location, str(error)) from error
