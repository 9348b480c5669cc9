"""Jobs of a fake Kubernetes: what is asked of it, and what is made of its answers."""

from __future__ import annotations

import sys
import time

import pytest

from redun.executors.k8s.options import K8S_OPTIONS
from redun.executors.k8s.submitter import K8SSubmitter
from redun.executors.remote.submitter import RemoteStatus, Submission, SubmitterError
from redun.testing.submitter import SubmitterSuite

pytest.importorskip("kubernetes", reason="pip install 'redun[k8s]'")

WAIT_SECONDS = 30.0
ENDED = (RemoteStatus.SUCCEEDED, RemoteStatus.FAILED, RemoteStatus.GONE)


def submission(submitter, *command, name="redun-job-ab12", size=None, token="", **said):
    """Return one command line, or an array of it, with options of a task."""
    options = {**submitter._values, **said}
    size, is_array = (1, False) if size is None else (size, True)
    return Submission(name, command, options, size, is_array=is_array, environment={"A": "b c"}, token=token)


def wait(submitter, ids):
    """Return how jobs ended."""
    limit = time.monotonic() + WAIT_SECONDS
    seen = {}
    while True:
        seen.update(
            submitter.poll([job_id for job_id in ids if job_id not in seen or seen[job_id].status not in ENDED])
        )
        if all(seen[job_id].status in ENDED for job_id in ids):
            return [seen[job_id] for job_id in ids]
        assert time.monotonic() < limit, seen


class TestK8SSubmitter(SubmitterSuite):
    """What every submitter does."""

    absent_id = "r1/no-such-job"
    poll_seconds = 0.05

    @pytest.fixture
    def submitter(self, server, make_submitter):
        """Talks to the fake."""
        return make_submitter()

    def options(self):
        """Return the value of every option."""
        return K8S_OPTIONS.read_section("cloud", {"image": "lab:1", "scratch": "s"})

    def make_again(self, submitter):
        """Return another for the same cluster."""
        return K8SSubmitter("cloud", self.options())


def test_job_and_pod_are_told_to_the_redun_job(server, make_submitter):
    """By their names."""
    submitter = make_submitter()
    (job_id,) = submitter.submit(submission(submitter, "sleep", "60"))
    tags = submitter.poll([job_id])[job_id].tags
    assert tags["k8s_job"] in server.jobs
    assert tags["k8s_pod"].startswith(tags["k8s_job"])


def test_an_array_is_one_request(server, make_submitter):
    """However many elements it has."""
    submitter = make_submitter()
    assert len(submitter.submit(submission(submitter, "true", size=50))) == 50
    assert [method for method, _ in server.requests] == ["POST"]


def test_a_poll_is_two_requests(server, make_submitter):
    """However many jobs there are: one list of jobs, one of pods."""
    submitter = make_submitter()
    ids = [submitter.submit(submission(submitter, "sleep", "60", name=f"redun-{n}"))[0] for n in range(5)]
    server.requests.clear()
    states = submitter.poll(ids)
    assert {state.status for state in states.values()} == {RemoteStatus.RUNNING}
    assert [path.rpartition("/")[2] for _, path in server.requests] == ["jobs", "pods"]


def test_lists_are_read_to_their_end(server, make_submitter, monkeypatch):
    """A server answers in pages."""
    monkeypatch.setattr("redun.executors.k8s.cluster.PAGE_SIZE", 2)
    submitter = make_submitter()
    ids = [submitter.submit(submission(submitter, "sleep", "60", name=f"redun-{n}"))[0] for n in range(5)]
    assert all(state.status is RemoteStatus.RUNNING for state in submitter.poll(ids).values())


def test_kubernetes_tries_again_as_often_as_it_is_told(server, make_submitter, tmp_path):
    """A second pod may succeed where the first did not."""
    submitter = make_submitter(retries="1")
    (tmp_path / "try.sh").write_text(f"test -e {tmp_path}/tried && exit 0; touch {tmp_path}/tried; exit 1")
    (state,) = wait(submitter, submitter.submit(submission(submitter, "sh", str(tmp_path / "try.sh"))))
    assert state.status is RemoteStatus.SUCCEEDED


def test_cancelled_jobs_are_removed(server, make_submitter):
    """With their pods; ids that are not known are passed over."""
    submitter = make_submitter()
    ids = submitter.submit(submission(submitter, "sleep", "60"))
    submitter.cancel([*ids, "x/y", "z"], "enough")
    assert [state.status for state in wait(submitter, ids)] == [RemoteStatus.GONE]
    assert not server.jobs


def test_some_elements_of_an_array_can_be_cancelled(server, make_submitter):
    """The others go on."""
    submitter = make_submitter()
    ids = submitter.submit(submission(submitter, "sleep", "60", size=3))
    submitter.poll(ids)
    submitter.cancel(ids[:2], "enough")
    states = submitter.poll(ids)
    assert [states[job_id].status.name for job_id in ids] == ["FAILED", "FAILED", "RUNNING"]
    submitter.cancel(ids, "enough")
    assert not server.jobs


def test_elements_that_have_ended_are_not_found(server, make_submitter):
    """Of an array those that still run are."""
    submitter = make_submitter()
    code = 'test "$JOB_COMPLETION_INDEX" = 0 || sleep 60'
    array = submitter.submit(submission(submitter, "sh", "-c", code, name="redun-job-bb", size=2))
    wait(submitter, array[:1])
    assert make_submitter().find_live("redun-job") == {"redun-job-bb:1": array[1]}


def test_a_lost_answer_makes_no_second_job(server, make_submitter):
    """What was made is found to be made when it is asked for again."""
    submitter = make_submitter()
    asked = submission(submitter, "true", token="t" * 32)
    server.failures = [0]
    with pytest.raises(OSError, match="Kubernetes does not answer"):
        submitter.submit(asked)
    ids = submitter.submit(asked)
    assert len(server.jobs) == 1
    assert wait(submitter, ids)[0].status is RemoteStatus.SUCCEEDED


def test_the_same_again_is_another_job(server, make_submitter):
    """A second attempt of redun's own has a name of its own."""
    submitter = make_submitter()
    first, second = (submitter.submit(submission(submitter, "sleep", "60")) for _ in range(2))
    assert first != second
    assert len(server.jobs) == 2


def test_a_server_that_is_busy_may_be_asked_again(server, make_submitter):
    """Throttling and failures of the server are OSErrors."""
    submitter = make_submitter()
    for status in (429, 503):
        server.failures = [status]
        with pytest.raises(OSError, match=f"Kubernetes put off .*{status}"):
            submitter.poll(["r/j"])


def test_jobs_that_succeeded_are_removed(server, make_submitter):
    """When the run ends; those that failed stay for a day."""
    submitter = make_submitter()
    (good,) = submitter.submit(submission(submitter, "true", name="redun-good"))
    (bad,) = submitter.submit(submission(submitter, "false", name="redun-bad"))
    wait(submitter, [good, bad])
    submitter.close()
    assert [job.spec["ttlSecondsAfterFinished"] for job in server.jobs.values()] == [86400]
    assert make_submitter().poll([good])[good].status is RemoteStatus.GONE


def test_many_jobs_that_succeeded_are_not_left_to_the_end(server, make_submitter, monkeypatch):
    """Each poll would list them all."""
    monkeypatch.setattr("redun.executors.k8s.submitter.KEEP_SUCCEEDED", 2)
    submitter = make_submitter()
    ids = [submitter.submit(submission(submitter, "true", name=f"redun-{n}"))[0] for n in range(5)]
    wait(submitter, ids)
    submitter.poll(ids[-1:])
    assert len(server.jobs) <= 2


def test_an_image_that_is_missing_fails_the_job_and_removes_it(server, make_submitter):
    """Kubernetes would try to pull it for ever."""
    submitter = make_submitter()
    ids = submitter.submit(submission(submitter, "true", image="missing:1"))
    (state,) = wait(submitter, ids)
    assert state.reason == 'ImagePullBackOff: Back-off pulling image "missing:1"'
    assert not server.jobs


def test_an_array_without_an_image_is_removed_by_one_request(server, make_submitter):
    """However many elements it has."""
    submitter = make_submitter()
    ids = submitter.submit(submission(submitter, "true", image="missing:1", size=20))
    server.requests.clear()
    assert {state.status for state in submitter.poll(ids).values()} == {RemoteStatus.FAILED}
    assert [method for method, _ in server.requests].count("DELETE") == 1
    assert not server.jobs


def test_a_job_that_fits_nowhere_waits_and_tells_why(server, make_submitter):
    """A node may come."""
    submitter = make_submitter()
    (job_id,) = submitter.submit(submission(submitter, "true", vcpus=500))
    state = submitter.poll([job_id])[job_id]
    assert state.status is RemoteStatus.WAITING
    assert state.reason.startswith("Unschedulable: 0/1 nodes are available")


def test_a_job_that_takes_too_long_is_ended(server, make_submitter):
    """By Kubernetes, which says so."""
    submitter = make_submitter()
    (state,) = wait(submitter, submitter.submit(submission(submitter, "sleep", "60", timeout=0.2)))
    assert state.reason.startswith("DeadlineExceeded: Pod was active on the node longer")


def test_a_job_out_of_memory_says_so(server, make_submitter):
    """The kernel's SIGKILL alone would tell nothing."""
    submitter = make_submitter()
    (state,) = wait(submitter, submitter.submit(submission(submitter, "sh", "-c", "kill -9 $$", image="oom:1")))
    assert state.reason == "out of memory (OOMKilled, exit code 137)"


def test_secrets_reach_jobs_and_not_the_manifest(server, make_submitter, monkeypatch):
    """From this process and this machine into a Secret, from there into the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("LAB_TOKEN", "token")
    submitter = make_submitter(import_aws_secrets="true", secret_env_vars="LAB_TOKEN", secret_name="keys")
    server.secrets["keys"] = {"OTHER": "kept"}
    submitter.check()
    ids = submitter.submit(submission(submitter, "sh", "-c", "echo $AWS_SECRET_ACCESS_KEY $LAB_TOKEN $OTHER"))
    wait(submitter, ids)
    assert submitter.fetch_log(ids[0], 1) == ["hidden token kept"]
    assert not any("hidden" in str(job.body) for job in server.jobs.values())


@pytest.fixture
def no_credentials(monkeypatch, tmp_path):
    """Hide those of this machine."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("no_credentials")
def test_credentials_that_are_not_there_are_missed_when_they_were_asked_for(server, make_submitter):
    """A Secret that is only named is used as it is."""
    make_submitter(secret_name="keys").check()
    assert server.secrets == {}
    with pytest.raises(SubmitterError, match="expected credentials of AWS on this machine, found none"):
        make_submitter(import_aws_secrets="true").check()


def test_a_secret_can_be_left_as_it_is(server, make_submitter, monkeypatch):
    """Though there are credentials here."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    make_submitter(secret_name="keys", import_aws_secrets="false").check()
    assert server.secrets == {}
    make_submitter(secret_name="keys").check()
    assert server.secrets["keys"]["AWS_SECRET_ACCESS_KEY"] == "hidden"


def test_a_secret_variable_that_is_not_set_is_told(server, make_submitter, monkeypatch):
    """Before anything is submitted."""
    monkeypatch.delenv("LAB_TOKEN", raising=False)
    with pytest.raises(SubmitterError, match="executor 'cloud': variable LAB_TOKEN of secret_env_vars is not set"):
        make_submitter(secret_env_vars="LAB_TOKEN").check()


def test_a_missing_namespace_is_told_or_made(server, make_submitter):
    """As the options say."""
    with pytest.raises(SubmitterError, match="executor 'cloud': there is no namespace 'lab'") as got:
        make_submitter(namespace="lab", create_namespace="false").check()
    assert "create_namespace = true" in got.value.hint
    make_submitter(namespace="lab").check()
    assert "lab" in server.namespaces


def test_old_clusters_get_no_arrays(server, make_submitter):
    """Before 1.29 one element that fails ends the others."""
    server.version = {"major": "1", "minor": "28"}
    submitter = make_submitter()
    assert submitter.max_array_size > 1
    submitter.check()
    assert submitter.max_array_size == 1


@pytest.mark.parametrize(("status", "hint"), [(401, "log in to the cluster again"), (403, "allow jobs, pods")])
def test_a_refusal_is_told_with_what_to_do(server, make_submitter, status, hint):
    """Expired credentials and missing rights."""
    server.failures = [status]
    submitter = make_submitter()
    with pytest.raises(SubmitterError, match="Kubernetes refused create_namespaced_job") as got:
        submitter.submit(submission(submitter, "true"))
    assert hint in got.value.hint


def test_a_manifest_that_kubernetes_refuses_is_told_in_its_words(server, make_submitter):
    """A field that it does not know, say; newer clients notice it first."""
    submitter = make_submitter()
    with pytest.raises(SubmitterError, match=r"executor 'cloud': .*persistentVolumeClaim.claimname"):
        submitter.submit(
            submission(submitter, "true", volumes=[{"name": "d", "persistentVolumeClaim": {"claimname": "d"}}])
        )


def test_a_cluster_that_is_not_there_is_told(tmp_path, make_submitter, monkeypatch):
    """No kubeconfig, or a server that does not answer."""
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SubmitterError, match="no Kubernetes cluster is configured") as got:
        make_submitter().check()
    assert "KUBECONFIG" in got.value.hint


def test_a_server_that_does_not_answer_is_told(server, make_submitter):
    """At once, not after tries."""
    submitter = make_submitter()
    server._http.shutdown()
    server._http.server_close()
    with pytest.raises(SubmitterError, match="executor 'cloud': Kubernetes does not answer"):
        submitter.check()


def test_a_missing_client_is_told_with_what_to_install(make_submitter, monkeypatch):
    """Nothing else of redun needs it."""
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(SubmitterError, match="executor 'cloud': the package kubernetes is not installed") as got:
        make_submitter().check()
    assert got.value.hint == "pip install 'redun[k8s]'"
