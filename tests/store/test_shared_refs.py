"""Refs that other machines see: a run that goes on shows it, and one that has ended never says that it goes on."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from redun.hashing import hash_blob
from redun.store.liveness import UNSEEN_WRITER_TIMEOUT_SECONDS
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.ref_names import EXECUTIONS, ref_name
from redun.store.ref_texts import ExecutionRef, RefStatus
from redun.store.refs import Refs
from redun.store.shared_refs import HEARTBEAT_SECONDS, SharedRefs
from redun.store.spooled_storage import SpooledStorage
from redun.testing.probed import ProbedStorage

START_US = 1_750_000_000_000_000
ID = "14c2f621-6494-49ff-81e3-6335c4b4797c"
RUNNING = ExecutionRef(ref_name(START_US, ID), ID, RefStatus.RUNNING, START_US, None, ["redun"], None, "writer", ())
DONE = dataclasses.replace(RUNNING, status=RefStatus.DONE, end_us=START_US + 1, object=hash_blob(b""), writer=None)


class Clock:
    def __init__(self):
        self.us = START_US

    def __call__(self):
        return self.us

    def wait(self, seconds):
        self.us += int(seconds * 1_000_000)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bucket(clock):
    return MemoryStorage(clock=clock)


def open_refs(bucket, clock, folder):
    probed = ProbedStorage(bucket)
    return probed, SharedRefs(SpooledStorage(probed, LocalStorage(folder), clock=lambda: clock.us / 1e6), clock)


def beat(refs):
    refs.beat()
    if refs._beats is not None:
        refs._beats.join()


def test_a_running_ref_is_renewed_now_and_then(bucket, clock, tmp_path):
    """Every ten minutes, whatever the run does in between."""
    probed, refs = open_refs(bucket, clock, tmp_path)
    refs.write(RUNNING)
    for _ in range(3):
        clock.wait(HEARTBEAT_SECONDS / 3)
        beat(refs)
    assert len(probed.names("write")) == 2
    assert Refs(bucket).read(RUNNING.name) == RUNNING


def test_other_machines_take_a_run_for_dead_after_an_hour(bucket, clock, tmp_path):
    """Its ref tells when it was last written; one that is not there is of no live run."""
    _, here = open_refs(bucket, clock, tmp_path / "here")
    here.write(RUNNING)
    for seconds, is_fresh in ((0, True), (UNSEEN_WRITER_TIMEOUT_SECONDS - 60, True), (120, False)):
        clock.wait(seconds)
        assert open_refs(bucket, clock, tmp_path / "there")[1].is_fresh(RUNNING) is is_fresh
    beat(here)
    assert open_refs(bucket, clock, tmp_path / "there")[1].is_fresh(RUNNING)
    bucket.delete(f"{EXECUTIONS}/{RUNNING.name}")
    assert not open_refs(bucket, clock, tmp_path / "there")[1].is_fresh(RUNNING)


def test_a_run_that_has_ended_is_not_renewed(bucket, clock, tmp_path):
    """Its last word stays the last."""
    probed, refs = open_refs(bucket, clock, tmp_path)
    refs.write(RUNNING)
    refs.write(DONE)
    clock.wait(HEARTBEAT_SECONDS)
    beat(refs)
    assert len(probed.names("write")) == 2


def test_a_heartbeat_on_its_way_does_not_come_after_the_last_word(bucket, clock, tmp_path):
    """The last word waits for it."""
    _, refs = open_refs(bucket, clock, tmp_path)
    refs.write(RUNNING)
    is_on_its_way, may_go_on = threading.Event(), threading.Event()
    original = bucket.write

    def slow(name, content):
        is_on_its_way.set()
        may_go_on.wait(30)
        original(name, content)

    bucket.write = slow
    clock.wait(HEARTBEAT_SECONDS)
    refs.beat()
    assert is_on_its_way.wait(30)
    last = threading.Thread(target=refs.write, args=(DONE,))
    last.start()
    may_go_on.set()
    last.join()
    refs._beats.join()
    assert Refs(bucket).read(DONE.name) == DONE


def test_a_heartbeat_that_is_lost_is_no_error(bucket, clock, tmp_path):
    """The next one comes in time."""
    _, refs = open_refs(bucket, clock, tmp_path)
    refs.write(RUNNING)

    def fail(*_):
        raise OSError("no route")

    original, bucket.write = bucket.write, fail
    clock.wait(HEARTBEAT_SECONDS)
    beat(refs)
    bucket.write = original
    clock.wait(HEARTBEAT_SECONDS)
    beat(refs)
    assert refs.is_fresh(RUNNING)
