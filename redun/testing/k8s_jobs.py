"""The part of a fake Kubernetes that runs things: what the Job controller and the kubelet do.

A pod is a process of this machine, in its own process group, with its output in a file.  State is brought up to date
whenever somebody looks: there is no thread.  What Kubernetes does with failures is done here too: attempts, per element
for Indexed Jobs, deadlines, images that are not there, pods that fit nowhere.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

INDEX = "batch.kubernetes.io/job-completion-index"
NODE_CPUS = 64.0
_numbers = itertools.count()

Secrets = Mapping[str, Mapping[str, str]]


class FakePod:
    """One attempt at one element."""

    def __init__(self, job: FakeJob, index: int | None, folder: Path, secrets: Secrets) -> None:
        self.job, self.index = job, index
        self.name = f"{job.name}-{f'{index}-' if index is not None else ''}{next(_numbers):05d}"
        self.number = next(_numbers)
        self.log = folder / f"{self.name}.log"
        self.began = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self.waiting = self._why_waiting()
        self.is_overdue = False
        if self.waiting is None:
            self._process = self._start(secrets)

    @property
    def phase(self) -> str:
        """Pending, Running, Succeeded or Failed."""
        if self._process is None:
            return "Pending"
        code = self._process.poll()
        return "Running" if code is None else "Succeeded" if code == 0 else "Failed"

    def watch_deadline(self) -> None:
        """Kill it when it has had its time."""
        seconds = self.job.pod_spec.get("activeDeadlineSeconds")
        if seconds is not None and self.phase == "Running" and time.monotonic() - self.began > seconds:
            self.is_overdue = True
            self.kill()

    def kill(self) -> None:
        """End its processes, if any."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def show(self) -> dict[str, Any]:
        """Return the Pod object."""
        labels = {**self.job.template["metadata"].get("labels", {}), "job-name": self.job.name}
        if self.index is not None:
            labels[INDEX] = str(self.index)
        return {
            "metadata": {"name": self.name, "labels": labels, "creationTimestamp": f"2026-01-01T{self.number:08d}Z"},
            "spec": self.job.pod_spec,
            "status": self._status(),
        }

    def _status(self) -> dict[str, Any]:
        container: dict[str, Any] = {"name": "redun", "image": self._container["image"]}
        status: dict[str, Any] = {"phase": self.phase, "conditions": []}
        if self.waiting == "Unschedulable":
            why = f"0/1 nodes are available: 1 Insufficient cpu ({NODE_CPUS:g})."
            status["conditions"] = [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            ]
            return status
        if self.waiting is not None:
            message = f'Back-off pulling image "{self._container["image"]}"'
            container["state"] = {"waiting": {"reason": self.waiting, "message": message}}
        elif self.phase == "Running":
            container["state"] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        else:
            container["state"] = {"terminated": self._end()}
        if self.is_overdue:
            status["reason"] = "DeadlineExceeded"
            status["message"] = "Pod was active on the node longer than the specified deadline"
        return {**status, "containerStatuses": [container]}

    def _end(self) -> dict[str, Any]:
        assert self._process is not None
        code = self._process.returncode
        code = 128 - code if code < 0 else code
        is_out_of_memory = code == 137 and not self.is_overdue and "oom" in self._container["image"]
        return {"exitCode": code, "reason": "OOMKilled" if is_out_of_memory else "Error" if code else "Completed"}

    @property
    def _container(self) -> dict[str, Any]:
        container: dict[str, Any] = self.job.pod_spec["containers"][0]
        return container

    def _why_waiting(self) -> str | None:
        if float(self._container["resources"]["requests"]["cpu"]) > NODE_CPUS:
            return "Unschedulable"
        return "ImagePullBackOff" if "missing" in self._container["image"] else None

    def _start(self, secrets: Secrets) -> subprocess.Popen[bytes]:
        settings: dict[str, str] = {}
        for source in self._container.get("envFrom", ()):
            settings.update(secrets[source["secretRef"]["name"]])
        settings.update((row["name"], row.get("value", "")) for row in self._container.get("env", ()))
        if self.index is not None:
            settings["JOB_COMPLETION_INDEX"] = str(self.index)
        with self.log.open("wb") as log:
            return subprocess.Popen(
                ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items()), *self._container["command"]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


class FakeJob:
    """A Job, and its pods."""

    def __init__(self, body: dict[str, Any], make_pod: Callable[[FakeJob, int | None], FakePod]) -> None:
        self.body = body
        self.name: str = body["metadata"]["name"]
        self.spec: dict[str, Any] = body["spec"]
        self.template: dict[str, Any] = self.spec["template"]
        self.pod_spec: dict[str, Any] = self.template["spec"]
        self.is_indexed = self.spec.get("completionMode") == "Indexed"
        self._make_pod = make_pod
        self._indexes: list[int | None] = list(range(self.spec["completions"])) if self.is_indexed else [None]
        self.pods: list[FakePod] = []
        self._n_failures = dict.fromkeys(self._indexes, 0)
        self._open = set(self._indexes)
        self._succeeded: set[int | None] = set()
        self._counted: set[str] = set()
        self.advance()

    def advance(self) -> None:
        """Note what has ended, and start what is to be started."""
        for pod in self.pods:
            pod.watch_deadline()
            if pod.phase in {"Succeeded", "Failed"} and pod.name not in self._counted:
                self._count(pod.name, pod.index, is_failure=pod.phase == "Failed")
        busy = {pod.index for pod in self.pods if pod.phase in {"Pending", "Running"}}
        for index in sorted(self._open - busy, key=str)[: self.spec.get("parallelism", 1) - len(busy)]:
            self.pods.append(self._make_pod(self, index))

    def remove_pod(self, pod: FakePod) -> None:
        """Do what happens when somebody deletes a pod: it counts as failed."""
        pod.kill()
        self.pods.remove(pod)
        if pod.name not in self._counted:
            self._count(pod.name, pod.index, is_failure=True)

    def kill(self) -> None:
        """End all pods."""
        for pod in self.pods:
            pod.kill()

    def show(self) -> dict[str, Any]:
        """Return the Job object."""
        failed = [index for index in self._indexes if index not in self._open | self._succeeded]
        status: dict[str, Any] = {"active": len(self._open), "conditions": []}
        if self.is_indexed:
            status["completedIndexes"] = _ranges(sorted(index for index in self._succeeded if index is not None))
            status["failedIndexes"] = _ranges([index for index in failed if index is not None])
        if not self._open:
            reason = "FailedIndexes" if self.is_indexed else "BackoffLimitExceeded"
            message = "Job has failed indexes" if self.is_indexed else "Job has reached the specified backoff limit"
            ended = {"type": "Complete", "status": "True"}
            if failed:
                ended = {"type": "Failed", "status": "True", "reason": reason, "message": message}
            status["conditions"] = [ended]
        return {**self.body, "status": status}

    def _count(self, pod: str, index: int | None, *, is_failure: bool) -> None:
        self._counted.add(pod)
        if not is_failure:
            self._succeeded.add(index)
            self._open.discard(index)
            return
        self._n_failures[index] += 1
        if self._n_failures[index] > self.spec["backoffLimitPerIndex" if self.is_indexed else "backoffLimit"]:
            self._open.discard(index)


def _ranges(numbers: list[int]) -> str:
    """Return numbers as Kubernetes writes them: ``0-2,5``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)
