"""Push: give a remote the executions and the edits of tags that it lacks.

The invariant: whatever the remote's idx files name is there together with all that its hard links lead to, and a ref
is written only after its closure.  So the order is: large contents, one pack, its idx, refs; a push that is cut off
anywhere leaves a sound remote, and the next one goes on from there.  Nothing is ever decoded but nodes.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from redun.hashing import READ_SIZE_BYTES, Buffer, Oid, hash_blob, hash_stream
from redun.objects.codec import decode_node
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import format_id
from redun.objects.kinds import Kind
from redun.objects.links import BrokenLink, walk
from redun.objects.oid import short
from redun.objects.value_records import FileRecord
from redun.remotes.lazy import serve_promises
from redun.remotes.negotiate import names_to_read, plan_refs
from redun.remotes.remote import RefNames, Remote
from redun.remotes.transfer import (
    LARGE_CONTENT_BYTES,
    ContentChanged,
    OnProgress,
    Skipped,
    TransferReport,
    checked,
    ignore_progress,
)
from redun.store.absent import Absence
from redun.store.base import ObjectMissing
from redun.store.blobs import blob_name
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import write_pack
from redun.store.pack_format import idx_name, pack_name
from redun.store.refs import BadRef, ExecutionRef, TagRef, execution_id_of

if TYPE_CHECKING:
    from redun.store.repository import Repository


@dataclass(slots=True)
class _Cargo:
    """What is to be sent."""

    refs: list[ExecutionRef] = field(default_factory=list)
    tags: list[TagRef] = field(default_factory=list)
    objects: list[tuple[Oid, int]] = field(default_factory=list)  # parents first, as the walk comes to them
    files: dict[Oid, Path] = field(default_factory=dict)  # contents that lie in the working tree alone
    large: dict[Oid, int] = field(default_factory=dict)  # contents that are files of their own, with their sizes
    absent: dict[Oid, Absence] = field(default_factory=dict)  # missing here on purpose, and then there
    skipped: list[Skipped] = field(default_factory=list)


def push(
    repository: Repository,
    remote: Remote,
    names: Sequence[str] | None = None,
    *,
    bases: Sequence[Path] = (),
    listed: RefNames | None = None,
    is_dry_run: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> TransferReport:
    """Send ended executions that a remote lacks, or tells worse, and the edits of tags that it lacks.

    Args:
        repository: where they are.
        remote: where they go; a repository is made when there is nothing there.
        names: the refs to send; all when None.  Edits of tags go along: all of them, or those that speak only of what
            the remote then has.
        bases: folders where relative paths of files are looked up whose contents the repository does not keep; the
            project directory when empty.
        listed: what ``remote.look_or_create`` has just given, when that was asked already.
        is_dry_run: only tell what would be sent.  The objects are packed all the same, since only that tells the bytes.
        on_progress: told now and then how far it is.

    Returns:
        What was sent.  An execution that is not whole here is not sent, and listed as skipped.

    Raises:
        RemoteError: the remote cannot be reached or written, is no repository, or is damaged.
    """
    skipped: list[Skipped] = []
    listed = remote.look_or_create() if listed is None else listed
    planned = _plan(repository, remote, names, listed.executions, skipped)
    tag_refs = _plan_tags(repository, listed.tags, skipped)
    report = TransferReport(remote.name, remote.location, skipped=tuple(skipped), is_dry_run=is_dry_run)
    if not (planned or tag_refs):
        return _end_empty(remote, report)
    repository.store.refresh(force=True)  # a ref read just now may be of a run that another process has just sealed
    remote.load_packs()
    serve_promises(repository)  # what another remote has promised is brought, and sent
    loader = _Loader(repository, remote, bases or (repository.path.parent,), on_progress)
    loader.load(planned)
    there = {execution_id_of(name) for name in (*listed.executions, *(ref.name for ref in planned))}
    cargo = loader.load_tags(tag_refs, None if names is None else there)
    report = dataclasses.replace(
        report,
        executions=len(cargo.refs),
        tag_edits=len(cargo.tags),
        objects=len(cargo.objects) + len(cargo.large),
        skipped=(*skipped, *cargo.skipped),
    )
    if is_dry_run:
        return dataclasses.replace(report, transferred_bytes=_weigh(repository, cargo))
    if not (cargo.refs or cargo.tags):
        return _end_empty(remote, report)
    return _send(repository, remote, cargo, report, on_progress)


def _end_empty(remote: Remote, report: TransferReport) -> TransferReport:
    """End a push that has nothing to send: there is a repository then all the same."""
    if not report.is_dry_run:
        remote.make()
    return report


def _plan(
    repository: Repository, remote: Remote, names: Sequence[str] | None, at_remote: list[str], skipped: list[Skipped]
) -> list[ExecutionRef]:
    """Return the refs to send, from names alone where that is enough."""
    listed = set(at_remote)
    own: list[ExecutionRef] = []
    seen: dict[str, ExecutionRef] = {}
    asked = list(repository.refs.iter_names() if names is None else names)
    repository.refs.prefetch(asked)
    for name in asked:
        try:
            own.append(repository.refs.read(name))
        except BadRef as error:
            skipped.append(Skipped(name, str(error)))
        if remote.is_tracked and name in listed and (known := _find_tracked(repository, remote.name, name)) is not None:
            seen[name] = known
    unsure = names_to_read([ref.name for ref in own if ref.name in listed], seen)
    there = seen | remote.read_refs(unsure)
    return plan_refs(own, there)


def _plan_tags(repository: Repository, at_remote: list[str], skipped: list[Skipped]) -> list[TagRef]:
    """Return the tag refs that the remote lacks: what has the same name is the same."""
    listed = set(at_remote)
    found: list[TagRef] = []
    for name in repository.refs.iter_tag_names():
        if name not in listed:
            try:
                found.append(repository.refs.read_tags(name))
            except BadRef as error:
                skipped.append(Skipped(name, str(error)))
    return found


def _find_tracked(repository: Repository, remote: str, name: str) -> ExecutionRef | None:
    from redun.errors import RefError

    try:
        return repository.refs.read(name, remote=remote)
    except RefError:
        return None


class _Loader:
    """Walks what refs reach and picks what the remote lacks."""

    def __init__(self, repository: Repository, remote: Remote, bases: Sequence[Path], on_progress: OnProgress) -> None:
        self._store = repository.store
        self._remote = remote
        self._bases = bases
        self._on_progress = on_progress
        self._paths: dict[Oid, list[str]] = {}  # content: the paths of files that were seen to have it
        self._taken: set[Oid] = set()
        self._cargo = _Cargo()

    def load(self, refs: Iterable[ExecutionRef]) -> None:
        """Find what must be sent so that the remote can have these refs."""
        for ref in refs:
            assert ref.object is not None, "only refs that name an object are planned"
            try:
                found = self._walk([ref.object])
            except BrokenLink as error:
                why = f"object {short(error.oid)} is missing here, so it is not whole"
                self._cargo.skipped.append(Skipped(ref.name, why))
                continue
            self._take(found)
            self._cargo.refs.append(ref)

    def load_tags(self, refs: Iterable[TagRef], executions: Collection[str] | None) -> _Cargo:
        """Return what must be sent so that the remote can have these tag refs too.

        Args:
            refs: the edits.
            executions: uuids of those that the remote will have; edits that speak of anything else stay here.  None
                sends all edits, with whatever they speak of.
        """
        for ref in refs:
            try:
                found = self._walk(ref.tags)
            except BrokenLink as error:
                why = f"object {short(error.oid)} is missing here, so it is not whole"
                self._cargo.skipped.append(Skipped(ref.name, why))
                continue
            if executions is None or self._is_only_of(found, executions):
                self._take(found)
                self._cargo.tags.append(ref)
        return self._cargo

    def _is_only_of(self, found: list[tuple[Oid, int, bool]], executions: Collection[str]) -> bool:
        """Tell whether the remote lacks nothing but tags, and these are of objects that it has or of executions."""
        for oid, kind, _ in found:
            if kind != Kind.TAG:
                return False
            subject = TagRecord.decode(decode_node(self._store.get(oid))).subject
            if isinstance(subject, RunSubject) and format_id(subject.execution_id) not in executions:
                return False
        return True

    def _walk(self, roots: Iterable[Oid]) -> list[tuple[Oid, int, bool]]:
        """Return (oid, kind, is it here) of all that is reached and that the remote lacks."""
        absent, promised = self._store.packs.notes.absent, self._store.packs.notes.promised

        def skip(oid: Oid) -> bool:
            if oid in self._taken or self._remote.has(oid) or (oid in absent and self._is_absent(absent[oid])):
                return True
            promise = self._store.promises.find(oid) if oid in promised else None
            return promise is not None and promise.remote == self._remote.name  # which has it

        return [(reached.oid, reached.kind, reached.data is not None) for reached in walk(roots, self._read, skip=skip)]

    def _is_absent(self, absence: Absence) -> bool:
        if self._store.has(absence.oid):
            return False
        self._cargo.absent[absence.oid] = absence
        return True

    def _brings(self, oid: Oid) -> bool:
        """Have a content brought that another remote has promised; tell whether it can be had."""
        try:
            self._store.bring((oid,))
        except ObjectMissing:
            return False
        return True

    def _read(self, oid: Oid) -> tuple[int, bytes] | None:
        kind = self._store.kind_of(oid)
        if kind is None or kind == Kind.BLOB:
            if kind is not None and not self._brings(oid):
                return None
            # A content is not read to be walked: it may be large, and leads nowhere.
            return None if kind is None else (kind, b"")
        data = self._store.get(oid)
        if kind == Kind.FILE:
            node = decode_node(data)
            for link in node.links:
                self._paths.setdefault(link, []).append(FileRecord.decode(node).path)
        return kind, data

    def _take(self, found: list[tuple[Oid, int, bool]]) -> None:
        for oid, kind, is_here in found:
            if oid in self._taken:
                continue  # a soft link met twice
            if kind != Kind.BLOB:
                self._cargo.objects.append((oid, kind))
            elif not self._take_content(oid, is_here=is_here):
                continue
            self._taken.add(oid)
            if not len(self._taken) % 1024:
                self._on_progress(0, 0, f"found {len(self._taken)} objects")

    def _take_content(self, oid: Oid, *, is_here: bool) -> bool:
        if is_here:
            size = self._store.blob_size(oid) or 0
        else:
            found = self._find_in_working_tree(oid)
            if found is None:
                return False
            self._cargo.files[oid], size = found
        if size < LARGE_CONTENT_BYTES:
            self._cargo.objects.append((oid, int(Kind.BLOB)))
        elif self._remote.blob_size(oid, is_for_writing=True) is None:
            self._cargo.large[oid] = size
        return True

    def _find_in_working_tree(self, oid: Oid) -> tuple[Path, int] | None:
        """Return a file whose content is the one wanted, and its size."""
        for written in dict.fromkeys(self._paths.get(oid, ())):
            for base in self._bases:
                path = base / written
                try:
                    with path.open("rb") as stream:
                        digest, size = hash_stream(stream)
                except (OSError, ValueError):  # ValueError: a path that no file can have
                    continue
                if digest == oid:
                    return path, size
        return None


class _Nowhere(MemoryStorage):
    """Takes everything and keeps nothing."""

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:  # noqa: ARG002 - the name is the contract's
        if not isinstance(content, (bytes, bytearray, memoryview)):
            deque(content, maxlen=0)


def _weigh(repository: Repository, cargo: _Cargo) -> int:
    """Return the bytes that sending would write."""
    pack = write_pack(_iter_objects(repository, cargo, []), _Nowhere())
    return sum(cargo.large.values()) + (0 if pack is None else pack.pack_size + pack.idx_size)


def _send(
    repository: Repository, remote: Remote, cargo: _Cargo, report: TransferReport, on_progress: OnProgress
) -> TransferReport:
    sent_bytes = 0
    written: list[str] = []
    n_lost = 0
    total = sum(cargo.large.values())
    if cargo.large:
        remote.make()  # else the pack does, at the same time
    for oid, size in cargo.large.items():
        path = cargo.files.get(oid)
        where = str(path or repository.location)
        try:
            pieces = checked(_iter_content(repository, oid, path), oid, where)
            remote.write_blob(oid, _told(pieces, sent_bytes, total, on_progress))
        except ContentChanged:
            if path is None:
                raise
            n_lost += 1  # the file was changed since it was looked at: its content is not wanted any more
            continue
        sent_bytes += size
        written.append(blob_name(oid))
    lost: list[Oid] = []
    remote.write_absent(cargo.absent.values())
    objects = _iter_objects(repository, cargo, lost)
    pack = remote.write_objects(_counted(objects, len(cargo.objects), sent_bytes, on_progress))
    if pack is not None:
        sent_bytes += pack.pack_size + pack.idx_size
        written += [pack_name(pack.name), idx_name(pack.name)]
    remote.sync(written)
    refs = [_localize(remote, ref) for ref in cargo.refs]
    remote.write_refs(refs)
    remote.write_tag_refs(cargo.tags)
    if repository.is_writable and remote.is_tracked:
        for ref in refs:
            repository.refs.write(ref, remote=remote.name)
    on_progress(sent_bytes, sent_bytes, "done")
    return dataclasses.replace(report, objects=report.objects - n_lost - len(lost), transferred_bytes=sent_bytes)


def _told(pieces: Iterable[bytes], done: int, total: int, on_progress: OnProgress) -> Iterator[bytes]:
    """Pass the pieces of a content on, and tell how many bytes that makes with those before it."""
    for piece in pieces:
        yield piece
        done += len(piece)
        on_progress(done, total, "sending contents")


def _counted(
    objects: Iterable[tuple[Oid, int, bytes]], total: int, sent_bytes: int, on_progress: OnProgress
) -> Iterator[tuple[Oid, int, bytes]]:
    """Pass objects on, and tell now and then how many they are."""
    for count, one in enumerate(objects, 1):
        yield one
        if count == total or not count % 1024:
            on_progress(sent_bytes, 0, f"packed {count} of {total} objects")


def _iter_objects(repository: Repository, cargo: _Cargo, lost: list[Oid]) -> Iterator[tuple[Oid, int, bytes]]:
    """Yield the objects as a pack wants them: by kind, children first; add to ``lost`` what was changed meanwhile."""
    by_kind: dict[int, list[Oid]] = {}
    for oid, kind in reversed(cargo.objects):
        by_kind.setdefault(kind, []).append(oid)
    for kind in sorted(by_kind):
        for oid in by_kind[kind]:
            path = cargo.files.get(oid)
            if path is None:
                yield oid, kind, repository.store.get(oid)
                continue
            content = b"".join(_iter_content(repository, oid, path))
            if hash_blob(content) == oid:
                yield oid, kind, content
            else:
                lost.append(oid)


def _iter_content(repository: Repository, oid: Oid, path: Path | None) -> Iterator[bytes]:
    """Yield a content in pieces, from the store or from a file; a file that is gone is an empty one."""
    try:
        stream = repository.store.open(oid) if path is None else path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        while piece := stream.read(READ_SIZE_BYTES):
            yield piece


def _localize(remote: Remote, ref: ExecutionRef) -> ExecutionRef:
    """Return a ref whose pack lines tell where its execution node is at the remote."""
    assert ref.object is not None, "only refs that name an object are sent"
    pack = remote.find_pack(ref.object)
    return dataclasses.replace(ref, writer=None, packs=() if pack is None else (pack,))
