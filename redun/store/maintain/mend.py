"""Repairing a repository from what others have: damaged packs, contents and refs, and what links lead to.

Theory of operation.  A check names what is wrong.  Of each damaged pack, what can be read is read (``salvage.py``); the
rest, and whatever else is missing, is asked of each source in turn and written as new packs and contents.  Then each
damaged pack of which everything is to be had is written anew, as a rule under its own name, since the same objects in
the same order make the same file.  Refs come last: they are the commit.  Then everything is checked again, and that
check alone says what is repaired.

The invariant: nothing is deleted but damaged packs with their idx files and damaged contents, and only when all that
they held is elsewhere, read back; or when what nobody has of them is needed by nothing here, as a full check says.  A
process that is killed anywhere in between leaves at worst some objects twice, and the next repair goes on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from redun.errors import RefError
from redun.hashing import Oid
from redun.objects.oid import parse_oid
from redun.store.base import ReadOnlyStore
from redun.store.blobs import blob_name
from redun.store.maintain.findings import Problem, Severity
from redun.store.maintain.fsck import FsckReport, check_repository
from redun.store.maintain.mend_packs import DamagedPack, find_listing, is_whole
from redun.store.maintain.mend_refs import FoundRef, find_damaged, find_ref
from redun.store.maintain.mend_sources import Source, Sources
from redun.store.pack_format import IDX_SUFFIX, PACK_SUFFIX, idx_name, pack_name

if TYPE_CHECKING:
    from redun.store.repository import Repository

_ROUNDS = 4
"""What one round brings may lead to something that is missing too."""


def mend_repository(
    repository: Repository,
    sources: Sequence[Source],
    *,
    level: str = "full",
    warn: Callable[[str], None] = lambda _warning: None,
) -> FsckReport:
    """Check a repository, repair what can be repaired, and tell what was found and what became of it.

    Args:
        repository: an open one that can be written.
        sources: who is asked, in this order.
        level: as for ``check_repository``.
        warn: told of each source that cannot be used.

    Raises:
        ReadOnlyStore: the repository cannot be written.
        OSError: its disk is full, or fails.
    """
    before = report = check_repository(repository, level=level, repair=True)
    mending = _Mending(repository, sources, warn)
    for _ in range(_ROUNDS):
        if report.is_clean or not mending.mend(report):
            break
        repository.forget_copies()
        report = check_repository(repository, level=level)
    if level == "full" and not report.is_clean:
        report = mending.retire(report)
    told = _tell(before, report, mending.origin_of)
    return dataclasses.replace(told, problems=(*told.problems, *mending.sources.list_refusals()))


class _Mending:
    """One repair, from the first look to the last."""

    def __init__(self, repository: Repository, sources: Sequence[Source], warn: Callable[[str], None]) -> None:
        self._repository = repository
        self._storage = repository.storage
        self._store = repository.store
        self.sources = Sources(repository, sources, warn)
        self._packs: list[DamagedPack] = []

    def mend(self, report: FsckReport) -> bool:
        """Repair what a report names, as far as it can be; tell whether anything came of it."""
        if not self._repository.is_writable:
            raise ReadOnlyStore(f"{self._repository.location} cannot be written, so nothing of it is repaired")
        self._store.refresh(force=True)
        problems = [one for one in report.problems if _is_open(one)]
        self._packs = [self._open(pack) for pack in _find_packs(problems)]
        refs = self._find_refs([one.where for one in problems if one.what == "ref"])
        contents = {_oid_in(one.where) for one in problems if one.what == "blob"}
        linked = {parse_oid(one.where) for one in problems if one.what == "object"}
        roots = {*linked, *(root for ref in refs for root in ref.roots), *self._iter_roots()}
        missing = {oid for oid in roots if not is_whole(self._store, oid)}
        lost = {oid for pack in self._packs for oid in pack.lost}
        n_came, packs = self.sources.bring(missing | contents | lost, linked, self._packs)
        n_restored = sum([self._restore(pack) for pack in self._packs])
        self._drop_spare(packs)
        n_dropped = sum([self._drop_content(oid) for oid in contents])
        for ref in refs:
            ref.write(self._repository)
            self.sources.note(ref.path, ref.source)
        self._store.refresh(force=True)
        return bool(n_came or n_restored or n_dropped or refs)

    def retire(self, report: FsckReport) -> FsckReport:
        """Delete damaged packs of which not all is to be had, when nothing here needs the rest."""
        if any(_is_open(one) and one.what in {"object", "ref", "blob"} for one in report.problems):
            return report
        problems = list(report.problems)
        for pack in self._packs:
            if pack.became is None:
                pack.delete()
                why = f"{len(pack.lost) or 'some'} of its objects, which nothing needs, could not be had from anywhere"
                problems = [one for one in problems if one.where not in pack.files]
                problems.append(Problem(Severity.NOTE, "pack", pack.files[0], f"{why}; it was removed"))
        self._store.refresh(force=True)
        return dataclasses.replace(report, problems=tuple(problems))

    def origin_of(self, problem: Problem) -> str:
        """Return what a problem was repaired from; an empty text when all that it took was here."""
        key = problem.where
        if problem.what in {"pack", "idx", "blob"}:
            key = _oid_in(key).hex()
        names = self.sources.origins.get(key, {})
        if problem.what == "ref" and not names:
            names = self.sources.used  # its run was not whole
        return ", ".join(names)

    # -- what is missing

    def _open(self, pack: Oid) -> DamagedPack:
        return DamagedPack(pack, self._store, find_listing(self._storage, pack, self.sources.iter_listings(pack)))

    def _find_refs(self, paths: Sequence[str]) -> list[FoundRef]:
        damaged = find_damaged(self._repository, paths)
        names = {path.rpartition("/")[2] for path in damaged}
        offered = self.sources.find_refs(names)
        found = [find_ref(self._repository, path, offered) for path in damaged]
        return [ref for ref in found if ref is not None]

    def _iter_roots(self) -> Iterator[Oid]:
        """Yield what the refs here name."""
        refs = self._repository.refs
        for remote in (None, *refs.iter_remotes()):
            for name in refs.iter_names(remote=remote):
                with suppress(RefError):
                    ref = refs.read(name, remote=remote)
                    if ref.object is not None:
                        yield ref.object
        for name in refs.iter_tag_names():
            with suppress(RefError):
                yield from refs.read_tags(name).tags

    # -- what is written anew

    def _restore(self, pack: DamagedPack) -> bool:
        pack.update()
        if pack.restore():
            return True
        pack.keep_readable()
        return False

    def _drop_spare(self, packs: Iterable[Oid]) -> None:
        """Delete the packs that objects came in, where those written anew hold all of it."""
        self._store.refresh(force=True)
        names = {pack.became for pack in self._packs}
        anew = [reader for reader in self._store.packs.readers if reader.name in names]
        for name in packs:
            reader = self._store.packs.find_reader(name)
            if reader is None or name in names:
                continue
            if all(any(one.has(reader.idx.oid_at(at)) for one in anew) for at in range(len(reader))):
                self._storage.delete(pack_name(name))
                self._storage.delete(idx_name(name))

    def _drop_content(self, oid: Oid) -> bool:
        """Delete a damaged content that a pack has whole; tell whether it was."""
        blobs = self._store.blobs
        if not blobs.has(oid) or blobs.is_whole(oid) or not is_whole(self._store, oid):
            return False
        self._storage.delete(blob_name(oid))
        return True


def _is_open(problem: Problem) -> bool:
    return problem.severity is Severity.ERROR and not problem.is_repaired


def _find_packs(problems: Iterable[Problem]) -> list[Oid]:
    """Return the packs that are damaged, or are missing and left their idx."""
    found = [
        one.where for one in problems if one.what in {"pack", "idx"} and one.where.endswith((PACK_SUFFIX, IDX_SUFFIX))
    ]
    return list(dict.fromkeys(map(_oid_in, found)))


def _oid_in(name: str) -> Oid:
    """Return the oid that a file is named by."""
    return parse_oid(name.rpartition("/")[2].partition(".")[0])


def _tell(before: FsckReport, after: FsckReport, origin_of: Callable[[Problem], str]) -> FsckReport:
    """Return the last report, with what the first one found and is not there any more told as repaired."""
    left = {(one.what, one.where) for one in after.problems if _is_open(one)}
    repaired = [one for one in before.problems if one.is_repaired]
    repaired += [
        dataclasses.replace(one, is_repaired=True, source=origin_of(one))
        for one in before.problems
        if _is_open(one) and (one.what, one.where) not in left
    ]
    others = [one for one in after.problems if one not in repaired]
    return dataclasses.replace(after, problems=(*repaired, *others))
