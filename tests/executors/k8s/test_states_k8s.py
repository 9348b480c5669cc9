"""What is made of what Kubernetes tells of jobs and pods."""

from __future__ import annotations

import pytest

from redun.executors.k8s.states import JobView, view_jobs
from redun.executors.remote.submitter import RemoteStatus


def job(*, size=None, **status):
    """Return a Job."""
    spec = {"completionMode": "Indexed", "completions": size} if size else {"completions": 1}
    return {"metadata": {"name": "j"}, "spec": spec, "status": status}


def pod(index=None, name="p", **status):
    """Return a Pod of it."""
    labels = {"job-name": "j"} | ({"batch.kubernetes.io/job-completion-index": str(index)} if index is not None else {})
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": name}, "status": status}


def waiting(reason, message=None):
    """Return the status of a pod whose container waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"state": state}]}


def ended(code, reason="Error", message=None):
    """Return the status of a pod whose container has ended."""
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {"phase": "Failed", "containerStatuses": [{"state": state}]}


FAILED = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "the limit is reached"}]


def test_a_job_without_pods_waits():
    """The controller has not come to it yet."""
    assert JobView(job(), []).state_of(None).status is RemoteStatus.WAITING


def test_a_running_pod_is_a_running_job():
    """Its name goes to the redun job."""
    state = JobView(job(), [pod(name="p1", phase="Running")]).state_of(None)
    assert (state.status, state.tags) == (RemoteStatus.RUNNING, {"k8s_job": "j", "k8s_pod": "p1"})


def test_a_failed_pod_alone_is_no_failed_job():
    """Kubernetes may start another."""
    assert JobView(job(), [pod(**ended(1))]).state_of(None).status is RemoteStatus.WAITING


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ended(3), "exit code 3"),
        (ended(143), "ended by SIGTERM (exit code 143)"),
        (ended(137, "OOMKilled"), "out of memory (OOMKilled, exit code 137)"),
        (ended(128, "StartError", "redun: not found"), "StartError: exit code 128: redun: not found"),
        ({"phase": "Failed", "reason": "DeadlineExceeded", "message": "too long"}, "DeadlineExceeded: too long"),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, "Evicted: disk"),
        (
            {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "Preempted"}]},
            "Preempted",
        ),
        ({"phase": "Running"}, "BackoffLimitExceeded: the limit is reached"),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
            },
            "BackoffLimitExceeded: the limit is reached (Unschedulable)",
        ),
    ],
)
def test_a_failed_job_has_the_reason_of_its_last_pod(status, reason):
    """And its own, when no pod tells one."""
    state = JobView(job(conditions=FAILED), [pod(name="p1", **ended(77)), pod(name="p2", **status)]).state_of(None)
    if "phase" in status and status["phase"] in {"Running", "Pending"}:
        state = JobView(job(conditions=FAILED), [pod(name="p2", **status)]).state_of(None)
    assert (state.status, state.reason) == (RemoteStatus.FAILED, reason)


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"])
def test_what_will_never_start_has_failed(reason):
    """Kubernetes would wait for ever."""
    state = JobView(job(), [pod(**waiting(reason, "no such thing"))]).state_of(None)
    assert (state.status, state.reason) == (RemoteStatus.FAILED, f"{reason}: no such thing")


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "ErrImagePull"])
def test_what_may_still_start_waits(reason):
    """A first pull that failed is repeated."""
    assert JobView(job(), [pod(**waiting(reason))]).state_of(None).status is RemoteStatus.WAITING


def test_a_pod_that_fits_nowhere_waits():
    """A node may come; why it waits is told."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    state = JobView(job(), [pod(phase="Pending", conditions=[condition])]).state_of(None)
    assert (state.status, state.reason) == (RemoteStatus.WAITING, "Unschedulable: 0/3 nodes")


def test_elements_of_an_array_are_told_apart():
    """By what the job says of them, then by their pods."""
    view = JobView(
        job(size=5, completedIndexes="0-1", failedIndexes="3"),
        [pod(2, phase="Running"), pod(3, **ended(9)), pod(4, phase="Pending")],
    )
    assert [view.state_of(index).status.name for index in view.indexes] == [
        *("SUCCEEDED", "SUCCEEDED", "RUNNING", "FAILED", "WAITING"),
    ]
    assert view.state_of(3).reason == "exit code 9"
    assert [view.has_ended(index) for index in view.indexes] == [True, True, False, True, False]


def test_a_complete_job_is_complete_in_all_elements():
    """Whatever its pods say."""
    view = JobView(job(size=2, conditions=[{"type": "Complete", "status": "True"}]), [])
    assert {view.state_of(index).status for index in view.indexes} == {RemoteStatus.SUCCEEDED}


def test_pods_go_to_their_jobs():
    """By the label that Kubernetes sets; pods of other jobs are passed over."""
    other = {"metadata": {"name": "x", "labels": {"job-name": "other"}}, "status": {"phase": "Running"}}
    views = view_jobs([job()], [other])
    assert views["j"].state_of(None).status is RemoteStatus.WAITING
