"""Options and submissions for the tests of AWS Batch."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redun.executors.aws_batch.settings import BATCH_OPTIONS
from redun.executors.aws_batch.submitter import AWSBatchSubmitter
from redun.executors.remote.submitter import Submission
from redun.testing.aws_server import AwsServer


@pytest.fixture
def section(tmp_path: Path) -> dict[str, Any]:
    """The least that an executor of type aws_batch needs."""
    return {"type": "aws_batch", "image": "redun:1", "queue": "queue", "s3_scratch": str(tmp_path / "scratch")}


@pytest.fixture
def options(section: dict[str, Any]) -> dict[str, Any]:
    """The value of every option."""
    return BATCH_OPTIONS.read_section("batch", section)


@pytest.fixture
def submitter(aws: AwsServer, options: dict[str, Any]) -> Iterator[AWSBatchSubmitter]:
    """A submitter of the queue."""
    assert aws.url
    made = AWSBatchSubmitter(options)
    yield made
    made.close()


@pytest.fixture
def submission(options: dict[str, Any]) -> Callable[..., Submission]:
    """Make something to submit: a shell text, as a job with a name of its own."""

    def make(text: str = "true", **changed: Any) -> Submission:
        given = {name: changed.pop(name) for name in list(changed) if name in options}
        name = changed.pop("name", f"redun-job-{uuid.uuid4().hex}")
        token = changed.pop("token", uuid.uuid4().hex)
        words = ("/bin/sh", "-c", text)
        return Submission(name, words, {**options, **given}, task_name="wf.work", token=token, **changed)

    return make
