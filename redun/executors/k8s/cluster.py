"""Requests to a Kubernetes API server by the official client, which is loaded when the first one is made (0.5 s).

The invariant: each request ends in an answer, in ``ClusterRefused`` (repeating does not help; the hint says what does),
or in an OSError (it may help: throttled, a server that restarts, a lost connection).  Answers are the JSON of the API:
the client's own classes take far longer to read, and are not made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from redun.executors.remote.submitter import SubmitterError

TIMEOUT_SECONDS = (10, 60)  # to connect, to answer
PAGE_SIZE = 500
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class ClusterRefused(SubmitterError):
    """A cluster refuses a request, or cannot be asked.  ``status`` is that of HTTP; 0 where there was no answer."""

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ClusterUnavailable(ConnectionError):
    """A request was not answered, or was put off."""


class Cluster:
    """One namespace of one cluster.

    Args:
        namespace: where everything is made and looked for.
        context: of the kubeconfig; None is the current one, or the pod's own account inside a cluster.
    """

    def __init__(self, namespace: str, context: str | None = None) -> None:
        self.namespace = namespace
        self._context = context
        self._api: Any = None

    def create_job(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a Job.  Fields that the server does not know are refused instead of dropped."""
        return self._ask("batch", "create_namespaced_job", self.namespace, body, field_validation="Strict")

    def iter_jobs(self, selector: str) -> Iterator[dict[str, Any]]:
        """Yield the Jobs with these labels, 500 a request."""
        return self._iter_items("batch", "list_namespaced_job", label_selector=selector)

    def iter_pods(self, selector: str, fields: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the Pods with these labels, 500 a request."""
        chosen = {} if fields is None else {"field_selector": fields}
        return self._iter_items("core", "list_namespaced_pod", label_selector=selector, **chosen)

    def delete_job(self, name: str) -> None:
        """Remove a Job and its pods; none of that name is fine."""
        self._delete("batch", "delete_namespaced_job", name, self.namespace, propagation_policy="Background")

    def delete_pods(self, selector: str) -> None:
        """Remove the Pods with these labels."""
        self._delete("core", "delete_collection_namespaced_pod", self.namespace, label_selector=selector)

    def read_log(self, pod: str, max_lines: int) -> list[str]:
        """Return the last lines that a pod wrote; none when it has none."""
        try:
            text = self._request("core", "read_namespaced_pod_log", pod, self.namespace, tail_lines=max_lines)
        except ClusterRefused:
            return []
        return text.decode(errors="replace").splitlines()

    def has_namespace(self) -> bool:
        """Whether the namespace is there, as far as one may know."""
        try:
            self._ask("core", "read_namespace", self.namespace)
        except ClusterRefused as error:
            if error.status == 403:  # who may work in a namespace need not be allowed to look at it
                return True
            if error.status == 404:
                return False
            raise
        return True

    def create_namespace(self) -> None:
        """Make the namespace."""
        self._ask("core", "create_namespace", {"metadata": {"name": self.namespace}})

    def count_jobs(self) -> None:
        """Raise what stands in the way of listing jobs."""
        self._ask("batch", "list_namespaced_job", self.namespace, limit=1)

    def put_secret(self, name: str, entries: dict[str, str]) -> None:
        """Make a Secret, or give the one of that name these entries."""
        body = {"metadata": {"name": name}, "type": "Opaque", "stringData": entries}
        try:
            self._ask("core", "create_namespaced_secret", self.namespace, body)
        except ClusterRefused as error:
            if error.status != 409:
                raise
            # Entries that others put there stay.
            self._ask("core", "patch_namespaced_secret", name, self.namespace, {"stringData": entries})

    def get_version(self) -> tuple[int, int]:
        """Return the server's version: (1, 33)."""
        found = self._ask("version", "get_code")
        minor = "".join(sign for sign in str(found["minor"]) if sign.isdigit())  # "33+" at some makers
        return int(found["major"]), int(minor)

    def close(self) -> None:
        """Let go of connections; a later request makes new ones."""
        if self._api is not None:
            self._api.close()
            self._api = None

    def _iter_items(self, group: str, verb: str, **query: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = self._ask(group, verb, self.namespace, limit=PAGE_SIZE, **query)
            yield from page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["_continue"] = token

    def _delete(self, group: str, verb: str, *arguments: Any, **query: Any) -> None:
        try:
            self._ask(group, verb, *arguments, **query)
        except ClusterRefused as error:
            if error.status != 404:
                raise

    def _ask(self, group: str, verb: str, *arguments: Any, **query: Any) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._request(group, verb, *arguments, **query))
        return answer

    def _request(self, group: str, verb: str, *arguments: Any, **query: Any) -> bytes:
        api = self._connect()
        from kubernetes import client
        from urllib3.exceptions import HTTPError

        groups = {"batch": client.BatchV1Api, "core": client.CoreV1Api, "version": client.VersionApi}
        call = getattr(groups[group](api), verb)
        try:
            response = call(*arguments, **query, _preload_content=False, _request_timeout=TIMEOUT_SECONDS)
            content: bytes = response.data
        except client.ApiException as error:
            raise self._meaning_of(error, verb) from error
        except ValueError as error:  # newer clients look at the request before the server does
            raise ClusterRefused(f"{verb}: {_without_advice(str(error))}") from error
        except (HTTPError, OSError) as error:
            raise ClusterUnavailable(f"Kubernetes does not answer ({verb}): {error}") from error
        if response.status >= 400:
            raise self._meaning_of(client.ApiException(http_resp=response), verb)
        return content

    def _connect(self) -> Any:
        if self._api is None:
            try:
                from kubernetes import client, config
            except ImportError as error:
                hint = "pip install 'redun[k8s]'"
                raise ClusterRefused("the package kubernetes is not installed", hint=hint) from error
            settings = client.Configuration()
            settings.retries = False  # whoever calls repeats, with growing pauses
            self._configure(config, settings)
            self._api = client.ApiClient(settings)
        return self._api

    def _configure(self, config: Any, settings: Any) -> None:
        try:
            config.load_kube_config(context=self._context, client_configuration=settings)
        except config.ConfigException as error:
            try:
                config.load_incluster_config(client_configuration=settings)
            except config.ConfigException:
                hint = "see that `kubectl get jobs` works, or set KUBECONFIG"
                raise ClusterRefused(f"no Kubernetes cluster is configured: {error}", hint=hint) from error

    def _meaning_of(self, error: Any, verb: str) -> ClusterRefused | ClusterUnavailable:
        words = _words_of(error)
        if error.status in _PASSING:
            return ClusterUnavailable(f"Kubernetes put off {verb}: {error.status} {words}")
        hint = ""
        if error.status == 401:
            hint = "log in to the cluster again; what still runs is found again by the next run"
        elif error.status == 403:
            hint = (
                f"allow jobs, pods and pods/log in namespace {self.namespace!r} to the user or service account in use"
            )
        return ClusterRefused(f"Kubernetes refused {verb}: {words}", status=error.status, hint=hint)


def _words_of(error: Any) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.strip() or str(error.reason)


def _without_advice(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return " ".join(line for line in lines if line and not line.startswith("For further information"))
