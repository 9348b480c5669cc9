"""The part of fsck that looks at packs: is each what its name says, and is its idx the one that it gives?

The invariant: an idx is compared with one that is made anew from its pack, and no object counts that does not hash to
its name.  Format: docs/format/pack.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redun.errors import ObjectError
from redun.hashing import Buffer, Oid, hash_blob
from redun.objects.codec import NotCanonical
from redun.objects.kinds import SOFT_LINK_KINDS, Kind
from redun.objects.oid import is_file_stem, short
from redun.store.base import ObjectCorrupt
from redun.store.canonical import split_node
from redun.store.condemned import is_condemned_list
from redun.store.idx import Idx, check_idx
from redun.store.idx_proof import is_whole_idx
from redun.store.maintain.findings import Findings, Problem
from redun.store.maintain.fsck_objects import ObjectCheck
from redun.store.maintain.fsck_proof import prove
from redun.store.maintain.fsck_strays import judge_strays
from redun.store.maintain.known import WHOLE, Known, PackMarks
from redun.store.notes import is_note
from redun.store.pack import PackReader, rebuild_idx
from redun.store.pack_format import FOLDER as PACK_FOLDER
from redun.store.pack_format import IDX_SUFFIX, PACK_SUFFIX, idx_name, pack_name
from redun.store.storage import NameMissing

if TYPE_CHECKING:
    from redun.store.repository import Repository


class PackCheck:
    """Checks the packs of a repository, and their idx files."""

    def __init__(
        self,
        repository: Repository,
        known: Known,
        objects: ObjectCheck,
        found: Findings,
        *,
        is_full: bool,
        repair: bool,
    ) -> None:
        """``is_full``: read every byte; ``repair``: make each idx anew that is missing or wrong."""
        self._repository = repository
        self._storage = repository.storage
        self._known = known
        self._found = found
        self._objects = objects
        self._is_full = is_full
        self._repair = repair
        self.n_packs = 0
        self.n_idxs = 0
        self._checked: list[tuple[Oid, PackMarks, PackReader | None]] = []
        self.rebuilt: list[PackReader] = []
        """Packs whose idx was wrong: the store may not look into them."""

    def check(self) -> None:
        """Check all of them."""
        seen: set[str] = set()
        while names := [name for name in self._list_packs() if name not in seen]:  # anew: they may be merged meanwhile
            seen.update(names)
            # All tables first: what an object links to is marked where it stands, in whichever pack.
            packs = {pack: self._open_idx(pack) for pack in self._find_packs(names)}
            for pack, marks in packs.items():
                with suppress(NameMissing):  # merged since the listing
                    self._check_pack(pack, marks)
        judge_strays(self._repository, self._found, repair=self._repair)

    def find_linkers(self, missing: set[Oid]) -> dict[Oid, tuple[int, Oid]]:
        """Return the first node that links to each of some objects, with its kind; each pack is read once more."""
        found: dict[Oid, tuple[int, Oid]] = {}
        for pack, marks, opened in self._checked:
            with suppress(NameMissing, ObjectError):
                reader = opened or PackReader(pack, self._storage, idx=marks.idx)
                for ordinal in range(marks.idx.ends[Kind.BLOB], marks.idx.count):
                    if len(found) == len(missing):
                        return found
                    oid, kind = marks.idx.oid_at(ordinal), marks.idx.kind_at(ordinal)
                    if (
                        marks.marks[ordinal] & WHOLE
                        and kind not in SOFT_LINK_KINDS
                        and oid not in self._objects.misfits
                    ):
                        for link in missing.intersection(split_node(reader.read(ordinal))[0]):
                            found.setdefault(link, (kind, oid))
        return found

    def _find_packs(self, names: Iterable[str]) -> Iterator[Oid]:
        """Yield the packs among some names, and tell of what does not belong there."""
        for name in names:
            if is_condemned_list(name) or is_note(name):
                continue
            stem, _, suffix = name.removeprefix(f"{PACK_FOLDER}/").rpartition(".")
            if not is_file_stem(stem) or f".{suffix}" not in (PACK_SUFFIX, IDX_SUFFIX, ".rev"):
                self._found.note("file", name, "it does not belong here")
            elif f".{suffix}" == PACK_SUFFIX:
                yield Oid(bytes.fromhex(stem))

    def _open_idx(self, pack: Oid) -> PackMarks | None:
        """Take in a pack by its idx; None when that is missing or damaged."""
        name = idx_name(pack)
        try:
            idx = Idx(self._storage.view(name), name, pack)
            is_whole = is_whole_idx(self._storage, name)
        except (NameMissing, ObjectCorrupt):
            return None
        return self._known.add_pack(idx) if is_whole else None

    def _list_packs(self) -> list[str]:
        return [entry.name for entry in self._storage.iter_entries(PACK_FOLDER)]

    def _check_pack(self, pack: Oid, marks: PackMarks | None) -> None:
        name = pack_name(pack)
        rebuilt: bytes | None = None
        if self._is_full:
            content = self._storage.view(name)
            found = hash_blob(content)
            if found != pack:
                self._found.error("pack", name, f"its content hashes to {short(found)}, not to its name")
            elif self._prove(pack, content, marks):
                return
            else:
                rebuilt = self._attempt("pack", name, lambda: rebuild_idx(content, name))
        self.n_packs += 1
        is_idx_sound = self._check_idx(pack, rebuilt)
        if rebuilt is None and not is_idx_sound and not self._repair_unread(pack):
            return
        idx = None if is_idx_sound else rebuilt
        reader = self._attempt("pack", name, lambda: PackReader(pack, self._storage, idx=idx))
        if reader is None:
            return
        if marks is None or not is_idx_sound:
            if marks is not None:
                self._known.drop_pack(marks)
            marks = self._known.add_pack(reader.idx)
        self._checked.append((pack, marks, reader))
        self._check_objects(reader, marks)
        if not is_idx_sound:
            self.rebuilt.append(reader)

    def _prove(self, pack: Oid, content: Buffer, marks: PackMarks | None) -> bool:
        """Tell whether pack and idx are in order, in one pass that takes little memory."""
        misfits = None if marks is None else prove(content, marks, self._known, pack_name(pack))
        if marks is None or misfits is None:
            return False
        for misfit in misfits:
            self._objects.tell(misfit.oid, pack_name(pack), misfit.why)
        self.n_packs += 1
        self.n_idxs += 1
        self._checked.append((pack, marks, None))
        # What the pass has touched of the idx is mapped no more: few of its names will be asked for.
        marks.idx = Idx(self._storage.view(marks.idx.where), marks.idx.where, pack)
        return True

    def _check_idx(self, pack: Oid, rebuilt: bytes | None) -> bool:
        """Tell whether a pack's idx can be used; ``rebuilt`` is what it must be, when that is known."""
        self.n_idxs += 1
        name = idx_name(pack)
        try:
            content = self._storage.view(name)
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

    def _check_objects(self, reader: PackReader, marks: PackMarks) -> None:
        if not self._is_full:
            marks.set_all_whole()
            return
        lost = 0
        why = ""
        for ordinal in range(reader.idx.count):
            try:
                data = reader.read(ordinal)
            except ObjectCorrupt as error:
                lost += 1
                why = why or error.why
                continue
            marks.marks[ordinal] |= WHOLE
            oid, kind = reader.idx.oid_at(ordinal), reader.idx.kind_at(ordinal)
            for link in self._objects.check(oid, kind, data, reader.where):
                self._known.need(link)
        if lost:
            self._found.error("pack", reader.where, f"{lost} of its {len(reader)} objects are lost: {why}")

    def _attempt(self, what: str, where: str, step: Callable[[], Any]) -> Any:
        """Return what a step gives; None, with its error noted, when it finds damage."""
        try:
            return step()
        except (ObjectError, NotCanonical) as error:
            self._found.error(what, where, str(error))
            return None
