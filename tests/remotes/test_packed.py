"""Contents inside packs that a lazy pull leaves at the remote, and the merged ranges in which they come."""

from __future__ import annotations

import random

import pytest

from redun.hashing import hash_blob
from redun.objects.kinds import Kind
from redun.remotes import packed, ranges
from redun.remotes.packed import get_packed
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.reach import RemoteDamaged
from redun.remotes.remote import Remote
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.memory_storage import MemoryStorage
from redun.store.promised import ContentNotBrought
from redun.store.repository import Repository
from redun.testing.objects import MadeFile, make_execution
from redun.testing.probed import ProbedStorage

SIZE = 100_000
N_FILES = 30
CONTENTS = [random.Random(number).randbytes(SIZE) for number in range(N_FILES + 1)]
OIDS = [hash_blob(content) for content in CONTENTS]


class Ranges(ProbedStorage):
    """Notes how many bytes each read takes."""

    def __init__(self, inner):
        super().__init__(inner)
        self.taken = 0

    def read(self, name, start=0, length=None):
        content = super().read(name, start, length)
        self.taken += len(content)
        return content

    def packs(self):
        """Return how often a part of a pack was read, and how often a whole one."""
        whole = [name for verb in ("open", "view") for name in self.names(verb) if name.endswith(".pack")]
        return len([name for name in self.names("read") if name.endswith(".pack")]), len(whole)


@pytest.fixture
def there():
    return Ranges(MemoryStorage())


@pytest.fixture
def source(tmp_path, there):
    """A repository with contents that lie in one pack, pushed to the remote."""
    with Repository.init(tmp_path / "source" / ".redun") as repository:
        files = [MadeFile(f"out{number}.bin", CONTENTS[number]) for number in range(N_FILES)]
        make_execution(repository.store, repository.refs, 50, files=files, blobs=[CONTENTS[N_FILES]])
        push(repository, Remote("origin", there))
        there.forget()
        there.taken = 0
        yield repository


@pytest.fixture
def mine(tmp_path, source, there):
    """A repository into which all was pulled lazily."""
    with Repository.init(tmp_path / "mine" / ".redun") as repository:
        report = pull(repository, Remote("origin", there), is_lazy=True)
        assert (report.executions, report.promised) == (1, N_FILES + 1)
        assert report.promised_bytes == N_FILES * SIZE  # of what a value holds the size is not on record
        yield repository


@pytest.fixture
def supply(mine, there):
    """Let what is promised come from the remote."""
    from redun.remotes.lazy import _get

    mine.store.promises.supplier = lambda name, promises: _get(Remote(name, there), mine.storage, promises)
    there.forget()
    there.taken = 0


def test_a_lazy_pull_reads_a_pack_without_its_contents(mine, there, source):
    """Two ranges are read of the pack, and few bytes; what came is whole, and whole for fsck."""
    assert there.packs() == (2, 0)
    assert there.taken < SIZE
    assert check_repository(mine).is_clean
    kinds = {kind for _, kind in mine.store.packs.iter_oids(None)}
    assert Kind.BLOB not in kinds
    for oid, kind in source.store.iter_oids():
        assert mine.store.kind_of(oid) == kind
        if kind != Kind.BLOB:
            assert mine.store.get(oid) == source.store.get(oid)
            assert mine.store.find_candidates(oid) == source.store.find_candidates(oid)


def test_few_or_tiny_contents_come_along(tmp_path, there):
    """Where little would be saved, the pack comes whole, in as many requests as ever."""
    with Repository.init(tmp_path / "other" / ".redun") as repository:
        make_execution(repository.store, repository.refs, 50, files=[MadeFile("out.bin", b"small")])
        push(repository, Remote("origin", there))
    there.forget()
    with Repository.init(tmp_path / "third" / ".redun") as repository:
        assert pull(repository, Remote("origin", there), is_lazy=True).promised == 0
        assert there.packs() == (0, 1)
        assert not repository.store.packs.notes.promised


def test_contents_come_in_merged_ranges(mine, there, supply):
    """All contents of a pack come in one range behind its directory, one of them in a short one."""
    assert mine.store.get(OIDS[3]) == CONTENTS[3]
    assert there.packs() == (2, 0)
    assert there.taken < 3 * SIZE
    there.forget()
    assert mine.store.bring(OIDS)
    assert there.packs() == (2, 0)
    for oid, content in zip(OIDS, CONTENTS):
        assert mine.store.open(oid).read() == content
    assert mine.store.promises.list_open() == []
    assert check_repository(mine).is_clean


def test_ranges_that_lie_apart_stay_apart(mine, there, supply, monkeypatch):
    """A gap that is dearer than a request is not read, nor is more read at once than memory should hold."""
    monkeypatch.setattr(ranges, "MERGE_GAP_BYTES", 10)
    mine.store.bring([OIDS[0], OIDS[10], OIDS[20]])
    assert there.packs() == (4, 0)
    there.forget()
    monkeypatch.setattr(packed, "BATCH_BYTES", 5 * SIZE)
    mine.store.bring(OIDS)
    assert there.packs()[0] >= 12  # directories and ranges of six batches
    assert mine.store.promises.list_open() == []


def test_a_pull_that_is_not_lazy_brings_them_all(mine, there):
    """The rest comes as one pack."""
    report = pull(mine, Remote("origin", there))
    assert report.contents == N_FILES + 1
    assert check_repository(mine).is_clean
    assert pull(mine, Remote("origin", there)).is_up_to_date


def test_a_folder_is_read_in_place(tmp_path, source):
    """A remote on this machine leaves nothing behind but what was wanted."""
    place = tmp_path / "place"
    push(source, Remote("near", LocalStorage(place)))
    with Repository.init(tmp_path / "near" / ".redun") as repository:
        assert pull(repository, Remote("near", LocalStorage(place)), is_lazy=True).promised == N_FILES + 1
        assert check_repository(repository).is_clean
        assert get_packed(Remote("near", LocalStorage(place)), repository.storage, dict.fromkeys(OIDS, 0)) == ""
        repository.store.refresh(force=True)
        assert repository.store.get(OIDS[7]) == CONTENTS[7]


def test_a_damaged_block_gives_nothing(mine, there, supply):
    """A content that is damaged over there is not installed; its neighbours are."""
    (name,) = [entry.name for entry in there.inner.iter_entries("objects/pack") if entry.name.endswith(".pack")]
    content = bytearray(there.inner.read(name))
    content[50_000] ^= 1
    there.inner.write(name, bytes(content))
    with pytest.raises(ContentNotBrought, match="lacks content"):
        mine.store.bring(OIDS)
    (left,) = mine.store.promises.list_open()
    assert not mine.store.packs.has(left.oid)
    assert check_repository(mine).is_clean


@pytest.mark.parametrize("place", [-100, -1000, -2000])
def test_a_damaged_pack_is_refused_by_a_lazy_pull(tmp_path, source, there, place):
    """Of a pack that is not hashed as a whole, each object that is taken is."""
    (name,) = [entry.name for entry in there.inner.iter_entries("objects/pack") if entry.name.endswith(".pack")]
    content = bytearray(there.inner.read(name))
    content[place] ^= 255
    there.inner.write(name, bytes(content))
    with Repository.init(tmp_path / "mine" / ".redun") as repository:
        with pytest.raises(RemoteDamaged):
            pull(repository, Remote("origin", there), is_lazy=True)
        assert check_repository(repository).is_clean


def test_what_a_job_makes_again_is_here(mine):
    """A promised content that is put counts as here at once, though no pack has it yet."""
    mine.store.put(OIDS[0], CONTENTS[0], int(Kind.BLOB))
    assert mine.store.promises.find(OIDS[0]) is None
    assert mine.store.get(OIDS[0]) == CONTENTS[0]
