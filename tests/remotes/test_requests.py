"""What transfers cost in requests: numbers that do not depend on how much is sent."""

from __future__ import annotations

import pytest

from redun.remotes.gate import Gate
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.reach import Reach
from redun.remotes.remote import Remote
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.objects import make_execution
from redun.testing.probed import ProbedStorage

N_JOBS = 5_000


class Bucket:
    """A place that counts each request, as a server would."""

    def __init__(self):
        self.place = MemoryStorage()

    def count(self, transfer, repository):
        """Return the number of requests that a transfer takes, from a process that has just begun."""
        probed, beside = ProbedStorage(self.place), ProbedStorage(MemoryStorage())
        cache = LocalStorage(repository.cache_path / "remotes" / "origin")
        report = transfer(repository, Remote("origin", probed, cache, project=beside))
        calls = [call for call in (*probed.calls, *beside.calls) if call[0] != "sync"]
        return len(calls), report


@pytest.fixture
def bucket():
    return Bucket()


@pytest.fixture
def here(tmp_path):
    with Repository.init(tmp_path / "here" / ".redun") as repository:
        yield repository


@pytest.fixture
def there(tmp_path):
    with Repository.init(tmp_path / "there" / ".redun") as repository:
        yield repository


def test_one_execution_to_an_empty_remote(bucket, here):
    """An execution of 5 000 jobs goes to a remote that is nothing yet in eight requests, or fewer."""
    make_execution(here.store, here.refs, N_JOBS)
    n_requests, report = bucket.count(push, here)
    assert report.executions == 1
    assert n_requests <= 8


def test_a_push_with_nothing_new(bucket, here):
    """When all is there already, two requests tell."""
    make_execution(here.store, here.refs, N_JOBS)
    bucket.count(push, here)
    assert bucket.count(push, here)[0] == 2
    assert bucket.count(push, here)[1].transferred_bytes == 0


def test_a_pull_into_an_empty_repository(bucket, here, there):
    """An execution of 5 000 jobs comes in eight requests, or fewer."""
    make_execution(here.store, here.refs, N_JOBS)
    bucket.count(push, here)
    n_requests, report = bucket.count(pull, there)
    assert report.executions == 1
    assert n_requests <= 8


def test_a_pull_with_nothing_new(bucket, here, there):
    """When all is here already, the number of executions at the remote costs nothing but a longer listing."""
    for seed in range(40):
        make_execution(here.store, here.refs, 1, seed=seed)
    bucket.count(push, here)
    bucket.count(pull, there)
    assert bucket.count(pull, there)[0] <= 4


def test_a_push_after_one_changed_job(bucket, here):
    """A little that is new costs six requests, and about as many bytes as it weighs alone."""
    make_execution(here.store, here.refs, 50)
    bucket.count(push, here)
    make_execution(here.store, here.refs, 2, seed=1)
    n_requests, report = bucket.count(push, here)
    assert n_requests <= 6
    alone = Bucket()
    with Repository.init(here.path.parent.parent / "alone" / ".redun") as other:
        make_execution(other.store, other.refs, 2, seed=1)
        _, whole = alone.count(push, other)
    assert report.transferred_bytes <= 2 * whole.transferred_bytes


def test_requests_follow_one_another_no_more_than_they_must(bucket, here, monkeypatch):
    """A first push waits four times: to look, to write the pack, its idx, and the ref."""
    make_execution(here.store, here.refs, 3)
    rounds = []
    original = Reach.together

    def noting(self, *requests):
        rounds.append(len(requests))
        return original(self, *requests)

    monkeypatch.setattr(Reach, "together", noting)
    n_requests, _ = bucket.count(push, here)
    in_parallel = sum(rounds) - len(rounds)
    assert n_requests - in_parallel <= 4


@pytest.mark.parametrize("count", [1, 7])
def test_refs_that_are_refused_cost_one_request_each(bucket, here, there, count):
    """Each pull reads them again, as they may have been signed since; nothing else of them is fetched."""
    pytest.importorskip("cryptography", reason="there is no cryptography: pip install 'redun[sign]'")
    for seed in range(count):
        make_execution(here.store, here.refs, 2, seed=seed)
    bucket.count(push, here)

    def pull_signed(repository, remote):
        remote.gate = Gate(frozenset({bytes(32)}))
        return pull(repository, remote)

    for _ in range(2):
        n_requests, report = bucket.count(pull_signed, there)
        assert len(report.refused) == count
        assert not report.executions
        assert n_requests <= 4 + count
