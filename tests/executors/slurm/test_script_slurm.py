"""The batch script, run by a real bash without any Slurm, and the files that it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from redun.executors.slurm.script import log_pattern, make_script, read_exit_code, read_log


def start(script, **environment):
    environment = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": "7", **environment}
    return subprocess.Popen(
        ["/bin/bash", "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(script, **environment):
    process = start(script, **environment)
    printed, _ = process.communicate(timeout=20)
    return process.returncode, printed


@pytest.mark.parametrize("code", [0, 1, 77])
def test_the_code_of_the_command_is_told_twice(tmp_path, code):
    """The script ends as its command did, and says so in a file."""
    script = make_script(["bash", "-c", f"exit {code}"], tmp_path, is_array=False)
    assert run(script)[0] == code
    assert read_exit_code(tmp_path, "7") == code
    assert [path.name for path in tmp_path.iterdir()] == ["7.exit"]


def test_an_element_of_an_array_has_a_file_of_its_own(tmp_path):
    """Elements are told apart by array and number."""
    script = make_script(["true"], tmp_path, is_array=True)
    run(script, SLURM_ARRAY_JOB_ID="5", SLURM_ARRAY_TASK_ID="3")
    assert read_exit_code(tmp_path, "5_3") == 0


def test_a_single_job_below_an_array_is_no_element(tmp_path):
    """Variables of an array that submitted it do not rename a single job."""
    script = make_script(["true"], tmp_path, is_array=False)
    run(script, SLURM_ARRAY_JOB_ID="5", SLURM_ARRAY_TASK_ID="3")
    assert read_exit_code(tmp_path, "7") == 0


def test_words_of_the_command_arrive_whole(tmp_path):
    """Spaces, quotes and dollars of a command, of variables and of the folder are kept."""
    odd = "a 'b' \"c\" $HOME `ls` \\ *"
    folder = tmp_path / "odd $HOME 'folder'"
    folder.mkdir()
    command = ["bash", "-c", 'printf "%s|%s" "$1" "$ODD"', "bash", odd]
    assert run(make_script(command, folder, is_array=False, environment={"ODD": odd})) == (0, f"{odd}|{odd}")
    assert read_exit_code(folder, "7") == 0


def test_setup_prepares_the_command(tmp_path):
    """What setup exports and defines is there when the command runs; several lines are run in order."""
    script = make_script(["bash", "-c", "echo $A"], tmp_path, is_array=False, setup="  A=1\nexport A=${A}2\n")
    assert run(script) == (0, "12\n")


def test_a_setup_that_fails_fails_the_job(tmp_path):
    """The command is not run after a line of the setup has failed."""
    script = make_script(["echo", "ran"], tmp_path, is_array=False, setup="source nowhere/activate\ntrue")
    code, printed = run(script)
    assert code == 1
    assert "ran" not in printed
    assert "nowhere/activate" in printed
    assert read_exit_code(tmp_path, "7") == 1


def test_a_setup_that_leaves_is_no_success(tmp_path):
    """A setup that says exit 0 keeps the command from running, so the job has not succeeded."""
    assert run(make_script(["echo", "ran"], tmp_path, is_array=False, setup="exit 0"))[0] != 0
    assert read_exit_code(tmp_path, "7") is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_script_that_a_signal_ends_tells_no_code(tmp_path, number):
    """A cancelled job never looks like one that succeeded, although no command of its script had failed."""
    script = make_script(["bash", "-c", "echo begun; exec sleep 30"], tmp_path, is_array=False)
    process = start(script)
    assert process.stdout.readline() == "begun\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(number)
    for child in children:  # as Slurm does, which ends all processes of a job
        os.kill(int(child), number)
    assert process.wait(timeout=20) != 0
    assert read_exit_code(tmp_path, "7") != 0
    process.stdout.close()


def test_a_second_start_forgets_the_first(tmp_path):
    """The code of an earlier start of the same job is gone once it runs again."""
    (tmp_path / "7.exit").write_text("0\n")
    assert run(make_script(["true"], tmp_path, is_array=False, setup=f"ls {tmp_path}; exit 0"))[1] == ""
    assert read_exit_code(tmp_path, "7") is None


def test_a_pattern_escapes_what_slurm_would_replace(tmp_path):
    """A percent sign of the folder's name stays one."""
    folder = tmp_path / "100%j"
    assert log_pattern(folder, is_array=False) == f"{tmp_path}/100%%j/%j.log"
    assert log_pattern(folder, is_array=True).endswith("/%A_%a.log")


@pytest.mark.parametrize("text", ["", "x", "\n"])
def test_a_code_that_cannot_be_read_is_none(tmp_path, text):
    """A file of another kind tells nothing."""
    (tmp_path / "7.exit").write_text(text)
    assert read_exit_code(tmp_path, "7") is None


def test_a_log_is_read_from_its_end(tmp_path):
    """The last lines come, oldest first; a line that is cut is left out."""
    (tmp_path / "7.log").write_bytes(b"first\nsecond\nthird \xff\n")
    assert read_log(tmp_path, "7", 10) == ["first", "second", "third \ufffd"]
    assert read_log(tmp_path, "7", 1) == ["third \ufffd"]
    assert read_log(tmp_path, "7", 10, max_bytes=12) == ["third \ufffd"]
    assert read_log(tmp_path, "8", 10) == []
