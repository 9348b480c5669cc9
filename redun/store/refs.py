"""Refs: named pointers to executions and to edits of tags, one small text each.  Normative page: docs/format/refs.md.

The invariant: a ref that names an object is the commit of a run; everything reachable from that object was in the store
before the ref was written.  Names sort by time of start (``ref_names.py``), so the newest runs are found by name, and
no file is opened to list them.  What a ref says: ``ref_texts.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol, TypeVar

from redun.errors import RefError
from redun.store.ref_names import (
    EXECUTIONS,
    REMOTES,
    TAGS,
    BadRefName,
    check_ref_name,
    check_remote_name,
    execution_id_of,
    is_ref_name,
    is_remote_name,
)
from redun.store.ref_texts import ExecutionRef, Signature, TagRef, has_own_name
from redun.store.storage import NameMissing, Storage


class RefMissing(RefError):
    """There is no ref of this name."""

    def __init__(self, path: str, where: str) -> None:
        super().__init__(f"there is no ref {path} in {where}")
        self.path = path


class SignsStatements(Protocol):
    """Who signs refs of this repository; ``store/signing.py`` has the one there is."""

    def load(self) -> None:
        """Get ready; raises ConfigError when that cannot be."""

    def sign(self, statement: bytes) -> Signature:
        """Return the signature of a statement."""


_Ref = TypeVar("_Ref", ExecutionRef, TagRef)


class Refs:
    """The refs of one repository, read and written through a Storage at its root.

    ``remote=None`` means the repository's own executions; a remote's name, what was last seen there.
    """

    signer: SignsStatements | None = None
    """Who vouches for what this repository records; nobody when None."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def sign(self, ref: _Ref) -> _Ref:
        """Return a ref of this repository's own making, signed if it is to be: not one that came from elsewhere.

        Raises:
            ConfigError: there is no key where the settings say.
        """
        if self.signer is None:
            return ref
        self.signer.load()
        if isinstance(ref, ExecutionRef) and ref.object is None:
            return ref  # what goes on is not vouched for; but a key that is missing is told before the run
        return replace(ref, signatures=(self.signer.sign(ref.statement()),))

    def write(self, ref: ExecutionRef, *, remote: str | None = None, is_forced: bool = False) -> None:
        """Put a ref in place, atomically; the last writer wins.  ``is_forced`` forces it to the disk.

        Raises:
            BadRefName: its name does not say its start and its id.
            ReadOnlyStore: the repository cannot be written.
        """
        if not has_own_name(ref):
            raise BadRefName(ref.name, f"the name of execution {ref.execution_id}, started at {ref.start_us}")
        path = _path(ref.name, remote)
        self._storage.write(path, ref.encode())
        if is_forced:
            self._storage.sync([path])

    def read(self, name: str, *, remote: str | None = None) -> ExecutionRef:
        """Read one ref.

        Raises:
            BadRefName: the name has not the form of one.
            RefMissing: there is none of this name.
            BadRef: its text is malformed.
        """
        path = _path(name, remote)
        try:
            content = self._storage.read(path)
        except NameMissing:
            raise RefMissing(path, self._storage.location) from None
        return ExecutionRef.decode(name, content, path=path)

    def iter_names(self, *, newest_first: bool = True, remote: str | None = None) -> Iterator[str]:
        """Yield the names of all refs by time of start, opening none; what has not a ref's name is passed over."""
        folder = _folder(remote)
        entries = self._storage.iter_entries(folder)
        names = sorted((entry.name[len(folder) + 1 :] for entry in entries), reverse=newest_first)
        return (name for name in names if is_ref_name(name))

    def iter_refs(self, limit: int | None = None, *, remote: str | None = None) -> Iterator[ExecutionRef]:
        """Yield the newest ``limit`` refs (None: all), newest first, reading one at a time.

        A ref that disappears in between is passed over.

        Raises:
            BadRef: the text of one is malformed.
        """
        left = limit
        names = list(self.iter_names(remote=remote))
        self.prefetch(names if limit is None else names[:limit], remote=remote)
        for name in names:
            if left is not None and left <= 0:
                return
            try:
                ref = self.read(name, remote=remote)
            except RefMissing:
                continue
            if left is not None:
                left -= 1
            yield ref

    def prefetch(self, names: Iterable[str], *, remote: str | None = None) -> None:
        """Get ready to read these refs, where each read would be a request."""
        self._storage.prefetch(_path(name, remote) for name in names)

    def find(self, prefix: str, *, remote: str | None = None) -> list[str]:
        """Return the names of the refs whose uuid begins with ``prefix`` (either case), newest first."""
        wanted = prefix.lower()
        return [name for name in self.iter_names(remote=remote) if execution_id_of(name).startswith(wanted)]

    def write_tags(self, ref: TagRef, *, is_forced: bool = False) -> None:
        """Put a tag ref in place, atomically; whoever writes it writes the same.  ``is_forced`` forces it to the disk.

        Raises:
            BadRefName: its name has not the form of one.
            ReadOnlyStore: the repository cannot be written.
        """
        path = f"{TAGS}/{check_ref_name(ref.name)}"
        self._storage.write(path, ref.encode())
        if is_forced:
            self._storage.sync([path])

    def read_tags(self, name: str) -> TagRef:
        """Read one tag ref.  Raises as ``read`` does."""
        path = f"{TAGS}/{check_ref_name(name)}"
        try:
            content = self._storage.read(path)
        except NameMissing:
            raise RefMissing(path, self._storage.location) from None
        return TagRef.decode(name, content, path=path)

    def iter_tag_names(self) -> Iterator[str]:
        """Yield the names of all tag refs, oldest first; what has not a ref's name is passed over.

        They are made ready to be read: whoever wants to know of edits wants all of them.
        """
        paths = sorted(entry.name for entry in self._storage.iter_entries(TAGS))
        self._storage.prefetch(paths)
        return (name for path in paths if is_ref_name(name := path[len(TAGS) + 1 :]))

    def iter_all_names(self) -> Iterator[tuple[str, str]]:
        """Yield (folder, name) of each execution ref and tag ref of this repository, from one listing, in no order."""
        for entry in self._storage.iter_entries("refs"):
            folder, _, name = entry.name.rpartition("/")
            if folder in {EXECUTIONS, TAGS} and is_ref_name(name):
                yield folder, name

    def iter_strangers(self) -> Iterator[str]:
        """Yield the names under ``refs/`` that are no ref of this repository or of a remote: what fsck tells of."""
        for entry in self._storage.iter_entries("refs"):
            parts = entry.name.split("/")
            is_own = "/".join(parts[:-1]) in {EXECUTIONS, TAGS}
            is_remote = len(parts) == 4 and parts[1] == "remotes" and is_remote_name(parts[2])
            if not ((is_own or is_remote) and is_ref_name(parts[-1])):
                yield entry.name

    def iter_remotes(self) -> Iterator[str]:
        """Yield the names of the remotes of which something was seen."""
        parts = (entry.name.split("/") for entry in self._storage.iter_entries(REMOTES))
        yield from sorted({part[2] for part in parts if len(part) == 4 and is_remote_name(part[2])})


def _folder(remote: str | None) -> str:
    return EXECUTIONS if remote is None else f"{REMOTES}/{check_remote_name(remote)}"


def _path(name: str, remote: str | None) -> str:
    return f"{_folder(remote)}/{check_ref_name(name)}"
