"""Options and submissions for the tests of AWS Glue."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redun.executors.aws_glue import submitter as glue
from redun.executors.aws_glue.settings import GLUE_OPTIONS
from redun.executors.remote.submitter import Submission
from redun.testing.aws_server import AwsServer

STAND_IN = """
import json, os, subprocess, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
os.environ.update(json.loads(arguments["--redun-environment"]))
sys.exit(subprocess.call(json.loads(arguments["--redun-words"])))
"""
"""In the place of the driver script: runs the words as a command line."""


class Clock:
    """A clock that stands until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """What the submitter takes the time from."""
    return Clock()


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    """The value of every option; the job at Glue is this test's own."""
    section = {"s3_scratch": str(tmp_path / "scratch"), "glue_job_prefix": f"t{uuid.uuid4().hex[:8]}"}
    return GLUE_OPTIONS.read_section("glue", section)


@pytest.fixture
def submitter(
    aws: AwsServer, options: dict[str, Any], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[glue.AWSGlueSubmitter]:
    """A submitter whose driver script runs any command line."""
    assert aws.url
    monkeypatch.setattr(glue, "driver_script", STAND_IN.encode)
    made = glue.AWSGlueSubmitter(options, clock=clock)
    yield made
    made.close()


@pytest.fixture
def submission(options: dict[str, Any]) -> Callable[..., Submission]:
    """Make something to submit: a shell text, with a name of its own."""

    def make(text: str = "true", **changed: Any) -> Submission:
        name = changed.pop("name", f"redun-job-{uuid.uuid4().hex}")
        token = changed.pop("token", uuid.uuid4().hex)
        merged = GLUE_OPTIONS.read_task("glue", options, changed)
        return Submission(
            name, ("/bin/sh", "-c", text), json.loads(json.dumps(merged)), task_name="wf.work", token=token
        )

    return make
