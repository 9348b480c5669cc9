"""The part of fsck that looks at files beside packs: large contents, journals, what was left half written."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from redun.hashing import Oid, hash_stream
from redun.objects.kinds import Kind
from redun.objects.oid import is_file_stem, short
from redun.store.blobs import FOLDER as BLOB_FOLDER
from redun.store.blobs import blob_name
from redun.store.journal import FOLDER as JOURNALS
from redun.store.journal import RECORD_HEAD_SIZE, SUFFIX, decode_record
from redun.store.journal_reader import JournalReader
from redun.store.liveness import UNSEEN_WRITER_TIMEOUT_SECONDS, is_writer_alive, now_us
from redun.store.maintain.findings import Findings, Problem, Severity
from redun.store.maintain.fsck_objects import ObjectCheck
from redun.store.maintain.known import Known
from redun.store.storage import NameMissing

if TYPE_CHECKING:
    from redun.store.repository import Repository

_MAX_TAIL_BYTES = 1 << 20  # of a journal's end: as much is searched for records behind a broken one


class FileCheck:
    """Checks the large contents and the journals of a repository."""

    def __init__(
        self,
        repository: Repository,
        known: Known,
        objects: ObjectCheck,
        found: Findings,
        *,
        is_full: bool,
        repair: bool,
    ) -> None:
        """``is_full``: hash contents; ``repair``: remove what was left half written."""
        self._storage = repository.storage
        self._known = known
        self._found = found
        self._objects = objects
        self._is_full = is_full
        self._repair = repair
        self.n_blobs = 0
        self.n_journals = 0

    def check_blobs(self) -> None:
        """Check the large contents."""
        for entry in self._storage.iter_entries(BLOB_FOLDER):
            stem = entry.name.rpartition("/")[2]
            if not is_file_stem(stem) or blob_name(Oid(bytes.fromhex(stem))) != entry.name:
                self._found.note("file", entry.name, "it does not belong here")
                continue
            self.n_blobs += 1
            oid = Oid(bytes.fromhex(stem))
            if self._is_full:
                with self._storage.open(entry.name) as stream:
                    found, _ = hash_stream(stream)
                if found != oid:
                    self._found.error("blob", entry.name, f"its content hashes to {short(found)}, not to its name")
                    continue
            self._known.loose[oid] = int(Kind.BLOB)

    def check_unfinished(self) -> None:
        """Tell what dead processes were writing; remove it with repair."""
        for entry in self._storage.iter_unfinished():
            if now_us() - entry.modified_us > UNSEEN_WRITER_TIMEOUT_SECONDS * 1_000_000:
                if self._repair:
                    (self._storage.path / entry.name).unlink(missing_ok=True)
                why = f"{entry.size} bytes left by a process that died while it wrote"
                self._found.problems.append(Problem(Severity.NOTE, "file", entry.name, why, is_repaired=self._repair))

    def check_journals(self) -> None:
        """Check the journals, and take in what is in them."""
        for entry in self._storage.iter_entries(JOURNALS):
            if not entry.name.endswith(SUFFIX):
                self._found.note("file", entry.name, "it does not belong here")
                continue
            try:
                reader = JournalReader(self._storage.path / entry.name)
            except FileNotFoundError:  # sealed since the listing
                continue
            except OSError as error:
                self._found.error("journal", entry.name, f"it cannot be read: {error.strerror}")
                continue
            self.n_journals += 1
            try:
                with suppress(NameMissing):  # as above
                    self._check_journal(reader, entry.name)
            finally:
                reader.close()

    def _check_journal(self, reader: JournalReader, name: str) -> None:
        reader.refresh()
        if reader.header is None:
            self._found.error("journal", name, "it does not begin as a journal does")
            return
        is_alive = is_writer_alive(reader.header, reader.modified_us, now_us())
        if not is_alive:
            self._found.note("journal", name, "its writer is gone; the next run seals it")
            self._check_tail(reader, name)
        for oid, kind in reader.index.kinds().items():
            data = reader.get(oid)
            if data is not None and oid not in self._known.loose:
                self._known.loose[oid] = kind
                for link in self._objects.check(oid, kind, data, name):
                    self._known.linked.setdefault(link, oid)

    def _check_tail(self, reader: JournalReader, name: str) -> None:
        """Tell a record that was being written when its writer died from one that was damaged later."""
        tail = self._storage.read(name, reader.end, _MAX_TAIL_BYTES)
        if not tail:
            return
        # A kill cuts off the last record and nothing else: a whole record behind it means that this one was damaged.
        if any(decode_record(tail, at) for at in range(1, len(tail) - RECORD_HEAD_SIZE + 1)):
            self._found.error("journal", name, f"the record at byte {reader.end} is damaged; all from there on is lost")
        else:
            self._found.note(
                "journal", name, f"torn tail: the last record, at byte {reader.end}, was not written to its end"
            )
