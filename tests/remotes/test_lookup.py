"""Results out of remotes for a run: brought whole and checked, or not at all; and no remote makes a run fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from redun.hashing import Oid, hash_blob
from redun.objects.execution_records import ExecutionRecord
from redun.objects.kinds import Kind
from redun.objects.links import walk
from redun.remotes import gather
from redun.remotes.gate import Gate
from redun.remotes.lookup import RemoteLookups
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.blobs import blob_name
from redun.store.memory import MemoryStore
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import write_pack
from redun.store.repository import Repository
from redun.testing.objects import MadeExecution, MadeFile, make_execution
from redun.testing.probed import ProbedStorage

LARGE = b"large " * 200_000


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Repository]:
    """Where results were made."""
    with Repository.init(tmp_path / "there" / ".redun") as repository:
        yield repository


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Repository]:
    """Where they are wanted."""
    with Repository.init(tmp_path / "here" / ".redun") as repository:
        yield repository


@pytest.fixture
def place() -> ProbedStorage:
    """The remote."""
    return ProbedStorage(MemoryStorage("bucket"))


class Asking:
    """Lookups, and what they said."""

    def __init__(self, repository: Repository, *remotes: Remote) -> None:
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.lookups = RemoteLookups(repository, remotes, self.warnings.append, self.notes.append)
        self.store = repository.store

    def bring(self, *targets: Oid, needs: bool = True, keeps_files: bool = True) -> list[Oid]:
        """Bring some results; return of which of them the outcome is known then."""
        outcomes = self.lookups.bring(targets, self.store, lambda _record: needs, keeps_files=keeps_files)
        return [one.target for one in outcomes if one.target in targets]


def _make(there: Repository, place: ProbedStorage, seed: int = 0, n_jobs: int = 3, **options: object) -> MadeExecution:
    made = make_execution(there.store, there.refs, n_jobs, seed=seed, **options)  # type: ignore[arg-type]
    push(there, Remote("origin", place))
    place.forget()
    return made


def _root(made: MadeExecution) -> Oid:
    record = made.record
    assert isinstance(record, ExecutionRecord)
    assert record.root is not None
    return record.root


def _eval_of(repository: Repository, call: Oid) -> Oid:
    return repository.store.get_node(call).links[0]


def _check_whole(repository: Repository, *roots: Oid) -> None:
    for _ in walk(roots, repository.store.find_kind_and_data):
        pass


def test_a_result_comes_with_all_it_consists_of(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """What the tables name is brought, closed and with the times of its own outcome and of those below."""
    made = _make(there, place)
    asking = Asking(here, Remote("origin", place))
    (candidate,) = asking.lookups.find_candidates(_eval_of(there, _root(made)))
    assert candidate in there.store.find_candidates(_eval_of(there, _root(made)))
    outcomes = asking.lookups.bring([candidate.target], here.store, lambda _record: True, keeps_files=True)
    _check_whole(here, _root(made))
    assert len(outcomes) == 4  # the root's and those of the three jobs below it
    assert all(
        (one.time_us, one.target) in there.store.find_candidates(one.eval) and here.store.has(one.target)
        for one in outcomes
    )
    assert asking.warnings == []
    assert [(one.remote, one.packs) for one in asking.lookups.counts()] == [("origin", 1)]


def test_only_what_is_needed_is_taken(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """Other results of the same pack stay there: no execution, no job, no result that nobody asked for."""
    made = _make(there, place)
    call = next(oid for oid, _, kind in made.objects if kind == Kind.CALL)
    assert Asking(here, Remote("origin", place)).bring(call) == [call]
    kinds = sorted(kind for _, kind in here.store.iter_oids())
    assert Kind.JOBS not in kinds
    assert Kind.EXECUTION not in kinds
    assert kinds.count(Kind.CALL) == 1


def test_asking_and_bringing_cost_few_requests(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """Format, list, a table and a pack each; whatever is asked after that costs nothing."""
    made = [_make(there, place, seed, 200) for seed in range(3)]
    remote = Remote("origin", place)
    asking = Asking(here, remote)
    for one in made:
        for oid, _, kind in one.objects:
            if kind == Kind.EVAL:
                asking.lookups.find_candidates(oid)
    assert sorted(verb for verb, _ in place.calls) == ["list", "read", "read", "read", "read"]
    place.forget()
    assert len(asking.bring(*map(_root, made))) == 3
    assert sorted(verb for verb, _ in place.calls) == ["open", "open", "open"]
    place.forget()
    asking.bring(*(oid for one in made for oid, _, kind in one.objects if kind == Kind.CALL))
    assert place.calls == []


def test_of_a_large_pack_only_ranges_are_read(
    there: Repository, here: Repository, place: ProbedStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until that takes more rounds than bringing it whole is worth."""
    made = _make(there, place, n_jobs=50, blobs=[b"content"])
    monkeypatch.setattr(gather, "WHOLE_PACK_BYTES", 0)
    asking = Asking(here, Remote("origin", place))
    call = next(oid for oid, _, kind in made.objects if kind == Kind.CALL)
    assert asking.bring(call) == [call]
    assert place.names("open") == []
    assert asking.bring(_root(made)) == [_root(made)]
    assert len(place.names("open")) == 1
    _check_whole(here, _root(made))


def test_of_many_objects_only_links_are_held(
    there: Repository, here: Repository, place: ProbedStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is read again from the pack that was brought; no request is made for it."""
    made = _make(there, place, n_jobs=50, files=[MadeFile("out", b"content")])
    monkeypatch.setattr(gather, "MAX_HELD_BYTES", 1_000)
    asking = Asking(here, Remote("origin", place))
    assert asking.bring(_root(made)) == [_root(made)]
    assert len(place.names("open")) == 1
    _check_whole(here, _root(made))


def test_a_damaged_pack_is_told_once_and_never_used(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """What another pack holds still comes."""
    bad, good = _make(there, place, 0), _make(there, place, 1)
    remote = Remote("origin", place.inner)
    remote.load_packs()
    pack = remote.find_pack(_root(bad))
    assert pack is not None
    name = f"objects/pack/{pack.hex()}.pack"
    content = bytearray(place.inner.read(name))
    content[len(content) // 2] ^= 1
    place.inner.write(name, bytes(content))
    asking = Asking(here, Remote("origin", place))
    for _ in range(2):
        assert asking.bring(_root(bad)) == []
    assert not here.store.has(_root(bad))
    (warning,) = asking.warnings
    assert "is damaged" in warning
    assert asking.bring(_root(good)) == []  # its task lies in the damaged pack
    values = [oid for oid, _, kind in good.objects if kind == Kind.VALUE and oid not in bad.oids]
    asking.bring(*values[:1])
    assert here.store.has(values[0])
    assert len(asking.warnings) == 1


def test_packs_may_be_merged_meanwhile(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """Others use the remote too: what is gone is looked for anew, and nobody is warned."""
    made = [_make(there, place, seed) for seed in range(2)]
    asking = Asking(here, Remote("origin", place))
    asking.lookups.find_candidates(_root(made[0]))
    old = [entry.name for entry in place.inner.iter_entries("objects/pack")]
    objects = {oid: (oid, kind, data) for one in made for oid, data, kind in one.objects}
    write_pack(sorted(objects.values(), key=lambda one: one[1]), place.inner)
    for name in old:
        place.inner.delete(name)
    assert len(asking.bring(*map(_root, made))) == 2
    assert all(here.store.has(_root(one)) for one in made)
    assert asking.warnings == []


def test_a_result_with_a_part_missing_is_no_result(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """Nothing that would link to nothing is stored."""
    made = _make(there, place, blobs=[LARGE])
    place.inner.delete(next(entry.name for entry in place.inner.iter_entries("objects/blob")))
    asking = Asking(here, Remote("origin", place))
    assert asking.bring(_root(made)) == []
    assert not here.store.has(_root(made))
    calls = [oid for oid, _, kind in made.objects if kind == Kind.CALL and oid != _root(made)]
    asking.bring(*calls)
    whole = [call for call in calls if here.store.has(call)]
    assert len(whole) == 2  # all but the one whose result holds the content
    _check_whole(here, *whole)


def test_a_damaged_large_content_is_no_result(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """It is hashed while it arrives; the rest is used."""
    made = _make(there, place, blobs=[LARGE])
    name = next(entry.name for entry in place.inner.iter_entries("objects/blob"))
    place.inner.write(name, LARGE[:-1] + b"!")
    asking = Asking(here, Remote("origin", place))
    assert asking.bring(_root(made)) == []
    assert len(asking.warnings) == 1
    assert not here.store.has(_root(made))
    assert here.storage.size(name) is None


@pytest.mark.parametrize(("needs", "keeps_files"), [(True, True), (False, True), (True, False)])
def test_contents_of_files_come_when_they_are_needed(
    there: Repository, here: Repository, place: ProbedStorage, needs: bool, keeps_files: bool
) -> None:
    """A large one only for a file that a job wrote and that is not as recorded, and never in a dry run."""
    made = _make(there, place, files=[MadeFile("out", LARGE), MadeFile("small", b"small")])
    asking = Asking(here, Remote("origin", place))
    assert asking.bring(_root(made), needs=needs, keeps_files=keeps_files) == [_root(made)]
    digests = {len(data): oid for oid, data, kind in made.objects if kind == Kind.BLOB}
    assert here.store.has(digests[5])
    assert here.storage.size(blob_name(digests[len(LARGE)])) is None  # nothing says that a job wrote it


def test_a_remote_that_is_gone_is_one_warning(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """From then on it has nothing, and another one is asked."""
    made = _make(there, place)

    class Gone(MemoryStorage):
        def read(self, *_: object) -> bytes:  # type: ignore[override]
            raise OSError("no route to host")

    asking = Asking(here, Remote("first", Gone("nowhere")), Remote("second", place))
    for _ in range(3):
        assert asking.lookups.find_candidates(_eval_of(there, _root(made)))
    assert asking.bring(_root(made)) == [_root(made)]
    (warning,) = asking.warnings
    assert "'first'" in warning
    assert "no route to host; the run goes on without it" in warning


def test_a_remote_that_goes_away_is_one_warning(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """Its tables were read; what they name cannot be brought any more."""
    made = _make(there, place)

    class Leaving(ProbedStorage):
        is_gone = False

        def open(self, name: str):  # type: ignore[no-untyped-def]
            if self.is_gone:
                raise OSError("connection reset")
            return super().open(name)

    leaving = Leaving(place.inner)
    asking = Asking(here, Remote("origin", leaving))
    assert asking.lookups.find_candidates(_eval_of(there, _root(made)))
    leaving.is_gone = True
    assert asking.bring(_root(made)) == []
    assert asking.lookups.find_candidates(_eval_of(there, _root(made))) == []
    assert len(asking.warnings) == 1


def test_a_remote_that_does_not_answer_is_one_warning(here: Repository) -> None:
    """A run does not wait for it longer than its patience lasts."""
    is_over = threading.Event()

    class Silent(MemoryStorage):
        def read(self, *_: object) -> bytes:  # type: ignore[override]
            is_over.wait(60)
            raise OSError("too late")

    warnings: list[str] = []
    lookups = RemoteLookups(here, [Remote("origin", Silent("nowhere"))], warnings.append, patience_seconds=0.01)
    for _ in range(2):
        assert lookups.find_candidates(Oid(b"x" * 32)) == []
    is_over.set()
    assert [warning.rpartition(": ")[2] for warning in warnings] == [
        "no answer within 0.01 seconds; the run goes on without it"
    ]


def test_a_remote_that_is_empty_is_no_warning(here: Repository) -> None:
    """It is said all the same: its name may be wrong."""
    asking = Asking(here, Remote("origin", MemoryStorage("bucket")))
    assert asking.lookups.find_candidates(Oid(b"x" * 32)) == []
    assert (asking.warnings, asking.notes) == ([], ["there is nothing at remote 'origin' yet"])


def test_nothing_comes_that_is_not_trusted(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """From where only data is trusted, a result that a reader would have to run code for is no result."""
    made = _make(there, place, files=[MadeFile("out", b"content")])
    remote = Remote("origin", place)
    remote.is_data_only = True
    asking = Asking(here, remote)
    asking.bring(_root(made))
    (digest,) = [oid for oid, _, kind in made.objects if kind == Kind.BLOB]
    assert not here.store.has(digest)


@pytest.mark.parametrize("limit", [0, gather.WHOLE_PACK_BYTES], ids=["ranges", "whole packs"])
def test_bytes_are_trusted_where_only_data_is(
    there: Repository, here: Repository, place: ProbedStorage, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """A value's own content is no node, and runs nothing; however its pack is read, it comes."""
    made = _make(there, place, blobs=[b"content"])
    monkeypatch.setattr(gather, "WHOLE_PACK_BYTES", limit)
    remote = Remote("origin", place)
    remote.is_data_only = True
    asking = Asking(here, remote)
    calls = [oid for oid, _, kind in made.objects if kind == Kind.CALL and oid != _root(made)]
    assert sorted(asking.bring(*calls)) == sorted(calls)
    assert here.store.get(hash_blob(b"content")) == b"content"
    assert asking.warnings == []


def test_where_signatures_are_required_nothing_is_asked(here: Repository, place: ProbedStorage) -> None:
    """Nobody can tell which execution a result is of, and so who vouches for it, before a pull."""
    remote = Remote("origin", place)
    remote.gate = Gate(frozenset({b"k" * 32}))
    asking = Asking(here, remote)
    assert asking.bring(Oid(b"x" * 32)) == []
    assert len(asking.warnings) == 1
    assert place.calls == []


def test_a_store_that_leaves_no_trace_is_filled(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """A dry run's results go into memory, and nowhere else."""
    made = _make(there, place)
    asking = Asking(here, Remote("origin", place))
    asking.store = MemoryStore()  # type: ignore[assignment]
    assert asking.bring(_root(made), keeps_files=False) == [_root(made)]
    assert list(here.store.iter_oids()) == []


def test_closing_removes_what_was_kept_for_the_run(there: Repository, here: Repository, place: ProbedStorage) -> None:
    """Packs lie in a folder of the cache meanwhile; lookup tables stay."""
    made = _make(there, place)
    asking = Asking(here, Remote("origin", place))
    asking.bring(_root(made))
    assert here.cache_path is not None
    assert any(here.cache_path.glob("fetch-*/objects/pack/*"))
    asking.lookups.close()
    asking.lookups.close()
    assert not any(here.cache_path.glob("fetch-*"))


def test_what_comes_is_told(here: Repository, there: Repository, place: ProbedStorage) -> None:
    """Bytes of packs and of contents, growing, and an empty text when all of it is here."""
    made = _make(there, place, blobs=[b"x" * (1 << 20)])
    told: list[tuple[int, int, str]] = []
    lookups = RemoteLookups(here, [Remote("origin", place)], _refuse, on_progress=lambda *what: told.append(what))
    lookups.bring([_root(made)], here.store, lambda _record: True, keeps_files=True)
    sizes = [done for done, _, label in told if label]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 0
    assert told[-1] == (0, 0, "")
    assert all(label.endswith("objects from remote 'origin'") for _, _, label in told[:-1])


def _refuse(text: str) -> None:
    raise AssertionError(text)
