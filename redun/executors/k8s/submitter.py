"""Starts jobs at a Kubernetes cluster: a Job for each, an Indexed Job for an array."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redun.executors.job_names import JobId, job_name
from redun.executors.k8s.cluster import Cluster, ClusterRefused, ClusterUnavailable
from redun.executors.k8s.manifest import build_job
from redun.executors.k8s.names import (
    INDEX_LABEL,
    JOB_NAME_LABEL,
    MANAGER,
    MANAGER_LABEL,
    NAME_ANNOTATION,
    RUN_LABEL,
)
from redun.executors.k8s.secrets import collect_entries, secret_of
from redun.executors.k8s.states import JobView, view_jobs
from redun.executors.remote.submitter import RemoteState, RemoteStatus, Submission, Submitter, SubmitterError

ARRAYS_SINCE = (1, 29)
"""The first version in which an element of an Indexed Job fails by itself (backoffLimitPerIndex, on by default)."""
MAX_ARRAY_SIZE = 10_000
KEEP_SUCCEEDED = 100
"""How many jobs that succeeded may be left while a run goes on: each poll lists them."""
_N_INDEXES_A_REQUEST = 500  # a URL has 8 KiB
_UNFINISHED = "status.phase!=Succeeded"
"""Pods that succeeded tell nothing that the job does not."""


class K8SSubmitter(Submitter):
    """Talks to one namespace of one cluster.

    Args:
        name: of the executor.
        values: the value of every option of its section.
        cluster: where requests go; made from the values when None.
        make_token: gives the label by which all that this submitter makes is listed, and tokens to submissions that
            have none.
    """

    array_rank_variable = "JOB_COMPLETION_INDEX"
    max_array_size = MAX_ARRAY_SIZE

    def __init__(
        self,
        name: str,
        values: Mapping[str, Any],
        *,
        cluster: Cluster | None = None,
        make_token: Callable[[], str] = lambda: uuid.uuid4().hex[:12],
    ) -> None:
        self._name = name
        self._values = values
        self._cluster = cluster or Cluster(values["namespace"], values["context"])
        self._make_token = make_token
        self._run = make_token()
        self._ended: dict[str, None] = {}  # jobs of which every element has succeeded, to be removed: oldest first

    def check(self) -> None:
        namespace = self._cluster.namespace
        try:
            version = self._cluster.get_version()
            if not self._cluster.has_namespace():
                if not self._values["create_namespace"]:
                    hint = f"kubectl create namespace {namespace}, or say create_namespace = true"
                    raise SubmitterError(f"executor {self._name!r}: there is no namespace {namespace!r}", hint=hint)
                self._cluster.create_namespace()
            self._cluster.count_jobs()
        except (ClusterUnavailable, ClusterRefused) as error:
            hint = getattr(error, "hint", "") or "see that `kubectl get jobs` works"
            raise SubmitterError(f"executor {self._name!r}: {error}", hint=hint) from error
        if version < ARRAYS_SINCE:
            self.max_array_size = 1
        entries = collect_entries(self._name, self._values)
        secret = secret_of(self._values)
        if entries and secret is not None:
            self._cluster.put_secret(secret, entries)

    def submit(self, submission: Submission) -> list[str]:
        name = job_name(submission.name, submission.token or self._make_token())
        secret = secret_of(self._values)
        body = build_job(submission, name=name, run=self._run, executor=self._name, secret=secret)
        try:
            self._cluster.create_job(body)
        except ClusterRefused as error:
            # The name is of this submission alone: it is there because an answer was lost, and this is its repetition.
            if error.status != 409:
                raise SubmitterError(f"executor {self._name!r}: {error}", hint=error.hint) from error
        indexes: Iterable[int | None] = range(submission.size) if submission.is_array else [None]
        return [str(JobId(self._run, name, index)) for index in indexes]

    def poll(self, ids: Sequence[str]) -> dict[str, RemoteState]:
        asked = {text: JobId.parse(text) for text in ids}
        views: dict[str, JobView] = {}
        for run in sorted({job_id.run for job_id in asked.values() if job_id is not None}):
            selector = f"{RUN_LABEL}={run}"
            # Jobs first: of one that has failed, the pod that tells why is then among those listed.
            jobs = list(self._cluster.iter_jobs(selector))
            views.update(view_jobs(jobs, self._cluster.iter_pods(selector, _UNFINISHED)))
        states = {text: _state_of(job_id, views) for text, job_id in asked.items()}
        self._give_up(states, asked, views)
        self._remove_ended(views)
        return states

    def cancel(self, ids: Sequence[str], reason: str) -> None:  # noqa: ARG002 - Kubernetes takes no reason
        wanted: dict[str, set[int | None]] = {}
        for job_id in filter(None, map(JobId.parse, ids)):
            wanted.setdefault(job_id.job, set()).add(job_id.element)
        runs = sorted({job_id.run for job_id in filter(None, map(JobId.parse, ids))})
        for run in runs:
            for job in self._cluster.iter_jobs(f"{RUN_LABEL}={run}"):
                name = job["metadata"]["name"]
                if name in wanted:
                    self._end(JobView(job, ()), wanted[name])

    def fetch_log(self, job_id: str, max_lines: int) -> list[str]:
        found = JobId.parse(job_id)
        if found is None:
            return []
        selector = f"{JOB_NAME_LABEL}={found.job}"
        if found.element is not None:
            selector += f",{INDEX_LABEL}={found.element}"
        pods = sorted(self._cluster.iter_pods(selector), key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
        return self._cluster.read_log(pods[-1]["metadata"]["name"], max_lines)[-max_lines:] if pods else []

    def find_live(self, prefix: str) -> dict[str, str]:
        live: dict[str, str] = {}
        for job in self._cluster.iter_jobs(f"{MANAGER_LABEL}={MANAGER}"):
            about = job["metadata"]
            name = (about.get("annotations") or {}).get(NAME_ANNOTATION, "")
            if not name.startswith(prefix) or about.get("deletionTimestamp"):
                continue
            view = JobView(job, ())
            run = about["labels"][RUN_LABEL]
            for index in view.indexes:
                if view.state_of(index).status in {RemoteStatus.WAITING, RemoteStatus.RUNNING}:
                    shown = name if index is None else f"{name}:{index}"
                    live[shown] = str(JobId(run, view.name, index))
        return live

    def close(self) -> None:
        with suppress(ClusterRefused, ClusterUnavailable):  # Kubernetes removes them by itself, after a day
            self._remove(len(self._ended))
        self._cluster.close()

    def _give_up(
        self, states: Mapping[str, RemoteState], asked: Mapping[str, JobId | None], views: Mapping[str, JobView]
    ) -> None:
        """Remove jobs that Kubernetes would try to start for ever: an image that is not there, say."""
        hopeless: dict[str, set[int | None]] = {}
        for text, job_id in asked.items():
            if job_id is None or states[text].status is not RemoteStatus.FAILED:
                continue
            if not views[job_id.job].has_ended(job_id.element):
                hopeless.setdefault(job_id.job, set()).add(job_id.element)
        for name, elements in hopeless.items():
            self._end(views[name], elements)

    def _end(self, view: JobView, indexes: set[int | None]) -> None:
        unfinished = {index for index in view.indexes if not view.has_ended(index)}
        if not unfinished & indexes:
            return
        if unfinished <= indexes:
            self._cluster.delete_job(view.name)
            return
        # A pod that is removed counts as failed, and with it the element: the others go on.
        chosen = [str(index) for index in sorted(unfinished & indexes, key=str)]
        for at in range(0, len(chosen), _N_INDEXES_A_REQUEST):
            numbers = ",".join(chosen[at : at + _N_INDEXES_A_REQUEST])
            self._cluster.delete_pods(f"{JOB_NAME_LABEL}={view.name},{INDEX_LABEL} in ({numbers})")

    def _remove_ended(self, views: Mapping[str, JobView]) -> None:
        self._ended.update((view.name, None) for view in views.values() if view.is_complete)
        if len(self._ended) > KEEP_SUCCEEDED:
            self._remove(len(self._ended) - KEEP_SUCCEEDED // 2)

    def _remove(self, count: int) -> None:
        for name in list(self._ended)[:count]:
            self._cluster.delete_job(name)
            del self._ended[name]


def _state_of(job_id: JobId | None, views: Mapping[str, JobView]) -> RemoteState:
    view = views.get(job_id.job) if job_id is not None else None
    if job_id is None or view is None:
        return RemoteState(RemoteStatus.GONE, "Kubernetes has no such job")
    return view.state_of(job_id.element)
