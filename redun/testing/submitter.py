"""What every Submitter promises, as a suite to subclass with a ``submitter`` fixture.

The jobs are small shell scripts, so anything that runs ``sh`` is cluster enough::

    class TestSlurmSubmitter(SubmitterSuite):
        @pytest.fixture
        def submitter(self, slurm):
            return SlurmSubmitter(slurm.options)

``LocalSubmitter`` (redun.testing.local_submitter) passes it, and is the cluster of the tests of ``RemoteExecutor``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from redun.executors.remote.submitter import RemoteState, RemoteStatus, Submission, Submitter

T = TypeVar("T")

ENDED = frozenset({RemoteStatus.SUCCEEDED, RemoteStatus.FAILED, RemoteStatus.GONE})


class SubmitterSuite:
    """Conformance of a submitter.  Class attributes and methods say what a cluster needs and cannot do."""

    seconds = 60.0
    """How long anything that is waited for may take."""
    poll_seconds = 0.1
    n_many = 5
    """How many jobs are submitted one by one."""
    array_size = 3
    has_logs = True
    """Whether logs can be had here."""
    tells_exit_codes = True
    """Whether the reason of a failure has the exit code in it."""
    absent_id = "no-such-job"
    """An id that the cluster does not know, of the shape that its ids have."""

    def options(self) -> Mapping[str, Any]:
        """Return the value of every option for a job: override it."""
        return {}

    def command(self, script: str) -> tuple[str, ...]:
        """Return the command line that runs a shell script over there."""
        return ("sh", "-c", script)

    def make_again(self, submitter: Submitter) -> Submitter | None:
        """Return a new submitter of the same cluster, as a new process would have; None when that makes no sense."""
        del submitter
        return None

    # -- tests

    def test_a_cluster_that_can_be_used_passes_the_check(self, submitter: Submitter) -> None:
        """And may be checked again."""
        for _ in range(2):
            submitter.check()
        assert submitter.poll([]) == {}

    def test_a_command_runs_and_its_end_is_told(self, submitter: Submitter) -> None:
        """One id, an end with success, and what it wrote."""
        ids = submitter.submit(self._one("echo first; echo second; echo third >&2"))
        assert len(ids) == 1
        assert self._wait(submitter, ids)[ids[0]].status is RemoteStatus.SUCCEEDED
        if self.has_logs:
            self._expect_log(submitter, ids[0], ["first", "second", "third"])

    def test_a_failure_is_told_with_its_exit_code(self, submitter: Submitter) -> None:
        """In words that the cluster finds."""
        ids = submitter.submit(self._one("echo oops >&2; exit 3"))
        state = self._wait(submitter, ids)[ids[0]]
        assert state.status is RemoteStatus.FAILED
        assert state.reason
        if self.tells_exit_codes:
            assert "3" in state.reason
        if self.has_logs:
            self._expect_log(submitter, ids[0], ["oops"])

    def test_of_a_long_log_the_last_lines_come(self, submitter: Submitter) -> None:
        """Oldest first, and no more than were asked for."""
        ids = submitter.submit(self._one("for i in 1 2 3 4 5 6 7 8 9; do echo line-$i; done"))
        self._wait(submitter, ids)
        if self.has_logs:
            self._expect_log(submitter, ids[0], ["line-8", "line-9"], max_lines=2)
        assert len(submitter.fetch_log(ids[0], 2)) <= 2

    def test_a_job_that_is_not_known_has_no_log(self, submitter: Submitter) -> None:
        """That is no error."""
        assert submitter.fetch_log(self.absent_id, 10) == []

    def test_a_command_sees_its_variables(self, submitter: Submitter) -> None:
        """Whatever is in them."""
        submission = self._one('test "$REDUN_TEST_WORD" = "two words"', environment={"REDUN_TEST_WORD": "two words"})
        ids = submitter.submit(submission)
        assert self._wait(submitter, ids)[ids[0]].status is RemoteStatus.SUCCEEDED

    def test_arguments_arrive_as_they_are(self, submitter: Submitter) -> None:
        """No shell on the way takes a quote, a dollar or a space for its own."""
        odd = "a b'c\"d $HOME `x` \\ *"
        command = (*self.command('test "$1" = "$(cat <<\'EOF\'\n' + odd + '\nEOF\n)"'), "sh", odd)
        ids = submitter.submit(Submission(_name(), command, self.options(), token=uuid.uuid4().hex))
        assert self._wait(submitter, ids)[ids[0]].status is RemoteStatus.SUCCEEDED

    def test_many_are_polled_together(self, submitter: Submitter) -> None:
        """Each is told of, and one that is not known is gone."""
        ids = [submitter.submit(self._one(f"exit {number % 2}"))[0] for number in range(self.n_many)]
        states = self._wait(submitter, [*ids, self.absent_id])
        assert [states[job_id].status for job_id in ids] == [
            RemoteStatus.FAILED if number % 2 else RemoteStatus.SUCCEEDED for number in range(self.n_many)
        ]
        assert states[self.absent_id].status is RemoteStatus.GONE

    def test_nothing_is_polled(self, submitter: Submitter) -> None:
        """No ids, no states."""
        assert submitter.poll([]) == {}

    def test_elements_of_an_array_know_their_numbers(self, submitter: Submitter) -> None:
        """From 0, and each is told of apart from the others."""
        if submitter.array_rank_variable is None:
            assert submitter.max_array_size == 1
            return
        ids = submitter.submit(self._array(f"exit ${submitter.array_rank_variable}"))
        assert len(set(ids)) == self.array_size
        states = self._wait(submitter, ids)
        assert [states[job_id].status for job_id in ids] == [
            RemoteStatus.FAILED if number else RemoteStatus.SUCCEEDED for number in range(self.array_size)
        ]
        if self.tells_exit_codes:
            assert "2" in states[ids[2]].reason

    def test_a_job_is_found_by_its_name_while_it_lives(self, submitter: Submitter) -> None:
        """Not when it has ended, and not by the prefix of another."""
        prefix = f"redun-test-{uuid.uuid4().hex[:8]}-"
        living, other, ended = (self._one(script, prefix) for script in ("sleep 60", "sleep 60", "exit 0"))
        other = Submission(_name("redun-other-"), other.command, other.options, token=other.token)
        ids = [submitter.submit(submission)[0] for submission in (living, other, ended)]
        try:
            self._wait(submitter, [ids[2]])
            found = self._wait_for(lambda: submitter.find_live(prefix), lambda found: found == {living.name: ids[0]})
            assert found == {living.name: ids[0]}
        finally:
            submitter.cancel(ids, "the test is over")

    def test_elements_of_an_array_are_found_by_name(self, submitter: Submitter) -> None:
        """With their numbers."""
        if submitter.array_rank_variable is None:
            assert submitter.max_array_size == 1
            return
        prefix = f"redun-test-{uuid.uuid4().hex[:8]}-"
        submission = self._array("sleep 60", prefix)
        ids = submitter.submit(submission)
        try:
            expected = {f"{submission.name}:{rank}": job_id for rank, job_id in enumerate(ids)}
            assert self._wait_for(lambda: submitter.find_live(prefix), lambda found: found == expected) == expected
        finally:
            submitter.cancel(ids, "the test is over")

    def test_a_cancelled_job_ends(self, submitter: Submitter) -> None:
        """With failure, or it is not known any more; others go on."""
        ids = [submitter.submit(self._one(script))[0] for script in ("sleep 60", "exit 0")]
        self._wait(submitter, ids[:1], {*ENDED, RemoteStatus.RUNNING})
        submitter.cancel(ids[:1], "the test wants it")
        states = self._wait(submitter, ids)
        assert states[ids[0]].status in {RemoteStatus.FAILED, RemoteStatus.GONE}
        assert states[ids[1]].status is RemoteStatus.SUCCEEDED

    def test_what_cannot_be_cancelled_is_passed_over(self, submitter: Submitter) -> None:
        """A job that has ended stays as it ended, and an id that is not known is no error."""
        ids = submitter.submit(self._one("exit 0"))
        self._wait(submitter, ids)
        submitter.cancel([*ids, self.absent_id], "nothing to do")
        submitter.cancel([], "nothing at all")
        assert submitter.poll(ids)[ids[0]].status in {RemoteStatus.SUCCEEDED, RemoteStatus.GONE}

    def test_another_submitter_goes_on(self, submitter: Submitter) -> None:
        """Nothing that matters is remembered: what one has submitted, a new one polls, finds and cancels."""
        another = self.make_again(submitter)
        if another is None:
            assert submitter.poll([]) == {}
            return
        prefix = f"redun-test-{uuid.uuid4().hex[:8]}-"
        long, short = self._one("sleep 60", prefix), self._one("exit 0", prefix)
        ids = [submitter.submit(submission)[0] for submission in (long, short)]
        states = self._wait(another, ids[1:])
        assert states[ids[1]].status is RemoteStatus.SUCCEEDED
        assert another.find_live(prefix) == {long.name: ids[0]}
        another.cancel(ids, "the test is over")
        assert self._wait(another, ids[:1])[ids[0]].status in {RemoteStatus.FAILED, RemoteStatus.GONE}

    def test_closing_is_idempotent(self, submitter: Submitter) -> None:
        """It may be closed twice."""
        for _ in range(2):
            submitter.close()
        assert submitter.max_array_size >= 1

    # -- steps

    def _one(
        self, script: str, prefix: str = "redun-test-", environment: Mapping[str, str] | None = None
    ) -> Submission:
        return Submission(
            _name(prefix),
            self.command(script),
            self.options(),
            task_name="redun.testing.suite",
            environment=environment or {},
            token=uuid.uuid4().hex,
        )

    def _array(self, script: str, prefix: str = "redun-test-") -> Submission:
        return Submission(
            f"{prefix}{uuid.uuid4().hex}",
            self.command(script),
            self.options(),
            size=self.array_size,
            is_array=True,
            task_name="redun.testing.suite",
            token=uuid.uuid4().hex,
        )

    def _wait(self, submitter: Submitter, ids: Sequence[str], statuses: Any = ENDED) -> Mapping[str, RemoteState]:
        """Poll until all have come so far."""

        def has_come(states: Mapping[str, RemoteState]) -> bool:
            return set(states) == set(ids) and all(state.status in statuses for state in states.values())

        return self._wait_for(lambda: submitter.poll(ids), has_come)

    def _wait_for(self, ask: Callable[[], T], is_so: Callable[[T], bool]) -> T:
        """Ask until the answer will do, and return it; a job may take a moment to be seen."""
        deadline = time.monotonic() + self.seconds
        while not is_so(found := ask()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {self.seconds:g} s: {found}")
            time.sleep(self.poll_seconds)
        return found

    def _expect_log(self, submitter: Submitter, job_id: str, lines: list[str], max_lines: int = 100) -> None:
        def is_so(found: list[str]) -> bool:
            return sorted(line.strip() for line in found) == sorted(lines)

        found = self._wait_for(lambda: submitter.fetch_log(job_id, max_lines), is_so)
        # The two streams may come one behind the other.
        assert [line.strip() for line in found if line.strip() != "third"] == [
            line for line in lines if line != "third"
        ]


def _name(prefix: str = "redun-test-") -> str:
    return f"{prefix}{uuid.uuid4().hex}{uuid.uuid4().hex}"
