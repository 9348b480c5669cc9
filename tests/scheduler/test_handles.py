"""What runs on a handle: rollback, validity, two branches, threads, failures, other repositories."""

from __future__ import annotations

import sqlite3
import threading
from types import SimpleNamespace
from uuid import uuid4

import pytest

from redun import Handle, Scheduler, catch, merge_handles, task
from redun.handle import HandleError
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.remotes.clone import clone
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.scheduler.handles import Handles
from redun.scheduler.record import Recorder
from redun.store.maintain.fsck import check_repository
from redun.store.memory import MemoryStore
from redun.store.repository import Repository
from redun.testing.lines import Lines
from redun.value.value import value_classes

redun_namespace = "test_handles"


class World:
    """What ran, what was said and what fails; reached through attributes, so no part of a task's hash."""

    ran: list = []
    failing: set = set()
    barrier = None  # where jobs wait for each other


class Database(Handle):
    """Opens nothing outside, and notes the thread that it was opened in."""

    def __init__(self, name, path="p"):
        self.thread = threading.get_ident()
        self.instance = [path]


@pytest.fixture(autouse=True)
def world():
    """A world in which nothing has happened."""
    World.ran, World.failing, World.barrier = [], set(), None


@pytest.fixture
def store():
    """A store of its own."""
    return MemoryStore()


def define(name, version="1", **options):
    """Define a task that takes a handle, and whatever else, and returns the handle."""

    @task(name=name, version=version, **options)
    def step(database, *_others):
        World.ran.append(name)
        if World.barrier is not None:
            World.barrier.wait(10)
        if name in World.failing:
            raise RuntimeError(name)
        return database

    return step


def run(store, expression, logger=None, **options):
    """Run an expression; return what ran."""
    World.ran = []
    Scheduler(backend=store, logger=logger or Lines()).run(expression, **options)
    return World.ran


def chain(**versions):
    """Return the call of a chain of three steps."""
    extract, change, load = (define(name, versions.get(name, "1")) for name in ("extract", "change", "load"))

    @task(version="1")
    def main():
        return load(change(extract(Database("db"))))

    return main()


def last_jobs(store):
    """Return the names of the tasks of the jobs of the last execution."""
    batches = [JobsRecord.decode(store.get_node(oid)) for oid, _ in store.iter_oids(Kind.JOBS)]
    last = max(batch.epoch_us for batch in batches)
    rows = [row for batch in batches if batch.epoch_us == last for row in batch.rows if row.number]
    return list({row.number: row.task for row in rows}.values())


def test_an_edit_takes_back_what_followed(store):
    """A call on a state invalidates what earlier calls had made of it, so an undone edit runs again."""
    assert run(store, chain()) == ["extract", "change", "load"]
    assert run(store, chain()) == []
    assert run(store, chain(change="2")) == ["change", "load"]
    assert run(store, chain()) == ["change", "load"]
    assert run(store, chain(load="2")) == ["load"]
    assert run(store, chain()) == ["load"]
    assert run(store, chain(extract="2")) == ["extract", "change", "load"]
    assert run(store, chain()) == ["extract", "change", "load"]
    assert run(store, chain()) == []


def test_valid_handles_are_reused_in_one_step(store):
    """Nothing below a call is asked when all states in it stand."""

    @task
    def extract(database):
        return database

    @task
    def main():
        return extract(extract(Database("db")))

    for jobs in (["test_handles.main", *["test_handles.extract"] * 2], ["test_handles.main"]):
        run(store, main())
        assert sorted(last_jobs(store)) == sorted(jobs)


def test_the_code_of_the_class_counts(store):
    """A task is given a handle's methods, so what they do is part of what it was asked."""

    @task
    def use(database):
        World.ran.append("use")
        return database.answer()

    def main(answer):
        cls = type("Source", (Handle,), {"__module__": __name__, "__init__": lambda self, name: None, "answer": answer})
        return use(cls("source"))

    assert run(store, main(lambda self: 1)) == ["use"]
    assert run(store, main(lambda self: 1)) == []
    assert run(store, main(lambda self: 2)) == ["use"]


def test_a_state_that_was_rolled_back_is_a_miss_with_its_reason(store):
    """The log says that another call has run on what the state was made from."""
    run(store, chain())
    run(store, chain(load="2"))
    logger = Lines()
    assert run(store, chain(), logger) == ["load"]
    assert any("load" in line and "rolled back" in line for line in logger.lines)


def test_a_result_without_the_handle_stands(store):
    """What a task computed from a state holds for that state, whatever ran on it afterwards."""

    @task(version="1")
    def count(_database):
        World.ran.append("count")
        return 5

    def main(version):
        extract = define("extract", version)

        @task(version="1")
        def both():
            return count(extract(Database("db")))

        return both()

    assert run(store, main("1")) == ["extract", "count"]
    assert run(store, main("2")) == ["extract", "count"]
    assert run(store, main("1")) == ["extract"]


def test_branches_of_one_job_do_not_undo_each_other(store):
    """Calls below one job get forks of their own; only the one whose task has changed runs again."""

    def both(version):
        left, right, join = define("left", version), define("right"), define("join")

        @task(version="1")
        def main():
            database = Database("db")
            return join(merge_handles([left(database), right(database)]))

        return main()

    first, second, last = run(store, both("1"))
    assert ({first, second}, last) == ({"left", "right"}, "join")
    assert run(store, both("1")) == []
    assert run(store, both("2")) == ["left", "join"]
    assert run(store, both("1")) == ["left", "join"]


def shared(fork=False):
    """Return the call of two jobs that each run a step of their own on the same handle."""
    left, right = define("left"), define("right")

    @task(version=str(fork))
    def one():
        return left(Database("db").fork("left") if fork else Database("db"))

    @task(version=str(fork))
    def two(_after=None):
        return right(Database("db").fork("right") if fork else Database("db"))

    @task(version=f"{fork} {World.barrier}")
    def main():
        return [one(), two()] if World.barrier else two(one())

    return main()


def test_two_branches_of_one_state_are_warned_of(store):
    """Jobs that each take the same state of a handle undo each other: the warning names both, and how to part them."""
    logger = Lines()
    assert run(store, shared(), logger) == ["left", "right"]
    (warning,) = logger.warnings
    assert "test_handles.db is used from two branches: by test_handles.left" in warning
    assert "test_handles.right" in warning
    assert "fork(key)" in warning
    assert run(store, shared(), logger) == ["left", "right"]
    logger = Lines()
    assert run(store, shared(fork=True), logger) == ["left", "right"]
    assert run(store, shared(fork=True), logger) == []
    assert logger.warnings == []


def test_jobs_that_overlap_on_one_state_leave_nothing(store):
    """Of two jobs that ran on one state at a time, neither result stands."""
    World.barrier = threading.Barrier(2)
    assert sorted(run(store, shared())) == ["left", "right"]
    logger = Lines()
    assert sorted(run(store, shared(), logger)) == ["left", "right"]


def test_a_job_that_fails_takes_back_what_was_made(store):
    """Nobody knows what it left; the result of an earlier success of the same call does not stand either."""
    run(store, chain())
    World.failing = {"change"}
    with pytest.raises(RuntimeError):
        run(store, chain(), cache=False)
    World.failing = set()
    assert run(store, chain()) == ["change", "load"]


def test_the_event_is_on_disk_before_the_function_runs(tmp_path):
    """A kill in the middle of a job cannot leave the older results in force."""
    repository = Repository.init(tmp_path)

    @task(version="1")
    def look(_database):
        with_event = Repository.open(tmp_path)
        World.ran.append(len(with_event.store.find_candidates(Database("db").__handle__.root)))

    assert run(repository, look(Database("db"))) == [1]


def test_a_job_without_provenance_takes_back_too(store):
    """Although it leaves no trace of its own."""
    run(store, chain())

    @task(version="1", prov=False)
    def meddle(_database):
        World.ran.append("meddle")

    assert run(store, meddle(Database("db"))) == ["meddle"]
    assert run(store, chain()) == ["extract", "change", "load"]


def test_a_handle_in_config_args_counts(tmp_path):
    """It is no part of the key, but the task runs on it."""
    store = Repository.init(tmp_path)
    run(store, chain())

    @task(version="1", config_args=["database"])
    def meddle(database):
        World.ran.append("meddle")

    assert run(store, meddle(Database("db"))) == ["meddle"]
    assert run(store, chain()) == ["extract", "change", "load"]
    assert not check_repository(store).problems


@pytest.mark.parametrize("is_shared", [False, True])
def test_the_order_of_readiness_does_not_matter(store, is_shared):
    """Calls that wait for other arguments get the same branch in each run, cached or not."""
    loaded = threading.Event()

    @task(version="1")
    def slow(x):
        loaded.wait(10)
        return x

    @task(version="1")
    def load(database, x):
        World.ran.append(x)
        if x == 2:
            loaded.set()
        return database

    first = define("first")

    def main(version):
        @task(version=version)
        def main():
            database = first(Database("db")) if is_shared else Database("db")
            return [load(database, slow(1)), load(database, 2)]

        return main()

    assert run(store, main("1")) == [*(["first"] if is_shared else []), 2, 1]
    assert run(store, main("1")) == []
    assert run(store, main("2")) == []  # the code above has changed, so each call is asked


def test_a_job_gets_a_handle_of_its_own_thread():
    """The constructor runs in the thread of the job that gets the handle, and nowhere else."""

    @task(version="1")
    def look(database):
        return database.thread == threading.get_ident()

    @task(version="1")
    def main():
        return look(Database("db"))

    assert Scheduler(logger=Lines()).run(main()) is True


class Sqlite(Handle):
    """A connection that only its own thread may use."""

    def __init__(self, name, path):
        self.instance = sqlite3.connect(path)


def test_an_sqlite_connection_is_a_handle(store, tmp_path):
    """A cached run opens nothing; a handle that comes back from it can be used."""

    @task(version="1")
    def insert(database, x):
        World.ran.append(x)
        with database.instance:
            database.execute("create table if not exists t (x)")
            database.execute("insert into t values (?)", (x,))
        return database

    @task(version="1")
    def main(path):
        return insert(insert(Sqlite("db", path), 1), 2)

    for _ in range(2):
        database = Scheduler(backend=store, logger=Lines()).run(main(str(tmp_path / "t.db")))
        assert database.execute("select x from t order by x").fetchall() == [(1,), (2,)]
    assert World.ran == [1, 2]


def test_a_constructor_that_raises_fails_the_job(store):
    """The error is the job's, and can be caught."""

    class Down(Handle):
        def __init__(self, name):
            if threading.current_thread() is not threading.main_thread():
                raise ConnectionError("down")

    step = define("step")

    @task(version="1")
    def recover(error):
        return str(error)

    assert Scheduler(backend=store, logger=Lines()).run(catch(step(Down("x")), ConnectionError, recover)) == "down"
    assert World.ran == []


@pytest.mark.parametrize("is_result", [False, True])
def test_a_renamed_class_is_another_handle(store, is_result):
    """What a handle of a class that is gone was made by runs again, even when no result holds it."""
    extract = define("extract")

    @task(version="1")
    def count(_database):
        return 5

    def main(cls):
        @task(version=str(is_result))
        def main():
            end = extract(cls("db"))
            return end if is_result else count(end)

        return main()

    def make(name):
        return type(name, (Handle,), {"__module__": __name__, "__init__": lambda self, name: None})

    first = make("First")
    assert run(store, main(first)) == ["extract"]
    assert run(store, main(first)) == []
    del value_classes[first.type_name]
    assert run(store, main(make("Second"))) == ["extract"]


def put_events(store, *events):
    """Put states and their events, a microsecond apart; return what judges them."""
    execution = uuid4().bytes
    recorder = Recorder(store, execution, 0, lambda: 1000)
    rows = []
    for time_us, handle in enumerate(events, 1):
        for part in handle.__handle__.unstored:
            store.put(*part)
        root, oid = handle.__handle__.root, handle.__handle__.oid
        rows.append(JobRow(0, 0, time_us, 0, JobStatus.HANDLE, "", 1, root, oid, "made.task"))
    store.put(*JobsRecord(execution, 0, rows).encode(), int(Kind.JOBS))
    handles = Handles(store, recorder, lambda _: None)
    return lambda handle: handles.find_fault(handle.__handle__.oid)


def test_a_state_stands_while_those_above_it_do(store):
    """A call on a state that had been rolled back in the meantime, by a run elsewhere, leaves nothing that stands."""
    first = Database("db").fork("1")
    reached = first.apply_call("aa")
    second = reached.fork("1")
    end = second.apply_call("bb")
    find_fault = put_events(store, first, reached, first, second, end)
    assert "rolled back" in find_fault(reached)
    assert "rolled back" in find_fault(end)
    assert find_fault(second) == find_fault(end)
    assert find_fault(Database("db")) == find_fault(first) == ""


def test_a_merged_state_stands_while_all_its_branches_do(store):
    """Branches of it may have been reached at any time."""
    left, right = Database("db").fork("1"), Database("db").fork("2")
    one, two = left.apply_call("aa"), right.apply_call("bb")
    merged = one.merge([two])
    next_step = merged.fork("1")
    end = next_step.apply_call("cc")
    events = [left, right, one, two, next_step, end]
    find_fault = put_events(store, *events)
    assert [find_fault(handle) for handle in (one, two, merged, end)] == [""] * 4
    find_fault = put_events(store, *events, right)
    assert find_fault(one) == ""
    assert all(map(find_fault, (two, merged, end)))


def test_a_state_that_nobody_reached_does_not_stand(store):
    """A job that was killed leaves no event for its result."""
    first = Database("db").fork("1")
    end = first.apply_call("aa")
    find_fault = put_events(store, first)
    for part in end.__handle__.unstored:
        store.put(*part)
    assert "never reached" in find_fault(end)


def test_runs_of_one_execution_know_each_others_events(store):
    """What a run inside a job does counts at once for the run around it, and not for other executions."""
    state = Database("db").fork("1")
    end = state.apply_call("aa")
    put_events(store, state, end)

    def judge(execution):
        return Handles(store, Recorder(store, execution, 0, lambda: 1000), lambda _: None)

    around, inside, other = judge(b"1" * 16), judge(b"1" * 16), judge(b"2" * 16)
    oid = end.__handle__.oid
    assert [handles.find_fault(oid) for handles in (around, inside, other)] == [""] * 3
    job = SimpleNamespace(number=1, parent=None, start_us=0, executor="", attempt=1, eval=None)
    job.task, job.handles = SimpleNamespace(fullname="made.task"), [state.__handle__]
    inside.start(job)
    assert "rolled back" in around.find_fault(oid)
    assert "rolled back" in inside.find_fault(oid)
    assert other.find_fault(oid) == ""  # it has asked the store before


def test_a_long_lineage_is_judged_without_recursion(store):
    """Ten thousand calls in a row."""
    events, state = [], Database("db")
    for _ in range(10_000):
        events += [state.fork("1"), state.fork("1").apply_call("aa")]
        for handle in events[-2:]:
            for part in handle.__handle__.unstored:
                store.put(*part)
            handle.__handle__.note_stored()
        state = events[-1]
    find_fault = put_events(store, *events)
    assert find_fault(state) == ""


def test_merging_refuses_what_is_no_handle(store):
    """A list of handles of one name, nothing else."""
    for wrong in ([], 1, [1], [Database("db"), "x"]):
        with pytest.raises(TypeError, match="merge_handles takes a list of handles"):
            run(store, merge_handles(wrong))
    with pytest.raises(HandleError, match="cannot be merged"):
        run(store, merge_handles([Database("a"), Database("b")]))


def test_lineage_survives_push_and_pull(tmp_path):
    """A run elsewhere takes back what was made here, once its execution has come."""
    here = Repository.init(tmp_path / "here")
    assert run(here, chain()) == ["extract", "change", "load"]
    clone(str(tmp_path / "here"), tmp_path / "there")
    there = Repository.open(tmp_path / "there" / ".redun")
    assert run(there, chain()) == []
    assert run(there, chain(change="2")) == ["change", "load"]
    there.store.seal()
    push(there, Remote("here", here.storage))
    here = Repository.open(tmp_path / "here")
    assert run(here, chain()) == ["change", "load"]
    pull(there, Remote("here", here.storage))
    there = Repository.open(tmp_path / "there" / ".redun")
    assert run(there, chain(change="2")) == ["change", "load"]
    for repository in (here, there):
        report = check_repository(repository)
        assert not report.problems
