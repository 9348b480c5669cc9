"""Lazy transfers: large contents stay at the remote, are known to be there, and come when they are needed."""

from __future__ import annotations

import random

import pytest

from redun.errors import RemoteError
from redun.hashing import hash_blob
from redun.objects.kinds import Kind
from redun.objects.links import walk
from redun.remotes.connect import connect
from redun.remotes.lazy import serve_promises
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.reach import RemoteDamaged
from redun.remotes.remote import Remote
from redun.remotes.settings import add_remote
from redun.store.local_storage import LocalStorage
from redun.store.maintain.findings import Severity
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.memory_storage import MemoryStorage
from redun.store.promised import RETRY_SECONDS, ContentNotBrought, Promise
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.testing.objects import MadeFile, make_execution
from redun.testing.probed import Crash, ProbedStorage

SIZE = 1 << 20
N_FILES = 10


def content(number):
    return bytes([number]) * SIZE


@pytest.fixture
def there():
    return ProbedStorage(MemoryStorage())


@pytest.fixture
def origin(there):
    return Remote("origin", there)


@pytest.fixture
def source(tmp_path, origin):
    """A repository with large outputs and a large value, pushed to the remote."""
    with Repository.init(tmp_path / "source" / ".redun") as repository:
        files = [MadeFile(f"out{number}.bin", content(number)) for number in range(N_FILES)]
        make_execution(repository.store, repository.refs, 3, files=files, blobs=[content(200)])
        push(repository, origin)
        yield repository


@pytest.fixture
def mine(tmp_path, source, origin, there):
    """A repository into which all was pulled lazily, and that has been opened anew."""
    folder = tmp_path / "mine" / ".redun"
    there.forget()
    with Repository.init(folder) as repository:
        add_remote(repository.config_path, "origin", "memory://redun-lazy")
        report = pull(repository, Remote("origin", there), is_lazy=True)
        assert report.executions == 1
        assert report.promised == N_FILES + 1
        assert report.promised_bytes == (N_FILES + 1) * SIZE
    with Repository.open(folder) as repository:
        yield repository


@pytest.fixture
def supply(mine, there):
    """Let what is promised come from the remote; returns the calls made to it."""
    from redun.remotes.contents import get_contents

    def supplier(name, promises):
        assert name == "origin"
        errors = get_contents(Remote(name, there), mine.storage, {one.oid: one.size for one in promises})
        return str(errors[0]) if errors else ""

    there.forget()
    mine.store.promises.supplier = supplier
    return there.calls


def blob_reads(calls):
    return [name for verb, name in calls if verb in {"open", "read", "view"} and "/blob/" in name]


def test_a_lazy_pull_fetches_no_content(mine, there):
    """No large content is read, and their sizes are asked for several at once."""
    assert blob_reads(there.calls) == []
    assert list(mine.store.blobs.iter_oids()) == []
    assert len([name for name in there.names("size") if "/blob/" in name]) == N_FILES + 1


def test_many_sizes_take_one_listing(tmp_path, source, there, monkeypatch):
    """Of more contents than are asked about one by one, the remote lists what it has."""
    monkeypatch.setattr("redun.remotes.contents.MAX_ASKED", 5)
    there.forget()
    with Repository.init(tmp_path / "other" / ".redun") as repository:
        assert pull(repository, Remote("origin", there), is_lazy=True).promised == N_FILES + 1
    assert [name for name in there.names("size") if "/blob/" in name] == []
    assert there.names("list").count("objects/blob") == 1


def test_what_is_promised_counts_as_there(mine):
    """Fsck and gc find nothing lost; fsck tells how much is elsewhere."""
    oid = hash_blob(content(3))
    assert mine.store.has(oid)
    assert mine.store.kind_of(oid) == Kind.BLOB
    assert mine.store.blob_size(oid) == SIZE
    assert mine.store.find_prefix(oid.hex()[:10]) == [(oid, Kind.BLOB)]
    report = check_repository(mine)
    assert report.is_clean
    (note,) = [one for one in report.problems if one.what == "remote"]
    assert (note.severity, note.where) == (Severity.NOTE, "origin")
    assert f"{N_FILES + 1} contents" in note.why
    assert collect(mine, GcPolicy(grace_seconds=0)).n_kept == 1
    assert check_repository(mine).is_clean


def test_contents_come_when_they_are_read(mine, supply):
    """Reading brings a content once; asked for together, many come together."""
    first = hash_blob(content(0))
    assert mine.store.open(first).read() == content(0)
    assert mine.store.get(first) == content(0)
    assert len(blob_reads(supply)) == 1
    assert mine.store.bring(hash_blob(content(number)) for number in range(N_FILES))
    assert len(blob_reads(supply)) == N_FILES
    assert not mine.store.bring([first])
    assert mine.store.get(hash_blob(content(200))) == content(200)
    assert mine.store.promises.list_open() == []
    assert check_repository(mine).is_clean


def test_many_contents_are_under_way_at_once(mine, there):
    """Contents of one question are asked for in parallel: the first waits until others have been asked for."""
    from threading import Barrier

    from redun.remotes.contents import MAX_REQUESTS, get_contents

    barrier = Barrier(MAX_REQUESTS, timeout=60)
    original = there.open

    def meeting(name):
        barrier.wait()
        return original(name)

    there.open = meeting
    sizes = {hash_blob(content(number)): SIZE for number in range(MAX_REQUESTS)}
    assert get_contents(Remote("origin", there), mine.storage, sizes) == []


def test_without_a_remote_to_ask_a_content_is_missing_with_a_reason(mine):
    """Nothing that can reach remotes: the error says where the content is, and which command brings it."""
    with pytest.raises(ContentNotBrought, match="at remote 'origin' still") as caught:
        mine.store.get(hash_blob(content(1)))
    assert "redun pull origin" in caught.value.hint


def test_a_remote_that_is_down_is_not_asked_for_each_content(mine):
    """One failure answers for half a minute; then it is asked again."""
    asked, now = [], [0.0]

    def supplier(name, promises):
        asked.append(len(promises))
        raise RemoteError("it is down")

    mine.store.promises.supplier = supplier
    mine.store.promises._clock = lambda: now[0]
    for number in range(3):
        with pytest.raises(ContentNotBrought, match="it is down"):
            mine.store.open(hash_blob(content(number)))
    assert asked == [1]
    now[0] += RETRY_SECONDS
    with pytest.raises(ContentNotBrought):
        mine.store.open(hash_blob(content(0)))
    assert asked == [1, 1]


def test_a_content_that_the_remote_has_lost_is_missing_alone(mine, there, supply):
    """The others come all the same, and the remote is asked again for them."""
    lost, other = hash_blob(content(1)), hash_blob(content(2))
    there.inner.delete(f"objects/blob/{lost.hex()[:2]}/{lost.hex()}")
    with pytest.raises(ContentNotBrought):
        mine.store.bring([lost, other])
    assert mine.store.blobs.has(other)
    assert mine.store.get(hash_blob(content(3))) == content(3)


def test_a_damaged_content_is_never_installed(mine, there, supply):
    """What does not hash to its name is refused as it comes."""
    oid = hash_blob(content(1))
    there.inner.write(f"objects/blob/{oid.hex()[:2]}/{oid.hex()}", content(9))
    with pytest.raises(ContentNotBrought):
        mine.store.get(oid)
    assert not mine.store.blobs.has(oid)


def test_a_pull_that_is_not_lazy_brings_the_rest(mine, there):
    """It brings all that was left, or what the executions asked for need; a second one has nothing to do."""
    assert pull(mine, Remote("origin", there), ["ffffffff"]).contents == 0
    dry = pull(mine, Remote("origin", there), is_dry_run=True)
    assert (dry.contents, dry.is_up_to_date) == (N_FILES + 1, False)
    report = pull(mine, Remote("origin", there))
    assert report.contents == N_FILES + 1
    assert report.transferred_bytes == (N_FILES + 1) * SIZE
    assert pull(mine, Remote("origin", there)).is_up_to_date
    assert mine.store.promises.list_open() == []
    assert check_repository(mine).is_clean


def test_lists_of_promises_do_not_pile_up(mine):
    """A new list says what is open still, and takes the place of the others."""

    def lists():
        return [entry.name for entry in mine.storage.iter_entries("objects/pack") if entry.name.endswith(".promised")]

    before = lists()
    mine.store.promises.add([Promise(hash_blob(b"more"), SIZE, "other")])
    after = lists()
    assert len(before) == len(after) == 1
    assert before != after
    assert len(mine.store.promises.list_open()) == N_FILES + 2
    mine.store.promises.add([])
    assert lists() == after


def test_a_malformed_list_promises_nothing_and_is_told(mine):
    """Lines that are not understood make no promise; fsck names the list."""
    name = "objects/pack/20260101T000000.000000Z-00000000.promised"
    mine.storage.write(name, b"redun-promised 1\nnonsense\n")
    mine.store.refresh(force=True)
    assert any(problem.where == name for problem in check_repository(mine).problems)
    assert len(mine.store.promises.list_open()) == N_FILES + 1


def test_a_push_to_who_promised_sends_nothing_and_asks_nothing(mine, there):
    """The remote has what it promised: no request is spent on it."""
    make_execution(mine.store, mine.refs, 1, seed=1, files=[MadeFile("again.bin", content(3), is_kept=False)])
    there.forget()
    report = push(mine, Remote("origin", there))
    assert report.executions == 1
    assert not [name for _, name in there.calls if "/blob/" in name]


def test_a_push_elsewhere_brings_what_is_promised_first(tmp_path, mine, supply, monkeypatch):
    """Another remote gets whole executions."""
    monkeypatch.setattr("redun.remotes.push.serve_promises", lambda repository: None)
    place = MemoryStorage()
    assert push(mine, Remote("backup", place)).executions == 1
    with Repository.init(tmp_path / "third" / ".redun") as third:
        pull(third, Remote("backup", place))
        assert check_repository(third).is_clean
        assert len(list(third.store.blobs.iter_oids())) == N_FILES + 1


def test_a_push_elsewhere_without_the_remote_leaves_out_what_is_not_whole(mine):
    """An execution with a value that cannot be brought is named as left out."""
    report = push(mine, Remote("backup", MemoryStorage()))
    assert report.executions == 0
    assert len(report.skipped) == 1


def test_promises_are_kept_through_the_remotes_of_the_settings(tmp_path, source):
    """In a process of its own: the settings say where the remote is, and it is opened on the first need."""
    place = tmp_path / "place"
    push(source, Remote("origin", LocalStorage(place)))
    with Repository.init(tmp_path / "fourth" / ".redun") as repository:
        add_remote(repository.config_path, "origin", "../place")
        pull(repository, Remote("origin", LocalStorage(place)), is_lazy=True)
        serve_promises(repository)
        assert repository.store.get(hash_blob(content(5))) == content(5)
    with Repository.open(tmp_path / "fourth" / ".redun", writable=False) as reading:
        serve_promises(reading)
        assert reading.store.get(hash_blob(content(6))) == content(6)


def test_an_unlisted_remote_is_a_reason(mine):
    """A remote that was removed from the settings cannot give what it promised."""
    mine.config_path.write_text("")
    serve_promises(mine)
    with pytest.raises(ContentNotBrought, match="no remote 'origin'"):
        mine.store.get(hash_blob(content(5)))


def test_a_lazy_pull_killed_at_any_write_is_finished_by_the_next(tmp_path, source, there):
    """After each crash whatever is here has what it links to, or a promise of it; the next pull brings the rest."""
    for number in range(20):
        with Repository.init(tmp_path / f"target{number}" / ".redun") as target:
            probed = ProbedStorage(target.storage)
            probed.crash_at_write = number
            target.storage = target.store.storage = probed
            target.refs = Refs(probed)
            try:
                pull(target, Remote("origin", there), is_lazy=True)
            except Crash:
                target.store.refresh(force=True)
                for root in [oid for oid, _ in target.store.iter_oids()]:
                    list(walk([root], lambda oid, store=target.store: _read_unless_content(store, oid)))
            else:
                assert number == 5  # the list, a pack with its idx, the ref seen there and our own
                return
            probed.crash_at_write = None
            assert pull(target, Remote("origin", there), is_lazy=True).executions == 1
            assert len(target.store.promises.list_open()) == N_FILES + 1
        with Repository.open(tmp_path / f"target{number}" / ".redun") as target:
            assert check_repository(target).is_clean
    pytest.fail("a pull that is not cut off was never reached")


def _read_unless_content(store, oid):
    kind = store.kind_of(oid)
    return (kind, b"") if kind == Kind.BLOB else store.find_kind_and_data(oid)


def test_a_lazy_clone_as_a_remote_says_what_it_lacks(tmp_path, mine):
    """Others are refused what it cannot give, and nothing of it is taken."""
    with Repository.init(tmp_path / "next" / ".redun") as after:
        with pytest.raises(RemoteDamaged, match="`redun pull origin` there brings it"):
            pull(after, Remote("mine", mine.storage))
        assert not list(after.store.iter_oids())


def test_a_bucket_keeps_contents_until_they_are_needed(tmp_path, source, s3_bucket):
    """At a real S3 server: few requests for the pull, contents of both kinds on demand."""
    rng = random.Random(7)
    small = [MadeFile(f"small{number}.bin", rng.randbytes(90_000)) for number in range(20)]
    make_execution(source.store, source.refs, 5, seed=3, files=small)
    add_remote(source.config_path, "bucket", f"{s3_bucket}/results")
    push(source, connect(source, "bucket"))
    with Repository.init(tmp_path / "away" / ".redun") as away:
        add_remote(away.config_path, "bucket", f"{s3_bucket}/results")
        report = pull(away, connect(away, "bucket"), is_lazy=True)
        assert report.promised == N_FILES + 1 + len(small)
        serve_promises(away)
        wanted = [content(1), content(2), small[4].content, small[9].content]
        assert away.store.bring(map(hash_blob, wanted))
        assert [away.store.get(hash_blob(one)) for one in wanted] == wanted
        assert pull(away, connect(away, "bucket")).contents == report.promised - len(wanted)
        assert check_repository(away).is_clean


def test_gc_forgets_what_nothing_needs(tmp_path, source, there):
    """Contents of a dropped execution are not brought later; those of a pull that may be going on are left alone."""
    extra = MadeFile("extra.bin", content(99))
    make_execution(source.store, source.refs, 2, seed=1, files=[extra])
    push(source, Remote("origin", there))
    with Repository.init(tmp_path / "lean" / ".redun") as lean:
        pull(lean, Remote("origin", there), is_lazy=True)
        assert len(lean.store.promises.list_open()) == N_FILES + 2
        collect(lean, GcPolicy(keep_executions=1))
        assert len(lean.store.promises.list_open()) == N_FILES + 2
        collect(lean, GcPolicy(keep_executions=1, grace_seconds=0))
        assert [one.oid for one in lean.store.promises.list_open()] == [hash_blob(content(99))]
        assert check_repository(lean).is_clean
        collect(lean, GcPolicy(grace_seconds=0))
        assert len(lean.store.promises.list_open()) == 1


def test_lists_go_when_all_has_come(mine, there):
    """A collection removes the list of promises that have come true."""
    pull(mine, Remote("origin", there))
    collect(mine, GcPolicy(grace_seconds=0))
    assert not mine.store.packs.notes.promised
    assert not [entry for entry in mine.storage.iter_entries("objects/pack") if entry.name.endswith(".promised")]
    assert check_repository(mine).is_clean
