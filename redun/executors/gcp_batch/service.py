"""Requests to Google Batch and Cloud Logging by the official clients, which are loaded when the first one is made.

The invariant: each request ends in an answer, in ``GoogleRefused`` (repeating does not help; the hint says what does),
or in an OSError (it may help: throttled, down, unreachable).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from redun.executors.remote.submitter import SubmitterError

T = TypeVar("T")

TIMEOUT_SECONDS = 60.0
PAGE_SIZE = 500
LOG_OF_TASKS = "batch_task_logs"
_LOG_IN = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"


class GoogleRefused(SubmitterError):
    """Google refuses a request, or it cannot be made.  ``code`` is that of HTTP; 0 where there was no answer."""

    def __init__(self, message: str, *, code: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class GoogleUnavailable(ConnectionError):
    """A request was not answered, or was put off."""


def connect_batch() -> Any:
    """Return a client of Google Batch, with the credentials in force here.

    It speaks HTTP: gRPC would bring threads and a fork handler of its own into a process that starts others.
    """
    from google.cloud import batch_v1

    return batch_v1.BatchServiceClient(transport="rest")


def connect_logging(project: str) -> Any:
    """Return a client of Cloud Logging."""
    from google.cloud import logging

    return logging.Client(project=project, _use_grpc=False)  # type: ignore[no-untyped-call,unused-ignore]


class BatchService:
    """Google Batch in one region of one project."""

    def __init__(self, project: str, region: str) -> None:
        self.project = project
        self.parent = f"projects/{project}/locations/{region}"
        self._batch: Any = None
        self._logging: Any = None

    def create_job(self, job_id: str, job: dict[str, Any], request_id: str) -> None:
        """Make a job.  A repetition with the same ``request_id``, a UUID, makes no second one."""
        request = {"parent": self.parent, "job_id": job_id, "job": job, "request_id": request_id}
        self._call("create_job", request)

    def iter_jobs(self, label: str, value: str) -> Iterator[Any]:
        """Yield the jobs that have a label."""
        request = {"parent": self.parent, "filter": f'labels.{label}="{value}"', "page_size": PAGE_SIZE}
        return self._iter(lambda: self._ask_batch("list_jobs", request))

    def find_job(self, job_id: str) -> Any:
        """Return a job by its name; None when there is none."""
        try:
            return self._call("get_job", {"name": f"{self.parent}/jobs/{job_id}"})
        except GoogleRefused as error:
            if error.code != 404:
                raise
            return None

    def iter_tasks(self, job_id: str) -> Iterator[Any]:
        """Yield the tasks of a job."""
        request = {"parent": f"{self.parent}/jobs/{job_id}/taskGroups/group0", "page_size": PAGE_SIZE}
        return self._iter(lambda: self._ask_batch("list_tasks", request))

    def cancel_job(self, job_id: str) -> None:
        """End a job; one that has ended, or is not there, is passed over."""
        try:
            self._call("cancel_job", {"name": f"{self.parent}/jobs/{job_id}"})
        except GoogleRefused as error:
            if error.code not in {400, 404, 409}:
                raise

    def probe(self) -> None:
        """Raise what stands in the way of listing jobs."""
        self._call("list_jobs", {"parent": self.parent, "page_size": 1})

    def read_log(self, job: Any, index: int, max_lines: int) -> list[str]:
        """Return the last lines that a task wrote, oldest first; none when one may not read them."""
        chosen = (
            f'logName="projects/{self.project}/logs/{LOG_OF_TASKS}" AND labels.job_uid="{job.uid}"'
            f' AND labels.task_id:"-group0-{index}/"'
            # Without a time the client asks for the last 24 hours only.
            f' AND timestamp>="{job.create_time.strftime("%Y-%m-%dT%H:%M:%SZ")}"'
        )

        def ask() -> list[Any]:
            if self._logging is None:
                self._logging = connect_logging(self.project)
            found = self._logging.list_entries(filter_=chosen, order_by="timestamp desc", max_results=max_lines)
            return list(found)

        try:
            entries = self._guard("list_entries", ask)
        except GoogleRefused:
            return []
        return [str(entry.payload).rstrip("\n") for entry in reversed(entries)]

    def close(self) -> None:
        """Let go of connections; a later request makes new ones."""
        for client in (self._batch, self._logging):
            if client is not None:
                (client.transport if client is self._batch else client).close()
        self._batch = self._logging = None

    def _call(self, verb: str, request: dict[str, Any]) -> Any:
        return self._guard(verb, lambda: self._ask_batch(verb, request))

    def _ask_batch(self, verb: str, request: dict[str, Any]) -> Any:
        if self._batch is None:
            self._batch = connect_batch()
        return getattr(self._batch, verb)(request=request, timeout=TIMEOUT_SECONDS, retry=None)

    def _iter(self, ask: Callable[[], Any]) -> Iterator[Any]:
        pages = self._guard("list", lambda: iter(ask().pages))
        while (page := self._guard("list", lambda: next(pages, None))) is not None:
            yield from getattr(page, "jobs", None) or getattr(page, "tasks", None) or ()

    def _guard(self, verb: str, step: Callable[[], T]) -> T:
        try:
            return step()
        except ImportError as error:
            hint = "pip install 'redun[gcp]'"
            raise GoogleRefused(f"the client of Google Batch is not installed: {error}", hint=hint) from error
        except Exception as error:
            meaning = _meaning_of(error, verb)
            if meaning is None:
                raise
            raise meaning from error


def _meaning_of(error: Exception, verb: str) -> GoogleRefused | GoogleUnavailable | None:
    """Return what an error of Google's clients means; None for one that is not theirs."""
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth

    if isinstance(error, auth.TransportError) or (isinstance(error, OSError) and not isinstance(error, SubmitterError)):
        return GoogleUnavailable(f"Google Batch does not answer ({verb}): {error}")
    if isinstance(error, auth.RefreshError):
        return GoogleRefused(f"the credentials for Google have expired: {error}", hint=_LOG_IN)
    if isinstance(error, auth.GoogleAuthError):
        return GoogleRefused(f"no credentials for Google: {error}", hint=_LOG_IN)
    if not isinstance(error, api.GoogleAPICallError):
        return GoogleUnavailable(f"{verb}: {error}") if isinstance(error, api.RetryError) else None
    code = int(error.code or 0)
    if code in {408, 429} or code >= 500:
        return GoogleUnavailable(f"Google put off {verb}: {code} {error.message}")
    hint = ""
    if code == 401:
        hint = _LOG_IN
    elif code == 403:
        hint = "the user or service account needs roles/batch.jobsEditor, and the API of Batch must be switched on"
    elif code == 404:
        hint = "see options project and region"
    return GoogleRefused(f"Google refused {verb}: {error.message}", code=code, hint=hint)
