"""A Kubernetes API server for tests: jobs, pods, secrets and namespaces in memory, and jobs that really run.

Each request is checked against the schema that Kubernetes publishes (``k8s_schema``), fields that are not known are
refused, and every query parameter and path is one that a server has.  It is asked through HTTP by the official client.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from redun.testing.k8s_jobs import FakeJob, FakePod
from redun.testing.k8s_schema import SchemaError, check_object

_QUERY = {
    *("labelSelector", "fieldSelector", "limit", "continue", "fieldValidation", "propagationPolicy", "tailLines"),
    "fieldManager",
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


class Answered(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class K8SServer:
    """The server, from ``with`` to its end.

    Attributes:
        url: where it listens.
        requests: (method, path) of each request so far, in order.
        failures: statuses that the next requests are answered with, instead of being carried out; 0 carries one out and
            loses the answer.
        version: what it says that it is.
    """

    def __init__(self, folder: Path) -> None:
        """``folder``: where pods' logs lie; it exists."""
        self.folder = folder
        self.requests: list[tuple[str, str]] = []
        self.failures: list[int] = []
        texts = ("gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
        self.version = {"major": "1", "minor": "33+", **dict.fromkeys(texts, "fake")}
        self.namespaces = {"default"}
        self.secrets: dict[str, dict[str, str]] = {}
        self.jobs: dict[str, FakeJob] = {}
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> K8SServer:  # noqa: PYI034  (typing.Self came with Python 3.11)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        for job in self.jobs.values():
            job.kill()

    def write_kubeconfig(self, path: Path) -> Path:
        """Write the settings by which clients find it, and return where."""
        cluster = {"name": "fake", "cluster": {"server": self.url}}
        context = {"name": "fake", "context": {"cluster": "fake", "user": "ann"}}
        user = {"name": "ann", "user": {"token": "t"}}
        found = {"clusters": [cluster], "contexts": [context], "users": [user], "current-context": "fake"}
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **found}))
        return path

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        """Carry out one request; text is an answer as it is, all else is JSON."""
        unknown = set(query) - _QUERY
        if unknown:
            raise Answered(400, f"unknown query parameters {sorted(unknown)}")
        for job in self.jobs.values():
            job.advance()
        for (verb, pattern), act in _ROUTES.items():
            if verb == method and (match := re.fullmatch(pattern, path)):
                return act(self, match.groupdict(), query, body)
        raise Answered(404, f"the server could not find the requested resource: {method} {path}")

    def _get_version(self, *_: Any) -> Any:
        return self.version

    def _get_namespace(self, names: Mapping[str, str], *_: Any) -> Any:
        if names["namespace"] not in self.namespaces:
            raise Answered(404, f'namespaces "{names["namespace"]}" not found')
        return {"metadata": {"name": names["namespace"]}}

    def _add_namespace(self, _names: Any, _query: Any, body: Any) -> Any:
        _check(body, "V1Namespace")
        self.namespaces.add(body["metadata"]["name"])
        return body

    def _add_secret(self, _names: Any, _query: Any, body: Any) -> Any:
        _check(body, "V1Secret")
        if body["metadata"]["name"] in self.secrets:
            raise Answered(409, f'secrets "{body["metadata"]["name"]}" already exists')
        self.secrets[body["metadata"]["name"]] = _entries(body)
        return body

    def _patch_secret(self, names: Mapping[str, str], _query: Any, body: Any) -> Any:
        check_object(body.get("stringData", {}), "Dict[str, str]")
        self.secrets[names["name"]].update(_entries(body))
        return body

    def _add_job(self, _names: Any, query: Mapping[str, str], body: Any) -> Any:
        if query.get("fieldValidation") != "Strict":
            raise Answered(400, "expected fieldValidation=Strict")
        _check(body, "V1Job")
        name = body["metadata"]["name"]
        if not _NAME.fullmatch(name) or len(name) > 57:
            raise Answered(422, f'Job.batch "{name}" is invalid: metadata.name')
        for labels in (body["metadata"]["labels"], body["spec"]["template"]["metadata"]["labels"]):
            if not all(_LABEL.fullmatch(value) and len(value) <= 63 for value in labels.values()):
                raise Answered(422, f'Job.batch "{name}" is invalid: labels {labels}')
        if name in self.jobs:
            raise Answered(409, f'jobs.batch "{name}" already exists')
        self.jobs[name] = FakeJob(body, self._make_pod)
        return body

    def _list_jobs(self, _names: Any, query: Mapping[str, str], _body: Any) -> Any:
        return _page((job.show() for job in self.jobs.values()), query)

    def _delete_job(self, names: Mapping[str, str], query: Mapping[str, str], _body: Any) -> Any:
        if names["name"] not in self.jobs:
            raise Answered(404, f'jobs.batch "{names["name"]}" not found')
        if query.get("propagationPolicy") != "Background":
            raise Answered(400, "pods would be left behind")
        self.jobs.pop(names["name"]).kill()
        return {"status": "Success"}

    def _list_pods(self, _names: Any, query: Mapping[str, str], _body: Any) -> Any:
        return _page((pod.show() for pod in self._pods()), query)

    def _delete_pods(self, _names: Any, query: Mapping[str, str], _body: Any) -> Any:
        for pod in [pod for pod in self._pods() if _is_chosen(pod.show(), query)]:
            pod.job.remove_pod(pod)
        return {"status": "Success"}

    def _get_log(self, names: Mapping[str, str], query: Mapping[str, str], _body: Any) -> Any:
        for pod in self._pods():
            if pod.name == names["name"]:
                if pod.waiting:
                    raise Answered(400, f'container "redun" in pod "{pod.name}" is waiting to start')
                return "\n".join(pod.log.read_text().splitlines()[-int(query["tailLines"]) :])
        raise Answered(404, f'pods "{names["name"]}" not found')

    def _pods(self) -> list[FakePod]:
        return [pod for job in self.jobs.values() for pod in job.pods]

    def _make_pod(self, job: FakeJob, index: int | None) -> FakePod:
        return FakePod(job, index, self.folder, self.secrets)


_CORE, _BATCH = r"/api/v1/namespaces/(?P<namespace>[^/]+)", r"/apis/batch/v1/namespaces/(?P<namespace>[^/]+)"
_ROUTES: dict[tuple[str, str], Callable[..., Any]] = {
    ("GET", "/version/"): K8SServer._get_version,
    ("GET", _CORE): K8SServer._get_namespace,
    ("POST", "/api/v1/namespaces"): K8SServer._add_namespace,
    ("POST", f"{_CORE}/secrets"): K8SServer._add_secret,
    ("PATCH", f"{_CORE}/secrets/(?P<name>[^/]+)"): K8SServer._patch_secret,
    ("POST", f"{_BATCH}/jobs"): K8SServer._add_job,
    ("GET", f"{_BATCH}/jobs"): K8SServer._list_jobs,
    ("DELETE", f"{_BATCH}/jobs/(?P<name>[^/]+)"): K8SServer._delete_job,
    ("GET", f"{_CORE}/pods"): K8SServer._list_pods,
    ("DELETE", f"{_CORE}/pods"): K8SServer._delete_pods,
    ("GET", f"{_CORE}/pods/(?P<name>[^/]+)/log"): K8SServer._get_log,
}


def _check(body: Any, type_name: str) -> None:
    try:
        check_object(body, type_name)
    except SchemaError as error:
        raise Answered(422, str(error)) from error


def _entries(body: Mapping[str, Any]) -> dict[str, str]:
    encoded = {name: base64.b64decode(text).decode() for name, text in body.get("data", {}).items()}
    return {**encoded, **body.get("stringData", {})}


def _page(items: Iterable[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    chosen = [item for item in items if _is_chosen(item, query)]
    begin = int(query.get("continue") or 0)
    end = begin + int(query.get("limit") or len(chosen) or 1)
    return {"items": chosen[begin:end], "metadata": {"continue": str(end) if end < len(chosen) else ""}}


def _is_chosen(item: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    labels = item["metadata"]["labels"]
    for part in re.split(r",(?![^(]*\))", query.get("labelSelector", "")):
        if match := re.fullmatch(r"(\S+) in \((.*)\)", part):
            if labels.get(match[1]) not in match[2].split(","):
                return False
        elif part and labels.get(part.partition("=")[0]) != part.partition("=")[2]:
            return False
    fields = query.get("fieldSelector")
    if fields not in {None, "status.phase!=Succeeded"}:
        raise Answered(400, f"field selector {fields}")
    return fields is None or item["status"]["phase"] != "Succeeded"


def _handler_of(server: K8SServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            parts = urlsplit(self.path)
            with server.lock:
                server.requests.append((self.command, parts.path))
                failure = server.failures.pop(0) if server.failures else None
                if failure:
                    self._send(failure, {"message": f"answered {failure} on purpose"})
                    return
                try:
                    answer, status = server.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body), 200
                except Answered as answered:
                    answer, status = {"kind": "Status", "message": str(answered)}, answered.status
            if failure == 0:
                self.close_connection = True  # carried out, and nobody is told
                return
            self._send(status, answer)

        def _send(self, status: int, answer: Any) -> None:
            content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - names that the base class looks for

    return Handler
