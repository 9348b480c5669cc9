"""Push: give a remote the executions and the edits of tags that it lacks.

The invariant: a push that is cut off anywhere leaves a sound remote (``sending.py``) with the executions that it had
sent, and the next one goes on from there.  It holds one batch at a time (``cargo.py``), whatever there is to send.
Nothing is ever decoded but nodes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from redun.remotes.cargo import BATCH_OBJECTS, Loader
from redun.remotes.lazy import serve_promises
from redun.remotes.negotiate import names_to_read, plan_refs
from redun.remotes.remote import RefNames, Remote
from redun.remotes.sending import Rehearsal, Sender
from redun.remotes.transfer import OnProgress, Skipped, TransferReport, ignore_progress
from redun.store.ref_names import execution_id_of
from redun.store.ref_texts import BadRef, ExecutionRef, TagRef

if TYPE_CHECKING:
    from redun.store.repository import Repository


def push(
    repository: Repository,
    remote: Remote,
    names: Sequence[str] | None = None,
    *,
    bases: Sequence[Path] = (),
    listed: RefNames | None = None,
    is_dry_run: bool = False,
    on_progress: OnProgress = ignore_progress,
    batch_objects: int = BATCH_OBJECTS,
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
        batch_objects: after how many objects found what is held is sent.

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
    sender = (Rehearsal if is_dry_run else Sender)(repository, remote, on_progress)
    loader = Loader(
        repository, remote, bases or (repository.path.parent,), on_progress, sender.has, limit=batch_objects
    )
    there = {execution_id_of(name) for name in (*listed.executions, *(ref.name for ref in planned))}
    for cargo in loader.iter_cargoes(planned, tag_refs, None if names is None else there):
        sender.send(cargo)
    report = sender.enter(dataclasses.replace(report, skipped=(*skipped, *loader.skipped)))
    return _end_empty(remote, report) if sender.is_idle else report


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
