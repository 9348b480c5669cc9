"""Namespaces: a writer that sees what all see, and is seen by itself alone."""

from __future__ import annotations

import shutil

import pytest

from redun.remotes.namespaces import BadNamespace, NamespaceStorage
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.objects import make_execution
from redun.testing.probed import ProbedStorage
from redun.testing.storage import StorageSuite

LARGE = b"large " * 200_000


class TestNamespaceStorage(StorageSuite):
    @pytest.fixture
    def storage(self):
        return NamespaceStorage(MemoryStorage(), "pr-1")


@pytest.fixture
def make(tmp_path):
    opened = []

    def make(name):
        opened.append(Repository.init(tmp_path / name / ".redun"))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def hub(tmp_path):
    return LocalStorage(tmp_path / "hub")


def _main(hub):
    return Remote("origin", hub)


def _in(hub, name):
    return Remote("origin", NamespaceStorage(hub, name))


def _ids(repository):
    return {ref.execution_id for ref in repository.refs.iter_refs()}


def test_reads_find_both_and_writes_go_to_the_namespace():
    """Of a name in both, the namespace's counts; other namespaces do not show."""
    base = MemoryStorage()
    base.write("a", b"base")
    base.write("b", b"base")
    base.write("namespaces/other/c", b"other")
    storage = NamespaceStorage(base, "pr-1")
    storage.write("b", b"own")
    assert [entry.name for entry in storage.iter_entries("")] == ["a", "b"]
    for known in (storage, NamespaceStorage(base, "pr-1")):
        assert known.read("a") == b"base"
        assert known.size("c") is None
    assert storage.read("b") == storage.open("b").read() == bytes(storage.view("b")) == b"own"
    assert base.read("b") == b"base"
    storage.delete("a")
    assert base.read("a") == b"base"


def test_what_is_pushed_to_a_namespace_is_seen_there_alone(make, hub):
    """Main's executions are seen by all; what a pull request made, by itself; nothing is sent that main has."""
    main, branch, reader = make("main"), make("branch"), make("reader")
    first = make_execution(main.store, main.refs, seed=0, blobs=[LARGE])
    push(main, _main(hub))
    pull(branch, _in(hub, "pr-1"))
    second = make_execution(branch.store, branch.refs, seed=1, blobs=[LARGE])
    report = push(branch, _in(hub, "pr-1"))
    assert (report.executions, report.objects) == (1, len(second.oids - first.oids))
    pull(reader, _main(hub))
    assert _ids(reader) == {first.ref.execution_id}
    again, other = make("again"), make("other")
    pull(again, _in(hub, "pr-1"))
    assert _ids(again) == {first.ref.execution_id, second.ref.execution_id}
    assert check_repository(again).is_clean
    pull(other, _in(hub, "pr-2"))
    assert _ids(other) == _ids(reader)
    with Repository.open(hub.path, writable=False) as shared:
        assert check_repository(shared).problems == ()


def test_nothing_is_ever_written_beside_the_namespace(make, hub):
    """So a role that may write there alone can push: its format, packs, contents, notes and refs."""
    probed = ProbedStorage(hub)
    branch = make("branch")
    make_execution(branch.store, branch.refs, blobs=[LARGE])
    push(branch, _in(probed, "pr-1"))
    assert probed.names("write")
    assert all(name.startswith("namespaces/pr-1/") for name in probed.names("write"))


def test_main_may_come_after_a_namespace(make, hub):
    """A place where there are namespaces alone is still to become a repository."""
    main, branch = make("main"), make("branch")
    make_execution(branch.store, branch.refs, seed=1)
    push(branch, _in(hub, "pr-1"))
    make_execution(main.store, main.refs, seed=0)
    assert push(main, _main(hub)).executions == 1
    assert pull(branch, _in(hub, "pr-1")).executions == 1


def test_gc_keeps_what_a_namespace_builds_on(make, hub):
    """Main may drop its execution; what the namespace's own execution needs of it stays until the namespace goes."""
    main, branch = make("main"), make("branch")
    first = make_execution(main.store, main.refs, seed=0)
    push(main, _main(hub))
    pull(branch, _in(hub, "pr-1"))
    second = make_execution(branch.store, branch.refs, seed=1)
    push(branch, _in(hub, "pr-1"))
    policy = GcPolicy(keep_executions=0, grace_seconds=0)
    with Repository.open(hub.path) as shared:
        collect(shared, policy)
        shared.store.refresh(force=True)
        assert {oid for oid, _ in shared.store.iter_oids()} == first.oids & second.oids
    again = make("again")
    assert pull(again, _in(hub, "pr-1")).executions == 1
    assert check_repository(again).is_clean
    shutil.rmtree(hub.path / "namespaces")
    with Repository.open(hub.path) as shared:
        collect(shared, policy)
        assert list(shared.store.iter_oids()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../main", "a/b", "-x", "a" * 101, "a b", "a\n", ".hidden"])
def test_a_name_that_leads_elsewhere_is_refused(name):
    """A branch's name may hold anything."""
    with pytest.raises(BadNamespace):
        NamespaceStorage(MemoryStorage(), name)
