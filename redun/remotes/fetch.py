"""Fetch: get the executions and edits of tags that a remote has and this repository lacks, checked on arrival.

The invariant: whatever is in the store is there together with all that its hard links lead to, after each single
write (``installer.py``).
Every pack is re-hashed, and every object in it, before anything of it is written; nothing is ever decoded but nodes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from redun.errors import RefError
from redun.remotes.cargo import BATCH_OBJECTS
from redun.remotes.finder import Finder
from redun.remotes.installer import Installer
from redun.remotes.lazy import bring_promised, list_promised
from redun.remotes.negotiate import names_to_read, plan_refs
from redun.remotes.reach import RemoteChanged
from redun.remotes.remote import LOOKS, RefNames, Remote
from redun.remotes.staging import Staging
from redun.remotes.transfer import OnProgress, TransferReport, ignore_progress
from redun.remotes.wanted import Wanted
from redun.store.base import ObjectCorrupt, ReadOnlyStore
from redun.store.promised import Promise
from redun.store.ref_names import execution_id_of
from redun.store.ref_texts import ExecutionRef, TagRef
from redun.store.storage import NameMissing

if TYPE_CHECKING:
    from redun.store.repository import Repository


@dataclass(slots=True)
class Received:
    """What was got so far; it counts on when a transfer begins anew."""

    tag_edits: int = 0
    objects: int = 0
    size: int = 0  # bytes written
    withheld: int = 0  # objects that were not taken, from where only data is trusted
    promised: list[Promise] = field(default_factory=list)  # contents that were left there

    def enter(self, report: TransferReport) -> TransferReport:
        """Return a report with these counts."""
        return dataclasses.replace(
            report,
            tag_edits=self.tag_edits,
            objects=self.objects,
            transferred_bytes=self.size,
            withheld=self.withheld,
            promised=len(self.promised),
            promised_bytes=sum(one.size for one in self.promised),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be got from a remote."""

    refs: Sequence[ExecutionRef]
    tag_names: Sequence[str]
    prefixes: Sequence[str] | None  # with them, of the edits only those that speak of what is here then
    keep: Callable[[ExecutionRef], None]  # given each ref once all that it reaches is in the store
    is_lazy: bool = False  # leave large contents there
    batch_objects: int = BATCH_OBJECTS


def fetch(
    repository: Repository,
    remote: Remote,
    prefixes: Sequence[str] | None = None,
    *,
    listed: RefNames | None = None,
    is_lazy: bool = False,
    is_dry_run: bool = False,
    on_progress: OnProgress = ignore_progress,
    batch_objects: int = BATCH_OBJECTS,
) -> TransferReport:
    """Get ended executions that were not seen at a remote before, or that it tells otherwise by now.

    Edits of tags come along and are this repository's own at once: with ``prefixes`` those that speak only of what is
    here then.

    Args:
        repository: where they go; what was seen is written down under ``refs/remotes/<remote>/``.
        remote: where they are.
        prefixes: beginnings of the uuids to get; all when None.
        listed: what ``remote.look`` has just given, when that was asked already.
        is_lazy: leave large contents there until they are needed; else those that were left there come too.
        is_dry_run: only tell which executions would come; objects and bytes are not known before.
        on_progress: told now and then how far it is.
        batch_objects: after how many objects found what is whole by then is written.

    Raises:
        RemoteError: the remote cannot be reached, is no repository, is damaged, or lacks part of an execution.
        ReadOnlyStore: the repository cannot be written.
    """
    report = fetch_new(
        repository,
        remote,
        prefixes,
        listed=listed,
        is_lazy=is_lazy,
        is_dry_run=is_dry_run,
        on_progress=on_progress,
        batch_objects=batch_objects,
    )
    return report if is_lazy else fetch_left(repository, remote, prefixes, report, on_progress)


def fetch_left(
    repository: Repository,
    remote: Remote,
    prefixes: Sequence[str] | None,
    report: TransferReport,
    on_progress: OnProgress,
) -> TransferReport:
    """Get the contents that earlier lazy transfers left at a remote, of all or of some executions seen there.

    Returns:
        The report with what came.
    """
    if not repository.store.packs.notes.promised:
        return report
    names = [name for name in repository.refs.iter_names(remote=remote.name) if matches(name, prefixes)]
    refs = None if prefixes is None else list(read_tracked(repository, remote.name, names).values())
    return bring_promised(repository, remote, list_promised(repository, remote.name, refs), report, on_progress)


def fetch_new(
    repository: Repository,
    remote: Remote,
    prefixes: Sequence[str] | None,
    *,
    listed: RefNames | None,
    is_lazy: bool,
    is_dry_run: bool,
    on_progress: OnProgress,
    batch_objects: int = BATCH_OBJECTS,
) -> TransferReport:
    """Do as ``fetch`` does, but for what earlier transfers have left there."""
    listed = remote.look() if listed is None else listed
    if not (is_dry_run or repository.is_writable):
        raise ReadOnlyStore(f"{repository.location} cannot be written")
    refs = plan_fetch(repository, remote, prefixes, listed.executions)
    tag_names = plan_tags(repository, listed.tags)
    report = TransferReport(remote.name, remote.location, executions=len(refs), is_dry_run=is_dry_run)
    if is_dry_run:
        # Which edits speak of some executions only is not known before they are here.
        report = dataclasses.replace(report, tag_edits=len(tag_names) if prefixes is None else 0)
        return remote.gate.enter(report, prefixes)
    if not (refs or tag_names or repository.store.packs.notes.is_asking):
        return remote.gate.enter(report, prefixes)
    keep = partial(repository.refs.write, remote=remote.name)
    request = Request(refs, tag_names, prefixes, keep, is_lazy, batch_objects)
    got = receive(repository, remote, request, on_progress)
    return remote.gate.enter(got.enter(report), prefixes)


def receive(repository: Repository, remote: Remote, request: Request, on_progress: OnProgress) -> Received:
    """Get what some refs reach, and edits of tags.

    Packs that are merged or collected over there meanwhile are looked for anew.
    """
    got = Received()
    for _ in range(LOOKS - 1):
        with suppress(RemoteChanged, NameMissing):
            _Transfer(repository, remote, request, got, on_progress).run()
            return got
    try:
        _Transfer(repository, remote, request, got, on_progress).run()
    except NameMissing as error:  # of a pack that lies on this machine, and is read in place
        raise remote.damaged(f"{error.name} is missing") from error
    return got


class _Transfer:
    """One go at getting what was asked for."""

    def __init__(
        self, repository: Repository, remote: Remote, request: Request, got: Received, on_progress: OnProgress
    ) -> None:
        self._repository = repository
        self._remote = remote
        self._request = request
        self._got = got
        self._on_progress = on_progress
        self._pending = [ref for ref in request.refs if ref.object is not None]

    def run(self) -> None:
        """Get it.  Raises as ``receive`` does."""
        self._repository.store.refresh(force=True)
        self._remote.load_packs()
        tag_refs = self._remote.read_tag_refs(self._request.tag_names)
        with Staging(self._repository, self._remote, self._on_progress, is_lazy=self._request.is_lazy) as staging:
            finder = Finder(self._repository, staging)
            installer = Installer(
                self._repository,
                self._remote,
                staging,
                self._on_progress,
                self._keep_refs,
                limit=self._request.batch_objects,
            )
            try:
                self._find_executions(finder, installer)
                tag_refs = self._find_tags(finder, tag_refs)
                finder.sieve.sift(finder.wanted)
                self._install(finder, installer.install)
            except ObjectCorrupt as error:  # in a pack that was not brought whole
                raise self._remote.damaged(str(error)) from error
            finally:
                self._got.objects += installer.n_objects
                self._got.size += installer.n_bytes
            self._got.withheld = finder.sieve.n_withheld
        for tag_ref in tag_refs:
            self._repository.refs.write_tags(tag_ref)
        self._got.tag_edits += len(tag_refs)

    def _find_executions(self, finder: Finder, installer: Installer) -> None:
        """Mark what the executions reach; packs that are wanted whole by then are taken on the way."""
        n_before = 0
        for ref in tuple(self._pending):
            assert ref.object is not None, "only refs that name an object are pending"
            finder.find([ref.object])
            # What is withheld is known only at the end, and no pack is taken whole that holds any of it.
            if finder.n_marked - n_before >= self._request.batch_objects and not self._remote.is_data_only:
                n_before = finder.n_marked
                self._install(finder, installer.install_ready)
        finder.find(finder.sieve.find_wanted_again())

    def _find_tags(self, finder: Finder, tag_refs: list[TagRef]) -> list[TagRef]:
        """Mark the tags of those edits that are taken; return these."""
        request = self._request
        if request.prefixes is not None:
            names = (*self._repository.refs.iter_names(), *(ref.name for ref in request.refs))
            there = {execution_id_of(name) for name in names}
            tag_refs = [ref for ref in tag_refs if finder.is_only_of(ref, there)]
        finder.find(tag for ref in tag_refs for tag in ref.tags)
        return tag_refs

    def _install(self, finder: Finder, install: Callable[[Wanted], None]) -> None:
        finder.settle()
        finder.sieve.write()
        if self._request.is_lazy:
            # Written down before anything that links to them.
            left = finder.wanted.take_large() | finder.wanted.take_left()
            promises = [Promise(oid, size, self._remote.name) for oid, size in left.items()]
            self._repository.store.promises.add(promises)
            self._got.promised += promises
        install(finder.wanted)

    def _keep_refs(self) -> None:
        """Keep the refs whose executions have come: what is in the store is there with all that it links to."""
        pending = []
        for ref in self._pending:
            if ref.object is not None and self._repository.store.has(ref.object):
                self._request.keep(ref)
            else:
                pending.append(ref)
        self._pending = pending


def plan_fetch(
    repository: Repository, remote: Remote, prefixes: Sequence[str] | None, at_remote: Iterable[str]
) -> list[ExecutionRef]:
    """Return which refs at a remote a fetch would bring: not seen there before, or told otherwise by now."""
    listed = [name for name in at_remote if matches(name, prefixes)]
    tracked = read_tracked(repository, remote.name, listed)
    # What was seen and is not here any more (a damaged pack) is fetched again.
    seen = {name: ref for name, ref in tracked.items() if ref.object is not None and repository.store.has(ref.object)}
    return plan_refs(remote.read_refs(names_to_read(listed, seen)).values(), seen)


def plan_tags(repository: Repository, at_remote: Iterable[str]) -> list[str]:
    """Return which tag refs at a remote are not here: what has the same name is the same."""
    known = set(repository.refs.iter_tag_names())
    return [name for name in at_remote if name not in known]


def read_tracked(repository: Repository, remote: str, names: Iterable[str] | None = None) -> dict[str, ExecutionRef]:
    """Return what was seen at a remote, by name; a malformed one counts as not seen."""
    found: dict[str, ExecutionRef] = {}
    for name in repository.refs.iter_names(remote=remote) if names is None else names:
        try:
            found[name] = repository.refs.read(name, remote=remote)
        except RefError:
            continue
    return found


def matches(name: str, prefixes: Sequence[str] | None) -> bool:
    """Tell whether a ref's uuid begins with one of the prefixes; None means all."""
    return prefixes is None or any(execution_id_of(name).startswith(prefix.lower()) for prefix in prefixes)
