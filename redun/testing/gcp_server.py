"""Google Batch and Cloud Logging for tests: a server that the official clients speak to, and jobs that really run.

Each request is checked against the protobuf messages that Google publishes: a field that they do not have, or a value
of another type, is refused, and so are names and labels that Google would not take.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from redun.testing.gcp_jobs import FakeGoogleJob

_JOB_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_KEY, _LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
_JOBS = r"(?P<parent>/v1/projects/[^/]+/locations/[^/]+)/jobs"
_FILTER = re.compile(r'labels\.([a-z][a-z0-9_]*)="([^"]*)"')
_LOG_FILTER = re.compile(
    r'logName="projects/[^/]+/logs/batch_task_logs" AND labels\.job_uid="(.*)" AND labels\.task_id:"-group0-(\d+)/"'
    r' AND timestamp>="2026-01-01T00:00:00Z"'
)


class Answered(Exception):
    """An answer other than 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class GCPServer:
    """The server, from ``with`` to its end.

    Attributes:
        requests: (method, path) of each request so far, in order.
        failures: codes that the next requests are answered with, instead of being carried out; 0 carries one out and
            loses the answer.
        unlisted: names of jobs that a listing does not have (yet).
    """

    def __init__(self, folder: Path, project: str, region: str) -> None:
        """``folder``: where tasks' logs lie; it exists.  Another project or region is not known here."""
        self.folder = folder
        self.parent = f"/v1/projects/{project}/locations/{region}"
        self.requests: list[tuple[str, str]] = []
        self.failures: list[int] = []
        self.jobs: dict[str, FakeGoogleJob] = {}
        self.page_size = 500
        self.unlisted: set[str] = set()
        self.lock = threading.Lock()
        self._by_request: dict[str, str] = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._http.daemon_threads = True
        self.host = f"127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> GCPServer:  # noqa: PYI034  (typing.Self came with Python 3.11)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()
        for job in self.jobs.values():
            job.kill()

    def stop(self) -> None:
        """Answer no more."""
        self._http.shutdown()
        self._http.server_close()

    def connect_batch(self) -> Any:
        """Return the official client of Google Batch, speaking to this server."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import batch_v1
        from google.cloud.batch_v1.services.batch_service.transports.rest import BatchServiceRestTransport

        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call,unused-ignore]
        transport = BatchServiceRestTransport(host=self.host, url_scheme="http", credentials=credentials)
        return batch_v1.BatchServiceClient(transport=transport)

    def connect_logging(self, project: str) -> Any:
        """Return the official client of Cloud Logging, speaking to this server."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import logging

        options = {"api_endpoint": f"http://{self.host}"}
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call,unused-ignore]
        return logging.Client(project=project, credentials=credentials, _use_grpc=False, client_options=options)

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        """Carry out one request."""
        for job in self.jobs.values():
            job.advance()
        if (method, path) == ("POST", "/v2/entries:list"):
            return self._list_entries(body)
        if not path.startswith(f"{self.parent}/jobs"):
            raise Answered(404, f"Location is not found or access is unauthorized: {path}")
        if match := re.fullmatch(_JOBS, path):
            return self._create(path, query, body) if method == "POST" else self._list(query)
        if match := re.fullmatch(rf"{_JOBS}/(?P<job>[^/:]+)/taskGroups/group0/tasks", path):
            tasks = [task.show() for task in self._find(match["job"]).tasks]
            return _page("tasks", tasks, query, self.page_size)
        if method == "GET" and (match := re.fullmatch(rf"{_JOBS}/(?P<job>[^/:]+)", path)):
            return self._find(match["job"]).show()
        if method == "POST" and (match := re.fullmatch(rf"{_JOBS}/(?P<job>[^/:]+):cancel", path)):
            return self._cancel(self._find(match["job"]))
        raise Answered(404, f"no such method: {method} {path}")

    def _create(self, path: str, query: Mapping[str, str], body: Any) -> Any:
        from google.cloud import batch_v1

        job_id = query["jobId"]
        if query["requestId"] in self._by_request:
            return self.jobs[self._by_request[query["requestId"]]].show()
        body = _checked(body, batch_v1.Job)
        if not _JOB_ID.fullmatch(job_id):
            raise Answered(400, f"job_id {job_id!r} is invalid")
        for key, value in [*body["labels"].items(), *body["allocationPolicy"]["labels"].items()]:
            if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
                raise Answered(400, f"label {key}={value} is invalid")
        spec = body["taskGroups"][0]["taskSpec"]
        if spec.get("maxRetryCount", 0) > 10 or not 0 <= int(body.get("priority", 0)) < 100:
            raise Answered(400, "max_retry_count or priority is out of range")
        if job_id in self.jobs:
            raise Answered(409, f"Resource {job_id!r} already exists")
        self.jobs[job_id] = FakeGoogleJob(f"{path.removeprefix('/v1/')}/{job_id}", body, self.folder)
        self._by_request[query["requestId"]] = job_id
        return self.jobs[job_id].show()

    def _list(self, query: Mapping[str, str]) -> Any:
        jobs = [job.show() for job in self.jobs.values() if job.job_id not in self.unlisted]
        if "filter" in query:
            match = _FILTER.fullmatch(query["filter"])
            if match is None:
                raise Answered(400, f"filter {query['filter']!r} is invalid")
            jobs = [job for job in jobs if job["labels"].get(match[1]) == match[2]]
        return _page("jobs", jobs, query, self.page_size)

    def _cancel(self, job: FakeGoogleJob) -> Any:
        if job.state not in {"RUNNING", "QUEUED", "SCHEDULED"}:
            raise Answered(400, f"job {job.job_id} is in state {job.state}")
        job.cancel()
        return {"name": f"{self.parent.removeprefix('/v1/')}/operations/o", "done": False}

    def _list_entries(self, body: Any) -> Any:
        from google.cloud.logging_v2.types import ListLogEntriesRequest

        body = _checked(body, ListLogEntriesRequest)
        match = _LOG_FILTER.fullmatch(body["filter"])
        if match is None or body["orderBy"] != "timestamp desc":
            raise Answered(400, f"filter {body['filter']!r} or order is invalid")
        job = next((job for job in self.jobs.values() if job.uid == match[1]), None)
        log = job.tasks[int(match[2])].log if job is not None else None
        lines = log.read_text().splitlines() if log is not None and log.exists() else []
        entry = {"resource": {"type": "batch.googleapis.com/Job"}, "timestamp": "2026-01-01T00:00:00Z"}
        shown = [{**entry, "logName": "l", "insertId": str(number), "textPayload": f"{lines[number]}\n"}
                 for number in reversed(range(len(lines)))]  # fmt: skip
        return {"entries": shown[: body.get("pageSize", len(shown))]}

    def _find(self, job_id: str) -> FakeGoogleJob:
        if job_id not in self.jobs:
            raise Answered(404, f"job {job_id} is not found")
        return self.jobs[job_id]


def _checked(body: Any, message: Any) -> dict[str, Any]:
    """Return JSON as the message has it, with its own names; a field that it does not have is refused."""
    from google.protobuf import json_format

    try:
        parsed = json_format.ParseDict(body, message.pb()())
    except json_format.ParseError as error:
        raise Answered(400, f"Invalid JSON payload received: {error}") from error
    found: dict[str, Any] = json_format.MessageToDict(parsed)
    return found


def _page(name: str, items: Iterable[Any], query: Mapping[str, str], size: int) -> dict[str, Any]:
    found = list(items)
    begin = int(query.get("pageToken") or 0)
    end = begin + min(size, int(query.get("pageSize") or size))
    return {name: found[begin:end], "nextPageToken": str(end) if end < len(found) else ""}


def _handler_of(server: GCPServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            query.pop("$alt", None)
            with server.lock:
                server.requests.append((self.command, parts.path))
                failure = server.failures.pop(0) if server.failures else None
                if failure:
                    self._send(failure, {"error": {"code": failure, "message": f"answered {failure} on purpose"}})
                    return
                try:
                    answer, code = server.answer(self.command, parts.path, query, body), 200
                except Answered as answered:
                    answer, code = {"error": {"code": answered.code, "message": str(answered)}}, answered.code
            if failure == 0:
                self.close_connection = True  # carried out, and nobody is told
                return
            self._send(code, answer)

        def _send(self, code: int, answer: Any) -> None:
            content = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - names that the base class looks for

    return Handler
