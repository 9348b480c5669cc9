"""Calls on their way to a cluster and back, with a stand-in for the cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from queue import SimpleQueue

import msgpack
import pytest

from redun.executors.spark.cluster import Cluster, SparkFailed
from redun.executors.spark.dispatch import Cancelled, Dispatcher, Ground, Limits, WorkerDied
from redun.executors.spark.pace import Pace
from redun.executors.spark.part import Done, Place
from redun.testing.portable_work import CommandWork

SECONDS = 30


def holding(gate: threading.Event) -> Callable[[str], str]:
    """Return what answers once a gate is open."""

    def answer(word: str) -> str:
        gate.wait(SECONDS)
        return word

    return answer


PLACE = Place("run", None, None, None, 0.5)


class ScriptedCluster(Cluster):
    """Runs a part by calling a function with the words of each call; remembers the jobs that it was sent."""

    is_local = True
    session = None

    def __init__(self, answer: Callable[[str], str | None], n_slots: int = 2) -> None:
        self.answer = answer
        self.n_slots = n_slots
        self.jobs: list[list[list[str]]] = []  # the words of each call, by part, by job
        self.cancelled = threading.Event()
        self.fault: tuple[str, bool] | None = None

    def count_slots(self) -> int:
        return self.n_slots

    def add_file(self, path) -> None:
        raise AssertionError(path)

    def name_jobs(self, job: str) -> None:
        raise AssertionError(job)

    def run(self, job, parts, place, deliver) -> None:
        calls = [[(number, json.loads(parcel)[1]) for number, parcel in msgpack.unpackb(part)] for part in parts]
        self.jobs.append([[word for _, word in part] for part in calls])
        for part in calls:
            done, died, undone = [], [], []
            for number, word in part:
                found = self.answer(word)
                if found is None:
                    undone.append(number)
                elif found == "died":
                    died.append((number, "the process was killed"))
                else:
                    done.append(Done(number, 0.001, json.dumps(found).encode()))
            deliver(msgpack.packb([done, died, undone]))

    def cancel(self, job: str) -> None:
        self.cancelled.set()

    def find_fault(self):
        return self.fault


class Bench:
    """A dispatcher over a scripted cluster."""

    def __init__(self, cluster: ScriptedCluster, **limits) -> None:
        self.cluster = cluster
        self.reports: SimpleQueue[CommandWork] = SimpleQueue()
        given = {"max_batch_size": 100, "gather_seconds": 0.01, "cluster_timeout_seconds": 0.0, **limits}
        ground = Ground(cluster, PLACE, None)
        self.dispatcher = Dispatcher("s", Limits(**given), Pace(0.5), lambda: ground, self.reports.put)

    def run(self, *words: str, has_time_limit: bool = False) -> list[CommandWork]:
        """Have calls run; return them once all are reported."""
        works = self.submit(*words, has_time_limit=has_time_limit)
        reported = {id(self.reports.get(timeout=SECONDS)) for _ in works}
        assert reported == {id(work) for work in works}
        assert all(work.n_reports == 1 for work in works)
        return works

    def submit(self, *words: str, has_time_limit: bool = False) -> list[CommandWork]:
        """Hand in calls."""
        works = [CommandWork("unpackable" if word == "unpackable" else "echo", word) for word in words]
        for work in works:
            self.dispatcher.submit(work, has_time_limit=has_time_limit)
        return works


@pytest.fixture
def bench(request):
    """Make a bench, and stop it in the end."""
    made: list[Bench] = []

    def make(answer, **limits) -> Bench:
        made.append(Bench(ScriptedCluster(answer), **limits))
        return made[-1]

    yield make
    for one in made:
        one.dispatcher.cancel_waiting()
        one.dispatcher.stop()


def test_calls_come_home_with_what_they_made(bench):
    """Each its own, and each has begun; once the pace is known many go together."""
    tested = bench(str.upper)
    works = tested.run(*[f"w{number}" for number in range(300)])
    assert [work.outcome for work in works] == [f"W{number}" for number in range(300)]
    assert all(work.begun.is_set() for work in works)
    assert len(tested.cluster.jobs) < 100
    assert max(len(part) for job in tested.cluster.jobs for part in job) > 10


def test_calls_handed_back_are_sent_again(bench):
    """Before those that wait, until they have run."""
    refused = set()

    def answer(word):
        if word in {"w1", "w2"} and word not in refused:
            refused.add(word)
            return None
        return word

    works = bench(answer).run("w0", "w1", "w2", "w3")
    assert [work.outcome for work in works] == ["w0", "w1", "w2", "w3"]
    assert refused == {"w1", "w2"}


def test_a_call_whose_process_died_fails_alone(bench):
    """With what it died of, and the executor's name."""
    died, well = bench(lambda word: "died" if word == "bad" else word).run("bad", "good")
    assert well.outcome == "good"
    assert isinstance(died.error, WorkerDied)
    assert "executor 's'" in str(died.error)


def test_a_call_that_cannot_be_packed_fails_alone(bench):
    """With its own error."""
    bad, good = bench(str.upper).run("unpackable", "good")
    assert isinstance(bad.error, ValueError)
    assert good.outcome == "GOOD"


def test_what_spark_gives_up_is_tried_alone(bench):
    """So only the call fails that brings Spark down each time, with Spark's words."""

    def answer(word):
        if word == "bad":
            raise SparkFailed("a container was killed", log=["line"])
        return word

    tested = bench(answer)
    tested.run("w")  # the pace is known, and calls go together
    works = tested.run("a", "bad", "b", "c")
    assert [work.outcome for work in works] == ["a", None, "b", "c"]
    assert "container was killed" in str(works[1].error)
    assert [["bad"]] in tested.cluster.jobs


def test_results_that_get_lost_are_made_again(bench):
    """Spark says that a job went well, and its results did not arrive."""
    tested = bench(str.upper)
    run, lost = tested.cluster.run, []

    def lose_first(job, parts, place, deliver):
        run(job, parts, place, deliver if lost else lambda _result: None)
        lost.append(job)

    tested.cluster.run = lose_first
    assert [work.outcome for work in tested.run("a", "b")] == ["A", "B"]
    assert len(lost) >= 2


def test_calls_with_a_time_limit_are_jobs_of_their_own(bench):
    """One whose time is up is ended by ending its job."""
    gate = threading.Event()
    tested = bench(holding(gate))
    works = tested.submit("a", "b", has_time_limit=True)
    assert all(work.begun.wait(SECONDS) for work in works)
    tested.dispatcher.abandon(works[0])
    assert tested.cluster.cancelled.is_set()
    gate.set()
    assert {tested.reports.get(timeout=SECONDS) for _ in works} == set(works)
    assert sorted(tested.cluster.jobs) == [[["a"]], [["b"]]]


def test_what_waits_can_be_taken_back(bench):
    """Unreported, and what runs still comes back."""
    gate = threading.Event()
    tested = bench(holding(gate))
    works = tested.submit(*[f"w{number}" for number in range(50)])
    assert works[0].begun.wait(SECONDS)
    n_dropped = tested.dispatcher.cancel_waiting()
    gate.set()
    reported = [tested.reports.get(timeout=SECONDS) for _ in range(50 - n_dropped)]
    assert n_dropped > 0
    assert set(reported) == {work for work in works if work.n_reports}


def test_what_runs_can_be_ended(bench):
    """Its job is cancelled; the call fails, and says so."""
    tested = bench(lambda word: word)

    def wait_for_cancel(job, parts, place, deliver):
        assert tested.cluster.cancelled.wait(SECONDS)
        raise SparkFailed("Job 7 cancelled")

    tested.cluster.run = wait_for_cancel
    (work,) = tested.submit("a")
    assert work.begun.wait(SECONDS)
    tested.dispatcher.cancel_running()
    assert tested.reports.get(timeout=SECONDS) is work
    assert isinstance(work.error, Cancelled)


@pytest.mark.parametrize("is_final", [True, False])
def test_a_cluster_that_is_gone_fails_all_there_is(bench, is_final):
    """At once, or when that has lasted; what comes later fails too."""
    gate = threading.Event()
    tested = bench(holding(gate))
    works = tested.submit("a", "b", "c", "d", "e", "f", "g")
    assert works[0].begun.wait(SECONDS)
    tested.cluster.fault = "the cluster has no executor", is_final
    for _ in works:
        assert "no executor" in str(tested.reports.get(timeout=SECONDS).error)
    assert "no executor" in str(tested.run("late")[0].error)
    gate.set()
    assert all(work.n_reports == 1 for work in works)


def test_spark_that_does_not_start_fails_all_there_is():
    """With the reason; nothing waits for ever."""
    reports: SimpleQueue[CommandWork] = SimpleQueue()

    def refuse():
        raise SparkFailed("no Java")

    dispatcher = Dispatcher("s", Limits(10, 0.01, 1.0), Pace(0.5), refuse, reports.put)
    works = [CommandWork("echo", "a") for _ in range(3)]
    for work in works:
        dispatcher.submit(work, has_time_limit=False)
    assert {reports.get(timeout=SECONDS) for _ in works} == set(works)
    assert all("no Java" in str(work.error) for work in works)
    dispatcher.stop()
