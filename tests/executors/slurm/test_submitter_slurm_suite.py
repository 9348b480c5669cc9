"""The submitter on a real cluster: what every submitter promises, and what only a Slurm does."""

from __future__ import annotations

import os
import uuid

import pytest

from redun.executors.remote.submitter import RemoteStatus, Submission, SubmitterError
from redun.executors.slurm.commands import SlurmUnreachable, run_command
from redun.executors.slurm.options import SLURM_OPTIONS
from redun.executors.slurm.submitter import SlurmSubmitter
from redun.testing.executor import wait_until
from redun.testing.slurm_cluster import MAX_ARRAY_SIZE, NODE
from redun.testing.submitter import SubmitterSuite

pytestmark = pytest.mark.cluster

SECONDS = 60


@pytest.fixture
def values(cluster, tmp_path):
    """The value of every option, none of them said."""
    return SLURM_OPTIONS.read_section("slurm", {"scratch": str(tmp_path)})


@pytest.fixture
def make(values, tmp_path):
    """Make a submitter with some options, all of which have one folder of logs."""

    def make(**said):
        return SlurmSubmitter("slurm", {**values, **said}, tmp_path / "logs")

    return make


@pytest.fixture
def submit(make, values):
    """A function that submits a shell script and returns the submitter and the ids."""

    def submit(script, size=1, **said):
        options = {**values, **said}
        name, command = f"redun-{uuid.uuid4().hex}", ("bash", "-c", script)
        submission = Submission(name, command, options, size=size, is_array=size > 1, token=uuid.uuid4().hex)
        submitter = make()
        submitter.check()
        return submitter, submitter.submit(submission)

    return submit


def wait(submitter, ids, statuses=(RemoteStatus.SUCCEEDED, RemoteStatus.FAILED, RemoteStatus.GONE)):
    found = {}

    def has_come():
        found.update(submitter.poll(ids))
        return all(state.status in statuses for state in found.values())

    assert wait_until(has_come, SECONDS), found
    return found


class TestSlurmSubmitter(SubmitterSuite):
    """Slurm is a cluster as any other."""

    absent_id = "67000000"

    @pytest.fixture
    def submitter(self, make, values):
        """Give one of the real cluster."""
        self.values, self.make = values, make
        made = make()
        made.check()
        return made

    def options(self):
        """Return the options of a small job."""
        return self.values

    def make_again(self, submitter):
        """Return another one with the same options."""
        del submitter
        return self.make()


def test_the_limit_of_arrays_is_the_clusters(make):
    """It is known once the cluster was checked."""
    submitter = make()
    submitter.check()
    assert submitter.max_array_size == MAX_ARRAY_SIZE


def test_a_partition_that_is_not_there_is_named(make, submit):
    """By the check, and by a submission whose task asked for it."""
    with pytest.raises(SubmitterError, match="no partition 'nope'"):
        make(partition="nope").check()
    with pytest.raises(SubmitterError, match=r"invalid partition specified: nope.*partition 'nope'") as caught:
        submit("true", partition="nope")
    assert "sinfo" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"memory": 4000}, "Memory specification"),
        ({"gpus": 1}, "generic resource"),
        ({"constraint": "quantum"}, "Invalid feature"),
        ({"sbatch_args": ["--nosuch"]}, "nosuch"),
    ],
)
def test_what_the_cluster_does_not_have_is_refused(submit, said, told):
    """At once, in Slurm's words, and with a hint."""
    with pytest.raises(SubmitterError, match=told) as caught:
        submit("true", **said)
    assert caught.value.hint


def test_a_time_that_no_partition_allows_is_told(submit, cluster):
    """Slurm itself would let the job wait for ever."""
    submitter, ids = submit("true", partition="short", timeout=3600)
    state = wait(submitter, ids)[ids[0]]
    assert (state.status, state.reason) == (RemoteStatus.FAILED, "it would wait for ever: PartitionTimeLimit")
    assert wait_until(lambda: not cluster.ask("squeue", "-h", "-j", ids[0]).strip(), SECONDS)


def test_options_reach_the_job(submit, cluster):
    """Slurm shows what was asked for."""
    said = {"partition": "short", "vcpus": 2, "memory": 0.25, "timeout": 90, "nodes": 1, "sbatch_args": ["--nice=7"]}
    submitter, ids = submit("sleep 60", **said)
    shown = cluster.ask("scontrol", "show", "job", ids[0])
    submitter.cancel(ids, "the test is over")
    for words in ("Partition=short", "NumCPUs=2", "CPUs/Task=2", "MinMemoryNode=256M", "TimeLimit=00:02:00", "Nice=7"):
        assert words in shown


def test_setup_prepares_the_job(submit):
    """And a line of it that fails is in the log."""
    submitter, ids = submit('test "$WORD" = there', setup="export WORD=there")
    assert wait(submitter, ids)[ids[0]].status is RemoteStatus.SUCCEEDED
    submitter, ids = submit("true", setup="source nowhere/activate")
    assert wait(submitter, ids)[ids[0]].status is RemoteStatus.FAILED
    assert "nowhere/activate" in submitter.fetch_log(ids[0], 5)[0]


def test_a_job_beyond_its_memory_is_told_so(submit):
    """In the words of the node's daemon, with numbers."""
    hungry = "python3 -c 'import time; x = b\"x\" * (300 << 20); time.sleep(30)'"
    submitter, ids = submit(hungry, memory=0.1)
    state = wait(submitter, ids)[ids[0]]
    assert state.status is RemoteStatus.FAILED
    assert "exceeded memory limit" in state.reason


def test_a_job_beyond_its_time_is_told_so(submit, cluster):
    """Slurm counts in minutes, so an administrator moves its end here."""
    submitter, ids = submit("sleep 60", timeout=60)
    wait(submitter, ids, {RemoteStatus.RUNNING})
    cluster.ask("scontrol", "update", f"JobId={ids[0]}", "EndTime=now+1")
    state = wait(submitter, ids)[ids[0]]
    assert state.status is RemoteStatus.FAILED
    assert "TIMEOUT (its time limit was over)" in state.reason


def test_a_job_whose_shell_is_killed_is_told_so(submit):
    """The signal is in the reason."""
    submitter, ids = submit("kill -9 $PPID; sleep 60")
    assert "SIGKILL" in wait(submitter, ids)[ids[0]].reason


def test_an_array_is_cancelled_whether_it_has_begun_or_not(submit):
    """Each element of it is told of, and none looks like a success."""
    submitter, ids = submit("sleep 60", size=40)
    assert wait_until(lambda: RemoteStatus.RUNNING in {state.status for state in submitter.poll(ids).values()}, SECONDS)
    submitter.cancel(ids, "the test wants it")
    states = wait(submitter, ids)
    assert list(states) == ids
    assert {state.status for state in states.values()} == {RemoteStatus.FAILED}
    assert all("CANCELLED (somebody cancelled it)" in state.reason for state in states.values())


def test_a_cluster_that_is_away_is_asked_again(submit, cluster):
    """While the controller is down every verb says so; jobs go on, and are found as they ended."""
    submitter, ids = submit("sleep 1; exit 4")
    wait(submitter, ids, {RemoteStatus.RUNNING})
    cluster.stop_controller()
    try:
        with pytest.raises(OSError, match="Unable to contact slurm controller"):
            submitter.poll(ids)
    finally:
        cluster.start_controller()
    assert "exit code 4" in wait(submitter, ids)[ids[0]].reason


def test_what_the_cluster_has_forgotten_is_known_by_its_exit_codes(submit, cluster):
    """A controller without memory makes no job a success, nor a failure, that was none."""
    submitter, ids = submit("exit $((SLURM_ARRAY_TASK_ID * 3))", size=2)
    _, cancelled = submit("sleep 60")
    wait(submitter, ids)
    submitter.cancel(cancelled, "the test wants it")
    wait(submitter, cancelled)
    cluster.stop_controller()
    cluster.start_controller(is_forgetful=True)
    states = submitter.poll([*ids, *cancelled])
    assert [state.status for state in states.values()] == [
        RemoteStatus.SUCCEEDED,
        RemoteStatus.FAILED,
        RemoteStatus.GONE,
    ]
    assert states[ids[1]].reason == "exit code 3"


def test_a_job_put_back_into_the_queue_runs_again(submit, cluster, tmp_path):
    """As after the loss of its node: it waits, runs, and is judged by its second end."""
    marker = tmp_path / "marker"
    submitter, ids = submit(f"test -e {marker} && exit 0; touch {marker}; sleep 60")
    assert wait_until(marker.exists, SECONDS)
    cluster.ask("scontrol", "requeue", ids[0])
    assert wait(submitter, ids, {RemoteStatus.WAITING})
    cluster.ask(
        "scontrol", "update", f"JobId={ids[0]}", "StartTime=now+3"
    )  # Slurm refuses a start in the second of the end
    assert wait(submitter, ids)[ids[0]].status is RemoteStatus.SUCCEEDED


def test_jobs_wait_for_a_drained_node(submit, cluster):
    """Nothing fails while an administrator looks after a machine."""
    cluster.ask("scontrol", "update", f"NodeName={NODE}", "State=DRAIN", "Reason=test")
    try:
        submitter, ids = submit("true")
        assert wait_until(
            lambda: "Down" in (shown := cluster.ask("squeue", "-h", "-O", "Reason")) or "Node" in shown, 20
        )
        assert submitter.poll(ids)[ids[0]].status is RemoteStatus.WAITING
    finally:
        cluster.ask("scontrol", "update", f"NodeName={NODE}", "State=RESUME")
    assert wait(submitter, ids)[ids[0]].status is RemoteStatus.SUCCEEDED


def test_a_lost_reply_is_made_up_for(make, values):
    """A job that was submitted without an answer is found by its token, though it has ended since."""

    def lose(*words, stdin=""):
        printed = run_command(*words, stdin=stdin)
        if words[0] == "sbatch":
            lost.append(printed.strip())
            raise SlurmUnreachable("the reply was lost", may_have_happened=True)
        return printed

    lost = []
    submitter = make()
    submitter._run = lose
    submission = Submission(f"redun-{uuid.uuid4().hex}", ("true",), values, token=uuid.uuid4().hex)
    with pytest.raises(SlurmUnreachable):
        submitter.submit(submission)
    wait(submitter, lost)
    assert submitter.submit(submission) == lost
    assert len(lost) == 1


def test_a_log_that_slurm_cannot_write_is_told(submit, values, tmp_path):
    """A node that does not mount the folder of logs fails jobs before they begin."""
    submitter, ids = submit("true")
    wait(submitter, ids)
    folder = tmp_path / "logs" / "redun"
    before = [path.name for path in folder.iterdir()]
    assert f"{ids[0]}.exit" in before
    submission = Submission(f"redun-{uuid.uuid4().hex}", ("true",), values, token=uuid.uuid4().hex)
    (job_id,) = submitter.submit(submission)
    os.rename(folder, tmp_path / "moved")
    folder.write_text("no folder")
    state = wait(submitter, [job_id])[job_id]
    assert state.status is RemoteStatus.FAILED
    assert "could not write the job's log" in state.reason
