"""What jobs of AWS Batch wrote: lines of CloudWatch.

A stream holds the standard output and standard error of one attempt of one job.
"""

from __future__ import annotations

from collections.abc import Iterator

from redun.executors.aws import AwsService
from redun.executors.aws_batch.states import DEFAULT_LOG_GROUP

MAX_EVENTS = 10_000
"""The most events that one request brings."""


def iter_log(logs: AwsService, stream: str, *, group: str = DEFAULT_LOG_GROUP) -> Iterator[tuple[int, str]]:
    """Yield all lines of a stream, oldest first, each with its time in milliseconds since 1970 UTC.

    Raises:
        AwsRefused: there is no such stream, or it may not be read.
        AwsUnavailable: AWS does not answer.
    """
    token: str | None = None
    while True:
        page = {"nextToken": token} if token else {}
        answer = logs.call(
            "get_log_events", logGroupName=group, logStreamName=stream, startFromHead=True, limit=MAX_EVENTS, **page
        )
        for event in answer["events"]:
            yield event["timestamp"], event["message"]
        # The end is told by the token that one has already; there is always one.
        if answer["nextForwardToken"] == token or not answer["events"]:
            return
        token = answer["nextForwardToken"]


def last_lines(logs: AwsService, stream: str, max_lines: int, *, group: str = DEFAULT_LOG_GROUP) -> list[str]:
    """Return the last lines of a stream, oldest first.  Raises as ``iter_log`` does."""
    limit = min(max(max_lines, 1), MAX_EVENTS)
    answer = logs.call("get_log_events", logGroupName=group, logStreamName=stream, startFromHead=False, limit=limit)
    lines = [line for event in answer["events"] for line in event["message"].splitlines() or [""]]
    return lines[-max_lines:] if max_lines > 0 else []
