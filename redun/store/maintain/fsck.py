"""Fsck: is everything in a repository what its name says, and does every link lead somewhere?

The invariant: nothing is believed.  Packs, contents and objects are hashed again, every node is decoded and encoded
again, every idx is made anew from its pack and compared; only then a repository is called clean.
Formats: docs/format/.

What can be derived can be repaired: an idx, from its pack.  What a killed process left half written is removed then.
Everything else is told, with its place and reason.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from redun.errors import ObjectError, RedunError
from redun.hashing import Buffer, Oid, hash_blob, hash_stream
from redun.objects.codec import NotCanonical, decode_node
from redun.objects.ids import format_id
from redun.objects.kinds import (
    SOFT_LINK_KINDS,
    CallRecord,
    EvalRecord,
    ExecutionRecord,
    ExpressionRecord,
    FileRecord,
    HandleRecord,
    JobsRecord,
    Kind,
    ReductionRecord,
    SourceRecord,
    TagRecord,
    TaskRecord,
    UnitRecord,
    ValueRecord,
)
from redun.objects.links import BrokenLink, walk
from redun.objects.oid import HEX_DIGITS, short
from redun.store.base import ObjectCorrupt
from redun.store.blobs import FOLDER as BLOB_FOLDER
from redun.store.blobs import blob_name
from redun.store.condemned import is_condemned_list, list_condemned
from redun.store.idx import Idx, check_idx
from redun.store.journal import RECORD_HEAD_SIZE, SUFFIX, decode_record
from redun.store.journal_reader import JournalReader
from redun.store.liveness import UNSEEN_WRITER_TIMEOUT_SECONDS, is_writer_alive, now_us
from redun.store.pack import PackReader, rebuild_idx
from redun.store.pack_format import FOLDER as PACK_FOLDER
from redun.store.pack_format import IDX_SUFFIX, PACK_SUFFIX, idx_name, pack_name
from redun.store.refs import EXECUTIONS, REMOTES, TAGS, ExecutionRef, RefStatus, TagRef
from redun.store.storage import Entry, NameMissing

if TYPE_CHECKING:
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


class Severity(str, Enum):
    """How much a finding matters."""

    NOTE = "note"  # nothing is lost: a run that was cut off, a file that does not belong
    ERROR = "error"  # something is damaged or missing


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding."""

    severity: Severity
    what: str  # "pack", "idx", "journal", "blob", "object", "ref", "file"
    where: str  # its name in the repository, or its oid
    why: str
    is_repaired: bool = False


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


@dataclass(slots=True)
class _Known:
    """The objects that are here whole, and the links that were seen so far."""

    kinds: dict[Oid, int] = field(default_factory=dict)
    linked: dict[Oid, Oid] = field(default_factory=dict)  # target: a node that must have it


class _Check:
    def __init__(self, repository: Repository, *, is_full: bool, repair: bool) -> None:
        self._repository = repository
        self._storage = repository.storage
        self._is_full = is_full
        self._repair = repair
        self._known = _Known()
        self._rebuilt: list[PackReader] = []  # packs whose idx was wrong: the store may not look into them
        self._problems: list[Problem] = []
        self._counts = dict.fromkeys(("packs", "idxs", "journals", "refs", "blobs"), 0)

    def run(self) -> FsckReport:
        # In the order in which what they name moves on, from journals to packs: so nothing slips by, and what a ref
        # that was read first names is there.
        refs = self._read_refs()
        self._repository.store.refresh(force=True)
        self._check_journals()
        self._check_packs()
        self._check_blobs()
        self._check_unfinished()
        self._check_links()
        for where, ref in refs:
            if isinstance(ref, TagRef):
                self._check_tag_ref(ref, where)
            else:
                self._check_ref(ref, where)
        objects: dict[str, int] = {}
        for kind in self._known.kinds.values():
            name = _kind_name(kind)
            objects[name] = objects.get(name, 0) + 1
        level = "full" if self._is_full else "quick"
        problems = tuple(self._problems)
        return FsckReport(self._repository.location, level, objects, problems=problems, **self._counts)

    # Packs

    def _check_packs(self) -> None:
        seen: set[str] = set()
        while names := [name for name in self._list_packs() if name not in seen]:  # anew: they may be merged meanwhile
            seen.update(names)
            for name in names:
                if is_condemned_list(name):
                    continue
                stem, _, suffix = name.removeprefix(f"{PACK_FOLDER}/").rpartition(".")
                if not _is_oid(stem) or f".{suffix}" not in (PACK_SUFFIX, IDX_SUFFIX, ".rev"):
                    self._note("file", name, "it does not belong here")
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
            self._error("idx", name, "its pack is missing")
            return
        if self._repair:
            self._storage.delete(name)
        why = f"it is left of a pack that was {'merged into another' if is_merged else 'collected'}"
        self._problems.append(Problem(Severity.NOTE, "idx", name, why, is_repaired=self._repair))

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
                self._error("pack", name, f"its content hashes to {short(found)}, not to its name")
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
        self._error("idx", name, why, is_repaired=is_repaired)
        return False

    def _repair_unread(self, pack: Oid) -> bool:
        """With level quick a pack is read only when its idx is to be made anew."""
        if self._is_full or not self._repair:
            return False
        name = pack_name(pack)
        content = self._storage.view(name)
        if hash_blob(content) != pack:
            self._error("pack", name, "its content does not hash to its name")
            return False
        rebuilt = self._attempt("pack", name, lambda: rebuild_idx(content, name))
        if rebuilt is None:
            return False
        self._storage.write(idx_name(pack), rebuilt)
        last = self._problems.pop()
        self._problems.append(Problem(last.severity, last.what, last.where, last.why, is_repaired=True))
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
            self._error("pack", reader.where, f"{len(lost)} of its {len(reader)} objects are lost: {why}")

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
            self._error("object", oid.hex(), f"in {where}: {error}")
            return
        if kind not in SOFT_LINK_KINDS:
            for link in node.links:
                self._known.linked.setdefault(link, oid)

    # Contents and journals

    def _check_blobs(self) -> None:
        for entry in self._storage.iter_entries(BLOB_FOLDER):
            stem = entry.name.rpartition("/")[2]
            if not _is_oid(stem) or blob_name(Oid(bytes.fromhex(stem))) != entry.name:
                self._note("file", entry.name, "it does not belong here")
                continue
            self._counts["blobs"] += 1
            oid = Oid(bytes.fromhex(stem))
            if self._is_full:
                with self._storage.open(entry.name) as stream:
                    found, _ = hash_stream(stream)
                if found != oid:
                    self._error("blob", entry.name, f"its content hashes to {short(found)}, not to its name")
                    continue
            self._known.kinds[oid] = int(Kind.BLOB)

    def _check_unfinished(self) -> None:
        for entry in self._storage.iter_unfinished():
            if now_us() - entry.modified_us > UNSEEN_WRITER_TIMEOUT_SECONDS * 1_000_000:
                if self._repair:
                    (self._storage.path / entry.name).unlink(missing_ok=True)
                why = f"{entry.size} bytes left by a process that died while it wrote"
                self._problems.append(Problem(Severity.NOTE, "file", entry.name, why, is_repaired=self._repair))

    def _check_journals(self) -> None:
        for entry in self._storage.iter_entries(_JOURNALS):
            if not entry.name.endswith(SUFFIX):
                self._note("file", entry.name, "it does not belong here")
                continue
            try:
                reader = JournalReader(self._storage.path / entry.name)
            except FileNotFoundError:  # sealed since the listing
                continue
            except OSError as error:
                self._error("journal", entry.name, f"it cannot be read: {error.strerror}")
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
            self._error("journal", name, "it does not begin as a journal does")
            return
        is_alive = is_writer_alive(reader.header, reader.modified_us, now_us())
        if not is_alive:
            self._note("journal", name, "its writer is gone; the next run seals it")
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
            self._error("journal", name, f"the record at byte {reader.end} is damaged; all from there on is lost")
        else:
            self._note("journal", name, f"torn tail: the last record, at byte {reader.end}, was not written to its end")

    # Links and refs

    def _check_links(self) -> None:
        known = self._known.kinds
        for target, source in sorted(self._known.linked.items()):
            if target not in known:
                kind = _kind_name(known[source])
                self._error("object", target.hex(), f"it is missing; {kind} {short(source)} links to it")

    def _read_refs(self) -> list[tuple[str, ExecutionRef | TagRef]]:
        found: list[tuple[str, ExecutionRef | TagRef]] = []
        refs = self._repository.refs
        for name in refs.iter_strangers():
            self._note("file", name, "it is no ref")
        reads: list[tuple[str, Callable[[], ExecutionRef | TagRef]]] = []
        for remote in (None, *refs.iter_remotes()):
            folder = EXECUTIONS if remote is None else f"{REMOTES}/{remote}"
            reads += [
                (f"{folder}/{name}", partial(refs.read, name, remote=remote)) for name in refs.iter_names(remote=remote)
            ]
        reads += [(f"{TAGS}/{name}", partial(refs.read_tags, name)) for name in refs.iter_tag_names()]
        self._counts["refs"] = len(reads)
        for where, read in reads:
            try:
                found.append((where, read()))
            except RedunError as error:
                self._error("ref", where, str(error))
        return found

    def _check_tag_ref(self, ref: TagRef, where: str) -> None:
        for tag in ref.tags:
            if self._known.kinds.get(tag) != Kind.TAG:
                self._error("ref", where, f"its tag {short(tag)} is missing")

    def _check_ref(self, ref: ExecutionRef, where: str) -> None:
        if ref.status is RefStatus.RUNNING:
            if not self._repository.is_alive(ref):
                self._note("ref", where, "its run was interrupted; the next run says so in it")
            return
        if ref.object is None:
            self._error("ref", where, f"it says {ref.status.value} and names no object")
        elif self._known.kinds.get(ref.object) != Kind.EXECUTION:
            self._error("ref", where, f"its execution {short(ref.object)} is missing")
        elif self._is_full:
            self._check_closure(ref, ref.object, where)

    def _check_closure(self, ref: ExecutionRef, oid: Oid, where: str) -> None:
        try:
            found = ExecutionRecord.decode(decode_node(self._get(oid)))
            if format_id(found.execution_id) != ref.execution_id:
                self._error("ref", where, f"its object tells of execution {format_id(found.execution_id)}")
            else:
                self._compare(ref, found, where)
            if any(problem.severity is Severity.ERROR for problem in self._problems):
                # Every hard link of every object was followed already; only which runs it concerns is left to find.
                for _ in walk([oid], self._find):
                    pass
        except BrokenLink as error:
            self._error("ref", where, f"its run is not whole: object {short(error.oid)} is missing")
        except ObjectError as error:
            self._error("ref", where, f"its run is not whole: {error}")

    def _compare(self, ref: ExecutionRef, record: ExecutionRecord, where: str) -> None:
        """A ref has no checksum, but whatever it says its execution says too."""
        pairs: dict[str, tuple[Any, Any]] = {
            "status": (ref.status.value, record.status.name.lower()),
            "start": (ref.start_us, record.start_us),
            "end": (ref.end_us, record.end_us),
            "argv": (ref.argv, record.argv),
        }
        for key, (said, expected) in pairs.items():
            if said != expected:
                self._error("ref", where, f"it says {key} {said!r}, and its execution says {expected!r}")

    def _find(self, oid: Oid) -> tuple[int, bytes] | None:
        kind = self._known.kinds.get(oid)
        if kind is None or kind == Kind.BLOB:
            return None if kind is None else (kind, b"")  # it was hashed before, and leads nowhere
        return kind, self._get(oid)

    def _get(self, oid: Oid) -> bytes:
        holder = next((reader for reader in self._rebuilt if reader.has(oid)), None)
        return self._repository.store.get(oid) if holder is None else holder.get(oid)

    def _attempt(self, what: str, where: str, step: Callable[[], Any]) -> Any:
        """Return what a step gives; None, with its error noted, when it finds damage."""
        try:
            return step()
        except (ObjectError, NotCanonical) as error:
            self._error(what, where, str(error))
            return None

    def _note(self, what: str, where: str, why: str) -> None:
        self._problems.append(Problem(Severity.NOTE, what, where, why))

    def _error(self, what: str, where: str, why: str, *, is_repaired: bool = False) -> None:
        self._problems.append(Problem(Severity.ERROR, what, where, why, is_repaired))


def _kind_name(kind: int) -> str:
    try:
        return Kind(kind).name.lower()
    except ValueError:
        return f"kind {kind}"


def _is_oid(stem: str) -> bool:
    return len(stem) == HEX_DIGITS and not stem.strip("0123456789abcdef")
