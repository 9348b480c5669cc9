"""From what Kubernetes tells of jobs and pods to how the elements of a job fare.  Pure.

The job has the last word on what has ended: it alone counts attempts.  Pods tell the rest, and why something failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redun.executors.exit_codes import describe_exit
from redun.executors.k8s.names import INDEX_LABEL, JOB_NAME_LABEL, read_indexes
from redun.executors.remote.submitter import RemoteState, RemoteStatus

_HOPELESS = {"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"}
"""What a container waits for that will not come: an image or a Secret that is not there.  Kubernetes tries for ever."""

Found = Mapping[str, Any]


class JobView:
    """One job of the cluster and the pods that are left of it."""

    def __init__(self, job: Found, pods: Iterable[Found]) -> None:
        self.name = str(job["metadata"]["name"])
        self._spec = job["spec"]
        self._status = job.get("status") or {}
        self._pods: dict[int | None, list[Found]] = {}
        for pod in pods:
            self._pods.setdefault(self._index_of(pod), []).append(pod)
        self._completed = read_indexes(self._status.get("completedIndexes") or "")
        self._failed = read_indexes(self._status.get("failedIndexes") or "")

    @property
    def is_array(self) -> bool:
        """Whether it has elements."""
        return bool(self._spec.get("completionMode") == "Indexed")

    @property
    def indexes(self) -> list[int | None]:
        """The numbers of the elements; a job that is no array has one, None."""
        return list(range(int(self._spec["completions"]))) if self.is_array else [None]

    @property
    def is_complete(self) -> bool:
        """Whether all of it succeeded."""
        return self._condition("Complete") is not None

    def has_ended(self, index: int | None) -> bool:
        """Whether Kubernetes will not start an element again, and none of it runs."""
        if index in self._completed or index in self._failed:
            return True
        return self.is_complete or self._condition("Failed") is not None

    def state_of(self, index: int | None) -> RemoteState:
        """Tell how an element fares."""
        pods = sorted(self._pods.get(index, ()), key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
        tags = {"k8s_job": self.name, **({"k8s_pod": pods[-1]["metadata"]["name"]} if pods else {})}
        if self.is_complete or index in self._completed:
            return RemoteState(RemoteStatus.SUCCEEDED, tags=tags)
        if self.has_ended(index):
            return RemoteState(RemoteStatus.FAILED, _why_failed(pods, self._condition("Failed")), tags)
        if any((pod.get("status") or {}).get("phase") == "Running" for pod in pods):
            return RemoteState(RemoteStatus.RUNNING, tags=tags)
        why, is_hopeless = _why_waiting(pods)
        return RemoteState(RemoteStatus.FAILED if is_hopeless else RemoteStatus.WAITING, why, tags)

    def _index_of(self, pod: Found) -> int | None:
        if not self.is_array:
            return None
        about = pod["metadata"]
        # Clusters before 1.28 have the annotation alone.
        text = (about.get("labels") or {}).get(INDEX_LABEL) or (about.get("annotations") or {}).get(INDEX_LABEL)
        return None if text is None else int(text)

    def _condition(self, kind: str) -> Found | None:
        found = (each for each in self._status.get("conditions") or () if each["type"] == kind)
        return next((each for each in found if each["status"] == "True"), None)


def view_jobs(jobs: Iterable[Found], pods: Iterable[Found]) -> dict[str, JobView]:
    """Return jobs by name, each with its pods."""
    by_job: dict[str, list[Found]] = {}
    for pod in pods:
        by_job.setdefault((pod["metadata"].get("labels") or {}).get(JOB_NAME_LABEL, ""), []).append(pod)
    views = (JobView(job, by_job.get(job["metadata"]["name"], ())) for job in jobs)
    return {view.name: view for view in views}


def _why_failed(pods: Sequence[Found], failure: Found | None) -> str:
    for pod in reversed(pods):
        reason = _why_pod_failed(pod.get("status") or {})
        if reason:
            return reason
    waited, _ = _why_waiting(pods)
    if failure is not None:
        words = ": ".join(filter(None, (failure.get("reason"), failure.get("message"))))
        return f"{words} ({waited})" if waited else words
    return "its pod failed, and is gone"


def _why_pod_failed(status: Found) -> str:
    if status.get("reason") in {"DeadlineExceeded", "Evicted", "NodeLost", "Preempting", "Shutdown"}:
        return ": ".join(filter(None, (status["reason"], status.get("message"))))
    for container in status.get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode"):
            return _describe_end(ended)
    disrupted = next((each for each in status.get("conditions") or () if each["type"] == "DisruptionTarget"), None)
    if disrupted is not None:
        return ": ".join(filter(None, (disrupted.get("reason"), disrupted.get("message"))))
    return str(status.get("message") or "") if status.get("phase") == "Failed" else ""


def _describe_end(ended: Found) -> str:
    code, reason, message = int(ended["exitCode"]), ended.get("reason"), ended.get("message")
    if reason == "OOMKilled":
        return f"out of memory (OOMKilled, exit code {code})"
    words = describe_exit(code)
    if reason not in {None, "Error"}:
        words = f"{reason}: {words}"
    return f"{words}: {message}" if message else words


def _why_waiting(pods: Sequence[Found]) -> tuple[str, bool]:
    """Return why the newest pod does not run, and whether it never will."""
    status = (pods[-1].get("status") or {}) if pods else {}
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
            words = ": ".join(filter(None, (waiting["reason"], waiting.get("message"))))
            return words, waiting["reason"] in _HOPELESS
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return ": ".join(filter(None, (condition.get("reason"), condition.get("message")))), False
    return "", False
