"""Fsck: is everything in a repository what its name says, and does every link lead somewhere?

The invariant: nothing is believed.  Packs, contents and objects are hashed again, every node is decoded and encoded
again, every idx is made anew from its pack and compared; only then a repository is called clean.
Formats: docs/format/.

What can be derived can be repaired: an idx, from its pack.  What a killed process left half written is removed then.
Everything else is told, with its place and reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.oid import short
from redun.store.absent import Absence, Cause
from redun.store.maintain.findings import Findings, Problem, Severity, kind_name
from redun.store.maintain.fsck_files import FileCheck
from redun.store.maintain.fsck_objects import ObjectCheck
from redun.store.maintain.fsck_packs import PackCheck
from redun.store.maintain.fsck_refs import RefCheck
from redun.store.maintain.known import Known
from redun.store.pack_format import FOLDER as PACK_FOLDER
from redun.store.storage import Entry

if TYPE_CHECKING:
    from redun.store.beyond import Beyond
    from redun.store.promised import Promise
    from redun.store.repository import Repository

_ATTEMPTS = 3


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
        self._level = "full" if is_full else "quick"
        store = repository.store
        self._known = Known(promised=store.packs.notes.promised, beyond=store.beyond)
        self._found = Findings(_find_gone(repository.store.beyond))
        objects = ObjectCheck(self._found)
        self._packs = PackCheck(repository, self._known, objects, self._found, is_full=is_full, repair=repair)
        self._files = FileCheck(repository, self._known, objects, self._found, is_full=is_full, repair=repair)
        self._refs = RefCheck(repository, self._known, self._found, self._get, is_full=is_full)

    def run(self) -> FsckReport:
        # In the order in which what they name moves on, from journals to packs: so nothing slips by, and what a ref
        # that was read first names is there.
        refs = self._refs.read()
        self._repository.store.refresh(force=True)
        self._files.check_journals()
        self._packs.check()
        self._files.check_blobs()
        self._files.check_unfinished()
        self._check_links()
        self._refs.check(refs)
        return FsckReport(
            self._repository.location,
            self._level,
            {kind_name(kind): count for kind, count in self._known.count_kinds().items()},
            packs=self._packs.n_packs,
            idxs=self._packs.n_idxs,
            journals=self._files.n_journals,
            refs=self._refs.count,
            blobs=self._files.n_blobs,
            problems=tuple(self._found.problems),
        )

    def _check_links(self) -> None:
        notes = self._repository.store.packs.notes
        missing = self._known.find_missing() - notes.absent.keys()
        # Names of those that link are not kept: only when something is missing, it is worth reading packs once more.
        linkers = self._packs.find_linkers(missing - self._known.linked.keys()) if missing else {}
        for target in sorted(missing):
            source = self._known.linked.get(target)
            kind, source = linkers.get(target, (-1, target)) if source is None else (self._known.loose[source], source)
            self._found.error("object", target.hex(), f"it is missing; {kind_name(kind)} {short(source)} links to it")
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
        holder = next((reader for reader in self._packs.rebuilt if reader.has(oid)), None)
        return self._repository.store.get(oid) if holder is None else holder.get(oid)


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
