"""How a repository compares with a remote: exact to one side, bounded to the other, in few requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from redun.remotes.compare import RemoteStatus, compare
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.objects import make_execution
from redun.testing.probed import ProbedStorage

LARGE = b"large " * 200_000


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Repository]:
    with Repository.init(tmp_path / "here" / ".redun") as repository:
        yield repository


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Repository]:
    with Repository.init(tmp_path / "there" / ".redun") as repository:
        yield repository


@pytest.fixture
def place() -> ProbedStorage:
    return ProbedStorage(MemoryStorage("bucket"))


def _remote(repository: Repository, place: ProbedStorage) -> Remote:
    assert repository.cache_path is not None
    return Remote("origin", place, LocalStorage(repository.cache_path / "remotes" / "origin"))


def _compare(repository: Repository, place: ProbedStorage) -> RemoteStatus:
    return compare(repository, _remote(repository, place))


def test_ahead_is_what_a_push_then_sends(here: Repository, place: ProbedStorage) -> None:
    """Executions, objects and bytes, to the byte; the remote is left as it was."""
    make_execution(here.store, here.refs, 20, blobs=[LARGE, b"small"])
    found = _compare(here, place)
    assert not found.is_there
    assert place.names("write") == []
    report = push(here, _remote(here, place))
    told = (found.ahead.executions, found.ahead.objects, found.ahead.transferred_bytes)
    assert told == (report.executions, report.objects, report.transferred_bytes)
    assert _compare(here, place).ahead.is_up_to_date


def test_behind_is_no_less_than_what_a_pull_then_brings(
    here: Repository, there: Repository, place: ProbedStorage
) -> None:
    """Executions are counted; bytes are those of the packs and large contents that are not here."""
    for seed in (0, 1):
        make_execution(here.store, here.refs, 20, seed=seed, blobs=[LARGE] if seed else [])
        push(here, _remote(here, place))
    found = _compare(there, place)
    assert (found.executions, found.behind.executions, found.ahead.executions) == (2, 2, 0)

    packs = sum(entry.size for entry in place.inner.iter_entries("objects/pack") if entry.name.endswith(".pack"))
    assert found.behind.max_bytes == packs + len(LARGE)
    pull(there, _remote(there, place), [next(here.refs.iter_names())[-36:]])
    assert 0 < _compare(there, place).behind.max_bytes < packs
    pull(there, _remote(there, place))
    found = _compare(there, place)
    assert (found.behind.executions, found.behind.max_bytes) == (0, 0)


def test_the_number_of_requests_follows_what_is_new(here: Repository, there: Repository, place: ProbedStorage) -> None:
    """Two tell that nothing is new, whatever both sides have; what is new costs its lookup tables and two listings."""
    for seed in range(5):
        make_execution(here.store, here.refs, seed=seed)
        push(here, _remote(here, place))
    pull(there, _remote(there, place))
    place.forget()
    _compare(there, place)
    assert [verb for verb, _ in place.calls] == ["read", "list"]
    make_execution(here.store, here.refs, seed=5)
    push(here, _remote(here, place))
    place.forget()
    assert _compare(there, place).behind.executions == 1
    assert sorted(verb for verb, _ in place.calls) == ["list", "list", "list", "read", "read"]
