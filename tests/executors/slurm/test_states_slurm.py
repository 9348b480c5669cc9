"""Lines as squeue and sacct of Slurm 22.05 print them, and what they mean."""

from __future__ import annotations

import pytest

from redun.executors.remote.submitter import RemoteStatus
from redun.executors.slurm.states import Seen, judge, read_accounts, read_queue

QUEUE = """\
1_0|COMPLETED|0|vm|None|redun-a
1_1|FAILED|256|vm|NonZeroExitCode|redun-a
6|FAILED|1||BadConstraints|sbatch
3_1|PENDING|0||Resources|x|y
12|COMPLETING|0|vm|None|redun-b
13|TIMEOUT|15|vm|TimeLimit|redun-c
5|FAILED|9|vm|JobLaunchFailure|kill
"""
ACCOUNTS = """\
41|COMPLETED|0:0|vm|None|redun-a
42_1|CANCELLED by 1000|0:15|vm|None|redun-b
42_2|OUT_OF_ME+|0:125|None assigned|None|redun-b
"""


def seen(state, code=0, signal=0, node="vm", reason="None"):
    return Seen(state, code, signal, node, reason, "redun-x")


def test_lines_of_the_queue_are_read():
    """Exit code and signal come out of the status that the queue shows; a name may hold the separator."""
    jobs = dict(read_queue(QUEUE))
    assert jobs["1_1"] == Seen("FAILED", 1, 0, "vm", "NonZeroExitCode", "redun-a")
    assert jobs["13"] == Seen("TIMEOUT", 0, 15, "vm", "TimeLimit", "redun-c")
    assert jobs["3_1"].name == "x|y"
    assert len(jobs) == 7


def test_lines_of_the_accounts_are_read():
    """A state is its first word, and a node that was never given is none."""
    jobs = dict(read_accounts(ACCOUNTS))
    assert jobs["41"] == Seen("COMPLETED", 0, 0, "vm", "None", "redun-a")
    assert jobs["42_1"][:3] == ("CANCELLED", 0, 15)
    assert jobs["42_2"].node == ""


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("PENDING", RemoteStatus.WAITING),
        ("CONFIGURING", RemoteStatus.WAITING),
        ("REQUEUED", RemoteStatus.WAITING),
        ("RUNNING", RemoteStatus.RUNNING),
        ("SUSPENDED", RemoteStatus.RUNNING),
        ("COMPLETING", RemoteStatus.RUNNING),
        ("A_WORD_OF_SLURM_99", RemoteStatus.RUNNING),
        ("COMPLETED", RemoteStatus.SUCCEEDED),
        ("FAILED", RemoteStatus.FAILED),
        ("TIMEOUT", RemoteStatus.FAILED),
        ("NODE_FAIL", RemoteStatus.FAILED),
        ("PREEMPTED", RemoteStatus.FAILED),
        ("OUT_OF_MEMORY", RemoteStatus.FAILED),
        ("CANCELLED", RemoteStatus.FAILED),
    ],
)
def test_each_word_of_slurm_has_a_meaning(state, status):
    """A word that is not known has not ended: waiting longer is the smaller mistake."""
    assert judge("7", seen(state), None).status is status


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (seen("FAILED", 3, reason="NonZeroExitCode"), "FAILED, exit code 3, on node vm"),
        (seen("FAILED", 137), "FAILED, exit code 137 (SIGKILL), on node vm"),
        (seen("FAILED", 0, 9, reason="JobLaunchFailure"), "ended by SIGKILL, reason JobLaunchFailure, on node vm"),
        (seen("TIMEOUT", 0, 15, reason="TimeLimit"), "TIMEOUT (its time limit was over), ended by SIGTERM, on node vm"),
        (seen("OUT_OF_MEMORY", 0, 125), "OUT_OF_MEMORY (it used more memory than option memory allows)"),
        (seen("CANCELLED", node="", reason="Resources"), "CANCELLED (somebody cancelled it)"),
        (seen("NODE_FAIL", 0, 0, "n3", "NodeDown"), "NODE_FAIL (its node failed), reason NodeDown, on node n3"),
        (seen("FAILED", 0, 53, reason="RaisedSignal:53(Real-time_signal_19)"), "could not write the job's log"),
    ],
)  # fmt: skip
def test_a_failure_tells_its_reason(job, reason):
    """State, exit code or signal, Slurm's own reason and the node are told."""
    assert reason in judge("7", job, None).reason


def test_what_slurm_noted_in_the_log_is_told():
    """The daemon of a node says there what it did to the job."""
    notes = ["StepId=14.batch exceeded memory limit (416751616 > 104857600), being killed"]
    reason = judge("7", seen("FAILED", 0, 9), None, notes).reason
    assert reason.startswith("FAILED (it used more memory than option memory allows), ended by SIGKILL")
    assert reason.endswith(notes[0])


def test_a_job_that_is_cleaned_up_has_ended_when_its_script_says_so():
    """The success of a job need not wait for a slow epilog; why it failed is known only after that."""
    assert judge("7", seen("COMPLETING"), 0).status is RemoteStatus.SUCCEEDED
    assert judge("7", seen("COMPLETING"), 1).status is RemoteStatus.RUNNING


@pytest.mark.parametrize("reason", ["BadConstraints", "InvalidQOS", "PartitionTimeLimit", "QOSMaxCpuPerJobLimit"])
def test_a_job_that_can_never_begin_has_failed(reason):
    """Nobody waits for what will wait for ever."""
    state = judge("7", seen("PENDING", reason=reason), None)
    assert (state.status, state.reason) == (RemoteStatus.FAILED, f"it would wait for ever: {reason}")


@pytest.mark.parametrize("reason", ["Resources", "Priority", "ReqNodeNotAvail", "QOSMaxCpuPerUserLimit", "JobHeldUser"])
def test_a_job_that_may_begin_waits(reason):
    """A limit, a reservation and a person's hold pass."""
    assert judge("7", seen("PENDING", reason=reason), None).status is RemoteStatus.WAITING


def test_a_forgotten_job_is_what_its_script_said():
    """Without Slurm, the exit code decides; without that too, nobody knows."""
    assert judge("7", None, 0).status is RemoteStatus.SUCCEEDED
    assert judge("7", None, 2).reason == "exit code 2"
    assert judge("7", None, 2).status is RemoteStatus.FAILED
    assert judge("7", None, None).status is RemoteStatus.GONE
    assert "no job 7 any more, nor an exit code" in judge("7", None, None).reason


def test_tags_name_job_and_node():
    """Who looks for the job at the cluster finds it by its tags."""
    assert judge("7", seen("RUNNING"), None).tags == {"slurm_job": 7, "slurm_node": "vm"}
    assert judge("7_1", seen("RUNNING"), None).tags["slurm_job"] == "7_1"
