"""The last lines of jobs that failed, as far as they can be had."""

from __future__ import annotations

from contextlib import suppress

from redun.executors.remote.submitter import Submitter

LOG_LINES = 100
MAX_LOGS = 100
"""How many logs are fetched in an execution: when thousands of jobs fail, it is for one reason."""


class Logs:
    """Fetches logs for one execution."""

    def __init__(self, submitter: Submitter, max_logs: int = MAX_LOGS) -> None:
        self._submitter = submitter
        self._n_left = max_logs

    def fetch(self, job_id: str) -> list[str]:
        """Return the last lines of a job; none once there were many, or when they cannot be had."""
        self._n_left -= 1
        if self._n_left < 0:
            return []
        with suppress(Exception):  # an error is worth telling without its log, too
            return self._submitter.fetch_log(job_id, LOG_LINES)
        return []
