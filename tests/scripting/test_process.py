"""A script as a process group."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from redun.scripting.process import (
    MAX_LOG_BYTES,
    MAX_LOG_LINES,
    ScriptCancelled,
    ScriptError,
    ScriptNotStarted,
    ScriptProcess,
)


def run(text, folder, **options):
    """Run a script; return what it printed."""
    return ScriptProcess().run(text, folder, **options).read_bytes()


@pytest.fixture
def witness(tmp_path):
    """A pipe that a script and all it starts hold open: it ends when the last of them has."""
    path = tmp_path / "witness"
    os.mkfifo(path)
    return path


def hold(witness, body):
    """Return a script that holds the witness open, says so in it, and goes on with ``body``."""
    return f"#!/usr/bin/env bash\nexec 9>{witness}\n{body}"


class Background:
    """A script that runs in a thread."""

    def __init__(self, text, folder, grace_seconds=1.0):
        self.process = ScriptProcess(grace_seconds)
        self.error = None
        self._thread = threading.Thread(target=self._run, args=(text, folder))
        self._thread.start()

    def _run(self, text, folder):
        try:
            self.process.run(text, folder)
        except Exception as error:
            self.error = error

    def join(self):
        """Wait for its end; return what it raised."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.error


def test_a_script_prints_into_a_file(tmp_path):
    """Standard output comes back as a file, standard input is empty."""
    assert run("echo out; cat; echo err >&2", tmp_path) == b"out\n"


def test_a_script_does_not_read_what_is_typed(tmp_path):
    """Standard input of redun itself is not the script's: a program that asks finds nothing, and goes on."""
    code = "from redun.scripting import exec_script; print(exec_script('cat'))"
    done = subprocess.run([sys.executable, "-c", code], input=b"typed", capture_output=True, timeout=60, check=True)
    assert done.stdout == b"b''\n"


def test_a_script_works_in_the_folder_that_it_is_told(tmp_path):
    """``cwd`` is where relative paths of the script are."""
    (tmp_path / "there").mkdir()
    assert run("pwd", tmp_path, cwd=str(tmp_path / "there")) == f"{tmp_path}/there\n".encode()


def test_an_interpreter_gets_its_argument(tmp_path):
    """The line with #! works as for the kernel."""
    assert run("#!/usr/bin/env python3\nimport sys; print(len(sys.argv))", tmp_path) == b"1\n"
    assert run("#!/bin/sh -x\necho $-", tmp_path).strip().endswith(b"x")


def test_a_failed_script_tells_its_last_line(tmp_path):
    """The error has the exit code, the last line as its message, and the last lines for the traceback."""
    with pytest.raises(ScriptError) as caught:
        run("echo first >&2; echo second >&2; echo >&2; exit 3", tmp_path)
    error = caught.value
    assert str(error) == "Last line: second"
    assert error.returncode == 3
    assert error.message == "first\nsecond\n\n"
    assert error.log_lines[0] == "the script ended with exit code 3; the end of its standard error:"
    assert error.log_lines[1:3] == ["  first", "  second"]


def test_a_script_that_says_nothing_tells_how_it_ended(tmp_path):
    """Without standard error the exit code or the signal is all there is to tell."""
    with pytest.raises(ScriptError, match=r"^Last line: the script ended with exit code 4$"):
        run("exit 4", tmp_path)
    with pytest.raises(ScriptError, match="ended by SIGKILL"):
        run("kill -9 $$", tmp_path)
    assert str(ScriptError(b"")) == "Last line: the script failed"


def test_of_much_standard_error_the_end_is_kept(tmp_path):
    """However much a script says, the error holds a bounded end of it, made of whole lines."""
    with pytest.raises(ScriptError) as caught:
        run("seq 1 100000 >&2; exit 1", tmp_path)
    lines = caught.value.message.splitlines()
    assert len(caught.value.message) <= MAX_LOG_BYTES
    assert lines == [str(number) for number in range(100001 - len(lines), 100001)]
    assert len(caught.value.log_lines) == MAX_LOG_LINES + 1


@pytest.mark.parametrize("error", [ScriptError(b"a\nb", 3), ScriptCancelled("x", -15), ScriptNotStarted("/no", "gone")])
def test_errors_travel_between_processes(error):
    """A pickled error says the same."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_an_interpreter_that_is_not_there_is_named(tmp_path):
    """A script that cannot be started says which program was missing."""
    with pytest.raises(ScriptNotStarted, match="its interpreter is /no/such: No such file"):
        run("#!/no/such\necho", tmp_path)


def test_cancel_ends_the_script_and_all_it_started(tmp_path, witness):
    """Children in the background, and those that ignore SIGTERM, end with it."""
    body = "(trap '' TERM; sleep 600) &\nsleep 600 &\necho ready >&9\nwait"
    background = Background(hold(witness, body), tmp_path, grace_seconds=0.2)
    with witness.open("rb") as stream:
        assert stream.readline() == b"ready\n"
        background.process.cancel()
        assert stream.read() == b""
    assert isinstance(background.join(), ScriptCancelled)


def test_a_script_may_clean_up_when_it_is_cancelled(tmp_path, witness):
    """SIGTERM comes first, and there is time to act on it."""
    body = "trap 'echo cleaned >&9; exit 1' TERM\necho ready >&9\nwhile :; do sleep 0.01; done"
    background = Background(hold(witness, body), tmp_path, grace_seconds=30)
    with witness.open("rb") as stream:
        assert stream.readline() == b"ready\n"
        background.process.cancel()
        assert stream.read() == b"cleaned\n"
    assert "the script was stopped" in str(background.join())


def test_a_script_that_does_not_listen_is_killed(tmp_path, witness):
    """One that ignores SIGTERM itself is ended after its time."""
    body = "trap '' TERM\necho ready >&9\nwhile :; do sleep 0.01; done"
    background = Background(hold(witness, body), tmp_path, grace_seconds=0.1)
    with witness.open("rb") as stream:
        assert stream.readline() == b"ready\n"
        background.process.cancel()
        background.process.cancel()
        assert stream.read() == b""
    assert background.join().returncode == -signal.SIGKILL


def test_what_a_failed_script_leaves_running_is_ended(tmp_path, witness):
    """A failure of one program must not leave the others of its script behind."""
    background = Background(hold(witness, "sleep 600 &\necho ready >&9\nexit 5"), tmp_path)
    with witness.open("rb") as stream:
        assert stream.read() == b"ready\n"
    assert background.join().returncode == 5


def test_what_a_good_script_leaves_running_is_left_alone(tmp_path):
    """A script may start a server and end."""
    pid = int(run("sleep 600 >&2 & echo $!", tmp_path))
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGKILL)


def test_a_script_cancelled_before_it_starts_does_not_start(tmp_path):
    """The job may be ended while it still copies its inputs."""
    process = ScriptProcess()
    process.cancel()
    with pytest.raises(ScriptCancelled):
        process.run(f"touch {tmp_path}/ran", tmp_path)
    assert not (tmp_path / "ran").exists()


def test_cancelling_what_has_ended_does_nothing(tmp_path):
    """The id of the process may be somebody else's by then."""
    process = ScriptProcess()
    process.run("true", tmp_path)
    process.cancel()
    assert not process.is_cancelled


def test_many_threads_start_scripts_at_once(tmp_path):
    """No script is refused because another thread forks while its file is written."""

    def one(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        return run(f"echo {number}", folder)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(200))) == [f"{number}\n".encode() for number in range(200)]
