"""The pool of worker processes, with work that needs no scheduler."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from queue import SimpleQueue

import pytest

from redun.executors.pool.dispatch import Pool
from redun.executors.pool.errors import RunnerFailed, WorkEnded, WorkerDied, WorkersNotStarted
from redun.executors.pool.frames import WorkerSetup
from redun.executors.pool.staff import PoolSettings
from redun.testing.executor import WAIT_SECONDS, is_alive, wait_until
from redun.testing.executor_tasks import wait_for
from redun.testing.portable_work import RUNNER, CommandWork


class Crew:
    """A pool, and what it reports."""

    def __init__(self, max_workers=2, start_method="forkserver", runner=RUNNER, name="tested"):
        self.reports = SimpleQueue()
        self.is_stopped = False
        setup = WorkerSetup(runner, None, None, list(sys.path), list(sys.argv))
        settings = PoolSettings(name, max_workers, start_method, setup, None)
        self.pool = Pool(settings, self.reports.put)

    def submit(self, *command):
        work = CommandWork(*command)
        self.pool.submit(work)
        return work

    def wait(self, works):
        """Wait until all of these, and nothing else, have been reported."""
        waiting = {id(work) for work in works}
        while waiting:
            waiting.remove(id(self.reports.get(timeout=WAIT_SECONDS)))

    def stop(self):
        """Stop, once."""
        if not self.is_stopped:
            self.is_stopped = True
            self.pool.stop()

    def warm_up(self, n=300):
        """Let the workers see that work is short, so that they are given much in advance."""
        self.wait([self.submit("echo", "warm") for _ in range(n)])


@pytest.fixture
def make_crew():
    """Make pools that end with the test."""
    made = []

    def make(**settings):
        made.append(Crew(**settings))
        return made[-1]

    yield make
    for crew in made:
        if not crew.is_stopped:
            crew.pool.cancel_waiting()
            crew.pool.cancel_running()
        crew.stop()


@pytest.mark.parametrize("method", ["forkserver", "fork", "spawn"])
def test_work_runs_in_other_processes(make_crew, method):
    """As many as asked for, and none of them this one."""
    crew = make_crew(start_method=method)
    works = [crew.submit("process") for _ in range(100)]
    crew.wait(works)
    found = {work.outcome for work in works}
    assert os.getpid() not in found
    assert len(found) <= 2
    assert all(work.begun.is_set() and work.n_reports == 1 for work in works)


def test_work_that_waits_behind_a_long_one_goes_to_an_idle_worker(make_crew, tmp_path):
    """What was given in advance is asked back."""
    crew = make_crew()
    crew.warm_up()
    hold = crew.submit("hold", str(tmp_path / "held"), str(tmp_path / "go"))
    short = [crew.submit("echo", str(number)) for number in range(100)]
    crew.wait(short)
    assert hold.n_reports == 0
    (tmp_path / "go").touch()
    crew.wait([hold])
    assert [work.outcome for work in short] == [str(number) for number in range(100)]


def test_work_behind_a_long_one_keeps_its_place(make_crew, tmp_path):
    """It goes back to where it stood in line, though no worker stands idle."""
    crew = make_crew()
    crew.warm_up()
    holds = [crew.submit("hold", str(tmp_path / f"held-{number}"), str(tmp_path / f"go-{number}")) for number in "ab"]
    early = [crew.submit("echo", str(number)) for number in range(20)]
    for number in "ab":
        wait_for(tmp_path / f"held-{number}")
    assert wait_until(lambda: len(crew.pool._waiting) == len(early), WAIT_SECONDS)
    late = crew.submit("hold", str(tmp_path / "held-c"), str(tmp_path / "go-c"))
    (tmp_path / "go-a").touch()
    crew.wait([holds[0], *early])
    assert not holds[1].n_reports
    assert not late.n_reports
    for number in "bc":
        (tmp_path / f"go-{number}").touch()
    crew.wait([holds[1], late])


@pytest.mark.parametrize("name", ["SIGKILL", "SIGABRT", "SIGTERM"])
def test_a_worker_that_dies_fails_what_it_ran_and_no_more(make_crew, name):
    """What it held besides is run by others, once."""
    crew = make_crew()
    crew.warm_up()
    before = [crew.submit("echo", str(number)) for number in range(50)]
    killed = crew.submit("kill", name)
    after = [crew.submit("echo", str(number)) for number in range(50)]
    crew.wait([*before, killed, *after])
    assert isinstance(killed.error, WorkerDied)
    assert name in str(killed.error)
    assert killed.error.exit_code == -signal.Signals[name]
    assert all(work.n_reports == 1 and work.error is None for work in [*before, *after])
    assert crew.reports.empty()


def test_work_behind_many_deaths_is_run(make_crew):
    """However often its worker died of other work before it had begun."""
    crew = make_crew(max_workers=1)
    crew.warm_up(100)
    killed = [crew.submit("kill", "SIGKILL") for _ in range(6)]
    after = crew.submit("echo", "after")
    crew.wait([*killed, after])
    assert all(isinstance(work.error, WorkerDied) for work in killed)
    assert after.outcome == "after"


def test_a_crash_tells_where_it_was(make_crew):
    """By the frames that Python's fault handler writes, in the log of the work that crashed."""
    crew = make_crew(max_workers=1)
    crew.warm_up(100)
    killed = crew.submit("kill", "SIGABRT")
    crew.wait([killed, *[crew.submit("echo", "after") for _ in range(20)]])
    assert killed.log[0] == "Fatal Python error: Aborted"
    assert len(killed.log) == 1  # the frames are all of redun's own


def test_a_death_is_noticed_though_a_child_holds_the_connection(make_crew):
    """A process that the task forked, and that outlives it."""
    crew = make_crew(max_workers=1)
    killed = crew.submit("kill_beside", "SIGKILL")
    crew.wait([killed])
    assert isinstance(killed.error, WorkerDied)
    assert killed.error.exit_code == -signal.SIGKILL


def test_a_worker_that_closes_its_connection_is_replaced(make_crew):
    """Nothing can come of what it ran."""
    crew = make_crew(max_workers=1)
    closing, after = crew.submit("close_all"), crew.submit("echo", "after")
    crew.wait([closing, after])
    assert isinstance(closing.error, WorkerDied)
    assert after.outcome == "after"


def test_cancelled_work_is_dropped_and_counted(make_crew, tmp_path):
    """Each piece is reported or counted, also those that a worker had in advance."""
    crew = make_crew(max_workers=1)
    crew.warm_up(100)
    hold = crew.submit("hold", str(tmp_path / "held"), str(tmp_path / "go"))
    wait_for(tmp_path / "held")
    works = [crew.submit("echo", "late") for _ in range(200)]
    n_dropped = crew.pool.cancel_waiting()
    (tmp_path / "go").touch()
    # On a busy machine a worker may answer too late; what it gave back is run then.
    reported = [crew.reports.get(timeout=WAIT_SECONDS) for _ in range(1 + 200 - n_dropped)]
    assert hold in reported
    assert n_dropped > 0
    assert sum(work.n_reports for work in works) == 200 - n_dropped
    assert crew.submit("echo", "again") is crew.reports.get(timeout=WAIT_SECONDS)


def test_abandoned_work_gives_its_place_to_other_work(make_crew, tmp_path):
    """Its worker is ended, and reported with what it ran."""
    crew = make_crew(max_workers=1)
    hold = crew.submit("hold", str(tmp_path / "held"), str(tmp_path / "go"))
    assert hold.begun.wait(WAIT_SECONDS)
    wait_for(tmp_path / "held")
    crew.pool.abandon(hold)
    after = crew.submit("echo", "after")
    crew.wait([hold, after])
    assert isinstance(hold.error, WorkEnded)
    assert wait_until(lambda: not is_alive(int((tmp_path / "held").read_text())), WAIT_SECONDS)


def test_work_that_is_ended_cleans_up(make_crew, tmp_path):
    """The task sees ``SystemExit``, so that what stands under ``finally`` is done."""
    crew = make_crew()
    work = crew.submit("clean_up", str(tmp_path / "held"), str(tmp_path / "cleaned"))
    wait_for(tmp_path / "held")
    crew.pool.cancel_running()
    assert (tmp_path / "cleaned").exists()
    crew.wait([work])
    assert isinstance(work.error, WorkEnded)


def test_what_a_task_forks_ends_by_sigterm_as_ever(make_crew):
    """It has not the worker's own way to end."""
    crew = make_crew()
    work = crew.submit("end_child")
    crew.wait([work])
    assert work.outcome == -signal.SIGTERM


def test_work_that_cannot_be_packed_fails(make_crew):
    """With the reason, and alone."""
    crew = make_crew()
    works = [crew.submit("unpackable"), crew.submit("echo", "fine")]
    crew.wait(works)
    assert str(works[0].error) == "this has no parcel"
    assert works[1].outcome == "fine"


def test_a_runner_that_raises_fails_its_work(make_crew):
    """And the worker goes on."""
    crew = make_crew(max_workers=1)
    works = [crew.submit("break"), crew.submit("echo", "fine")]
    crew.wait(works)
    assert isinstance(works[0].error, RunnerFailed)
    assert "ValueError: nothing can be made of this" in str(works[0].error)
    assert works[1].outcome == "fine"


def test_workers_that_cannot_start_are_told(make_crew, capfd):
    """All that waits fails with that; nothing is tried for ever."""
    crew = make_crew(runner="redun.testing.no_such_module.run")
    works = [crew.submit("echo", str(number)) for number in range(10)]
    crew.wait(works)
    assert all(isinstance(work.error, WorkersNotStarted) for work in works)
    assert "no_such_module" in capfd.readouterr().err


def test_a_fork_server_that_was_killed_is_replaced(make_crew, tmp_path):
    """Its workers go on, and more can be started."""
    crew = make_crew()
    hold = crew.submit("hold", str(tmp_path / "held"), str(tmp_path / "go"))
    wait_for(tmp_path / "held")
    server = crew.pool._staff._starter._process
    server.kill()
    server.wait()
    quick = [crew.submit("process") for _ in range(3)]
    crew.wait(quick)
    (tmp_path / "go").touch()
    crew.wait([hold])
    assert hold.error is None
    assert all(work.error is None for work in quick)


def test_stopping_ends_workers_and_thread(make_crew, tmp_path):
    """An idle worker at once, a busy one after its work, which is reported."""
    crew = make_crew(name="stopping")
    crew.warm_up(2)
    hold = crew.submit("hold", str(tmp_path / "held"), str(tmp_path / "go"))
    wait_for(tmp_path / "held")
    crew.stop()
    (tmp_path / "go").touch()
    crew.wait([hold])
    assert wait_until(lambda: not is_alive(hold.outcome), WAIT_SECONDS)
    assert wait_until(
        lambda: all(thread.name != "redun-stopping" for thread in threading.enumerate()),
        WAIT_SECONDS,
    )


_SCHEDULER = """
import sys, time
from queue import SimpleQueue
from redun.executors.pool.dispatch import Pool
from redun.executors.pool.frames import WorkerSetup
from redun.executors.pool.staff import PoolSettings
from redun.testing.portable_work import RUNNER, CommandWork

folder, method = sys.argv[1:]
pool = Pool(PoolSettings("tested", 2, method, WorkerSetup(RUNNER, None, None, sys.path, sys.argv), None), print)
for number in range(2):
    pool.submit(CommandWork("hold", f"{folder}/held-{number}", f"{folder}/go"))
time.sleep(60)
"""


@pytest.mark.parametrize("method", ["forkserver", "fork", "spawn"])
def test_workers_die_with_the_scheduler(tmp_path, method):
    """However it dies, nothing of it goes on."""
    process = subprocess.Popen([sys.executable, "-c", _SCHEDULER, str(tmp_path), method])
    for number in range(2):
        wait_for(tmp_path / f"held-{number}")
    workers = [int((tmp_path / f"held-{number}").read_text() or 0) for number in range(2)]
    process.kill()
    process.wait()
    assert all(workers)
    assert wait_until(lambda: not any(map(is_alive, workers)), WAIT_SECONDS)
