"""Sending what a push has found, a batch at a time: for good, or only to tell what it would take.

The invariant: whatever the remote's idx files name is there together with all that its hard links lead to, and a ref is
written only after its closure.  So the order is: large contents, what is absent, one pack, its idx, refs.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from redun.hashing import READ_SIZE_BYTES, Buffer, Oid, hash_blob
from redun.remotes.contents import map_contents
from redun.remotes.known_packs import map_unnamed
from redun.remotes.transfer import ContentChanged, OnProgress, TransferReport, checked
from redun.store.blobs import blob_name
from redun.store.idx import Idx
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import write_pack
from redun.store.pack_format import idx_name, pack_name

if TYPE_CHECKING:
    from redun.remotes.cargo import Cargo
    from redun.remotes.remote import Remote
    from redun.store.ref_texts import ExecutionRef
    from redun.store.repository import Repository


class Sender:
    """Writes batches to a remote."""

    def __init__(self, repository: Repository, remote: Remote, on_progress: OnProgress) -> None:
        self._repository = repository
        self._remote = remote
        self._on_progress = on_progress
        self._n_executions = 0
        self._n_tag_edits = 0
        self._n_objects = 0
        self._n_bytes = 0

    def has(self, oid: Oid) -> bool:
        """Tell whether a pack at the remote has an object, or one that was sent."""
        return self._remote.has(oid)

    @property
    def is_idle(self) -> bool:
        """Whether nothing was sent."""
        return not (self._n_executions or self._n_tag_edits)

    def enter(self, report: TransferReport) -> TransferReport:
        """Return a report with what was sent."""
        return dataclasses.replace(
            report,
            executions=self._n_executions,
            tag_edits=self._n_tag_edits,
            objects=self._n_objects,
            transferred_bytes=self._n_bytes,
        )

    def send(self, cargo: Cargo) -> None:
        """Send a batch; it holds no objects any more then."""
        self._n_objects += self._send_objects(cargo)
        self._send_refs(cargo)
        self._n_executions += len(cargo.refs)
        self._n_tag_edits += len(cargo.tags)

    def _send_objects(self, cargo: Cargo) -> int:
        """Send contents and a pack; return how many objects that made."""
        written = self._send_large(cargo)
        count, n_packed, before = len(written), cargo.count_packed(), self._n_objects + len(written)
        lost: list[Oid] = []
        self._remote.write_absent(cargo.absent.values())
        objects = _iter_objects(self._repository, cargo, lost)
        pack = self._remote.write_objects(self._counted(objects, before, before + n_packed))
        if pack is not None:
            self._n_bytes += pack.pack_size + pack.idx_size
            written += [pack_name(pack.name), idx_name(pack.name)]
        self._remote.sync(written)
        return count + n_packed - len(lost)

    def _send_large(self, cargo: Cargo) -> list[str]:
        """Send contents that are files of their own; return the names of what was written."""
        if not cargo.large:
            return []
        self._remote.make()  # else the pack does, at the same time
        progress = _Progress(self._n_bytes, self._n_bytes + sum(cargo.large.values()), self._on_progress)

        def send(oid: Oid) -> str | None:
            path = cargo.files.get(oid)
            where = str(path or self._repository.location)
            try:
                pieces = checked(_iter_content(self._repository, oid, path), oid, where)
                self._remote.write_blob(oid, progress.told(pieces))
            except ContentChanged:
                if path is None:
                    raise
                return None  # the file was changed since it was looked at: its content is not wanted any more
            return blob_name(oid)

        names = map_contents(self._remote, send, cargo.large)
        self._n_bytes += sum(size for size, name in zip(cargo.large.values(), names) if name is not None)
        return [name for name in names if name is not None]

    def _send_refs(self, cargo: Cargo) -> None:
        refs = [_localize(self._remote, ref) for ref in cargo.refs]
        self._remote.write_refs(refs)
        self._remote.write_tag_refs(cargo.tags)
        if self._repository.is_writable and self._remote.is_tracked:
            for ref in refs:
                self._repository.refs.write(ref, remote=self._remote.name)
        self._on_progress(self._n_bytes, self._n_bytes, "done")

    def _counted(
        self, objects: Iterable[tuple[Oid, int, bytes]], before: int, total: int
    ) -> Iterator[tuple[Oid, int, bytes]]:
        """Pass objects on, and tell now and then how many they are."""
        for count, one in enumerate(objects, before + 1):
            yield one
            if count == total or not count % 1024:
                self._on_progress(self._n_bytes, 0, f"packed {count} of {total} objects")


class _Progress:
    """Tells how many bytes of contents are sent, from whichever thread sends them."""

    def __init__(self, done: int, total: int, on_progress: OnProgress) -> None:
        self._done = done
        self._total = total
        self._on_progress = on_progress
        self._lock = Lock()

    def told(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the pieces of a content on, and tell how many bytes that makes."""
        for piece in pieces:
            yield piece
            with self._lock:
                self._done += len(piece)
                self._on_progress(self._done, self._total, "sending contents")


class Rehearsal(Sender):
    """Tells what sending would write: it packs all the same, and writes nothing anywhere."""

    def __init__(self, repository: Repository, remote: Remote, on_progress: OnProgress) -> None:
        super().__init__(repository, remote, on_progress)
        self._idxs: list[Idx] = []

    def has(self, oid: Oid) -> bool:
        """Tell whether a pack at the remote has an object, or would have it."""
        return self._remote.has(oid) or any(idx.find(oid) is not None for idx in self._idxs)

    def _send_objects(self, cargo: Cargo) -> int:
        count = len(cargo.large) + cargo.count_packed()
        pack = write_pack(_iter_objects(self._repository, cargo, []), _Nowhere(), on_idx=self._keep_idx)
        self._n_bytes += sum(cargo.large.values()) + (0 if pack is None else pack.pack_size + pack.idx_size)
        return count

    def _send_refs(self, cargo: Cargo) -> None:
        pass

    def _keep_idx(self, pack: Oid, pieces: Iterable[bytes]) -> None:
        self._idxs.append(Idx(map_unnamed(pieces), idx_name(pack), pack))


class _Nowhere(MemoryStorage):
    """Takes everything and keeps nothing."""

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:  # noqa: ARG002 - the name is the contract's
        if not isinstance(content, (bytes, bytearray, memoryview)):
            deque(content, maxlen=0)


def _iter_objects(repository: Repository, cargo: Cargo, lost: list[Oid]) -> Iterator[tuple[Oid, int, bytes]]:
    """Yield the objects as a pack wants them: by kind, children first; add to ``lost`` what was changed meanwhile.

    They are taken out of the batch on the way, since the pack's own tables grow meanwhile.
    """
    for kind in sorted(cargo.by_kind):
        oids = cargo.by_kind[kind]
        while oids:
            oid = oids.pop()
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
