"""Who may have what is missing in a repository that is being repaired, and bringing it from them.

The invariant: a source that fails is told once and asked no more; what came from it before stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from redun.errors import RemoteError
from redun.hashing import Oid
from redun.store.blobs import blob_name
from redun.store.idx import Idx
from redun.store.maintain.findings import Problem, Severity
from redun.store.maintain.mend_packs import DamagedPack, write_content
from redun.store.ref_texts import ExecutionRef, TagRef

if TYPE_CHECKING:
    from redun.store.repository import Repository

_ALTERNATE = "an alternate"

_Answer = TypeVar("_Answer")


class Wanted(NamedTuple):
    """What is asked of a source."""

    oids: Collection[Oid]  # grows smaller while objects come
    linked: Collection[Oid]  # those of them that something here links to and cannot do without
    has: Callable[[Oid], bool]  # tells of any object whether it is here, whole


Batch = tuple[list[Oid], Iterable[tuple[Oid, int, bytes]]]
"""Some of what a source gives: large contents, which are in their place already, and (oid, kind, bytes) by kind."""


class Source(Protocol):
    """Who may have what is missing here.  Each verb raises RemoteError when it cannot be reached."""

    name: str
    n_refused: int  # objects that it has and that may not be taken

    @property
    def why_refused(self) -> str:
        """Why not."""

    def find_listing(self, pack: Oid) -> Idx | None:
        """Return the idx of a pack that is there too."""

    def find_refs(self, names: Collection[str]) -> list[ExecutionRef | TagRef]:
        """Return the refs there that have one of these names."""

    def bring(self, wanted: Wanted) -> Iterator[Batch]:
        """Yield what is there of what is wanted, with what that leads to and is missing here."""


class Sources:
    """The sources of one repair, and what came from each."""

    def __init__(self, repository: Repository, sources: Sequence[Source], warn: Callable[[str], None]) -> None:
        """Ask nobody yet; ``warn`` is told of each source that fails."""
        self._storage = repository.storage
        self._store = repository.store
        self._sources = list(sources)
        self._warn = warn
        self._damaged: Sequence[DamagedPack] = ()
        self.origins: dict[str, dict[str, None]] = {}
        """By oid, or path of a ref, that was repaired: from where."""
        self.used: dict[str, None] = {}
        """All from which something came."""

    def iter_listings(self, pack: Oid) -> Iterator[Idx]:
        """Yield the idx files of a pack, each asked for when it is taken."""
        for source in list(self._sources):
            found = self._ask(source, source.find_listing, pack)
            if found is not None:
                yield found

    def find_refs(self, names: Collection[str]) -> list[tuple[str, ExecutionRef | TagRef]]:
        """Return the refs of some names, each with the source that has it."""
        offered: list[tuple[str, ExecutionRef | TagRef]] = []
        for source in list(self._sources) if names else ():
            offered += [(source.name, ref) for ref in self._ask(source, source.find_refs, names) or ()]
        return offered

    def list_refusals(self) -> list[Problem]:
        """Tell of what sources have, and may not give."""
        return [
            Problem(
                Severity.NOTE,
                "remote",
                one.name,
                f"it has {one.n_refused} of what is missing, which was not taken: {one.why_refused}",
            )
            for one in self._sources
            if one.n_refused
        ]

    def bring(self, oids: set[Oid], linked: set[Oid], damaged: Sequence[DamagedPack]) -> tuple[int, list[Oid]]:
        """Bring what is missing from whoever has it; return how much came, and the packs that it came in.

        Args:
            oids: what is missing.
            linked: what of it something here links to.
            damaged: packs that lost some of it.

        Raises:
            OSError, StoreError: it cannot be written.
        """
        self._damaged = damaged
        left = set(oids)
        packs: list[Oid] = []
        self._copy_contents(left)
        wanted = Wanted(left, linked, lambda oid: oid not in left and self._store.find_kind(oid) is not None)
        for source in list(self._sources):
            if left:
                self._ask(source, self._take, source, wanted, left, packs)
        return len(oids) - len(left), packs

    def _copy_contents(self, left: set[Oid]) -> None:
        """Copy contents that an alternate has."""
        beyond = self._store.beyond
        for oid in list(left) if beyond is not None else ():
            stream = None if beyond is None else beyond.open(oid)
            if stream is not None:
                with stream:
                    if write_content(self._storage, oid, stream):
                        self._come(left, [oid], _ALTERNATE)

    def _take(self, source: Source, wanted: Wanted, left: set[Oid], packs: list[Oid]) -> None:
        """Write what a source gives.  Raises RemoteError; what was written stays."""
        for contents, objects in source.bring(wanted):
            self._storage.sync([blob_name(oid) for oid in contents])
            self._come(left, contents, source.name)
            came: list[Oid] = []
            sealed = self._store.sealer.write(_noted(objects, came))
            if sealed is not None:
                packs.append(sealed.name)
            self._come(left, came, source.name)

    def _come(self, left: set[Oid], oids: Iterable[Oid], source: str) -> None:
        came = left.intersection(oids)
        left -= came
        for oid in came:
            self.note(oid.hex(), source)
        for pack in self._damaged:
            if not pack.lost.isdisjoint(came):
                self.note(pack.name.hex(), source)

    def _ask(self, source: Source, verb: Callable[..., _Answer], *arguments: object) -> _Answer | None:
        """Ask a source, and no more when it fails."""
        if source not in self._sources:
            return None
        try:
            return verb(*arguments)
        except RemoteError as error:
            self._sources.remove(source)
            self._warn(f"{error}; it is not asked for more")
            return None

    def note(self, key: str, source: str) -> None:
        """Note from where something was repaired."""
        self.origins.setdefault(key, {})[source] = None
        self.used[source] = None


def _noted(objects: Iterable[tuple[Oid, int, bytes]], names: list[Oid]) -> Iterator[tuple[Oid, int, bytes]]:
    for one in objects:
        names.append(one[0])
        yield one
