"""Job definitions: found again when equal, registered anew when the options changed."""

from __future__ import annotations

import uuid

import pytest

from redun.executors.aws import AwsRefused, AwsService
from redun.executors.aws_batch.job_defs import JobDefinitions, is_same, make_definition


@pytest.fixture
def batch(aws):
    """The service itself."""
    service = AwsService("batch", None)
    yield service
    service.close()


@pytest.fixture
def fresh(options):
    """Options with a definition's name that nobody has used."""
    return {**options, "job_def_name": f"def-{uuid.uuid4().hex}"}


def revisions(aws, name):
    """Return the active revisions of a definition."""
    found = aws.client("batch").describe_job_definitions(jobDefinitionName=name, status="ACTIVE")
    return sorted(each["revision"] for each in found["jobDefinitions"])


def test_equal_options_find_the_same_definition(aws, batch, fresh):
    """A second run with the same options registers nothing, and finds the definition by one request."""
    first = JobDefinitions(batch).find(fresh)
    aws.counts.clear()
    again = JobDefinitions(batch)
    assert again.find(fresh) == again.find(fresh) == first
    assert aws.counts == {"batch:describejobdefinitions": 1}


def test_changed_options_register_a_new_revision(aws, batch, fresh):
    """Another image, role, right, shared memory or extra gives a new revision; taking it back finds the old one."""
    first = JobDefinitions(batch).find(fresh)
    changes = [
        {"image": "redun:2"}, {"role": "arn:aws:iam::123456789012:role/x"}, {"privileged": True},
        {"shared_memory": 2}, {"job_def_extra": {"containerProperties": {"user": "nobody"}}}, {"num_nodes": 2},
    ]  # fmt: skip
    found = [JobDefinitions(batch).find({**fresh, **change}) for change in changes]
    assert len({first, *found}) == 7
    assert revisions(aws, fresh["job_def_name"]) == [1, 2, 3, 4, 5, 6, 7]
    assert JobDefinitions(batch).find(fresh) == first
    assert [JobDefinitions(batch).find({**fresh, **change}) for change in changes] == found


def test_sizes_need_no_definition_of_their_own(batch, fresh):
    """Memory, cores and GPUs are said for each job, so they do not change its definition."""
    definitions = JobDefinitions(batch)
    assert definitions.find({**fresh, "memory": 64, "vcpus": 8, "gpus": 1}) == definitions.find(fresh)


def test_a_definition_that_somebody_changed_is_not_used(aws, batch, fresh):
    """A newer revision of other properties, registered by hand, is passed over; the one that fits is found."""
    first = JobDefinitions(batch).find(fresh)
    sizes = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "4096"}]
    other = {"image": "other", "resourceRequirements": sizes}
    aws.client("batch").register_job_definition(
        jobDefinitionName=fresh["job_def_name"], type="container", containerProperties=other
    )
    assert JobDefinitions(batch).find(fresh) == first


def test_a_definition_that_vanished_in_mid_run_is_registered_again(aws, submitter, submission, fresh):
    """When a definition is deregistered after it was found, the next job gets a new one."""
    name = fresh["job_def_name"]
    submitter.submit(submission(job_def_name=name))
    batch_client = aws.client("batch")
    batch_client.deregister_job_definition(jobDefinition=f"{name}:1")
    aws.faults.append(_not_active(name))
    (job_id,) = submitter.submit(submission(job_def_name=name))
    (job,) = batch_client.describe_jobs(jobs=[job_id])["jobs"]
    assert job["jobDefinition"].endswith(f"{name}:2")


def _not_active(name):
    """What AWS answers for such a definition; moto takes it."""
    from redun.testing.aws_server import Fault

    return Fault("batch:submitjob", "ClientException", 400, f"Job Definition {name}:1 is not ACTIVE")


def test_a_default_name_tells_definitions_apart(options):
    """Without a name, each definition has one made of what it says."""
    one, other = make_definition(options), make_definition({**options, "image": "redun:2"})
    assert one["jobDefinitionName"].startswith("redun-jd-")
    assert one["jobDefinitionName"] != other["jobDefinitionName"]


def test_extra_properties_are_merged_deeply(options):
    """What job_def_extra says lies over the definition, leaf by leaf; it reaches each node of a multi-node job."""
    extra = {"containerProperties": {"linuxParameters": {"initProcessEnabled": True}}, "schedulingPriority": 5}
    made = make_definition({**options, "shared_memory": 1, "job_def_extra": extra})
    assert made["containerProperties"]["linuxParameters"] == {"sharedMemorySize": 1024, "initProcessEnabled": True}
    assert made["containerProperties"]["image"] == "redun:1"
    assert made["schedulingPriority"] == 5
    nodes = make_definition({**options, "num_nodes": 3, "job_def_extra": extra})["nodeProperties"]
    groups = nodes["nodeRangeProperties"]
    assert [group["targetNodes"] for group in groups] == ["0:0", "1:"]
    assert all(group["container"]["linuxParameters"] == {"initProcessEnabled": True} for group in groups)


def test_a_named_definition_is_used_as_it_is(batch, fresh):
    """Without autocreate_job_def, name, name with revision and ARN are found, and nothing is registered."""
    arn = JobDefinitions(batch).find(fresh)
    for name in (fresh["job_def_name"], f"{fresh['job_def_name']}:1", arn):
        assert JobDefinitions(batch).find({**fresh, "autocreate_job_def": False, "job_def_name": name}) == name


def test_a_named_definition_that_is_missing_is_told(batch, fresh):
    """Without autocreate_job_def, a definition that AWS lacks is named."""
    with pytest.raises(AwsRefused, match=fresh["job_def_name"]) as caught:
        JobDefinitions(batch).find({**fresh, "autocreate_job_def": False})
    assert "autocreate_job_def" in caught.value.hint


def test_an_image_that_aws_does_not_take_is_told(aws, batch, fresh):
    """What AWS says against a definition is passed on, with what was asked."""
    with pytest.raises(AwsRefused, match=r"RegisterJobDefinition.*memory"):
        JobDefinitions(batch).find({**fresh, "job_def_extra": {"containerProperties": {
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1"}]}}})  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "found", "are_same"),
    [
        ({"a": 1}, {"a": 1, "volumes": [], "privileged": False}, True),
        ({"a": 1}, {"a": 1, "privileged": True}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": {"b": None}}, {}, True),
        ({}, {"a": {"b": []}}, True),
        ({}, {"a": {"b": [1]}}, False),
        ({}, {"fargatePlatformConfiguration": {"platformVersion": "LATEST"}}, True),
    ],
)
def test_what_aws_fills_in_makes_no_difference(wanted, found, are_same):
    """Empty lists, false, and defaults that AWS is known to add are as if nothing stood there."""
    assert is_same(wanted, found) is are_same
