"""Fsck: is everything in a repository what its name says, and does every link lead somewhere?

The invariant: nothing is believed.  Packs, contents and objects are hashed again, every node is decoded and encoded
again, every idx is made anew from its pack and compared; only then a repository is called clean.
Formats: docs/format/.

What can be derived can be repaired: an idx, from its pack.  What a killed process left half written is removed then.
Everything else is told, with its place and reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redun.errors import ObjectError
from redun.hashing import Buffer, Oid, hash_blob, hash_stream
from redun.objects.call_records import CallRecord, EvalRecord, ExpressionRecord, ReductionRecord
from redun.objects.codec import NotCanonical, decode_node
from redun.objects.execution_records import ExecutionRecord, JobsRecord, TagRecord
from redun.objects.kinds import SOFT_LINK_KINDS, Kind
from redun.objects.oid import HEX_DIGITS, short
from redun.objects.task_records import SourceRecord, TaskRecord, UnitRecord
from redun.objects.value_records import FileRecord, HandleRecord, ValueRecord
from redun.store.absent import Absence, Cause
from redun.store.base import ObjectCorrupt
from redun.store.blobs import FOLDER as BLOB_FOLDER
from redun.store.blobs import blob_name
from redun.store.condemned import is_condemned_list, list_condemned
from redun.store.idx import Idx, check_idx
from redun.store.journal import RECORD_HEAD_SIZE, SUFFIX, decode_record
from redun.store.journal_reader import JournalReader
from redun.store.liveness import UNSEEN_WRITER_TIMEOUT_SECONDS, is_writer_alive, now_us
from redun.store.maintain.findings import Findings, Known, Problem, Severity, kind_name
from redun.store.maintain.fsck_refs import RefCheck
from redun.store.notes import is_note
from redun.store.pack import PackReader, rebuild_idx
from redun.store.pack_format import FOLDER as PACK_FOLDER
from redun.store.pack_format import IDX_SUFFIX, PACK_SUFFIX, idx_name, pack_name
from redun.store.storage import Entry, NameMissing

if TYPE_CHECKING:
    from redun.store.beyond import Beyond
    from redun.store.promised import Promise
    from redun.store.repository import Repository

_JOURNALS = "objects/journal"
_ATTEMPTS = 3
_MAX_TAIL_BYTES = 1 << 20  # of a journal's end: as much is searched for records behind a broken one

RECORDS: dict[int, Any] = {
    Kind.FILE: FileRecord,
    Kind.HANDLE: HandleRecord,
    Kind.UNIT: UnitRecord,
    Kind.TASK: TaskRecord,
    Kind.VALUE: ValueRecord,
    Kind.SOURCE: SourceRecord,
    Kind.EVAL: EvalRecord,
    Kind.EXPRESSION: ExpressionRecord,
    Kind.REDUCTION: ReductionRecord,
    Kind.CALL: CallRecord,
    Kind.JOBS: JobsRecord,
    Kind.TAG: TagRecord,
    Kind.EXECUTION: ExecutionRecord,
}


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What was checked, and what was found."""

    location: str
    level: str
    objects: dict[str, int]  # kind: how many distinct ones; with level quick, as the idx files count them
    packs: int
    idxs: int
    journals: int
    refs: int
    blobs: int  # large contents
    problems: tuple[Problem, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is damaged or missing, or not any more."""
        return all(problem.severity is Severity.NOTE or problem.is_repaired for problem in self.problems)


def check_repository(repository: Repository, *, level: str = "full", repair: bool = False) -> FsckReport:
    """Check a repository.

    Args:
        repository: an open one; others may write to it and merge its packs meanwhile.
        level: "full" reads every byte; "quick" checks that files are there, fit together and have their checksums.
        repair: make each idx anew that is missing or wrong.

    Raises:
        ValueError: there is no such level.
        ReadOnlyStore: something is to be repaired and cannot be written.
    """
    if level not in ("full", "quick"):
        raise ValueError(f"expected the level 'full' or 'quick', found {level!r}")
    for _ in range(_ATTEMPTS):
        before = _look(repository)
        report = _Check(repository, is_full=level == "full", repair=repair).run()
        # What was being written or merged while it was read may have looked like damage.
        if repair or report.is_clean or _look(repository) == before:
            break
    return report


def _look(repository: Repository) -> list[Entry]:
    return [entry for folder in ("objects", "refs") for entry in repository.storage.iter_entries(folder)]


class _Check:
    def __init__(self, repository: Repository, *, is_full: bool, repair: bool) -> None:
        self._repository = repository
        self._storage = repository.storage
        self._is_full = is_full
        self._repair = repair
        store = repository.store
        self._known = Known(promised=store.packs.notes.promised, beyond=store.beyond)
        self._rebuilt: list[PackReader] = []  # packs whose idx was wrong: the store may not look into them
        self._found = Findings(_find_gone(repository.store.beyond))
        self._refs = RefCheck(repository, self._known, self._found, self._get, is_full=is_full)
        self._counts = dict.fromkeys(("packs", "idxs", "journals", "refs", "blobs"), 0)

    def run(self) -> FsckReport:
        # In the order in which what they name moves on, from journals to packs: so nothing slips by, and what a ref
        # that was read first names is there.
        refs = self._refs.read()
        self._counts["refs"] = self._refs.count
        self._repository.store.refresh(force=True)
        self._check_journals()
        self._check_packs()
        self._check_blobs()
        self._check_unfinished()
        self._check_links()
        self._refs.check(refs)
        objects: dict[str, int] = {}
        for kind in self._known.kinds.values():
            name = kind_name(kind)
            objects[name] = objects.get(name, 0) + 1
        level = "full" if self._is_full else "quick"
        problems = tuple(self._found.problems)
        return FsckReport(self._repository.location, level, objects, problems=problems, **self._counts)

    # Packs

    def _check_packs(self) -> None:
        seen: set[str] = set()
        while names := [name for name in self._list_packs() if name not in seen]:  # anew: they may be merged meanwhile
            seen.update(names)
            for name in names:
                if is_condemned_list(name) or is_note(name):
                    continue
                stem, _, suffix = name.removeprefix(f"{PACK_FOLDER}/").rpartition(".")
                if not _is_oid(stem) or f".{suffix}" not in (PACK_SUFFIX, IDX_SUFFIX, ".rev"):
                    self._found.note("file", name, "it does not belong here")
                elif f".{suffix}" == PACK_SUFFIX:
                    with suppress(NameMissing):  # merged since the listing
                        self._check_pack(Oid(bytes.fromhex(stem)))
        there = set(self._list_packs())
        for name in sorted(there):
            pack = name.removesuffix(IDX_SUFFIX) + PACK_SUFFIX
            if (
                name.endswith(IDX_SUFFIX)
                and _is_oid(name[len(PACK_FOLDER) + 1 : -len(IDX_SUFFIX)])
                and pack not in there
            ):
                self._judge_stray_idx(name)

    def _judge_stray_idx(self, name: str) -> None:
        """Tell of an idx without a pack: left by a merge or a collection that was killed, or all that is left."""
        try:
            pack = Oid(bytes.fromhex(name[len(PACK_FOLDER) + 1 : -len(IDX_SUFFIX)]))
            idx = Idx(self._storage.read(name), name, pack)
            is_merged = all(self._repository.store.has(idx.oid_at(ordinal)) for ordinal in range(idx.count))
        except NameMissing:
            return  # its pack was merged since the listing, and now it went too
        except ObjectCorrupt:
            is_merged = False
        if not (is_merged or self._is_condemned(name, pack)):
            self._found.error("idx", name, "its pack is missing")
            return
        if self._repair:
            self._storage.delete(name)
        why = f"it is left of a pack that was {'merged into another' if is_merged else 'collected'}"
        self._found.problems.append(Problem(Severity.NOTE, "idx", name, why, is_repaired=self._repair))

    def _is_condemned(self, name: str, pack: Oid) -> bool:
        """Tell whether a list still condemns a pack: collections delete the list last."""
        entries = (entry for entry in self._storage.iter_entries(PACK_FOLDER) if entry.name == name)
        idx = next(entries, None)
        return idx is not None and any(one.dooms_pack(pack, idx.modified_us) for one in list_condemned(self._storage))

    def _list_packs(self) -> list[str]:
        return [entry.name for entry in self._storage.iter_entries(PACK_FOLDER)]

    def _check_pack(self, pack: Oid) -> None:
        name = pack_name(pack)
        content: Buffer | None = None
        rebuilt: bytes | None = None
        if self._is_full:
            content = self._storage.view(name)
            found = hash_blob(content)
            if found == pack:
                rebuilt = self._attempt("pack", name, lambda: rebuild_idx(content, name))
            else:
                self._found.error("pack", name, f"its content hashes to {short(found)}, not to its name")
        self._counts["packs"] += 1
        is_idx_sound = self._check_idx(pack, rebuilt)
        if rebuilt is None and not is_idx_sound and not self._repair_unread(pack):
            return
        reader = self._attempt("pack", name, lambda: PackReader(pack, self._storage, idx=rebuilt))
        if reader is not None:
            self._check_objects(reader)
            if not is_idx_sound:
                self._rebuilt.append(reader)

    def _check_idx(self, pack: Oid, rebuilt: bytes | None) -> bool:
        """Tell whether a pack's idx can be used; ``rebuilt`` is what it must be, when that is known."""
        self._counts["idxs"] += 1
        name = idx_name(pack)
        try:
            content = self._storage.read(name)
        except NameMissing:
            why = "it is missing"
        else:
            if content == rebuilt:
                return True
            why = "it is not the one that its pack gives"
            try:
                Idx(content, name, pack)
                if not check_idx(content):
                    why = "its checksum does not fit"
                elif rebuilt is None:
                    return True
            except ObjectCorrupt as error:
                why = str(error)
        is_repaired = self._repair and rebuilt is not None
        if is_repaired and rebuilt is not None:
            self._storage.write(name, rebuilt)
        self._found.error("idx", name, why, is_repaired=is_repaired)
        return False

    def _repair_unread(self, pack: Oid) -> bool:
        """With level quick a pack is read only when its idx is to be made anew."""
        if self._is_full or not self._repair:
            return False
        name = pack_name(pack)
        content = self._storage.view(name)
        if hash_blob(content) != pack:
            self._found.error("pack", name, "its content does not hash to its name")
            return False
        rebuilt = self._attempt("pack", name, lambda: rebuild_idx(content, name))
        if rebuilt is None:
            return False
        self._storage.write(idx_name(pack), rebuilt)
        last = self._found.problems.pop()
        self._found.problems.append(Problem(last.severity, last.what, last.where, last.why, is_repaired=True))
        return True

    def _check_objects(self, reader: PackReader) -> None:
        lost: list[Oid] = []
        why = ""
        for ordinal in range(reader.idx.count):
            oid, kind = reader.idx.oid_at(ordinal), reader.idx.kind_at(ordinal)
            if not self._is_full:
                self._known.kinds[oid] = kind
                continue
            try:
                data = reader.read(ordinal)
            except ObjectError as error:
                lost.append(oid)
                why = why or str(error)
                continue
            self._check_object(oid, kind, data, reader.where)
        if lost:
            self._found.error("pack", reader.where, f"{len(lost)} of its {len(reader)} objects are lost: {why}")

    def _check_object(self, oid: Oid, kind: int, data: bytes, where: str) -> None:
        """Decode an object whose hash is checked, and remember where it links to."""
        if oid in self._known.kinds:
            return
        self._known.kinds[oid] = kind
        if kind == Kind.BLOB:
            return
        try:
            node = decode_node(data)
            record = RECORDS.get(kind)
            if record is not None:
                record.decode(node)
        except ObjectError as error:
            self._found.error("object", oid.hex(), f"in {where}: {error}")
            return
        if kind not in SOFT_LINK_KINDS:
            for link in node.links:
                self._known.linked.setdefault(link, oid)

    # Contents and journals

    def _check_blobs(self) -> None:
        for entry in self._storage.iter_entries(BLOB_FOLDER):
            stem = entry.name.rpartition("/")[2]
            if not _is_oid(stem) or blob_name(Oid(bytes.fromhex(stem))) != entry.name:
                self._found.note("file", entry.name, "it does not belong here")
                continue
            self._counts["blobs"] += 1
            oid = Oid(bytes.fromhex(stem))
            if self._is_full:
                with self._storage.open(entry.name) as stream:
                    found, _ = hash_stream(stream)
                if found != oid:
                    self._found.error("blob", entry.name, f"its content hashes to {short(found)}, not to its name")
                    continue
            self._known.kinds[oid] = int(Kind.BLOB)

    def _check_unfinished(self) -> None:
        for entry in self._storage.iter_unfinished():
            if now_us() - entry.modified_us > UNSEEN_WRITER_TIMEOUT_SECONDS * 1_000_000:
                if self._repair:
                    (self._storage.path / entry.name).unlink(missing_ok=True)
                why = f"{entry.size} bytes left by a process that died while it wrote"
                self._found.problems.append(Problem(Severity.NOTE, "file", entry.name, why, is_repaired=self._repair))

    def _check_journals(self) -> None:
        for entry in self._storage.iter_entries(_JOURNALS):
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
            self._counts["journals"] += 1
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
            if data is not None:
                self._check_object(oid, kind, data, name)

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

    # Links and refs

    def _check_links(self) -> None:
        known, notes = self._known.kinds, self._repository.store.packs.notes
        for target, source in sorted(self._known.linked.items()):
            if self._known.kind_of(target) is None and target not in notes.absent:
                kind = kind_name(known[source])
                self._found.error("object", target.hex(), f"it is missing; {kind} {short(source)} links to it")
        self._tell_absent(notes.absent.values())
        self._found.problems += _find_promised(self._repository.store.promises.list_open())
        for name in sorted(notes.strange):
            self._found.error("file", name, "it is a list that is not understood, so not all that is said in it holds")

    def _tell_absent(self, absences: Iterable[Absence]) -> None:
        """Tell what is missing on purpose, and what was purged and is here."""
        n_withheld = 0
        for absence in sorted(absences):
            is_here = self._known.kind_of(absence.oid) is not None
            if absence.cause is Cause.PURGED:
                again = ", and is here: `redun purge` removes it again" if is_here else ""
                self._found.note("object", absence.oid.hex(), f"the {kind_name(absence.kind)} {absence.why}{again}")
            n_withheld += absence.cause is Cause.WITHHELD and not is_here
        if n_withheld:
            self._found.note(
                "object", PACK_FOLDER, f"withheld, as they were only where plain data alone is trusted: {n_withheld}"
            )

    def _get(self, oid: Oid) -> bytes:
        holder = next((reader for reader in self._rebuilt if reader.has(oid)), None)
        return self._repository.store.get(oid) if holder is None else holder.get(oid)

    def _attempt(self, what: str, where: str, step: Callable[[], Any]) -> Any:
        """Return what a step gives; None, with its error noted, when it finds damage."""
        try:
            return step()
        except (ObjectError, NotCanonical) as error:
            self._found.error(what, where, str(error))
            return None


def _find_gone(beyond: Beyond | None) -> list[Problem]:
    """Return which alternates cannot be read; what only they had is told as missing."""
    why = "it cannot be read, so what only it has is missing: "
    return [Problem(Severity.NOTE, "alternate", one.place, why + one.why) for one in (beyond.gone if beyond else ())]


def _find_promised(promises: Sequence[Promise]) -> list[Problem]:
    """Tell how much is at remotes still, on purpose."""
    found: list[Problem] = []
    for remote in sorted({one.remote for one in promises}):
        sizes = [one.size for one in promises if one.remote == remote]
        what = "1 content" if len(sizes) == 1 else f"{len(sizes)} contents"
        why = f"{what} of {sum(sizes)} bytes left there; `redun pull {remote}` brings what is left"
        found.append(Problem(Severity.NOTE, "remote", remote, why))
    return found


def _is_oid(stem: str) -> bool:
    return len(stem) == HEX_DIGITS and not stem.strip("0123456789abcdef")
