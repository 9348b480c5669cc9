"""A tree at a URL: what is published leads to nothing that is not, and a copy is never taken for what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.hashing import hash_blob
from redun.store import spooled_storage
from redun.store.base import ReadOnlyStore
from redun.store.blobs import blob_name
from redun.store.listings import LISTING_SECONDS
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import PackReader, write_pack
from redun.store.pack_format import idx_name, pack_name
from redun.store.packset import PackSet
from redun.store.ranged import PART_BYTES
from redun.store.ref_names import ref_name
from redun.store.refs import Refs
from redun.store.spooled_storage import SpooledStorage
from redun.store.storage import NameMissing, RepositoryUnreachable, Storage
from redun.testing.probed import ProbedStorage
from redun.testing.storage import StorageSuite

LARGE = b"large " * 200_000
CONTENT = blob_name(hash_blob(LARGE))
REF = "refs/executions/one"


class TestSpooledStorage(StorageSuite):
    """The contract, over a bucket in memory."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return SpooledStorage(MemoryStorage(), LocalStorage(tmp_path / "spool"), LocalStorage(tmp_path / "copies"))


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


class Bucket:
    """A bucket, and the machines that open it."""

    def __init__(self, folder):
        self.folder = folder
        self.inner = MemoryStorage("s3://bucket/x")
        self.clock = Clock()

    def open(self, machine="here", **options):
        probed = ProbedStorage(self.inner)
        spool, copies = LocalStorage(self.folder / machine / "spool"), LocalStorage(self.folder / machine / "copies")
        return probed, SpooledStorage(probed, spool, copies, clock=self.clock, **options)


@pytest.fixture
def bucket(tmp_path):
    return Bucket(tmp_path)


def make_pack(storage, *contents):
    return write_pack([(hash_blob(content), 0, content) for content in contents], storage)


def verbs(probed):
    return [verb for verb, _ in probed.calls]


def test_contents_wait_in_the_spool_and_leave_before_a_pack(bucket):
    """A large content costs no request until something is published; then it is there before what may name it."""
    probed, tree = bucket.open()
    tree.write(CONTENT, LARGE)
    assert tree.size(CONTENT) == len(LARGE)
    assert tree.read(CONTENT) == LARGE
    assert "write" not in verbs(probed)
    sealed = make_pack(tree, b"small")
    assert probed.names("write") == [CONTENT, pack_name(sealed.name), idx_name(sealed.name)]
    assert list(LocalStorage(tree.path).iter_entries("objects/blob")) == []
    assert tree.read(CONTENT) == LARGE


@pytest.mark.parametrize("publish", ["ref", "sync"])
def test_contents_leave_the_spool_before_a_ref_too(bucket, publish):
    """A ref, and forcing to the disk, publish what waits."""
    probed, tree = bucket.open()
    tree.write(CONTENT, LARGE)
    if publish == "ref":
        tree.write(REF, b"text")
        assert probed.names("write") == [CONTENT, REF]
    else:
        tree.sync([CONTENT])
        assert probed.names("write") == [CONTENT]


def test_what_waits_is_sent_by_the_next_process(bucket):
    """A process that died before it published leaves its contents to whoever opens the place from there."""
    bucket.open()[1].write(CONTENT, LARGE)
    probed, tree = bucket.open()
    tree.write(REF, b"text")
    assert probed.names("write") == [CONTENT, REF]


def test_a_content_that_another_process_sent_is_found(bucket):
    """Two processes share a spool; one sends what the other has put, which goes on to be there for the other."""
    _, first = bucket.open()
    first.write(CONTENT, LARGE)
    assert first.size(blob_name(hash_blob(b"absent"))) is None  # has listed the contents
    _, second = bucket.open()
    second.sync([])
    assert first.size(CONTENT) == len(LARGE)
    assert first.read(CONTENT) == LARGE


def test_journals_and_what_was_seen_at_remotes_stay_here(bucket):
    """What concerns this machine alone never leaves it, and another machine's is not taken for it."""
    probed, tree = bucket.open()
    for name in ("objects/journal/w.journal", "refs/remotes/origin/x"):
        bucket.inner.write(name, b"of another time")
        tree.write(name, b"mine")
        assert tree.read(name) == bytes(tree.view(name)) == b"mine"
        assert [entry.size for entry in tree.iter_entries("") if entry.name == name] == [4]
        tree.delete(name)
        assert tree.size(name) is None
    assert "write" not in verbs(probed)
    assert "delete" not in verbs(probed)


def test_a_pack_is_fetched_once_for_all_processes(bucket):
    """Its idx and itself are a request each, for whoever reads first; later processes read the copy."""
    sealed = make_pack(bucket.open("there")[1], b"one", b"two")
    for n_requests in (2, 0):
        probed, tree = bucket.open()
        reader = PackReader(sealed.name, tree)
        assert reader.get(hash_blob(b"two")) == b"two"
        assert verbs(probed) == ["list", *["read"] * n_requests]


def test_who_writes_a_pack_need_not_fetch_it(bucket):
    """What was sent is kept."""
    probed, tree = bucket.open()
    sealed = make_pack(tree, b"one")
    assert PackReader(sealed.name, tree).get(hash_blob(b"one")) == b"one"
    assert "read" not in verbs(probed)


def test_a_copy_serves_only_while_the_bucket_has_the_pack(bucket):
    """A pack that was merged away is gone here too, whatever is kept of it."""
    _, tree = bucket.open()
    sealed = make_pack(tree, b"one")
    for name in (pack_name(sealed.name), idx_name(sealed.name)):
        bucket.inner.delete(name)
    with pytest.raises(NameMissing):
        PackReader(sealed.name, bucket.open()[1])


def test_a_pack_that_is_gone_makes_the_next_listing_a_fresh_one(bucket):
    """Between listing and reading another machine has merged it."""
    first = make_pack(bucket.open("there")[1], b"one")
    _, tree = bucket.open()
    tree.look()
    bucket.inner.delete(pack_name(first.name))
    second = make_pack(bucket.open("there")[1], b"one", b"two")
    with pytest.raises(NameMissing):
        tree.view(pack_name(first.name))
    assert tree.size(pack_name(second.name)) is not None


def test_damaged_bytes_are_not_kept(bucket):
    """What does not hash to its name is handed on, for the reader to judge, and fetched anew the next time."""
    sealed = make_pack(bucket.open("there")[1], b"one")
    name = pack_name(sealed.name)
    whole = bucket.inner.read(name)
    bucket.inner.write(name, whole[:-1] + b"?")
    assert bytes(bucket.open()[1].view(name)) != whole
    bucket.inner.write(name, whole)
    assert bytes(bucket.open()[1].view(name)) == whole


def test_a_ref_is_fetched_once_for_each_time_it_was_written(bucket):
    """A copy of a ref is of one version; the listing tells whether it is still that."""
    _, there = bucket.open("there")
    there.write(REF, b"running")
    for content, n_requests in ((b"running", 1), (b"running", 0), (b"done", 1), (b"done", 0)):
        if there.read(REF) != content:
            there.write(REF, content)
        probed, tree = bucket.open()
        tree.look()
        probed.forget()
        assert tree.read(REF) == content
        assert len(probed.calls) == n_requests


def test_a_ref_that_was_written_since_the_listing_is_found(bucket):
    """Who names a ref that is not listed gets it all the same."""
    _, tree = bucket.open()
    tree.look()
    bucket.inner.write(REF, b"text")
    assert tree.read(REF) == b"text"
    bucket.clock.seconds += LISTING_SECONDS
    assert [entry.name for entry in tree.iter_entries("refs")] == [REF]


def test_refs_are_fetched_ahead(bucket):
    """Names that will be read next are fetched at once, those that are known or absent are not."""
    names = [f"refs/executions/{number}" for number in range(5)]
    for name in names:
        bucket.inner.write(name, name.encode())
    bucket.open()[1].read(names[0])
    probed, tree = bucket.open()
    tree.prefetch([*names, "refs/executions/absent"])
    assert sorted(probed.names("read")) == names[1:]
    probed.forget()
    assert [tree.read(name) for name in names] == [name.encode() for name in names]
    assert probed.calls == []


def test_a_large_pack_is_read_by_ranges(bucket, monkeypatch):
    """What is not asked for is not fetched, and later processes find what was."""
    monkeypatch.setattr(spooled_storage, "WHOLE_BYTES", 1000)
    contents = [bytes([number]) * 40_000 + hash_blob(bytes([number])) * 2_000 for number in range(40)]
    sealed = make_pack(bucket.open("there")[1], *contents)
    for n_requests in (1, 0):
        probed, tree = bucket.open()
        reader = PackReader(sealed.name, tree)
        probed.forget()
        assert reader.get(hash_blob(contents[7])) == contents[7]
        assert len(probed.calls) <= n_requests + sealed.pack_size // PART_BYTES
    assert tree.size(pack_name(sealed.name)) == sealed.pack_size


def test_copies_can_be_forgotten(bucket):
    """After that everything comes from the bucket, as who checks it wants."""
    probed, tree = bucket.open()
    sealed = make_pack(tree, b"one")
    tree.forget_copies()
    assert bytes(tree.view(pack_name(sealed.name))) == bucket.inner.read(pack_name(sealed.name))
    assert probed.names("read") == [pack_name(sealed.name)]


def test_without_a_folder_copies_are_kept_in_memory(bucket, tmp_path):
    """Whoever only looks needs no folder."""
    sealed = make_pack(bucket.open("there")[1], b"one")
    probed = ProbedStorage(bucket.inner)
    tree = SpooledStorage(probed, LocalStorage(tmp_path / "none"), is_read_only=True)
    for _ in range(2):
        assert PackReader(sealed.name, tree).get(hash_blob(b"one")) == b"one"
    assert verbs(probed) == ["list", "read", "read"]
    assert not (tmp_path / "none").exists()


def test_what_is_open_for_reading_is_not_written(bucket):
    """No verb changes anything, and the message names the place."""
    probed, tree = bucket.open(is_read_only=True)
    for change in (lambda: tree.write(REF, b""), lambda: tree.delete(REF), lambda: make_pack(tree, b"one")):
        with pytest.raises(ReadOnlyStore, match="s3://bucket/x"):
            change()
    assert "write" not in verbs(probed)


def test_a_bucket_that_is_down_is_named(bucket):
    """Whatever the client says becomes one error, with the place and what to do."""

    class Down(MemoryStorage):
        def iter_entries(self, _prefix):
            raise OSError("no route")

        def read(self, *_):
            raise OSError("no route")

    tree = SpooledStorage(Down("s3://bucket/x"), LocalStorage(bucket.folder))
    for ask in (tree.look, lambda: tree.size(REF), lambda: tree.read("other"), lambda: list(tree.iter_entries(""))):
        with pytest.raises(RepositoryUnreachable, match="s3://bucket/x: no route") as caught:
            ask()
        assert caught.value.hint


def test_packs_that_cannot_be_deleted_are_not_merged(bucket):
    """Who may write and not delete would write the same objects again and again."""

    class Keeping(MemoryStorage):
        def delete(self, _name):
            raise ReadOnlyStore("access denied")

    bucket.inner = Keeping()
    _, tree = bucket.open()
    sealed = make_pack(tree, b"one")
    assert tree.can_merge
    with pytest.raises(ReadOnlyStore):
        tree.delete(pack_name(sealed.name))
    assert not bucket.open()[1].can_merge


def test_tables_of_packs_that_came_are_fetched_at_once(bucket):
    """Opening waits for one round of requests, however many packs there are; and refs and edits of tags likewise."""
    _, there = bucket.open("there")
    for number in range(5):
        make_pack(there, b"%d" % number)
    probed, tree = bucket.open()
    fetched = []
    tree.prefetch = lambda names: fetched.append(sorted(names))
    PackSet(tree, print, lambda: 0).refresh()
    assert fetched == [sorted(name for name in probed.names("read") if name.endswith(".idx"))]
    assert len(fetched[0]) == 5
    refs, name = Refs(tree), ref_name(1_750_000_000_000_000, "14c2f621-6494-49ff-81e3-6335c4b4797c")
    bucket.inner.write(f"refs/tags/{name}", b"")
    assert list(refs.iter_tag_names()) == [name]
    assert fetched[1] == [f"refs/tags/{name}"]
