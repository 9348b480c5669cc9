"""Getting what some refs reach: found and written by turns, so that what is held is bounded and what has come stays.

The invariant: a ref is kept only once all that it reaches is in the store.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redun.remotes.cargo import BATCH_OBJECTS
from redun.remotes.finder import Finder
from redun.remotes.installer import Installer
from redun.remotes.reach import RemoteChanged
from redun.remotes.remote import LOOKS, Remote
from redun.remotes.staging import Staging
from redun.remotes.transfer import OnProgress, TransferReport
from redun.remotes.wanted import Wanted
from redun.store.base import ObjectCorrupt
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
