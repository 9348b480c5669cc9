"""Large results are passed on unread: what user code gets is the same as if they had been read at once."""

from __future__ import annotations

import numpy as np
import pytest

from redun import Scheduler, cond, task
from redun.executors.thread import ThreadExecutor
from redun.functools import seq
from redun.scheduler import catch_all
from redun.store.blobs import Blobs, blob_name
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.lines import Lines
from redun.testing.parcels import ParcelExecutor
from redun.value.encoding import encode_value
from redun.value.stored import StoredValue, loaded

redun_namespace = "unread"
N = 300_000  # numbers of 8 bytes: 2.4 MB


@task()
def make(seed: int):
    return np.arange(N) + seed


@task()
def double(array):
    return array * 2


@task()
def last(array) -> int:
    return int(array[-1])


@task(executor="threads")
def spoil(array) -> int:
    array[:] = 0
    return int(array.sum())


@task()
def three_jobs():
    return last(double(double(make(1))))


@task()
def text(size: int) -> str:
    return "x" * size


@pytest.fixture
def loads(monkeypatch):
    """How often a value that was passed on was read after all."""
    counted = []
    made = StoredValue.__init__

    def init(self, type_name, encoded, load):
        made(self, type_name, encoded, lambda: counted.append(type_name) or load())

    monkeypatch.setattr(StoredValue, "__init__", init)
    return counted


@pytest.fixture
def repository(tmp_path):
    with Repository.init(tmp_path / ".redun") as made:
        yield made


def _scheduler(repository):
    """Return a scheduler whose default executor works on the repository's own contents, as processes here do."""
    scheduler = Scheduler(
        backend=repository, executor=ParcelExecutor(contents=Blobs(repository.storage)), logger=Lines()
    )
    scheduler.add_executor(ThreadExecutor("threads"))
    return scheduler


def test_nothing_is_read_between_workers(repository, loads):
    """An array goes through three jobs of workers, and the scheduler reads none of it."""
    assert _scheduler(repository).run(three_jobs()) == (N - 1 + 1) * 4
    assert loads == []


def test_a_cached_array_is_not_read_either(repository, loads):
    """A result of an earlier run is handed to the next worker as it lies."""
    _scheduler(repository).run(double(make(1)))
    loads.clear()
    scheduler = _scheduler(repository)
    assert scheduler.run(last(make(1))) == N
    assert any("Cached" in line and "make" in line for line in scheduler.logger.lines)
    assert loads == []


def test_the_result_of_a_run_is_read(repository):
    """Whoever runs the workflow gets the value itself."""
    result = _scheduler(repository).run(make(2))
    assert isinstance(result, np.ndarray)
    assert result[0] == 2
    assert result.flags.writeable


def test_operations_and_forms_get_values(repository):
    """What is evaluated in the scheduler's process reads the value first."""
    scheduler = _scheduler(repository)
    assert scheduler.run(make(3)[5]) == 8
    assert scheduler.run((make(3) + make(4))[0]) == 7
    assert scheduler.run(cond(make(3)[1] == 4, text(2_000_000), "none")) == "x" * 2_000_000
    assert [part[0] for part in scheduler.run(seq([make(1), make(2)]))] == [1, 2]
    assert scheduler.run(catch_all([make(5)], ValueError, None))[0][0] == 5


def test_each_job_of_a_thread_has_an_array_of_its_own(repository):
    """A thread that spoils the array it is given spoils nobody else's."""
    scheduler = _scheduler(repository)
    shared = make(6)
    assert scheduler.run([spoil(shared), last(shared), spoil(shared)]) == [0, N - 1 + 6, 0]


def test_in_a_container_it_is_what_it_stands_for(repository):
    """A list of unread values has the hash of a list of the values, and a task gets the values."""
    scheduler = _scheduler(repository)
    result = scheduler.run({"a": make(1), "b": [make(2), text(1_500_000)]})
    assert result["b"][0][0] == 2
    unread = StoredValue("str", encode_value("y" * 100_000), lambda: "y" * 100_000)
    assert encode_value(unread).oid == encode_value("y" * 100_000).oid
    assert encode_value([unread, 1]) == encode_value(["y" * 100_000, 1])
    assert loaded([unread, {"k": unread}]) == ["y" * 100_000, {"k": "y" * 100_000}]


def test_a_damaged_content_is_a_miss(repository, tmp_path):
    """An array whose content was changed on disk is made again, not passed on."""
    _scheduler(repository).run(make(7))
    blobs = Blobs(repository.storage)
    (oid,) = blobs.iter_oids()
    path = repository.path / blob_name(oid)
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    scheduler = _scheduler(repository)
    assert scheduler.run(last(make(7))) == N - 1 + 7
    assert any("Run    Job" in line and "make" in line for line in scheduler.logger.lines)


def test_contents_elsewhere_are_brought_to_the_store(tmp_path):
    """What a worker left where only it and the scheduler look is stored, so that a later run has it."""
    with Repository.init(tmp_path / ".redun") as repository:
        elsewhere = Blobs(MemoryStorage())
        scheduler = Scheduler(backend=repository, executor=ParcelExecutor(contents=elsewhere), logger=Lines())
        assert scheduler.run(last(make(8))) == N - 1 + 8
    with Repository.open(tmp_path / ".redun") as repository:
        scheduler = Scheduler(backend=repository, logger=Lines())
        assert scheduler.run(make(8))[0] == 8
        assert not any("Run    Job" in line for line in scheduler.logger.lines)
