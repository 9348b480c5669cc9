"""From options to the Job that is asked for, each checked against Google's messages."""

from __future__ import annotations

import pytest

from redun.executors.gcp_batch.request import build_job, label_value
from redun.executors.options import BadOption
from redun.executors.remote.submitter import Submission

batch_v1 = pytest.importorskip("google.cloud.batch_v1", reason="pip install 'redun[gcp]'")


@pytest.fixture
def build(values):
    """Return a maker of Jobs that Google's messages have no objection to."""

    def make(size=None, **said):
        submission = Submission(
            "Redun-job-ab12",
            ("redun", "worker", "a b"),
            values(**said),
            size=size or 1,
            is_array=size is not None,
            task_name="lab.Find",
            environment={"A": "1"},
        )
        return batch_v1.Job(build_job(submission, run="r1"))

    return make


def test_the_command_runs_in_the_image(build):
    """Whatever entry point the image has; its name goes along in full."""
    spec = build().task_groups[0].task_spec
    container = spec.runnables[0].container
    assert (container.image_uri, container.entrypoint) == ("lab:1", "redun")
    assert list(container.commands) == ["worker", "a b"]
    assert dict(spec.environment.variables) == {"A": "1", "REDUN_JOB_NAME": "Redun-job-ab12"}


def test_a_job_gets_what_it_asks_for_of_its_machine(build):
    """In thousandths of a core and MiB; at most the whole machine."""
    resource = build(vcpus="1.5", memory="99").task_groups[0].task_spec.compute_resource
    assert (resource.cpu_milli, resource.memory_mib) == (1500, 16384)
    unknown = build(machine_type="a2-ultragpu-1g").task_groups[0].task_spec.compute_resource
    assert (unknown.cpu_milli, unknown.memory_mib) == (0, 0)


def test_an_array_is_one_job_of_many_tasks(build):
    """All may run at once."""
    job = build(size=7)
    assert (job.task_groups[0].task_count, job.task_groups[0].parallelism) == (7, 7)
    assert job.labels["redun_array"] == "true"


def test_tasks_side_by_side_are_no_array(build):
    """They are one call."""
    job = build(task_count="3")
    assert job.task_groups[0].task_count == 3
    assert "redun_array" not in job.labels


def test_priority_attempts_time_and_account_are_handed_on(build):
    """As Google calls them."""
    job = build(priority="50", retries="4", timeout="90", service_account_email="w@lab", machine_type="n1-standard-2")
    spec = job.task_groups[0].task_spec
    assert (job.priority, spec.max_retry_count, spec.max_run_duration.total_seconds()) == (50, 4, 90)
    assert job.allocation_policy.service_account.email == "w@lab"
    assert job.allocation_policy.instances[0].policy.machine_type == "n1-standard-2"


def test_labels_tell_whose_it_is(build):
    """Job and machines have them; redun's own cannot be overwritten."""
    job = build(labels='{"team": "genes", "redun_run": "x"}')
    assert dict(job.labels) == {"team": "genes", "redun": "true", "redun_run": "r1", "redun_task": "lab-find"}
    assert dict(job.allocation_policy.labels) == dict(job.labels)


def test_logs_are_kept():
    """Labels take small letters, digits and two signs, 63 at most."""
    assert label_value("Lab.find genes") == "lab-find-genes"
    assert len(label_value("x" * 100)) == 63


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"priority": "100"}, "expected option 'priority' to be a whole number from 0 to 99, found '100'"),
        ({"retries": "11"}, "expected option 'retries' to be a whole number from 0 to 10"),
        ({"task_count": "0"}, "expected option 'task_count' to be a whole number from 1 to 10000"),
        ({"zone": "a"}, "gcp_batch has no option 'zone'"),
    ],
)
def test_a_section_that_does_not_fit_is_refused(build, said, why):
    """The message names the option."""
    with pytest.raises(BadOption, match=why):
        build(**said)
