"""Commands that are started on executors."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from redun.config import Config
from redun.errors import ExecutorError
from redun.executors.base import Executor
from redun.executors.launch import CannotLaunch, launch_script
from redun.executors.local import LocalExecutor
from redun.executors.remote.submitter import RemoteState, RemoteStatus

NOTHING = Config()
FINE = RemoteState(RemoteStatus.SUCCEEDED)
ID = "6c1d2f3e-1111-4222-8333-abcdefabcdef"


class Noting(Executor):
    """An executor that notes what it is to launch."""

    def __init__(self, state=FINE):
        super().__init__("noting")
        self.launched = []
        self.state = state

    def launch(self, command, options, *, sends_code=False):
        self.launched.append((list(command), dict(options), sends_code))
        return "job-1"

    def wait_for(self, job_id):
        return self.state


def test_a_command_is_handed_to_an_executor_of_a_cluster():
    """With its options; a text is read as a shell reads it."""
    executor = Noting()
    made = launch_script(NOTHING, "redun run 'my wf.py' main", executor, task_options={"memory": 8}, sends_code=True)
    assert (made.executor, made.job_id, made.wait()) == ("noting", "job-1", "")
    assert executor.launched == [(["redun", "run", "my wf.py", "main"], {"memory": 8}, True)]


@pytest.mark.parametrize(
    ("state", "told"),
    [(RemoteState(RemoteStatus.FAILED, "exit code 3"), "exit code 3"), (RemoteState(RemoteStatus.GONE), "gone")],
)
def test_how_it_ended_is_told(state, told):
    """In the cluster's own words, where it has some."""
    assert told in launch_script(NOTHING, ["true"], Noting(state)).wait()


def test_an_execution_id_goes_to_the_run():
    """Unless the command says one; other commands have no place for it."""
    executor = Noting()
    for words in (
        ["redun", "-c", "x", "run", "wf.py", "main"],
        ["redun", "run", "--execution-id", "y", "w"],
        ["ls", "run"],
    ):
        launch_script(NOTHING, words, executor, execution_id=ID)
    assert [command for command, _, _ in executor.launched] == [
        ["redun", "-c", "x", "run", "--execution-id", ID, "wf.py", "main"],
        ["redun", "run", "--execution-id", "y", "w"],
        ["ls", "run"],
    ]


def test_on_this_machine_a_program_is_started(tmp_path):
    """In a session of its own, so that it outlives whoever started it."""
    code = "import os; open('session', 'w').write(str(os.getsid(0) == os.getpid()))"
    made = launch_script(NOTHING, [sys.executable, "-c", code], LocalExecutor("default"), folder=tmp_path)
    assert made.wait() == ""
    assert Path(tmp_path, "session").read_text() == "True"
    assert "exit code 3" in launch_script(NOTHING, "sh -c 'exit 3'").wait()


def test_what_cannot_be_started_is_told():
    """No such program, no command, no such executor, one that starts none."""
    with pytest.raises(CannotLaunch, match="no-such-program"):
        launch_script(NOTHING, "no-such-program")
    with pytest.raises(CannotLaunch, match="found none"):
        launch_script(NOTHING, [])
    with pytest.raises(ExecutorError, match=r"executors\.far"):
        launch_script(NOTHING, "true", executor_name="far")
    with pytest.raises(CannotLaunch, match="starts no commands"):
        launch_script(NOTHING, "true", Executor("odd"))


def test_an_alias_is_followed():
    """To a section of the settings."""
    config = Config({"executors.near": {"type": "alias", "target": "far"}, "executors.far": {"type": "local"}})
    assert launch_script(config, "true", executor_name="near").executor == "far"
