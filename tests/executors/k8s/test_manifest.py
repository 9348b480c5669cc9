"""From options to the Job that is asked for, each checked against the published schema."""

from __future__ import annotations

import pytest

from redun.executors.k8s.manifest import build_job
from redun.executors.k8s.options import K8S_OPTIONS
from redun.executors.options import BadOption
from redun.executors.remote.submitter import Submission
from redun.testing.k8s_schema import check_object

pytest.importorskip("kubernetes", reason="pip install 'redun[k8s]'")


def build(size=None, secret=None, **said):
    """Return a Job that the schema has no objection to."""
    options = K8S_OPTIONS.read_section("cloud", {"image": "lab:1", "scratch": "s", **said})
    submission = Submission(
        "redun-job-ab12",
        ("redun", "--version"),
        options,
        size=size or 1,
        is_array=size is not None,
        task_name="lab.find genes",
        environment={"A": "1"},
    )
    job = build_job(submission, name="redun-job-0", run="r1", executor="my cloud", secret=secret)
    check_object(job, "V1Job")
    return job


def container_of(job):
    """Return the one container of a Job."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return container


def test_the_command_runs_once_by_default():
    """In the image, with its variables, and without a second attempt."""
    job = build()
    container = container_of(job)
    assert (container["image"], container["command"]) == ("lab:1", ["redun", "--version"])
    assert container["env"] == [{"name": "A", "value": "1"}]
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "default"
    assert "completionMode" not in job["spec"]


def test_amounts_are_asked_for_and_bounded():
    """In the units of Kubernetes: cores, MiB, whole GPUs."""
    job = build(vcpus="0.5", memory="1.5", gpus="2", ephemeral_storage="10")
    amounts = {"cpu": "0.5", "memory": "1536Mi", "nvidia.com/gpu": "2", "ephemeral-storage": "10240Mi"}
    assert container_of(job)["resources"] == {"requests": amounts, "limits": amounts}


def test_an_array_is_an_indexed_job_of_which_each_element_fails_alone():
    """All its elements may run at once, and each has its own attempts."""
    spec = build(size=4, retries="2")["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
    assert (spec["backoffLimitPerIndex"], spec["backoffLimit"]) == (2, 12)


def test_the_time_limit_counts_from_the_start_of_a_pod():
    """Waiting for a node does not use it up."""
    spec = build(timeout="90")["spec"]
    assert spec["template"]["spec"]["activeDeadlineSeconds"] == 90
    assert "activeDeadlineSeconds" not in spec


def test_labels_tell_whose_it_is():
    """Jobs and pods have them; redun's own cannot be taken away, nor overwritten."""
    job = build(k8s_labels='{"team": "genes", "redun-run": "other"}')
    labels = job["metadata"]["labels"]
    assert labels == job["spec"]["template"]["metadata"]["labels"]
    assert labels == {
        "team": "genes",
        "app.kubernetes.io/managed-by": "redun",
        "redun-run": "r1",
        "redun-executor": "my-cloud",
        "redun-task": "lab.find-genes",
    }
    plain = build(default_k8s_labels="false")["metadata"]["labels"]
    assert plain == {"app.kubernetes.io/managed-by": "redun", "redun-run": "r1"}


def test_annotations_are_those_said_and_the_whole_name():
    """By the name a later run finds the job again."""
    job = build(annotations='{"owner": "ann"}')
    assert job["metadata"]["annotations"] == {"owner": "ann", "redun/name": "redun-job-ab12"}
    assert job["spec"]["template"]["metadata"]["annotations"] == job["metadata"]["annotations"]


def test_variables_are_said_in_short_or_as_kubernetes_does():
    """Both ways give the same, and what the command needs comes last."""
    short = container_of(build(env='{"B": "2"}'))["env"]
    long = container_of(build(env='[{"name": "B", "value": "2"}]'))["env"]
    assert short == long == [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]


def test_volumes_and_where_they_are_mounted():
    """Both are objects of Kubernetes."""
    job = build(
        volumes='[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]',
        volume_mounts='[{"name": "data", "mountPath": "/data", "readOnly": true}]',
    )
    assert job["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "data"}
    assert container_of(job)["volumeMounts"] == [{"name": "data", "mountPath": "/data", "readOnly": True}]


def test_nodes_can_be_chosen():
    """By a NodeAffinity object; the account of pods by name."""
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    pod = build(node_affinity=affinity, service_account_name="worker")["spec"]["template"]["spec"]
    assert pod["affinity"] == {"nodeAffinity": affinity}
    assert pod["serviceAccountName"] == "worker"


def test_a_secret_becomes_variables():
    """Of the container, without its entries being in the Job."""
    assert container_of(build(secret="keys"))["envFrom"] == [{"secretRef": {"name": "keys"}}]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"env": '{"A": 1}'}, 'expected option \'env\' to be {"NAME": "text"}'),
        ({"volumes": '{"name": "x"}'}, "expected option 'volumes' to be a JSON list"),
        ({"retries": "-1"}, "expected option 'retries' to be a whole number of at least 0"),
        ({"namespce": "x"}, "k8s has no option 'namespce'"),
    ],
)
def test_a_section_that_does_not_fit_is_refused(said, why):
    """The message names the option."""
    with pytest.raises(BadOption, match=why):
        build(**said)
