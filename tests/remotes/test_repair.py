"""Repair from remotes: whatever is damaged comes back from whoever has it, checked, and nothing else does."""

from __future__ import annotations

import dataclasses
import random
import shutil
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.hashing import hash_blob
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.remotes.connect import open_remote
from redun.remotes.gate import Gate
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.remotes.repair import RemoteSource
from redun.settings import RepositorySettings
from redun.store.absent import Absence, Cause, write_absent
from redun.store.base import ObjectCorrupt, ObjectMissing, ReadOnlyStore
from redun.store.blobs import blob_name
from redun.store.journal import Journal
from redun.store.liveness import describe_writer, now_us
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.maintain.mend import mend_repository
from redun.store.pack import write_pack
from redun.store.pack_format import TRAILER, idx_name, pack_name
from redun.store.ref_texts import RefStatus
from redun.store.repository import Repository
from redun.store.signing import Signer, create_key
from redun.testing.killing import count_moments, do_and_die
from redun.testing.objects import MadeFile, build_execution, make_execution
from redun.testing.probed import ProbedStorage

LARGE = b"large " * 200_000


class World:
    """A repository here, and one there that has all of it; more than one damage can be done here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here = folder / "here"
        self.there = folder / "there"

    @classmethod
    def make(cls, folder: Path, n_jobs: int = 20, place: str = "") -> World:
        """Make two executions with all sorts of objects, and push them; ``place``: to a URL instead."""
        world = cls(folder)
        with Repository.init(world.here) as repository:
            for seed in range(2):
                files = [MadeFile("out.txt", b"content %d" % seed)]
                blobs = [b"small part", LARGE] if seed else []
                make_execution(repository.store, repository.refs, n_jobs, seed=seed, blobs=blobs, files=files)
            Repository.init(world.there).close()
            push(repository, open_remote("there", place or str(world.there), folder, None))
        return world

    def copy(self) -> World:
        """Return the same world in another folder."""
        other = Path(tempfile.mkdtemp(dir=self.folder.parent))
        shutil.copytree(self.folder, other, dirs_exist_ok=True)
        return World(other)

    def remote(self, name: str = "there") -> Remote:
        """Return the repository there as a remote."""
        return Remote(name, LocalStorage(self.there))

    def repair(self, *remotes: Remote, warn=lambda _: None, level: str = "full"):
        """Repair from some remotes, by default from the one there, as a process of its own would."""
        with Repository.open(self.here) as repository:
            sources = [RemoteSource(repository, remote) for remote in remotes or (self.remote(),)]
            return mend_repository(repository, sources, warn=warn, level=level)

    def check(self):
        """Check the repository here."""
        with Repository.open(self.here, writable=False) as repository:
            return check_repository(repository)

    def objects(self) -> dict:
        """Return the kinds of all objects that can be read here, each of which is checked against its name."""
        found = {}
        with Repository.open(self.here, writable=False) as repository:
            for oid, kind in repository.store.iter_oids():
                try:
                    repository.store.get(oid)
                except (ObjectCorrupt, ObjectMissing):
                    continue
                found[oid] = kind
        return found

    def names(self, *suffixes: str) -> list[str]:
        """Return the names of files here, relative to the repository."""
        found = sorted(str(path.relative_to(self.here)) for path in self.here.rglob("*") if path.is_file())
        return [name for name in found if name.endswith(suffixes or ("",))]

    def files(self) -> dict[str, bytes]:
        """Return the packs, idx files and contents here."""
        names = [name for name in self.names() if name.startswith(("objects/pack", "objects/blob"))]
        return {name: (self.here / name).read_bytes() for name in names}

    def flip(self, name: str, at: int) -> None:
        """Change one byte of a file."""
        content = bytearray((self.here / name).read_bytes())
        content[at] ^= 1
        (self.here / name).write_bytes(content)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two executions, here and there."""
    return World.make(tmp_path / "world")


@pytest.fixture
def twin(world: World) -> World:
    """The same, and the repository there has the very files that are here."""
    shutil.rmtree(world.there)
    shutil.copytree(world.here, world.there)
    return world


REGIONS = {
    "head": lambda size: 1,
    "first block": lambda size: 60,
    "middle": lambda size: size // 2,
    "directory": lambda size: size - TRAILER.size - 10,
    "trailer": lambda size: size - 3,
}


@pytest.mark.parametrize("region", [*REGIONS, "cut", "empty", "deleted"])
def test_a_damaged_pack_is_itself_again(world: World, region: str) -> None:
    """Wherever the damage is, the pack comes back byte for byte, and nothing else is left over."""
    before, name = world.files(), world.names(".pack")[0]
    path = world.here / name
    if region in REGIONS:
        world.flip(name, REGIONS[region](path.stat().st_size))
    elif region == "deleted":
        path.unlink()
    else:
        path.write_bytes(before[name][:-9] if region == "cut" else b"")
    report = world.repair()
    assert report.is_clean, report.problems
    assert all(problem.is_repaired for problem in report.problems)
    assert world.check().problems == ()
    assert world.files() == before


@pytest.mark.parametrize("region", ["first block", "middle"])
def test_it_is_told_from_where_a_pack_was_repaired(world: World, region: str) -> None:
    """The report names the remote; damage in which no object was lost needs nobody."""
    name = world.names(".pack")[0]
    world.flip(name, REGIONS[region]((world.here / name).stat().st_size))
    sources = {problem.source for problem in world.repair().problems if problem.where == name}
    assert sources == {"there"}
    world.flip(name, (world.here / name).stat().st_size - 3)
    assert {problem.source for problem in world.repair().problems if problem.where == name} == {""}


def test_a_pack_that_needs_nobody_is_repaired_without_a_remote(world: World) -> None:
    """A wrong byte in the trailer costs no object, so the pack can be written anew from itself."""
    before, name = world.files(), world.names(".pack")[0]
    world.flip(name, len(before[name]) - 3)
    with Repository.open(world.here) as repository:
        assert mend_repository(repository, []).is_clean
    assert world.files() == before


def test_pack_and_idx_may_both_be_damaged(twin: World) -> None:
    """What the pack should hold is told by the idx of the same pack at the remote."""
    before, name = twin.files(), twin.names(".pack")[0]
    twin.flip(name, len(before[name]) // 2)
    twin.flip(name.replace(".pack", ".idx"), 400)
    assert twin.repair().is_clean
    assert twin.files() == before


def test_an_idx_that_tells_of_wrong_kinds_does_no_harm(twin: World) -> None:
    """What a remote says that a pack should hold is believed of no object that does not fit."""
    expected, name = twin.objects(), twin.names(".pack")[0]
    idx = twin.there / name.replace(".pack", ".idx")
    body = bytearray(idx.read_bytes()[:-32])
    first = struct.calcsize("<4sI4I32s")  # where the ends of kinds begin
    ends = [int.from_bytes(body[at : at + 4], "little") for at in range(first, first + 4 * 14, 4)]
    ends[Kind.VALUE] += 1  # so the first of what follows is told as a value too
    for number, end in enumerate(ends):
        body[first + 4 * number : first + 4 * number + 4] = max(end, *ends[:number], 0).to_bytes(4, "little")
    idx.write_bytes(bytes(body) + hash_blob(bytes(body)))
    twin.flip(name, 60)
    (twin.here / name.replace(".pack", ".idx")).unlink()
    twin.repair()
    assert twin.objects().items() <= expected.items()


def test_a_pack_whose_idx_nobody_has_gives_way(world: World) -> None:
    """The remote has the objects in other packs: what refs lead to comes back, and what could be read stays."""
    with Repository.open(world.there) as there:
        objects = [
            (oid, kind, there.store.get(oid))
            for oid, kind in there.store.iter_oids()
            if len(there.store.get(oid)) < 1 << 20
        ]
        write_pack(sorted(objects, key=lambda row: row[1]), there.storage)
        for name in world.names(".pack", ".idx"):
            there.storage.delete(name)
    expected, name = world.objects(), world.names(".pack")[0]
    world.flip(name, (world.here / name).stat().st_size // 2)
    (world.here / name).with_suffix(".idx").unlink()
    assert world.repair().is_clean
    assert world.check().problems == ()
    assert world.objects() == expected
    assert not (world.here / name).exists()


@pytest.mark.parametrize("damage", ["flip", "cut", "deleted"])
def test_a_large_content_comes_back(world: World, damage: str) -> None:
    """It is streamed into its place, and hashed on the way."""
    name = blob_name(hash_blob(LARGE))
    path = world.here / name
    if damage == "flip":
        world.flip(name, 1000)
    elif damage == "cut":
        path.write_bytes(LARGE[:-1])
    else:
        path.unlink()
    report = world.repair()
    assert report.is_clean
    assert {problem.source for problem in report.problems if problem.what in {"blob", "object"}} == {"there"}
    assert path.read_bytes() == LARGE


@pytest.mark.parametrize("folder", ["refs/executions", "refs/remotes/there"])
@pytest.mark.parametrize("text", [b"", b"redun-ref 9\n", None])
def test_a_damaged_ref_comes_back(world: World, folder: str, text: bytes | None) -> None:
    """It says again what it said but for hints; a text of None is the right one with a wrong byte."""
    (name,) = [name for name in world.names() if name.startswith(folder)][:1]
    right = (world.here / name).read_bytes()
    (world.here / name).write_bytes(right.replace(b"status done", b"status dune") if text is None else text)
    report = world.repair()
    assert report.is_clean
    (problem,) = [problem for problem in report.problems if problem.where == name]
    assert problem.source == "there"
    said = (world.here / name).read_text().split("\npack")[0]
    assert said == right.decode().split("\npack")[0].split("\ncheck")[0]


def test_a_damaged_ref_is_made_from_its_execution_when_nobody_else_knows(world: World) -> None:
    """The execution is on record here, and says all that its ref says."""
    shutil.rmtree(world.here / "refs/remotes")
    (name,) = [name for name in world.names() if name.startswith("refs/executions")][:1]
    (world.here / name).write_bytes(b"?")
    with Repository.open(world.here) as repository:
        report = mend_repository(repository, [])
        assert report.is_clean
        assert [problem.source for problem in report.problems] == ["its execution"]
        assert repository.refs.read(name.rpartition("/")[2]).status is RefStatus.DONE


def test_a_ref_is_not_replaced_by_an_older_telling(world: World) -> None:
    """What was extended here after it was pushed is told as the execution here tells it."""
    with Repository.open(world.here) as repository:
        ref = next(repository.refs.iter_refs())
        record = build_execution(
            20, seed=1, blobs=[b"small part", LARGE], files=[MadeFile("out.txt", b"content 1")]
        ).record
        oid, data = record._replace(end_us=record.end_us + 5).encode()
        repository.store.put(oid, data, int(Kind.EXECUTION))
        packs = tuple(repository.store.seal())
        repository.refs.write(dataclasses.replace(ref, object=oid, end_us=ref.end_us + 5, packs=packs))
        repository.store.finish()
    (world.here / f"refs/executions/{ref.name}").write_bytes(b"?")
    assert world.repair().is_clean
    with Repository.open(world.here) as repository:
        assert repository.refs.read(ref.name).object == oid


def test_an_object_that_is_nowhere_comes_with_all_below(world: World) -> None:
    """An execution of which everything is gone but its ref."""
    expected = world.objects()
    for name in world.names(".pack", ".idx"):
        (world.here / name).unlink()
    assert world.repair().is_clean
    assert world.check().problems == ()
    assert world.objects().keys() == expected.keys()


def test_a_remote_that_is_down_costs_a_warning(world: World) -> None:
    """Another one is asked, and what that has comes."""
    name = world.names(".pack")[0]
    world.flip(name, 60)
    warnings: list[str] = []
    assert not world.repair(Remote("gone", LocalStorage(world.folder / "nothing")), warn=warnings.append).is_clean
    assert len(warnings) == 1
    assert "'gone'" in warnings[0]
    assert world.repair(Remote("gone", LocalStorage(world.folder / "nothing")), world.remote()).is_clean


def test_what_several_remotes_have_in_part_is_put_together(twin: World) -> None:
    """Each lacks what the other has, and both are named."""
    expected, names = twin.objects(), twin.names(".pack")
    other = twin.folder / "other"
    shutil.copytree(twin.there, other)
    for place, name in zip((twin.there, other), names):
        (place / name).unlink()
        (place / name).with_suffix(".idx").unlink()
    for name in names:
        twin.flip(name, 60)
    report = twin.repair(twin.remote(), Remote("other", LocalStorage(other)))
    assert report.is_clean, report.problems
    assert {problem.source for problem in report.problems if problem.what == "pack"} == {"there", "other"}
    assert twin.objects() == expected


def test_a_damaged_remote_gives_what_of_it_is_whole(twin: World) -> None:
    """A wrong byte over there loses what is lost on both sides, and nothing more; the damaged pack stays."""
    name = twin.names(".pack")[0]
    size = (twin.here / name).stat().st_size
    twin.flip(name, 60)
    twin.flip(name, size // 2)
    World.flip(_Place(twin.there), name, size // 2)
    n_before = len(twin.objects())
    report = twin.repair()
    assert not report.is_clean
    assert any(problem.where == name and not problem.is_repaired for problem in report.problems)
    assert (twin.here / name).exists()
    assert len(twin.objects()) > n_before
    World.flip(_Place(twin.there), name, size // 2)
    assert twin.repair().is_clean


class _Place:
    def __init__(self, folder: Path) -> None:
        self.here = folder


def test_what_nobody_has_is_listed_and_the_pack_stays(world: World) -> None:
    """What could be read of it is kept in another pack as well; a later repair goes on."""
    expected, name = world.objects(), world.names(".pack")[0]
    world.flip(name, 60)
    readable = world.objects()
    with Repository.open(world.here) as repository:
        report = mend_repository(repository, [])
    assert not report.is_clean
    assert any(problem.what == "object" and "missing" in problem.why for problem in report.problems)
    assert (world.here / name).exists()
    assert world.objects() == readable
    assert world.repair().is_clean
    assert world.objects() == expected


def test_a_damaged_pack_of_things_that_nobody_needs_goes(world: World) -> None:
    """What of it nobody has, nothing links to, so it is not missed; that is told."""
    rows = [(*ValueRecord("int", "data", 10**9 + number, []).encode(), int(Kind.VALUE)) for number in range(9)]
    with Repository.open(world.here) as repository:
        sealed = write_pack([(oid, kind, data) for oid, data, kind in rows], repository.storage)
    world.flip(pack_name(sealed.name), 20)
    report = world.repair()
    assert report.is_clean
    assert any("which nothing needs" in problem.why for problem in report.problems)
    assert not (world.here / pack_name(sealed.name)).exists()
    assert not (world.here / idx_name(sealed.name)).exists()


def test_what_was_purged_does_not_come_back(world: World) -> None:
    """A purged object is no damage, and no remote brings it."""
    victim = hash_blob(LARGE)
    (world.here / blob_name(victim)).unlink()
    with Repository.open(world.here) as repository:
        write_absent(repository.storage, [Absence(victim, Kind.BLOB, Cause.PURGED, 1)], 1)
    world.flip(world.names(".pack")[0], 60)
    assert world.repair().is_clean
    assert not (world.here / blob_name(victim)).exists()


def test_quick_repairs_what_quick_finds(world: World) -> None:
    """A pack that is cut short is found by its size."""
    before, name = world.files(), world.names(".pack")[0]
    (world.here / name).write_bytes(before[name][:-1])
    assert world.repair(level="quick").is_clean
    assert world.files() == before


def test_an_alternate_gives_a_content(world: World) -> None:
    """It is copied: what was here stays here."""
    world.flip(blob_name(hash_blob(LARGE)), 1000)
    (world.here / "redun.ini").write_text(f"[repository]\nalternates = {world.there}\n")
    with Repository.open(world.here) as repository:
        report = mend_repository(repository, [])
    assert report.is_clean
    assert [problem.source for problem in report.problems] == ["an alternate"]
    assert (world.here / blob_name(hash_blob(LARGE))).read_bytes() == LARGE


# -- trust


@pytest.fixture
def code(tmp_path: Path) -> World:
    """A world with a value that is pickled, one that is data, and a large content of each."""
    world = World(tmp_path / "code")
    with Repository.init(world.here) as repository:
        made = build_execution(3, blobs=[LARGE], files=[MadeFile("a", LARGE[1:])])
        rows = [(oid, kind, data) for oid, data, kind in made.objects]
        oid, data = ValueRecord("thing", "pickle", b"cos\nsystem\n", []).encode()
        top, top_data = ValueRecord("list", "data", [1], [oid]).encode()
        rows += [(oid, int(Kind.VALUE), data), (top, int(Kind.VALUE), top_data)]
        for oid, kind, data in rows:
            repository.store.put(oid, data, kind)
        repository.store.seal()
        repository.store.finish()
    shutil.copytree(world.here, world.there)
    return world


def test_from_where_only_data_is_trusted_no_code_comes(code: World) -> None:
    """Neither what is pickled nor the content of a file; what is data comes."""
    pickled = ValueRecord("thing", "pickle", b"cos\nsystem\n", []).encode()[0]
    for name in code.names(".pack"):
        (code.here / name).write_bytes(b"")
    code.flip(blob_name(hash_blob(LARGE[1:])), 9)
    code.flip(blob_name(hash_blob(LARGE)), 9)
    remote = code.remote()
    remote.is_data_only = True
    report = code.repair(remote)
    assert not report.is_clean
    (told,) = [problem.why for problem in report.problems if problem.what == "remote"]
    assert "only plain data is taken" in told
    with Repository.open(code.here, writable=False) as repository:
        assert repository.store.blobs.is_whole(hash_blob(LARGE))
        assert not repository.store.blobs.is_whole(hash_blob(LARGE[1:]))
        with pytest.raises((ObjectCorrupt, ObjectMissing)):
            repository.store.get(pickled)
    assert code.repair().is_clean
    with Repository.open(code.here, writable=False) as repository:
        assert repository.store.get(pickled)


@pytest.mark.parametrize("is_signed", [True, False])
def test_only_what_somebody_vouches_for_comes(world: World, tmp_path: Path, is_signed: bool) -> None:
    """A remote whose refs must be signed gives what signed refs lead to, and no more."""
    public = create_key(tmp_path / "key")
    if is_signed:
        with Repository.open(world.there) as there:
            there.refs.signer = Signer(tmp_path / "key")
            for ref in list(there.refs.iter_refs()):
                there.refs.write(there.refs.sign(ref))
    expected = world.objects()
    for name in world.names(".pack"):
        world.flip(name, 60)
    world.flip(blob_name(hash_blob(LARGE)), 9)
    remote = world.remote()
    remote.gate = Gate(frozenset({public}))
    report = world.repair(remote)
    assert report.is_clean == is_signed
    assert any("require_signatures" in problem.why for problem in report.problems) != is_signed
    assert (world.objects() == expected) == is_signed


# -- elsewhere, and at any moment


def test_a_bucket_repairs_a_folder(tmp_path: Path, s3_bucket: str) -> None:
    """A pack, a content and a ref, from a URL."""
    world = World.make(tmp_path / "world", place=f"{s3_bucket}/shared")
    before = world.files()
    for name in (*world.names(".pack"), blob_name(hash_blob(LARGE))):
        world.flip(name, 60)
    (name,) = [name for name in world.names() if name.startswith("refs/executions")][:1]
    (world.here / name).write_bytes(b"?")
    report = world.repair(open_remote("bucket", f"{s3_bucket}/shared", tmp_path, tmp_path / "cache"))
    assert report.is_clean, report.problems
    assert {problem.source for problem in report.problems if problem.what in {"pack", "blob"}} == {"bucket"}
    assert world.files() == before


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict]:
    """A world that nothing is done to, and its objects."""
    world = World.make(tmp_path_factory.mktemp("whole") / "world", n_jobs=4)
    return world, world.objects()


@settings(max_examples=60)
@given(data=st.data())
def test_one_wrong_byte_anywhere_is_repaired_from_a_full_remote(whole, data) -> None:
    """Afterwards the repository is clean, and holds the same objects."""
    original, expected = whole
    world = original.copy()
    name = data.draw(
        st.sampled_from([name for name in world.names() if name.startswith(("objects/pack", "objects/blob", "refs"))])
    )
    content = bytearray((world.here / name).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1) | st.integers(0, min(200, len(content) - 1)))
    content[at] ^= data.draw(st.integers(1, 255))
    (world.here / name).write_bytes(content)
    report = world.repair()
    assert report.is_clean, report.problems
    assert world.check().problems == ()
    assert world.objects() == expected
    shutil.rmtree(world.folder)


@pytest.mark.parametrize("round_", range(6))
def test_a_repair_that_is_killed_loses_nothing_and_is_done_again(whole, round_: int) -> None:
    """At whichever moment: what could be read still can, and the next repair makes it whole."""
    original, expected = whole
    chance = random.Random(f"repair {round_}")
    damaged = original.copy()
    for name in damaged.names(".pack"):
        damaged.flip(name, chance.randrange(100, (damaged.here / name).stat().st_size))
    damaged.flip(blob_name(hash_blob(LARGE)), 9)
    readable = damaged.objects()
    tried = damaged.copy()
    n_moments = count_moments(tried.repair)
    assert do_and_die(damaged.repair, chance.randint(1, n_moments))
    found = damaged.objects()
    assert found.items() >= readable.items()
    assert damaged.repair().is_clean
    assert damaged.check().problems == ()
    assert damaged.objects() == expected
    for world in (tried, damaged):
        shutil.rmtree(world.folder)


class _Failing(ProbedStorage):
    """A remote that breaks off after some requests for contents."""

    n_left = 0

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        if name.startswith("objects/") and name.endswith(".pack"):
            self._spend()
        return super().read(name, start, length)

    def open(self, name: str):
        self._spend()
        return super().open(name)

    def _spend(self) -> None:
        self.n_left -= 1
        if self.n_left < 0:
            raise ConnectionResetError("connection reset by peer")


@pytest.mark.parametrize("n_requests", range(4))
def test_a_remote_that_breaks_off_costs_what_had_not_come(twin: World, n_requests: int) -> None:
    """One warning; what came is kept, the rest comes from another remote or next time."""
    for name in (*twin.names(".pack"), blob_name(hash_blob(LARGE))):
        twin.flip(name, 60)
    storage = _Failing(LocalStorage(twin.there))
    storage.n_left = n_requests
    readable, warnings = twin.objects(), []
    report = twin.repair(Remote("weak", storage), warn=warnings.append)
    assert report.is_clean == (not warnings)
    assert len(warnings) == (n_requests < 3)
    assert twin.objects().items() >= readable.items()
    assert twin.repair().is_clean
    assert twin.check().problems == ()


def test_a_repository_in_a_bucket_is_repaired_from_a_folder(tmp_path: Path, s3_bucket: str) -> None:
    """Damage in the bucket itself: what was damaged is written over there, or deleted."""
    source = World.make(tmp_path / "world", place=f"{s3_bucket}/shared")
    bucket = open_remote("bucket", f"{s3_bucket}/shared", tmp_path, None).storage
    packs = [entry.name for entry in bucket.iter_entries("objects/pack") if entry.name.endswith(".pack")]
    for name in (*packs, blob_name(hash_blob(LARGE))):
        content = bytearray(bucket.read(name))
        content[60] ^= 1
        bucket.write(name, bytes(content))
    place = RepositorySettings(url=f"{s3_bucket}/shared")
    with Repository.open(tmp_path / "elsewhere", settings=place) as repository:
        remote = Remote("folder", LocalStorage(source.here))
        repository.forget_copies()
        report = mend_repository(repository, [RemoteSource(repository, remote)])
        assert report.is_clean, report.problems
    assert {hash_blob(bucket.read(name)).hex() in name for name in packs} == {True}
    with Repository.open(tmp_path / "other", settings=place) as repository:
        assert check_repository(repository).problems == ()


def test_a_damaged_journal_is_kept_up_to_the_damage(world: World) -> None:
    """Opening the repository for the repair seals what is whole of a dead run's journal; the rest runs again."""
    header = describe_writer(now_us(), token=b"test")._replace(process_start="1")
    journal = Journal.create(world.here / "objects/journal", header=header)
    made = build_execution(5, seed=7).objects
    for oid, data, kind in made:
        journal.append(data, kind, oid)
    journal.close()
    world.flip(str(journal.path.relative_to(world.here)), journal.path.stat().st_size // 2)
    assert world.repair().is_clean
    assert world.check().problems == ()
    assert not journal.path.exists()
    assert made[0][0] in world.objects()
    assert made[-1][0] not in world.objects()


def test_what_cannot_be_written_is_not_repaired(world: World) -> None:
    """It is said; what is whole needs no writing."""
    with Repository.open(world.here, writable=False) as repository:
        assert mend_repository(repository, [RemoteSource(repository, world.remote())]).is_clean
    world.flip(world.names(".pack")[0], 60)
    with Repository.open(world.here, writable=False) as repository, pytest.raises(ReadOnlyStore, match="cannot be"):
        mend_repository(repository, [RemoteSource(repository, world.remote())])


def test_what_was_repaired_is_collected_as_before(world: World) -> None:
    """A repair leaves no garbage that a collection would find."""
    world.flip(world.names(".pack")[0], 60)
    world.repair()
    with Repository.open(world.here) as repository:
        plan = collect(repository, GcPolicy(grace_seconds=0.0))
    assert plan.n_objects == 0


def test_memory_is_bounded_by_batches(world: World, monkeypatch) -> None:
    """Asked for in small batches, everything comes all the same."""
    from redun.remotes import repair

    monkeypatch.setattr(repair, "GATHERED_OBJECTS", 7)
    expected = world.objects()
    for name in world.names(".pack"):
        (world.here / name).unlink()
    assert world.repair().is_clean
    assert world.objects() == expected
