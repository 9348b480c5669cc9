"""A disk that is full while a run goes on."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from redun import File, Scheduler, task
from redun.objects.execution_records import JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.scheduler.disk_full import GRACE_SECONDS, DiskFull, PatientFlush
from redun.store.memory import MemoryStore
from redun.testing.lines import Lines

redun_namespace = "test_disk_full"


class World:
    """What the functions act on; reached through attributes, so no part of a task's hash."""

    store: FullStore
    ran: list = []


class FullStore(MemoryStore):
    """A store whose disk is full when told; it keeps what it cannot write, as the real one does."""

    def __init__(self):
        super().__init__()
        self.is_full = False
        self.n_refused = 0
        self.noticed = threading.Event()

    def put(self, oid, data, kind):
        super().put(oid, data, kind)
        self._refuse()

    def put_file(self, path):
        self._notice()
        self._refuse()
        return super().put_file(path)

    def flush(self):
        self._notice()
        self._refuse()

    def _notice(self):
        if self.is_full:
            self.noticed.set()

    def _refuse(self):
        if self.is_full:
            self.n_refused += 1
            raise OSError(errno.ENOSPC, "No space left on device", "/data/journal")


@task(version="1")
def fill(n: int):
    """Fill the disk."""
    World.ran.append(n)
    World.store.is_full = True
    return n


@task(version="1")
def free(n: int):
    """Free some space once the scheduler has noticed."""
    assert World.store.noticed.wait(30)
    World.store.is_full = False
    return n + 1


@task(version="1")
def free_for(file: File) -> File:
    """Free some space for what is to be written of it."""
    assert World.store.noticed.is_set()
    World.store.is_full = False
    return file


@task(version="1")
def write(path: str) -> File:
    """Write a file while the disk of the repository is full."""
    World.store.is_full = True
    File(path).write("text")
    return File(path)


@pytest.fixture
def store():
    """A store that may be full."""
    World.store, World.ran = FullStore(), []
    return World.store


def test_a_disk_that_is_full_for_a_moment_costs_nothing(store):
    """The run goes on; all is on record in the end, and people are told twice."""
    log = Lines()
    assert Scheduler(backend=store, logger=log).run(free(fill(1))) == 2
    assert store.n_refused
    rows = [row for oid, _ in store.iter_oids(Kind.JOBS) for row in JobsRecord.decode(store.get_node(oid)).rows]
    assert {row.status for row in rows if not row.task.startswith("redun.")} <= {JobStatus.DONE}
    assert Scheduler(backend=store).run(fill(1)) == 1
    assert World.ran == [1]
    assert any(line.startswith("no space left for /data/journal") for line in log.lines)


def test_a_file_whose_content_cannot_be_kept_is_a_result_all_the_same(store, tmp_path):
    """Its job has done its work."""
    path = tmp_path / "out.txt"
    assert Scheduler(backend=store).run(free_for(write(str(path)))).path == str(path)
    assert Path(path).read_text() == "text"


class Disk:
    """A flush that fails as told."""

    def __init__(self):
        self.error = None
        self.said = []

    def flush(self):
        if self.error is not None:
            raise self.error


@pytest.fixture
def disk():
    """A disk with space on it."""
    return Disk()


@pytest.fixture
def patient(disk):
    """What flushes to it, with three jobs to write."""
    return PatientFlush(disk.flush, lambda: 3, disk.said.append)


def test_a_flush_without_space_is_tried_again(disk, patient):
    """It says so once, and once more when there is space."""
    disk.error = OSError(errno.ENOSPC, "no space", "/data/x")
    assert not patient.flush(100.0)
    assert not patient.flush(101.0)
    disk.error = None
    assert patient.flush(102.0)
    assert patient.flush(103.0)
    assert len(disk.said) == 2


def test_a_disk_that_stays_full_ends_the_run(disk, patient):
    """The error says how many jobs are not on record, and what to do."""
    disk.error = OSError(errno.EDQUOT, "quota", "/data/x")
    patient.flush(100.0)
    assert not patient.flush(100.0 + GRACE_SECONDS - 1)
    with pytest.raises(DiskFull, match="no space left for /data/x: tried for 60 s; 3 jobs") as caught:
        patient.flush(100.0 + GRACE_SECONDS)
    assert caught.value.n_lost == 3
    assert "free some space" in caught.value.hint


def test_patience_begins_anew_with_each_time_that_it_is_full(disk, patient):
    """Two short times are no long one."""
    for start in (100.0, 100.0 + GRACE_SECONDS):
        disk.error = OSError(errno.ENOSPC, "no space", "/data/x")
        assert not patient.flush(start)
        disk.error = None
        assert patient.flush(start + 1)


def test_a_disk_that_fails_otherwise_ends_the_run_at_once(disk, patient):
    """What cannot be read back is no place to go on writing."""
    disk.error = OSError(errno.EIO, "broken")
    with pytest.raises(OSError, match="broken"):
        patient.flush(100.0)
