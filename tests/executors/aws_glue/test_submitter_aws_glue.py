"""The submitter of AWS Glue against moto's server, whose runs are processes."""

from __future__ import annotations

import time
import zipfile
from io import BytesIO

import pytest

from redun.executors.aws import AwsRefused, AwsUnavailable
from redun.executors.aws_glue.files import MissingExtraFile, driver_script, redun_requirements, redun_zip
from redun.executors.aws_glue.settings import GLUE_OPTIONS
from redun.executors.aws_glue.submitter import AWSGlueSubmitter
from redun.executors.remote.submitter import RemoteStatus
from redun.testing.aws_server import Fault
from redun.testing.submitter import SubmitterSuite

WAIT_SECONDS = 30
ENDED = {RemoteStatus.SUCCEEDED, RemoteStatus.FAILED}


def wait(submitter, ids, statuses=ENDED):
    """Poll until all have a status."""
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        states = submitter.poll(ids)
        if all(state.status in statuses for state in states.values()):
            return states
        assert time.monotonic() < limit, states
        time.sleep(0.02)


def test_a_run_succeeds_and_its_log_is_read(submitter, submission):
    """A call is a run of Glue, told by a tag; standard output and standard error are its log."""
    (job_id,) = submitter.submit(submission("echo one; echo two >&2"))
    (state,) = wait(submitter, [job_id]).values()
    assert state.status is RemoteStatus.SUCCEEDED
    assert state.tags["aws_glue_job"].startswith("jr_")
    assert sorted(submitter.fetch_log(job_id, 10)) == ["one", "two"]


def test_a_failure_tells_its_reason(submitter, submission):
    """A script that fails is FAILED, with what Glue says of it."""
    (job_id,) = submitter.submit(submission("exit 3"))
    assert wait(submitter, [job_id])[job_id].reason == "failed: SystemExit: 3"


def test_equal_settings_find_the_job_again(aws, submitter, submission, options):
    """The job at Glue is made once; a changed setting makes another."""
    wait(submitter, submitter.submit(submission()))
    again = AWSGlueSubmitter(options)
    again.check()
    again.close()
    other = AWSGlueSubmitter({**options, "role": "other"})
    other.check()
    other.close()
    names = aws.client("glue").list_jobs()["JobNames"]
    assert sum(name.startswith(options["glue_job_prefix"]) for name in names) == 2


def test_a_run_says_all_options(aws, submitter, submission, options, tmp_path):
    """Machines, time limit, packages and files are said for each run; local files are sent under their hash."""
    module = tmp_path / "extra.py"
    module.write_text("NUMBER = 7\n")
    data = tmp_path / "data.txt"
    data.write_text("seven\n")
    wanted = submission(
        "cat data.txt; echo $PYTHONPATH",
        workers=3, worker_type="G.2X", timeout=5, additional_libs=["pandas==2.2.3"], enable_metrics=True,
        extra_py_files=[str(module)], extra_files=[str(data)], spark_history_dir="s3://history/",
    )  # fmt: skip
    (job_id,) = submitter.submit(wanted)
    assert wait(submitter, [job_id])[job_id].status is RemoteStatus.SUCCEEDED
    lines = submitter.fetch_log(job_id, 10)
    assert lines[0] == "seven"
    assert lines[1].endswith("/extra.py")
    client = aws.client("glue")
    (name,) = [name for name in client.list_jobs()["JobNames"] if name.startswith(options["glue_job_prefix"])]
    (run,) = client.get_job_runs(JobName=name)["JobRuns"]
    assert (run["NumberOfWorkers"], run["WorkerType"], run["Timeout"]) == (3, "G.2X", 5)
    arguments = run["Arguments"]
    assert arguments["--additional-python-modules"].endswith(",pandas==2.2.3")
    assert arguments["--enable-metrics"] == "true"
    assert arguments["--spark-event-logs-path"] == "s3://history/"
    assert arguments["--redun-task"] == "wf.work"


def test_a_missing_extra_file_is_named(submitter, submission):
    """A file that an option names and that is not there is refused, with the option."""
    with pytest.raises(MissingExtraFile, match=r"nowhere\.py.*extra_py_files"):
        submitter.submit(submission(extra_py_files=["nowhere.py"]))


def test_a_full_glue_is_offered_the_call_again(aws, submitter, submission, clock):
    """What Glue refuses because it is full waits, is offered again after job_retry_interval, and runs."""
    aws.faults.append(Fault("glue:startjobrun", "ConcurrentRunsExceededException", times=2))
    (job_id,) = submitter.submit(submission())
    assert submitter.poll([job_id])[job_id].status is RemoteStatus.WAITING
    assert aws.counts["glue:startjobrun"] == 1
    clock.now = 60.0
    assert submitter.poll([job_id])[job_id].status is RemoteStatus.WAITING
    clock.now = 119.0
    submitter.poll([job_id])
    assert aws.counts["glue:startjobrun"] == 2
    clock.now = 120.0
    assert wait(submitter, [job_id])[job_id].status is RemoteStatus.SUCCEEDED


def test_a_run_that_glue_never_takes_is_failed(aws, submitter, submission):
    """Another refusal fails the call, with Glue's words, and the next one is taken."""
    aws.faults.append(Fault("glue:startjobrun", "InvalidInputException", message="no such worker type"))
    ids = [*submitter.submit(submission()), *submitter.submit(submission())]
    states = wait(submitter, ids)
    assert "no such worker type" in states[ids[0]].reason
    assert states[ids[1]].status is RemoteStatus.SUCCEEDED


def test_many_runs_are_asked_for_in_one_listing(aws, submitter, submission):
    """How more than a few runs fare is read from one listing; a run that Glue does not know is GONE."""
    ids = [submitter.submit(submission())[0] for _ in range(5)]
    wait(submitter, ids)
    aws.counts.clear()
    states = submitter.poll([*ids, "jr_0123"])
    assert states["jr_0123"].status is RemoteStatus.GONE
    assert {states[job_id].status for job_id in ids} == {RemoteStatus.SUCCEEDED}
    assert aws.counts == {"glue:getjobruns": 1}
    assert submitter.poll(["jr_0123"])["jr_0123"].status is RemoteStatus.GONE


def test_live_runs_are_found_by_name(aws, submitter, submission):
    """Runs that wait or run are found by the prefix of their name, by any submitter; they are stopped by their id."""
    aws.runner.is_open.clear()
    submitter.submit(submission(name="live-a"))
    (job_id,) = submitter.submit(submission(name="live-b"))
    submitter.submit(submission(name="other"))
    submitter.cancel([job_id], "not this one")
    found = submitter.find_live("live-")
    assert list(found) == ["live-a"]
    assert found["live-a"].startswith("jr_")
    submitter.cancel(submitter.find_live("").values(), "over")
    assert submitter.poll([job_id])[job_id].reason.startswith("stopped")


def test_what_waits_is_cancelled_before_glue_has_it(aws, submitter, submission, clock):
    """A call that Glue was too full for is never offered once it is cancelled."""
    aws.faults.append(Fault("glue:startjobrun", "ConcurrentRunsExceededException"))
    (job_id,) = submitter.submit(submission())
    submitter.cancel([job_id], "over")
    clock.now = 61.0
    submitter.poll([])
    assert aws.counts["glue:startjobrun"] == 1


def test_a_lost_answer_does_not_make_a_second_run(aws, submitter, submission):
    """When Glue began the run and its answer was lost, the run is found by its name."""
    aws.runner.is_open.clear()
    submitter.check()
    aws.faults.append(Fault("glue:startjobrun", "InternalServiceException", 500, is_done=True))
    submitter.submit(submission(name="lost"))
    assert aws.counts["glue:startjobrun"] == 1
    assert list(submitter.find_live("lost")) == ["lost"]
    submitter.cancel(submitter.find_live("lost").values(), "over")


def test_throttling_may_be_repeated(aws, submitter, submission):
    """Throttling is an OSError; what was submitted stays one call when it is submitted again."""
    aws.faults.append(Fault("glue:startjobrun", "ThrottlingException"))
    wanted = submission()
    with pytest.raises(AwsUnavailable):
        submitter.submit(wanted)
    (job_id,) = submitter.submit(wanted)
    assert wait(submitter, [job_id])[job_id].status is RemoteStatus.SUCCEEDED
    assert aws.counts["glue:startjobrun"] == 2


def test_absent_credentials_are_named(aws, submitter, monkeypatch):
    """Without credentials nothing is submitted, and it is told where they are looked for."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsRefused, match="no credentials for AWS"):
        submitter.check()


def test_redun_travels_as_a_zip_file():
    """The package holds redun's modules, the same bytes each time; its requirements are left to pip."""
    content = redun_zip()
    assert content == redun_zip()
    names = zipfile.ZipFile(BytesIO(content)).namelist()
    assert "redun/cli/main.py" in names
    assert not [name for name in names if name.endswith(".pyc")]
    assert any(line.startswith("msgpack") for line in redun_requirements())
    assert not [line for line in redun_requirements() if line.startswith("pytest")]
    compile(driver_script(), "driver", "exec")


class TestAWSGlueSubmitter(SubmitterSuite):
    """What every submitter promises."""

    poll_seconds = 0.02
    absent_id = "jr_0123"

    def options(self):
        """Those of the section, as a task has them."""
        return self.values

    @pytest.fixture
    def submitter(self, submitter, options, clock):
        """One whose driver runs any command line."""
        self.values = GLUE_OPTIONS.read_task("glue", options, {})
        self.make_again = lambda _: AWSGlueSubmitter(options, clock=clock)
        return submitter
