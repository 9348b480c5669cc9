"""The journals of other writers, live and orphaned, as one.

The invariant: an object that was found once stays found.  A journal that went away was sealed, so it is let go only
after the packs were listed anew (``drop_gone``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from redun.hashing import Oid
from redun.store.base import Candidate, ObjectCorrupt
from redun.store.journal import HEADER, MAGIC, SUFFIX, decode_record
from redun.store.journal_reader import JournalReader
from redun.store.liveness import BadHeader, JournalHeader, is_writer_alive
from redun.store.lookups import LOOKUP_KINDS, RecentLookups

_HEADER_BYTES = 4096


class LiveJournal:
    """One journal and the answers in it."""

    def __init__(self, path: Path) -> None:
        """Open a journal.  Raises OSError."""
        self.reader = JournalReader(path)
        self.lookups = RecentLookups(self._read)

    def refresh(self) -> None:
        """Take what was written since."""
        for oid, kind in self.reader.refresh():
            if kind in LOOKUP_KINDS:
                self.lookups.note(oid, kind)

    def _read(self, oid: Oid) -> bytes:
        """Give lookups the bytes of a node; a damaged one answers nothing."""
        try:
            return self.reader.get(oid) or b""
        except (ObjectCorrupt, OSError):
            return b""


class LiveJournals:
    """The journals in a folder but for the own one.  Read from any thread; refreshed by one at a time."""

    def __init__(self, folder: Path | None) -> None:
        """Without a folder there are none."""
        self._folder = folder
        self._journals: tuple[LiveJournal, ...] = ()
        self._gone: list[LiveJournal] = []

    def __iter__(self) -> Iterator[LiveJournal]:
        return iter(self._journals)

    def refresh(self, own_writer: str | None) -> None:
        """List the folder anew and read each journal's new records; those that went away stay until ``drop_gone``."""
        known = {journal.reader.path: journal for journal in self._journals if journal not in self._gone}
        listed: list[LiveJournal] = []
        for path in self._list(own_writer):
            journal = known.pop(path, None)
            if journal is not None and journal.reader.is_replaced:
                self._gone.append(journal)
                journal = None
            try:
                journal = journal or LiveJournal(path)
                journal.refresh()
            except OSError:  # sealed since the listing, or not ours to read
                continue
            listed.append(journal)
        self._gone += known.values()
        self._journals = (*listed, *self._gone)

    def drop_gone(self) -> None:
        """Let go of journals that went away before the last ``refresh``: their packs have been listed since."""
        self._journals = tuple(journal for journal in self._journals if journal not in self._gone)
        self._gone = []

    def get(self, oid: Oid) -> bytes | None:
        """Return an object's bytes, None when no journal has it whole."""
        for journal in self._journals:
            try:
                data = journal.reader.get(oid)
            except (ObjectCorrupt, OSError):
                continue
            if data is not None:
                return data
        return None

    def __len__(self) -> int:
        return len(self._journals)

    def kind_of(self, oid: Oid) -> int | None:
        """Return an object's kind, None when no journal has it."""
        for journal in self._journals:
            kind = journal.reader.index.kind_of(oid)
            if kind is not None:
                return kind
        return None

    def find_candidates(self, eval_oid: Oid) -> set[Candidate]:
        """Return the outcomes of an eval that any journal records."""
        return {candidate for journal in self._journals for candidate in journal.lookups.find_candidates(eval_oid)}

    def find_producers(self, file_oid: Oid) -> set[Oid]:
        """Return the calls and reductions in any journal that produced a file."""
        return {maker for journal in self._journals for maker in journal.lookups.find_producers(file_oid)}

    def _list(self, own_writer: str | None) -> list[Path]:
        """Return the paths of other writers' journals, the newest first: names begin with the time of creation."""
        folder = self._folder
        if folder is None:
            return []
        try:
            names = sorted((path.name for path in folder.iterdir()), reverse=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [
            folder / name
            for name in names
            if name.endswith(SUFFIX) and not name.startswith(".") and name != f"{own_writer}{SUFFIX}"
        ]


def is_writer_there(journals: Path, writer: str | None, now_us: int) -> bool:
    """Tell whether the writer that a running ref names is alive.

    Args:
        journals: the folder of journals.
        writer: the journal's name without its suffix.
        now_us: the time now, microseconds since 1970 UTC.
    """
    if writer is None or "/" in writer:
        return False
    try:
        with (journals / f"{writer}{SUFFIX}").open("rb") as stream:
            head = stream.read(_HEADER_BYTES)
            modified_us = os.fstat(stream.fileno()).st_mtime_ns // 1000
    except (OSError, ValueError):
        return False
    record = decode_record(head, len(MAGIC)) if head.startswith(MAGIC) else None
    if record is None or record[0] != HEADER:
        return False
    try:
        header = JournalHeader.decode(record[1])
    except BadHeader:
        return False
    return is_writer_alive(header, modified_us, now_us)


def has_journal(journals: Path, writer: str | None) -> bool:
    """Tell whether the journal that a running ref names is in this folder, dead or alive."""
    return writer is not None and "/" not in writer and (journals / f"{writer}{SUFFIX}").exists()
