"""Containers of a fake engine: what is asked of it, and what is made of its answers."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from redun.executors.docker import submitter as module
from redun.executors.docker.arguments import Volume
from redun.executors.docker.options import DOCKER_OPTIONS
from redun.executors.docker.submitter import DockerSubmitter
from redun.executors.remote.submitter import RemoteStatus, Submission, SubmitterError
from redun.testing.executor import wait_until
from redun.testing.submitter import SubmitterSuite

WAIT_SECONDS = 30.0
ENDED = (RemoteStatus.SUCCEEDED, RemoteStatus.FAILED, RemoteStatus.GONE)


def submission(*command, name="redun-job-ab12", **said):
    """Return one command line with options."""
    options = DOCKER_OPTIONS.read_section("box", {"image": "lab:1", "scratch": "s", **said})
    return Submission(name, command, options, task_name="lab.work", environment={"GREETING": "good day"})


def wait(submitter, job_id):
    """Return how a job ended."""
    limit = time.monotonic() + WAIT_SECONDS
    while (state := submitter.poll([job_id])[job_id]).status not in ENDED:
        assert time.monotonic() < limit, state
    return state


@pytest.fixture
def submitter(command):
    """Talks to the fake engine."""
    return DockerSubmitter("box", command, "lab:1")


class TestDockerSubmitter(SubmitterSuite):
    """What every submitter does."""

    absent_id = "f" * 64

    def options(self):
        """Return the value of every option."""
        return DOCKER_OPTIONS.read_section("box", {"image": "lab:1", "scratch": "s"})

    def make_again(self, submitter):
        """Return another over the same engine."""
        return DockerSubmitter("box", submitter._command, "lab:1")


def test_all_jobs_are_polled_in_one_call(submitter, engine):
    """One that is not known is gone, and the others are told all the same."""
    ids = [submitter.submit(submission("true"))[0] for _ in range(3)]
    n_calls = len(engine.calls)
    states = submitter.poll([*ids, "f" * 64])
    assert len(engine.calls) == n_calls + 1
    assert states["f" * 64].status is RemoteStatus.GONE
    assert all(states[job_id].status is not RemoteStatus.GONE for job_id in ids)


def test_cancelled_work_is_killed(submitter):
    """Its state tells so."""
    (job_id,) = submitter.submit(submission("sleep", "60"))
    submitter.cancel([job_id, "f" * 64], "enough")
    assert wait(submitter, job_id).reason.startswith("ended by SIGKILL (exit code 137)")


def test_no_more_containers_run_than_may(command):
    """The others wait, and start when there is room."""
    submitter = DockerSubmitter("box", command, "lab:1", max_running=2)
    ids = [submitter.submit(submission("sleep", "60", name=f"redun-job-{n}"))[0] for n in range(4)]
    running, waiting = RemoteStatus.RUNNING, RemoteStatus.WAITING
    assert [submitter.poll(ids)[job_id].status for job_id in ids] == [running, running, waiting, waiting]
    submitter.cancel(ids[:1], "enough")
    submitter.poll(ids)
    assert [submitter.poll(ids)[job_id].status for job_id in ids[1:]] == [running, running, waiting]
    submitter.cancel(ids, "enough")
    states = submitter.poll(ids)
    assert [states[job_id].status.name for job_id in ids] == ["FAILED", "FAILED", "FAILED", "GONE"]


def test_containers_that_wait_are_found_and_started_by_another_run(command):
    """One that was killed had made them, say."""
    submitter = DockerSubmitter("box", command, "lab:1", max_running=0)
    (job_id,) = submitter.submit(submission("true", name="redun-job-aa"))
    later = DockerSubmitter("box", command, "lab:1")
    assert later.find_live("redun-job") == {"redun-job-aa": job_id}
    assert wait(later, job_id).status is RemoteStatus.SUCCEEDED


def test_a_container_that_cannot_be_started_has_failed(command):
    """It is not tried again for ever."""
    submitter = DockerSubmitter("box", command, "lab:1", max_running=0)
    (job_id,) = submitter.submit(submission("unstartable"))
    state = DockerSubmitter("box", command, "lab:1").poll([job_id])[job_id]
    assert (state.status, state.reason) == (
        RemoteStatus.FAILED,
        "Error response from daemon: runc create failed: unable to start container process",
    )


def test_containers_that_succeeded_are_removed_when_the_run_ends(submitter):
    """Those that failed stay, to be looked into."""
    (good,), (bad,) = submitter.submit(submission("true")), submitter.submit(submission("false"))
    wait(submitter, good)
    wait(submitter, bad)
    submitter.close()
    assert wait_until(lambda: submitter.poll([good])[good].status is RemoteStatus.GONE, WAIT_SECONDS)
    assert submitter.poll([bad])[bad].status is RemoteStatus.FAILED


def test_many_containers_that_succeeded_are_not_left_to_the_end(submitter, monkeypatch):
    """Their number is bounded while the run goes on; the latest are kept."""
    monkeypatch.setattr(module, "KEEP_SUCCEEDED", 2)
    ids = [submitter.submit(submission("true"))[0] for _ in range(4)]
    for job_id in ids:
        wait(submitter, job_id)
    live = [submitter.poll([job_id])[job_id].status is not RemoteStatus.GONE for job_id in ids]
    assert live[-1]
    assert sum(live) <= 2


def test_names_of_containers_are_distinct(submitter, engine):
    """A second attempt does not meet the container that the first one left; labels tell what it was."""
    ids = [submitter.submit(submission("true"))[0] for _ in range(2)]
    words = [json.loads(engine.read(job_id, "about.json"))["words"] for job_id in ids]
    names = [each[each.index("--name") + 1] for each in words]
    assert len(set(names)) == 2
    assert all(name.startswith("redun-job-ab12-") for name in names)
    assert {"redun.job=redun-job-ab12", "redun.task=lab.work"} <= set(words[0])


def test_a_repetition_finds_the_container_of_the_first(submitter):
    """As when the answer to the first was lost; the token of the submission tells."""
    asked = replace(submission("true"), token="t" * 32)
    assert submitter.submit(asked) == submitter.submit(asked)


def test_volumes_of_executor_and_job_are_mounted(command, engine, tmp_path):
    """The scratch first."""
    submitter = DockerSubmitter("box", command, "lab:1", [Volume(str(tmp_path), str(tmp_path))])
    (job_id,) = submitter.submit(submission("true", volumes=["cache:/c:ro"]))
    words = json.loads(engine.read(job_id, "about.json"))["words"]
    mounts = [word for before, word in pairwise(words) if before == "--mount"]
    assert mounts == [f"type=bind,source={tmp_path},target={tmp_path}", "type=volume,source=cache,target=/c,readonly"]


def test_credentials_travel_unseen(submitter, engine, monkeypatch):
    """They reach the job and are not on the command line."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    (job_id,) = submitter.submit(submission("sh", "-c", "echo $AWS_SECRET_ACCESS_KEY", include_aws_env=True))
    assert wait(submitter, job_id).status is RemoteStatus.SUCCEEDED
    assert submitter.fetch_log(job_id, 1) == ["hidden"]
    about = json.loads(engine.read(job_id, "about.json"))
    assert not any("hidden" in word for word in about["words"])
    assert "AWS_DEFAULT_REGION=eu-west-1\n" in about["secrets"]


def test_check_looks_for_engine_and_image(command, engine):
    """An engine that runs and has the image is fine, and is asked once."""
    submitter = DockerSubmitter("box", command, "lab:1")
    submitter.check()
    submitter.submit(submission("true"))
    assert engine.calls == ["version", "image inspect", "run --detach"]


def test_the_scratch_is_made_by_the_check(command, tmp_path):
    """A command that is launched leaves nothing there before; one that cannot be made is told."""
    DockerSubmitter("box", command, "lab:1", [Volume(str(tmp_path / "a" / "b"), "/a")]).check()
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(SubmitterError, match=f"executor 'box': folder {tmp_path}/file/b cannot be made"):
        DockerSubmitter("box", command, "lab:1", [Volume(f"{tmp_path}/file/b", "/a")]).check()


def test_no_engine_is_told_with_what_to_do(submitter, engine):
    """At once, not after tries."""
    (engine.home / "down").touch()
    with pytest.raises(SubmitterError, match=r"executor 'box': no container engine answers: .*Cannot connect") as got:
        submitter.check()
    assert got.value.hint.startswith("start the engine")


def test_a_missing_image_is_told_with_what_to_do(command, submitter):
    """It was looked for here, and could not be pulled; so it is for an image that only one task names."""
    wrong = DockerSubmitter("box", command, "nothing:1")
    expected = "executor 'box': image 'nothing:1' is not on this machine and cannot be pulled: .*pull access denied"
    with pytest.raises(SubmitterError, match=expected) as got:
        wrong.check()
    assert "build it" in got.value.hint
    with pytest.raises(SubmitterError, match=expected):
        submitter.submit(submission("true", image="nothing:1"))


def test_an_unknown_volume_is_told_with_what_to_do(submitter):
    """The engine would make an empty one of that name."""
    with pytest.raises(SubmitterError, match="executor 'box': there is no volume 'cachee'") as got:
        submitter.submit(submission("true", volumes=["cachee:/c"]))
    assert "volume create cachee" in got.value.hint


def test_a_missing_folder_is_told_with_what_to_do(submitter):
    """The message is the engine's."""
    with pytest.raises(SubmitterError, match="bind source path does not exist: /no/such/folder") as got:
        submitter.submit(submission("true", volumes=["/no/such/folder:/c"]))
    assert "option volumes of [executors.box]" in got.value.hint


def test_a_missing_init_process_is_told_with_what_to_do(submitter, engine):
    """Engines take it from a package of its own."""
    (engine.home / "no-init").touch()
    with pytest.raises(SubmitterError, match="container-init binary not found") as got:
        submitter.submit(submission("true"))
    assert "install catatonit" in got.value.hint


def test_missing_gpus_are_told(submitter):
    """A job that needs one does not run without it."""
    with pytest.raises(SubmitterError, match="could not select device driver") as got:
        submitter.submit(submission("true", gpus=1))
    assert "no GPUs" in got.value.hint


def test_an_engine_that_goes_away_can_come_back(submitter, engine):
    """Polling raises what may be repeated, and nothing is taken for gone."""
    (job_id,) = submitter.submit(submission("true"))
    (engine.home / "down").touch()
    with pytest.raises(OSError, match="Cannot connect"):
        submitter.poll([job_id])
    (engine.home / "down").unlink()
    assert wait(submitter, job_id).status is RemoteStatus.SUCCEEDED
