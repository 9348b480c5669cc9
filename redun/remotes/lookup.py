"""Results that remotes have on record, for a run that goes on: asked after the own repository, brought when one serves.

The invariant: a run never gets anything from here that a pull would not bring as well, checked in the same way, and no
remote can make it fail: one that cannot be reached is told once, and from then on it has nothing.

Which results a remote has follows from its lookup tables, which are kept in the cache for ever; so asking about a call
costs no request.  Bringing is done for many calls at once (``gather.py``).  What is brought is put into the run's own
store, and its outcomes are handed back to be noted there: the next run finds them without the remote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import RLock, Thread
from typing import TYPE_CHECKING, NamedTuple

from redun.errors import ObjectError, RemoteError
from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.remotes.gather import Closure, Gathered, Gatherer, NeedsContent
from redun.remotes.reach import NothingThere, RemoteDamaged, RemoteUnreachable
from redun.remotes.remote import LOOKS, Remote
from redun.remotes.transfer import ContentChanged, OnProgress, checked, ignore_progress
from redun.store.base import Candidate, ObjectCorrupt, ObjectStore
from redun.store.blobs import blob_name
from redun.store.idx import Idx
from redun.store.lookups import newest_first

if TYPE_CHECKING:
    from redun.store.repository import Repository

MAX_FILTERED_OBJECTS = 1 << 20
"""So many objects' first bytes are gathered in a set, 60 ns and 60 bytes each, to tell at once what is not there."""
PATIENCE_SECONDS = 30.0
_TOLD_OBJECTS = 256  # stored between two tellings: many small ones have come with one pack
_OUTCOMES = frozenset({Kind.CALL, Kind.REDUCTION})


class Outcome(NamedTuple):
    """One recorded outcome of an eval, as a remote tells it."""

    eval: Oid
    target: Oid  # a call or a reduction
    time_us: int  # microseconds since 1970 UTC


class LookupCounts(NamedTuple):
    """What a run has taken from a remote."""

    remote: str
    objects: int = 0
    packs: int = 0  # brought whole


class RemoteLookups:
    """The remotes that a run asks, in their order.  All of it may be used from any thread."""

    def __init__(
        self,
        repository: Repository,
        remotes: Sequence[Remote],
        warn: Callable[[str], None],
        note: Callable[[str], None] = lambda _text: None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        on_progress: OnProgress = ignore_progress,
    ) -> None:
        """Make lookups that have asked nothing yet.

        Args:
            repository: this one; it must have a cache.
            remotes: where to look.
            warn: told of what goes wrong, once a remote.
            note: told of what is no mistake: a remote that is still empty.
            patience_seconds: how long a remote may take to give its tables; then it counts as one that is gone.
            on_progress: told while results are brought, and with an empty text when they are here.
        """
        self._on_progress = on_progress
        self._repository = repository
        self._sources = [_Source(repository, remote, warn, note, patience_seconds, on_progress) for remote in remotes]
        self._lock = RLock()

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        """Return the outcomes of an eval that the remotes record, newest first; the first time, read their tables."""
        forgotten = self._repository.store.packs.notes.forgotten
        with self._lock:
            found = [one for source in self._sources for one in source.find_candidates(eval_oid)]
        return newest_first(found if forgotten is None else forgotten.filter(eval_oid, found))

    def bring(
        self, targets: Iterable[Oid], store: ObjectStore, needs_content: NeedsContent, *, keeps_files: bool
    ) -> list[Outcome]:
        """Put calls and reductions into a store, with all that they consist of, as far as they are missing there.

        Args:
            targets: what to bring.
            store: where to.
            needs_content: tells of a file that a job wrote whether its content is needed.
            keeps_files: whether large contents are stored as well: a dry run stores none.

        Returns:
            The outcomes that hold from now on: those of the targets, and those of the calls below them.
        """
        wanted = list(dict.fromkeys(targets))
        outcomes: list[Outcome] = []
        with self._lock:
            try:
                for source in self._sources:
                    done, found = source.bring(wanted, store, needs_content if keeps_files else _needs_none)
                    outcomes += found
                    wanted = [target for target in wanted if target not in done]
            finally:
                self._on_progress(0, 0, "")
        return outcomes

    def counts(self) -> list[LookupCounts]:
        """Return what was taken from each remote that gave anything."""
        return [source.counts for source in self._sources if source.counts.objects]

    def close(self) -> None:
        """Remove what was kept for the run.  Idempotent."""
        with self._lock:
            for source in self._sources:
                source.close()


class _Source:
    """One remote."""

    def __init__(
        self,
        repository: Repository,
        remote: Remote,
        warn: Callable[[str], None],
        note: Callable[[str], None],
        patience_seconds: float,
        on_progress: OnProgress,
    ) -> None:
        self._on_progress = on_progress
        self._pack_bytes = self._content_bytes = 0
        self._n_stored = 0
        self._repository = repository
        self._remote = remote
        self._warn = warn
        self._note = note
        self._patience_seconds = patience_seconds
        self._is_loaded = False
        self._idxs: list[Idx] = []
        self._prefixes: set[int] | None = set()  # None: too many to be gathered
        self._gatherer: Gatherer | None = None
        self._n_told = 0
        self._noted: set[tuple[Oid, Oid]] = set()
        self.counts = LookupCounts(remote.name)

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        if not self._is_loaded:
            self._load()
        if self._prefixes is not None and int.from_bytes(eval_oid[:4], "big") not in self._prefixes:
            return []
        found: list[Candidate] = []
        for idx in list(self._idxs):
            try:
                found += idx.find_candidates(eval_oid)
            except ObjectCorrupt as error:
                self._idxs.remove(idx)
                self._warn(str(self._remote.damaged(str(error))))
        return found

    def bring(
        self, targets: Sequence[Oid], store: ObjectStore, needs_content: NeedsContent
    ) -> tuple[set[Oid], list[Outcome]]:
        """Return which of the targets are in the store now, and the outcomes that came with them."""
        if not self._is_loaded:
            self._load()
        if not (targets and self._idxs):
            return set(), []
        try:
            if self._gatherer is None:
                self._gatherer = Gatherer(self._repository, self._remote, store.has, self._note_packs)
            closure = self._gather(self._gatherer, targets, needs_content)
            self._tell_damages(self._gatherer)
            lost = self._store(self._gatherer, closure.objects, store)
        except (RemoteError, OSError) as error:
            self._give_up(error)
            return set(), []
        n_came = self.counts.objects + len(closure.objects) - len(lost)
        self.counts = self.counts._replace(objects=n_came, packs=self._gatherer.n_packs)
        came = {one.oid: one for one in closure.objects if one.kind in _OUTCOMES and one.oid not in lost}
        complete = closure.complete - lost
        return complete, self._outcomes({*complete, *came}, came, store)

    def _gather(self, gatherer: Gatherer, targets: Sequence[Oid], needs_content: NeedsContent) -> Closure:
        """Gather; look anew where packs are gone: others use the remote as well, and may have merged them."""
        for _ in range(LOOKS - 1):
            closure = gatherer.gather(targets, needs_content)
            if not gatherer.forget_changed():
                return closure
            self._remote.load_packs()
            self._take_tables()
        return gatherer.gather(targets, needs_content)

    def close(self) -> None:
        if self._gatherer is not None:
            self._gatherer.close()
            self._gatherer = None
        self._idxs = []

    def _load(self) -> None:
        self._is_loaded = True
        if not self._remote.gate.is_open:
            # A table does not say which execution a result is of, so who vouches for it is not known before a pull.
            self._warn(f"remote '{self._remote.name}' is not asked: `require_signatures` holds for what is pulled")
            return
        try:
            self._read_tables()
        except NothingThere:
            self._note(f"there is nothing at remote '{self._remote.name}' yet")
            return
        except RemoteError as error:
            self._give_up(error)
            return
        self._take_tables()

    def _take_tables(self) -> None:
        self._idxs = [idx for pack, idx in self._remote.packs.items() if pack not in self._remote.doomed]
        if sum(idx.count for idx in self._idxs) > MAX_FILTERED_OBJECTS:
            self._prefixes = None
        else:
            self._prefixes = set[int]().union(*((*idx.prefixes, *idx.extern_prefixes) for idx in self._idxs))

    def _read_tables(self) -> None:
        """Have the remote's tables read in another thread: clients may wait for minutes where nothing answers."""
        errors: list[Exception] = []

        def read() -> None:
            try:
                self._remote.check()
                self._remote.load_packs()
            except Exception as error:
                errors.append(error)

        thread = Thread(target=read, daemon=True)  # one that hangs keeps nobody from leaving
        thread.start()
        thread.join(self._patience_seconds)
        if thread.is_alive():
            why = f"no answer within {self._patience_seconds:g} seconds"
            raise RemoteUnreachable(self._remote.name, self._remote.location, why)
        if errors:
            raise errors[0]

    def _give_up(self, error: Exception) -> None:
        """Ask this remote nothing more."""
        self._idxs = []
        self._warn(f"{error}; the run goes on without it")

    def _tell_damages(self, gatherer: Gatherer) -> None:
        for damage in gatherer.damages[self._n_told :]:
            self._warn(f"{damage}; what it holds is not used")
        self._n_told = len(gatherer.damages)

    def _store(self, gatherer: Gatherer, objects: Iterable[Gathered], store: ObjectStore) -> set[Oid]:
        """Store what was gathered; return what turned out to be damaged, and whatever links to that."""
        lost: set[Oid] = set()
        for one in objects:
            if not lost.isdisjoint(one.links):
                lost.add(one.oid)
                continue
            try:
                self._put(gatherer, one, store)
            except RemoteDamaged as error:
                lost.add(one.oid)
                self._warn(f"{error}; it is not used")
            except ObjectError as error:
                lost.add(one.oid)
                self._warn(f"{self._remote.damaged(str(error))}; it is not used")
        return lost

    def _put(self, gatherer: Gatherer, one: Gathered, store: ObjectStore) -> None:
        self._n_stored += 1
        data = gatherer.read(one)
        if data is not None:
            self._content_bytes += len(data) if one.pack is None else 0  # else the pack counts
            if not self._n_stored % _TOLD_OBJECTS:
                self._tell()
            store.put(one.oid, data, one.kind)
            return
        name = blob_name(one.oid)
        try:
            self._repository.storage.write(name, checked(self._count(gatherer.iter_content(one.oid)), one.oid, name))
        except ContentChanged as error:
            raise self._remote.damaged(str(error)) from error

    def _count(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._content_bytes += len(piece)
            self._tell()
            yield piece

    def _note_packs(self, taken_bytes: int, _total: int, _label: str) -> None:
        self._pack_bytes = taken_bytes
        self._tell()

    def _tell(self) -> None:
        label = f"{self._n_stored} objects from remote '{self._remote.name}'"
        self._on_progress(self._pack_bytes + self._content_bytes, 0, label)

    def _outcomes(self, targets: Iterable[Oid], came: dict[Oid, Gathered], store: ObjectStore) -> list[Outcome]:
        """Return the newest outcome of each call and reduction that the tables name, once a run."""
        found: list[Outcome] = []
        for target in targets:
            one = came.get(target)
            if one is None and store.kind_of(target) not in _OUTCOMES:
                continue  # a table names what is no outcome
            eval_oid = store.get_node(target).links[0] if one is None else one.links[0]
            if (eval_oid, target) in self._noted:
                continue
            times = [time_us for time_us, named in self.find_candidates(eval_oid) if named == target]
            if times:
                self._noted.add((eval_oid, target))
                found.append(Outcome(eval_oid, target, max(times)))
        return found


def _needs_none(_record: object) -> bool:
    return False
