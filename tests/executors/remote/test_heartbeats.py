"""Signs of life: who is judged, and when."""

from __future__ import annotations

import json
import threading
import time

from redun.executors.remote.delivery import deliver
from redun.executors.remote.heartbeats import Pulses
from redun.executors.remote.jobs import RemoteJobFailed
from redun.executors.remote.scratch import Scratch
from redun.hashing import Oid
from redun.objects.headers import OutcomeHeader
from redun.objects.parcel import encode_parcel
from redun.testing.shell_work import ShellWork

KEY = "a" * 64
OUTCOME = encode_parcel(OutcomeHeader(Oid(bytes(32)), "value", Oid(bytes(32)), [], [], [], None, None).encode(), [])


def test_a_worker_whose_status_does_not_change_is_lost():
    """By this process's own clock; what the time in the status says does not matter."""
    pulses = Pulses(10.0)
    assert pulses.note(["a", "b"], {"a": 900, "b": 5}, 100.0) == []
    assert pulses.note(["a", "b"], {"a": 901, "b": 5}, 108.0) == []
    assert pulses.note(["a", "b"], {"a": 901, "b": 5}, 110.5) == ["b"]


def test_a_worker_that_never_gave_a_sign_is_not_judged():
    """It may be of a run that asked for none."""
    pulses = Pulses(10.0)
    assert [pulses.note(["a"], {}, now) for now in (0.0, 100.0)] == [[], []]


def test_a_job_that_ended_is_forgotten():
    """Its next attempt begins anew."""
    pulses = Pulses(10.0)
    pulses.note(["a"], {"a": 1}, 0.0)
    pulses.note([], {"a": 1}, 5.0)
    assert pulses.note(["a"], {"a": 1}, 11.0) == []


def test_a_worker_gives_signs_while_it_runs(tmp_path):
    """And the last word is how it ended."""
    scratch, path, seen = Scratch(str(tmp_path)), tmp_path / "jobs" / KEY / "status", set()

    def run(_parcel, _contents):
        while len(seen) < 3:
            seen.add(path.stat().st_mtime_ns if path.exists() else 0)
            time.sleep(0.001)
        assert "alive" in json.loads(path.read_text())
        return OUTCOME

    assert deliver(scratch, KEY, b"", run, beat_seconds=0.01)
    assert json.loads(path.read_text())["exit_code"] == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "redun-heartbeat"]


def test_a_job_without_signs_is_given_up(run, cluster):
    """It is ended over there, and the error says how long it was silent."""
    silent = ShellWork("echo > $OUT/status; sleep 60")
    beats = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo > $OUT/status; sleep 0.1; done"
    beating = ShellWork(f"{beats}; printf x > $OUT/output")
    run(heartbeat_interval=0.2).do(silent, beating)
    assert isinstance(silent.error, RemoteJobFailed)
    assert "no sign of life for 0.8 seconds" in str(silent.error)
    assert beating.outcome == b"x"
