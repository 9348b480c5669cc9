"""Ctrl-C while a script runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from select import select

import pytest

WORKFLOW = """
from redun import script, task

redun_namespace = "interrupted"


@task()
def before():
    return 1


@task()
def work(_):
    return script(
        '''
        exec 9>witness
        (trap '' TERM INT; sleep 600) &
        echo ready >&9
        sleep 600
        ''',
        tempdir=True,
    )


@task()
def main():
    return work(before())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_ends_its_scripts(number, tmp_path, redun_environment):
    """The script and all it started are gone with the run, its temporary folder too; finished jobs are kept."""
    witness = tmp_path / "witness"
    os.mkfifo(witness)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "wf.py").write_text(WORKFLOW.replace("exec 9>witness", f"exec 9>{witness}"))
    redun = str(Path(sys.executable).with_name("redun"))
    environment = {**redun_environment, "TMPDIR": str(tmp_path / "tmp")}
    reader = os.open(witness, os.O_RDONLY | os.O_NONBLOCK)
    with subprocess.Popen(
        [redun, "run", "wf.py", "main"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    ) as run:
        is_ready = select([reader], [], [], 30)[0]
        run.send_signal(number)
        said = run.communicate(timeout=30)[1].decode()
    assert is_ready, said
    assert run.returncode == 130, said
    os.set_blocking(reader, True)
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == b"ready\n"
    assert os.listdir(tmp_path / "tmp") == []
    log = subprocess.run([redun, "log", "-"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "interrupted.before" in log.stdout
