"""Whether what an earlier run has left may stand for a call."""

from __future__ import annotations

from contextlib import suppress

import pytest

from redun import File, Handle, Scheduler, task
from redun.scheduler.left_outcomes import is_served_by
from redun.store.blobs import Blobs
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.testing.parcels import ParcelExecutor
from redun.value.value import Value
from redun.worker import run_parcel

redun_namespace = "test_left_outcomes"


class Switched(Value):
    """A value that holds while a switch is on."""

    type_name = "test_left_outcomes.Switched"
    is_on = True

    def is_valid(self):
        return Switched.is_on


class Conn(Handle):
    """A handle on nothing."""

    def __init__(self, name):
        self.instance = self


@task()
def inner(x):
    return x


@task(executor="far")
def same(x):
    return x


@task(executor="far")
def call_below(path):
    return inner(File(path))


@task(executor="far")
def write(path):
    file = File(path)
    file.write("made")
    return [file, 1]


@task(executor="far")
def switched():
    return {"a": Switched()}


@task(executor="far")
def fail():
    raise ValueError("no")


@task(executor="far")
def connect(conn):
    return conn


class Kept(ParcelExecutor):
    """Keeps the jobs that it ran, and what came of them."""

    def __init__(self, contents):
        super().__init__("far", contents)
        self.jobs, self.outcomes = [], []
        self.run_parcel = self.run_and_keep

    def submit(self, work):
        self.jobs.append(work)
        super().submit(work)

    def run_and_keep(self, parcel, contents):
        self.outcomes.append(run_parcel(parcel, contents))
        return self.outcomes[-1]


@pytest.fixture
def run():
    """Run a call; return its job, the outcome that its worker made, and where large contents lie."""

    def run_one(call):
        contents = Blobs(MemoryStorage())
        kept, scheduler = Kept(contents), Scheduler()
        scheduler.add_executor(kept)
        with suppress(ValueError):
            scheduler.run(call)
        return kept.jobs[0], kept.outcomes[0], contents

    return run_one


def test_a_result_serves(run):
    """Of the same call, whole; nothing else does."""
    job, outcome, contents = run(same([1, {"a": b"x"}]))
    assert is_served_by(job, outcome, contents)
    _, other, _ = run(same(2))
    assert not is_served_by(job, other, contents)
    for damaged in (b"", outcome[:-1], outcome[:40] + b"?" + outcome[41:]):
        assert not is_served_by(job, damaged, contents)


def test_an_error_does_not(run):
    """It is told anew, or not at all."""
    assert not is_served_by(*run(fail()))


def test_a_file_in_it_must_be_as_it_was(run, tmp_path):
    """One that was changed or is gone does not serve: nobody here can put it back."""
    path = tmp_path / "file"
    job, outcome, contents = run(write(str(path)))
    assert is_served_by(job, outcome, contents)
    path.write_text("changed")
    assert not is_served_by(job, outcome, contents)
    path.unlink()
    assert not is_served_by(job, outcome, contents)
    path.write_text("made")
    assert is_served_by(job, outcome, contents)


def test_a_file_in_the_calls_that_it_returned_counts_too(run, tmp_path):
    """An expression is a result that is still to be evaluated."""
    path = tmp_path / "file"
    path.write_text("first")
    job, outcome, contents = run(call_below(str(path)))
    assert is_served_by(job, outcome, contents)
    path.write_text("second")
    assert not is_served_by(job, outcome, contents)


def test_a_value_with_a_validity_of_its_own_is_asked(run, monkeypatch):
    """As it is at every hit."""
    job, outcome, contents = run(switched())
    assert is_served_by(job, outcome, contents)
    monkeypatch.setattr(Switched, "is_on", False)
    assert not is_served_by(job, outcome, contents)


def test_large_contents_must_be_there(run, tmp_path):
    """They may have been swept away since."""
    job, outcome, contents = run(same(bytes(3 << 20)))
    assert is_served_by(job, outcome, contents)
    job.portal = job.portal._replace(store=Scheduler().backend)
    assert not is_served_by(job, outcome, Blobs(LocalStorage(tmp_path)))
    assert not is_served_by(job, outcome, None)


def test_a_handle_does_not_serve(run):
    """Whether its state still stands is in no outcome."""
    assert not is_served_by(*run(connect(Conn("db"))))
