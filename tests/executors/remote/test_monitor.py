"""What a remote executor does with the jobs of a cluster, from submission to their ends."""

from __future__ import annotations

import os
import time
from itertools import count

import pytest

from redun.errors import ExecutorError
from redun.executors.options import BadOption
from redun.executors.remote import monitor
from redun.executors.remote.jobs import RemoteJobFailed, RemoteTimeout, Stage
from redun.executors.remote.scratch import Scratch, ScratchError
from redun.executors.remote.submitter import SubmitterError
from redun.testing.shell_work import FAILURE, RESULT, ShellExecutor, ShellWork


def works(n, script=RESULT, **options):
    return [ShellWork(f"{script} # {number}", **options) for number in range(n)]


def wait_until(is_so, seconds=30.0):
    deadline = time.monotonic() + seconds
    for _ in count():
        if is_so():
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def impatient(monkeypatch):
    """Look for an outcome that is not there as often as ever, with short waits between."""
    monkeypatch.setattr(monitor, "LOOK_AGAIN_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(monitor, "LOOK_AGAIN_FAILED_SECONDS", (0.01,))


def test_a_result_comes_home(run):
    """What a worker left is taken, once it is known to have begun; the cluster's id is a tag."""
    work = ShellWork()
    run().do(work)
    assert (work.outcome, work.error, work.n_begun) == (b"result", None, 1)
    assert work.tags == {"local_job": "000000-" + work.tags["local_job"][-8:]}


def test_an_error_comes_home(run):
    """The outcome of a worker that ended with 1 is taken like any other, and what it wrote is added."""
    work = ShellWork(f"echo said before; {FAILURE}")
    run().do(work)
    assert (work.outcome, work.error) == (b"error", None)
    assert work.log == ["said before"]


def test_a_worker_that_left_nothing_fails_its_job_with_reason_and_log(run, impatient):
    """Other jobs end well."""
    lost, fine = ShellWork("echo one; echo two >&2; exit 9"), ShellWork()
    run().do(lost, fine)
    assert isinstance(lost.error, RemoteJobFailed)
    assert "exit code 9" in str(lost.error)
    assert lost.log == ["one", "two"]
    assert fine.outcome == b"result"


def test_a_success_without_an_outcome_is_a_failure(run, impatient):
    """It names the scratch."""
    work = ShellWork("true")
    run().do(work)
    assert "left no outcome" in str(work.error)


def test_an_outcome_that_is_seen_late_is_taken(run, tmp_path):
    """A listing of a network disk may lag behind the end of a job."""
    work = ShellWork("(sleep 0.2; printf late > $OUT/output) &")
    run().do(work)
    assert work.outcome == b"late"


def test_all_jobs_are_polled_together(run, cluster):
    """A poll asks of all that are out; so the number of requests does not follow that of jobs."""
    cluster.is_held = True
    one = run()
    one.submit(*works(30))
    wait_until(lambda: cluster.polled[-2:] == [30, 30])
    assert max(cluster.polled) == 30


def test_an_end_is_noticed_within_the_polling_interval_and_a_second(run, cluster):
    """From when the cluster knows of it to when the job is reported."""
    work = ShellWork()
    run(job_monitor_interval=0.3).do(work)
    ended = (cluster.root / work.tags["local_job"] / "exit").stat().st_mtime
    assert time.time() - ended < 1.3


class TestArrays:
    """Equal jobs are submitted together."""

    def test_equal_jobs_make_one_array(self, run, cluster):
        """Each element runs its own call, and comes home as any other."""
        several = works(7)
        run(min_array_size=2, job_stale_time=0.1).do(*several)
        (submission,) = cluster.submissions
        assert (submission.is_array, submission.size) == (True, 7)
        assert sorted(work.outcome for work in several) == [f"element {rank}".encode() for rank in range(7)]

    def test_jobs_with_other_options_make_another(self, run, cluster):
        """So do those of other tasks."""
        small, large, other = works(3), works(3, "true", memory=8), works(3, "false")
        for work in other:
            work.task_name = "tests.other"
        run(min_array_size=2, job_stale_time=0.1).do(*small, *large, *other)
        assert sorted((one.size, one.options["memory"]) for one in cluster.submissions) == [(3, 4), (3, 4), (3, 8)]

    def test_a_few_make_none(self, run, cluster):
        """Fewer than min_array_size are submitted one by one."""
        run(min_array_size=4, job_stale_time=0.05).do(*works(3))
        assert [one.is_array for one in cluster.submissions] == [False] * 3

    def test_no_array_is_too_large(self, run, cluster):
        """At max_array_size the next begins."""
        run(min_array_size=2, max_array_size=4, job_stale_time=0.05).do(*works(10))
        assert sorted(one.size for one in cluster.submissions) == [2, 4, 4]

    def test_an_executor_may_forbid_it(self, run, cluster):
        """By what the options of a job say."""
        run(min_array_size=2, job_stale_time=0.05).do(*works(3, alone=True))
        assert [one.is_array for one in cluster.submissions] == [False] * 3

    def test_a_call_that_cannot_be_packed_fails_alone(self, run, cluster):
        """The others make an array."""
        several = works(4)
        several[1].pack_error = ExecutorError("nobody can run it elsewhere")
        run(min_array_size=2, job_stale_time=0.05).do(*several)
        assert several[1].error is several[1].pack_error
        assert cluster.submissions[0].size == 3


class TestEarlierRuns:
    """What earlier runs left is not made again."""

    def leave(self, tmp_path, work, content=b"earlier"):
        Scratch(str(tmp_path / "scratch")).put_outcome(work.eval_hash, content, is_error=False)

    def test_a_result_in_the_scratch_is_taken(self, run, cluster, tmp_path):
        """Nothing is submitted."""
        work = ShellWork()
        self.leave(tmp_path, work)
        run().do(work)
        assert (work.outcome, cluster.submissions) == (b"earlier", [])

    def test_a_result_that_is_no_longer_valid_is_not(self, run, cluster, tmp_path):
        """The call is made, and what was left is not mistaken for what comes of it."""
        work = ShellWork("test ! -e $OUT/output && printf anew > $OUT/output")
        self.leave(tmp_path, work)
        work.is_served = False
        run().do(work)
        assert work.outcome == b"anew"

    def test_a_call_that_must_be_made_is_made(self, run, cluster, tmp_path):
        """Elsewhere in the scratch: others may take what they find under the call's own name."""
        work = ShellWork(is_reusable=False)
        self.leave(tmp_path, work)
        run().do(work)
        assert work.outcome == b"result"
        assert len(cluster.submissions[0].name) > len("redun-job-") + 64

    def test_an_error_in_the_scratch_is_not_taken(self, run, tmp_path):
        """Nor is it taken for that of a new attempt which leaves nothing."""
        work = ShellWork("exit 5")
        Scratch(str(tmp_path / "scratch")).put_outcome(work.eval_hash, b"old", is_error=True)
        run().do(work)
        assert work.outcome is None
        assert "exit code 5" in str(work.error)

    def test_a_job_that_still_runs_is_joined(self, run, cluster):
        """It is not submitted again, and its end is this run's."""
        cluster.is_held = True
        first = run()
        first.submit(ShellWork())
        wait_until(lambda: cluster.submissions)
        first.executor.stop()  # as if it had been killed: nothing is cancelled
        work = ShellWork()
        second = run()
        second.submit(work)
        wait_until(lambda: cluster.n_calls("find_live") == 2)
        cluster.is_held = False
        assert second.wait() == [work]
        assert (work.outcome, len(cluster.submissions)) == (b"result", 1)

    def test_elements_of_an_array_that_still_runs_are_joined(self, run, cluster):
        """Each by its own call; the one that is new is submitted."""
        cluster.is_held = True
        first = run(min_array_size=2, job_stale_time=0.05)
        first.submit(*works(3))
        wait_until(lambda: cluster.submissions)
        first.executor.stop()
        again = [*works(3), ShellWork(name="new")]
        second = run(min_array_size=2, job_stale_time=0.05)
        second.submit(*again)
        wait_until(lambda: len(cluster.submissions) == 2)
        cluster.is_held = False
        second.wait(4)
        assert sorted(work.outcome for work in again) == [b"element 0", b"element 1", b"element 2", b"result"]

    def test_a_joined_job_that_comes_to_nothing_is_made_anew(self, run, cluster):
        """Its end says little about the call: its scratch may have been cleaned by the run that it was of."""
        cluster.is_held = True
        first = run()
        first.submit(ShellWork())
        wait_until(lambda: cluster.submissions)
        first.executor.stop()
        work = ShellWork()
        second = run()
        second.submit(work)
        wait_until(lambda: cluster.n_calls("find_live") == 2)
        cluster.cancel(list(cluster.find_live("redun-job-").values()), "by somebody")
        cluster.is_held = False
        assert second.wait() == [work]
        assert (work.outcome, len(cluster.submissions)) == (b"result", 2)

    def test_it_is_looked_once(self, run, cluster, monkeypatch):
        """However many jobs there are: one listing, one question to the cluster."""
        listings = []
        plain = Scratch.list_jobs
        monkeypatch.setattr(Scratch, "list_jobs", lambda self: listings.append(1) or plain(self))
        one = run()
        one.do(*works(5))
        one.do(*works(5, "printf more > $OUT/output"))
        assert (len(listings), cluster.n_calls("find_live")) == (1, 1)

    def test_a_failed_job_is_tried_again_under_its_name(self, run):
        """What the first attempt left is not taken for the second's."""
        work = ShellWork("test -e ../once || { touch ../once; printf error > $OUT/error; exit 1; }; " + RESULT)
        one = run()
        one.do(work)
        assert work.outcome == b"error"
        one.do(work)
        assert work.outcome == b"result"


class TestFaults:
    """Whatever goes wrong, jobs end, and say why."""

    def test_throttling_passes(self, run, cluster):
        """A request that may be repeated is."""
        cluster.n_throttled = 3
        work = ShellWork()
        run().do(work)
        assert work.outcome == b"result"

    def test_a_cluster_that_does_not_answer_is_given_up(self, run, cluster):
        """With what it said last."""
        cluster.n_throttled = 1000
        work = ShellWork()
        run().do(work)
        assert "the cluster is busy" in str(work.error)

    def test_a_lost_reply_makes_no_second_job(self, run, cluster):
        """The submission is repeated with its token."""
        cluster.loses_reply = True
        one = run()
        work = ShellWork()
        one.do(work)
        assert work.outcome == b"result"
        assert len(list(cluster.root.glob("0*"))) == 1

    def test_nothing_is_submitted_where_nothing_can_be(self, run, cluster):
        """The check's own error is that of each job, those that come later too."""
        cluster.refusal = SubmitterError("no credentials", hint="log in")
        first, second = ShellWork(), ShellWork(name="later")
        one = run()
        one.do(first)
        one.do(second)
        assert first.error is second.error is cluster.refusal
        assert not cluster.submissions

    def test_credentials_that_expire_fail_what_is_out(self, run, cluster):
        """And the run does not hang."""
        cluster.is_held = True
        several = works(3)
        one = run()
        one.submit(*several)
        wait_until(lambda: len(cluster.submissions) == 3)
        cluster.refusal = SubmitterError("the token has expired", hint="log in")
        one.wait(3)
        assert all("the token has expired" in str(work.error) for work in several)
        assert all(work.error.hint == "log in" for work in several)

    def test_what_a_client_raises_without_reason_fails_what_is_out(self, run, cluster, monkeypatch):
        """An error that no contract knows is no reason to hang."""
        monkeypatch.setattr(cluster, "poll", lambda ids: {}[ids[0]])
        work = ShellWork()
        run().do(work)
        assert isinstance(work.error.__cause__, KeyError)

    def test_a_job_that_the_cluster_forgot_fails(self, run, cluster, impatient):
        """Once it has said so twice."""
        work = ShellWork("sleep 60")
        one = run()
        one.submit(work)
        wait_until(lambda: work.n_begun)
        cluster.forgotten.add(work.tags["local_job"])
        one.wait()
        assert "there is no such job" in str(work.error)

    def test_a_job_that_was_forgotten_after_its_end_is_taken(self, run, cluster, tmp_path):
        """Its outcome is in the scratch."""
        cluster.is_held = True
        work = ShellWork()
        one = run()
        one.submit(work)
        wait_until(lambda: work.tags)
        Scratch(str(tmp_path / "scratch")).put_outcome(work.eval_hash, b"was there", is_error=False)
        cluster.forgotten.add(work.tags["local_job"])
        one.wait()
        assert work.outcome == b"was there"

    def test_a_worker_that_was_killed_fails_its_job(self, run, cluster, impatient):
        """By the signal."""
        work = ShellWork("sleep 60")
        one = run()
        one.submit(work)
        wait_until(lambda: work.n_begun)
        cluster.kill(work.tags["local_job"])
        one.wait()
        assert "SIGKILL" in str(work.error)

    def test_a_scratch_that_cannot_be_written_fails_before_submission(self, run, cluster, tmp_path):
        """It is named."""
        (tmp_path / "scratch").write_text("a file")
        work = ShellWork()
        run().do(work)
        assert isinstance(work.error, ScratchError)
        assert str(tmp_path / "scratch") in str(work.error)
        assert not cluster.submissions

    def test_a_scratch_that_goes_away_fails_what_is_out(self, run, cluster, tmp_path, impatient):
        """A job whose outcome cannot be read has none."""
        work = ShellWork("mv ../scratch ../away; true")
        run().do(work)
        assert isinstance(work.error, ExecutorError)

    def test_an_option_of_another_type_fails_its_job(self, run, cluster):
        """By its name, before anything is submitted."""
        work = ShellWork(memory="much")
        run().do(work)
        assert isinstance(work.error, BadOption)
        assert not cluster.submissions

    @pytest.mark.parametrize("prefix", ["", "a b", "-x", "x" * 41])
    def test_a_prefix_that_no_cluster_would_take_is_refused(self, run, prefix):
        """Names of jobs have letters, digits, - and _."""
        work = ShellWork(job_name_prefix=prefix)
        run().do(work)
        assert isinstance(work.error, BadOption)


class TestEnds:
    """Runs that stop, and jobs whose time is up."""

    def test_what_was_not_submitted_is_dropped(self, run, cluster):
        """Unreported."""
        one = run(min_array_size=2, job_stale_time=60)
        one.submit(*works(3))
        assert one.executor.cancel_waiting() == 3
        assert (one.executor.cancel_waiting(), cluster.submissions, one.reports.qsize()) == (0, [], 0)

    def test_what_runs_is_ended_with_the_run(self, run, cluster):
        """All with one request."""
        several = works(3, "sleep 60")
        one = run()
        one.submit(*several)
        wait_until(lambda: all(work.n_begun for work in several))
        one.executor.cancel_running()
        one.executor.stop()
        assert cluster.n_calls("cancel") == 1
        assert cluster.find_live("redun-job-") == {}

    def test_what_others_run_is_not_ended(self, run, cluster):
        """A job that was joined belongs to whoever submitted it."""
        cluster.is_held = True
        first, second = run(), run()
        first.submit(ShellWork())
        wait_until(lambda: cluster.submissions)
        second.submit(ShellWork())
        wait_until(lambda: cluster.n_calls("find_live") == 2)
        wait_until(lambda: second.executor._monitor._active)
        second.executor.cancel_running()
        assert len(cluster.find_live("redun-job-")) == 1

    def test_an_executor_begins_again(self, execution, make_remote):
        """After it was stopped."""
        executor = make_remote(ShellExecutor)
        for number in range(2):
            work = ShellWork(name=f"run {number}")
            execution(executor).do(work)
            executor.stop()
            executor.stop()
            assert work.outcome == b"result"

    def test_a_job_that_takes_too_long_is_ended(self, run, cluster):
        """The error names the limit."""
        work = ShellWork("sleep 60", timeout=0.1)
        run().do(work)
        assert isinstance(work.error, RemoteTimeout)
        assert work.error.limit_seconds == 0.1
        wait_until(lambda: cluster.find_live("redun-job-") == {})

    def test_a_job_that_is_abandoned_is_ended(self, run, cluster):
        """And reported, as the contract says."""
        work = ShellWork("sleep 60")
        one = run()
        one.submit(work)
        wait_until(lambda: work.n_begun)
        one.executor.abandon(work)
        assert one.wait() == [work]
        wait_until(lambda: cluster.find_live("redun-job-") == {})

    def test_a_job_that_is_abandoned_while_its_outcome_is_looked_for_ends_once(self, run, cluster, monkeypatch):
        """What the look finds, or does not, changes nothing any more."""
        monkeypatch.setattr(monitor, "POLLS_GONE", 99)
        monkeypatch.setattr(monitor, "LOOK_AGAIN_FAILED_SECONDS", (0.2,))
        cluster.is_held = True
        work = ShellWork()
        one = run()
        one.submit(work)
        wait_until(lambda: work.tags)
        inside = one.executor._monitor
        (job,) = inside._jobs.values()
        cluster.forgotten.add(job.job_id)
        wait_until(lambda: job.stage is Stage.ENDED)
        one.executor.abandon(work)
        assert one.wait() == [work]
        wait_until(lambda: not inside._turns._later)
        assert (job.stage, inside._active, one.reports.qsize()) == (Stage.DONE, {}, 0)

    def test_what_succeeded_can_be_removed(self, run, tmp_path):
        """By an option; what failed stays, to be looked at."""
        one = run(clean_scratch=True, min_array_size=2, job_stale_time=0.05)
        one.do(*works(3), ShellWork(FAILURE, alone=True))
        one.executor.stop()
        left = [path.name for path in (tmp_path / "scratch").rglob("*") if path.is_file()]
        assert sorted(left) == ["error", "input"]

    def test_what_is_old_can_be_removed(self, run, tmp_path):
        """By an option, when the next run begins."""
        run().do(ShellWork(name="old"))
        for path in (tmp_path / "scratch").rglob("*put"):
            os.utime(path, (time.time() - 6 * 86400,) * 2)
        work = ShellWork(name="new")
        run(scratch_keep_days=5).do(work)
        assert work.outcome == b"result"
        assert len(list((tmp_path / "scratch" / "jobs").rglob("output"))) == 1
