"""The submitter against an acted Slurm: what it asks, how it reads the answers, and what it does without any."""

from __future__ import annotations

import os
import time

import pytest

from redun.executors.remote.submitter import RemoteStatus, Submission, SubmitterError
from redun.executors.slurm.commands import SlurmRefused, SlurmUnreachable
from redun.executors.slurm.submitter import SlurmSubmitter

ACCOUNTING = "AccountingStorageType = accounting_storage/slurmdbd\nClusterName = lab\nMaxArraySize = 1001\n"


def leave_code(tmp_path, job_id, code):
    folder = tmp_path / "logs" / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{job_id}.exit").write_text(f"{code}\n")


def make_submission(options, name="redun-abc", **more):
    return Submission(name, ("redun", "oneshot"), options, **more)


def test_a_check_learns_how_large_arrays_may_be(slurm, submitter, tmp_path):
    """The cluster's own limit counts, and the folder of logs is made."""
    slurm.answers["scontrol show config"] = "ClusterName = lab\nMaxArraySize = 64\n"
    submitter.check()
    assert submitter.max_array_size == 64
    assert (tmp_path / "logs" / "lab").is_dir()


def test_a_check_names_the_partition_that_is_not_there(slurm, options, tmp_path):
    """A misspelt partition is noticed before anything is submitted."""
    slurm.answers["scontrol --oneliner show partition"] = ["PartitionName=long", SlurmRefused("", "not found")]
    submitter = SlurmSubmitter("lab", {**options, "partition": "long,lnog"}, tmp_path, run=slurm)
    with pytest.raises(SubmitterError, match="no partition 'lnog'") as caught:
        submitter.check()
    assert "sinfo" in caught.value.hint


def test_a_check_names_the_folder_that_cannot_be_made(slurm, options, tmp_path):
    """Slurm drops jobs silently whose log it cannot write, so that is checked first."""
    (tmp_path / "file").write_text("")
    submitter = SlurmSubmitter("lab", options, tmp_path / "file", run=slurm)
    with pytest.raises(SubmitterError, match="file/lab cannot be written: Not a directory") as caught:
        submitter.check()
    assert "log_dir" in caught.value.hint


def test_old_logs_go_with_the_rest_of_the_scratch(slurm, options, tmp_path):
    """Where a number of days is agreed on, the logs and exit codes of older jobs are removed, and nothing else is."""
    for job_id in ("7", "42_1"):
        leave_code(tmp_path, job_id, 0)
    folder = tmp_path / "logs" / "lab"
    for name in ("7.log", "notes.log"):
        (folder / name).write_text("")
    old = time.time() + 2 * 86_400
    SlurmSubmitter("lab", {**options, "scratch_keep_days": 3}, tmp_path / "logs", run=slurm, now=lambda: old).check()
    assert len(list(folder.iterdir())) == 4
    SlurmSubmitter("lab", {**options, "scratch_keep_days": 1}, tmp_path / "logs", run=slurm, now=lambda: old).check()
    assert [path.name for path in folder.iterdir()] == ["notes.log"]


def test_a_single_job_is_submitted_by_its_script(slurm, submitter, options, tmp_path):
    """Name, log and options are words of sbatch; the command is in the script."""
    options = {**options, "partition": "long", "setup": "module load python"}
    submission = make_submission(options, environment={"A": "x y"}, task_name="lab.align", token="t1")
    assert submitter.submit(submission) == ["41"]
    (words, script) = slurm.calls[-1]
    log = f"--output={tmp_path}/logs/lab/%j.log"
    assert words == ("sbatch", "--parsable", "--job-name=redun-abc", "--comment=t1", log, "--partition=long")
    assert "\nmodule load python\n" in script
    assert "\nredun oneshot\n" in script
    assert "\nexport A='x y'\n" in script
    assert "lab.align" in script


def test_an_array_is_submitted_in_one_call(slurm, submitter, options):
    """Elements are numbered from 0, and their ids hold the number; a cluster's name behind the id is left out."""
    slurm.answers["sbatch"] = "42;lab\n"
    assert submitter.submit(make_submission(options, size=3, is_array=True)) == ["42_0", "42_1", "42_2"]
    assert [words for words in slurm.asked("sbatch") if "--array=0-2" in words]
    assert submitter.submit(make_submission(options, size=1, is_array=True)) == ["42_0"]


def test_a_refusal_names_what_was_asked_for(slurm, submitter, options):
    """Slurm does not say which account it has refused."""
    slurm.answers["sbatch"] = SlurmRefused("sbatch: Invalid account", "Invalid account", hint="sacctmgr")
    with pytest.raises(SubmitterError, match=r"'lab'.*Invalid account.*partition 'long', account 'bio'") as caught:
        submitter.submit(make_submission({**options, "account": "bio", "partition": "long"}))
    assert caught.value.hint == "sacctmgr"


def test_a_lost_reply_does_not_submit_twice(slurm, submitter, options):
    """After a timeout, the job is looked for by its token before it is submitted again."""
    slurm.answers["sbatch"] = [SlurmUnreachable("timed out", may_have_happened=True)]
    with pytest.raises(SlurmUnreachable):
        submitter.submit(make_submission(options, size=2, is_array=True, token="t1"))
    slurm.answers["squeue"] = "5_[0-1]|t0\n7_[1]|t1\n7_0|t1\n8|(null)\n"
    assert submitter.submit(make_submission(options, size=2, is_array=True, token="t1")) == ["7_0", "7_1"]
    assert len(slurm.asked("sbatch")) == 1
    assert "--comment=t1" in slurm.asked("sbatch")[0]
    assert "--states=all" in slurm.asked("squeue")[0]


def test_a_lost_request_is_made_again(slurm, submitter, options):
    """When no job has the token, it is submitted; what was not in doubt is not looked for."""
    slurm.answers["sbatch"] = [SlurmUnreachable("timed out", may_have_happened=True), "9\n", "10\n"]
    with pytest.raises(SlurmUnreachable):
        submitter.submit(make_submission(options, token="t1"))
    assert submitter.submit(make_submission(options, token="t1")) == ["9"]
    assert submitter.submit(make_submission(options, token="t2")) == ["10"]
    assert len(slurm.asked("squeue")) == 1


def test_a_doubt_stays_while_the_queue_cannot_be_asked(slurm, submitter, options):
    """As long as squeue does not answer either, nothing is submitted."""
    slurm.answers["sbatch"] = [SlurmUnreachable("timed out", may_have_happened=True), "9\n"]
    slurm.answers["squeue"] = [SlurmUnreachable("timed out"), "8|t1\n"]
    for _ in range(2):
        with pytest.raises(SlurmUnreachable):
            submitter.submit(make_submission(options, token="t1"))
    assert submitter.submit(make_submission(options, token="t1")) == ["8"]


def test_an_array_is_polled_by_its_own_id(slurm, submitter):
    """One request asks for all: elements are not named one by one."""
    slurm.answers["squeue"] = "42_0|COMPLETED|0|vm|None|a\n42_1|RUNNING|0|vm|None|a\n7|PENDING|0||Priority|b\n"
    states = submitter.poll(["42_0", "42_1", "7"])
    assert [state.status.name for state in states.values()] == ["SUCCEEDED", "RUNNING", "WAITING"]
    (words,) = slurm.asked("squeue")
    assert "--jobs=42,7" in words
    assert "--states=all" in words


def test_thousands_of_ids_are_polled_in_a_few_requests(slurm, submitter):
    """Command lines have a bound."""
    submitter.poll([str(number) for number in range(2500)])
    assert len(slurm.asked("squeue")) == 3


def test_elements_cancelled_while_they_waited_share_a_line(slurm, submitter):
    """The rest of an array that was cancelled is shown under the array's own id, and not as elements."""
    slurm.answers["squeue"] = "3_0|CANCELLED|15|vm|None|a\n3|CANCELLED|0||Resources|a\n"
    states = submitter.poll(["3_0", "3_1", "3_2"])
    assert {state.status for state in states.values()} == {RemoteStatus.FAILED}
    assert states["3_2"].reason == "CANCELLED (somebody cancelled it)"


def test_an_element_that_had_ended_is_not_cancelled_with_the_rest(slurm, submitter, tmp_path):
    """What the script of an element said at its end counts before the line of its array."""
    slurm.answers["squeue"] = "3|CANCELLED|0||Resources|a\n"
    leave_code(tmp_path, "3_1", 0)
    assert submitter.poll(["3_1"])["3_1"].status is RemoteStatus.SUCCEEDED


def test_a_forgotten_job_is_what_its_script_said(slurm, submitter, tmp_path):
    """The queue forgets jobs; the file of their exit code stays."""
    slurm.answers["squeue"] = SlurmRefused("", "slurm_load_jobs error: Invalid job id specified")
    leave_code(tmp_path, "7", 0)
    leave_code(tmp_path, "42_1", 9)
    states = submitter.poll(["7", "42_1", "8"])
    assert [state.status.name for state in states.values()] == ["SUCCEEDED", "FAILED", "GONE"]
    assert states["42_1"].reason == "exit code 9"
    assert slurm.asked("sacct") == []


def test_the_accounts_know_what_nobody_else_does(slurm, submitter, tmp_path):
    """Where there are accounts, they are asked for what is in no queue and left no exit code, and only for that."""
    slurm.answers["scontrol show config"] = ACCOUNTING
    slurm.answers["sacct"] = "8|NODE_FAIL|0:0|n3|None|a\n9|COMPLETED|0:0|n3|None|a\n"
    leave_code(tmp_path, "7", 0)
    states = submitter.poll(["7", "8", "9", "10"])
    assert [state.status.name for state in states.values()] == ["SUCCEEDED", "FAILED", "SUCCEEDED", "GONE"]
    assert "NODE_FAIL" in states["8"].reason
    (words,) = slurm.asked("sacct")
    assert "--jobs=10,8,9" in words


def test_the_accounts_have_one_row_for_elements_that_never_began(slurm, submitter):
    """As sacct of Slurm 22.05 prints an array that was cancelled; other elements have rows of their own."""
    slurm.answers["scontrol show config"] = ACCOUNTING
    slurm.answers["sacct"] = "7_0|COMPLETED|0:0|vm|None|a\n7|CANCELLED by 0|0:0|None assigned|None|a\n"
    states = submitter.poll(["7_0", "7_20"])
    assert [state.status.name for state in states.values()] == ["SUCCEEDED", "FAILED"]
    assert states["7_20"].reason == "CANCELLED (somebody cancelled it)"


@pytest.mark.parametrize("error", [SlurmRefused("sacct: no", "no"), SlurmUnreachable("sacct: timed out")])
def test_accounts_that_do_not_answer_harm_nobody(slurm, submitter, error):
    """A job that nobody knows is gone, and the others are told of."""
    slurm.answers["scontrol show config"] = ACCOUNTING
    slurm.answers |= {"squeue": "7|RUNNING|0|vm|None|a\n", "sacct": error}
    states = submitter.poll(["7", "8"])
    assert [state.status.name for state in states.values()] == ["RUNNING", "GONE"]


def test_a_code_of_an_earlier_start_is_not_read_while_a_job_waits_again(slurm, submitter, tmp_path):
    """A job that Slurm has put back into its queue waits, whatever it left."""
    slurm.answers["squeue"] = "7|PENDING|0||BeginTime|a\n"
    leave_code(tmp_path, "7", 0)
    assert submitter.poll(["7"])["7"].status is RemoteStatus.WAITING


def test_what_slurm_wrote_into_the_log_is_a_reason(slurm, submitter, tmp_path):
    """Where Slurm watches memory by itself, the log alone tells of it; lines of the job's own are not told."""
    slurm.answers["squeue"] = "14|FAILED|9|vm|JobLaunchFailure|a\n"
    leave_code(tmp_path, "x", 0)
    (tmp_path / "logs" / "lab" / "14.log").write_text(
        "my own: error: line\n"
        "slurmstepd-vm: error: StepId=14.batch exceeded memory limit (416751616 > 104857600), being killed\n"
        "slurmstepd-vm: error: Exceeded job memory limit\n"
        "slurmstepd-vm: error: *** JOB 14 ON vm CANCELLED AT 2026-11-23T08:19:42 ***\n"
    )
    reason = submitter.poll(["14"])["14"].reason
    assert reason.endswith("StepId=14.batch exceeded memory limit (416751616 > 104857600), being killed, "
                           "Exceeded job memory limit")  # fmt: skip
    assert "ended by SIGKILL" in reason
    assert "my own" not in reason


def test_a_job_that_would_wait_for_ever_is_taken_out_of_the_queue(slurm, submitter):
    """What is reported as failed does not begin later."""
    slurm.answers["squeue"] = "7|PENDING|0||BadConstraints|a\n8|PENDING|0||Priority|a\n"
    states = submitter.poll(["7", "8"])
    assert [state.status.name for state in states.values()] == ["FAILED", "WAITING"]
    assert slurm.asked("scancel") == [("--quiet", "7")]


def test_a_poll_without_an_answer_is_an_error(slurm, submitter):
    """A controller that is away for a while does not make jobs disappear."""
    slurm.answers["squeue"] = SlurmUnreachable("squeue: Unable to contact slurm controller")
    with pytest.raises(OSError, match="Unable to contact"):
        submitter.poll(["7"])


def test_jobs_are_cancelled_in_bulk(slurm, submitter):
    """One call ends a thousand jobs."""
    submitter.cancel([f"42_{rank}" for rank in range(1500)], "the run was stopped")
    assert [len(words) for words in slurm.asked("scancel")] == [1001, 501]


def test_live_jobs_are_found_by_the_beginning_of_their_names(slurm, submitter):
    """Only jobs of this user count, and none that is ending."""
    slurm.answers["squeue"] = (
        "7|RUNNING|0|vm|None|redun-abc\n42_0|RUNNING|0|vm|None|redun-array\n42_1|PENDING|0||Priority|redun-array\n"
        "8|RUNNING|0|vm|None|other\n9|COMPLETING|0|vm|None|redun-old\n"
    )
    assert submitter.find_live("redun-") == {"redun-abc": "7", "redun-array:0": "42_0", "redun-array:1": "42_1"}
    assert f"--user={os.getuid()}" in slurm.asked("squeue")[0]


def test_tags_tell_where_the_log_is(slurm, submitter, tmp_path):
    """A job that has begun has a log, one that waits has none yet."""
    slurm.answers["squeue"] = "7|RUNNING|0|vm|None|a\n8|PENDING|0||Priority|a\n"
    states = submitter.poll(["7", "8"])
    assert states["7"].tags == {"slurm_job": 7, "slurm_node": "vm", "slurm_log": f"{tmp_path}/logs/lab/7.log"}
    assert states["8"].tags == {"slurm_job": 8}


def test_logs_are_read_from_the_folder(submitter, tmp_path):
    """A log needs no request beyond that for the cluster's name."""
    leave_code(tmp_path, "7", 0)
    (tmp_path / "logs" / "lab" / "7.log").write_text("one\ntwo\n")
    assert submitter.fetch_log("7", 1) == ["two"]
    assert submitter.fetch_log("8", 1) == []
