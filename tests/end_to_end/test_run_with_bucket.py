"""A run that takes results out of a bucket of a real S3 server, and one whose bucket cannot be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("s3fs")

FLOW = """
from redun import File, task

redun_namespace = "flow"


@task()
def write(number: int):
    file = File(f"out{number}.txt")
    file.write(str(number) * 400_000 * number)
    return file


@task()
def main():
    return [write(number) for number in range(4)]
"""


def test_results_come_out_of_a_bucket(tmp_path: Path, s3_bucket: str, s3_server, redun_command) -> None:
    """Outputs small and large are put back in a fresh checkout; without the bucket all runs again, with one warning."""
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "flow.py").write_text(FLOW)

        def redun(*words: str, cwd: Path = tmp_path / name, **environment: str):
            return redun_command(*words, cwd=cwd, **{**s3_server.environment, **environment})

        redun("remote", "add", "origin", f"{s3_bucket}/results", "--auto-pull")
        if name == "first":
            redun("run", "flow.py", "main")
            redun("push")
        elif name == "second":
            told = redun("run", "flow.py", "main").stderr
            assert "Run    Job" not in told
            assert (tmp_path / "second/out3.txt").read_text() == "3" * 1_200_000
        else:
            told = redun("run", "flow.py", "main", AWS_ENDPOINT_URL="http://127.0.0.1:9").stderr
            assert told.count("warning: cannot reach remote 'origin'") == 1
            assert told.count("Run    Job") == 5
