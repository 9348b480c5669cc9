"""A scheduler inside a job of another: one tree of jobs, nothing stale, and an end in common."""

from __future__ import annotations

import signal
import threading

import pytest

from redun import File, Scheduler, catch, cond, get_context, task
from redun.errors import ConfigError
from redun.objects.call_records import CallRecord
from redun.objects.kinds import Kind
from redun.provenance.executions import load_execution
from redun.scheduler import DryRunResult, Interrupted, get_current_scheduler, subrun
from redun.scheduler.errors import TimedOut
from redun.scheduler.extensions import Extensions
from redun.scheduler.forms.subrun import OtherRepository
from redun.store.memory import MemoryStore
from redun.store.repository import Repository
from redun.task import get_task_registry
from redun.value.encoding import encode_value

redun_namespace = "test_subrun"

RAN: list = []
AT_WORK = threading.Event()
GO_ON = threading.Event()


class Logger:
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def info(self, msg):
        self.lines += msg.split("\n")

    warning = info


@task(version="1")
def leaf(x):
    """Say that it ran."""
    RAN.append(x)
    return x + 1


@task(version="1")
def inner(x):
    """Two calls."""
    return [leaf(x), leaf(x + 1)]


@task(version="1")
def main(x, new_execution=False):
    """Have them made by another scheduler."""
    return subrun(inner(x), executor="default", new_execution=new_execution)


@task(version="1")
def shapes(x):
    """What is evaluated need not be one call."""
    return subrun(
        {"a": [leaf(x)], "b": leaf(x) + leaf(10), "c": cond(leaf(0), "yes", "no"), "d": 5}, executor="default"
    )


@task(version="1")
def nested(x):
    """A sub-run of a sub-run."""
    return subrun(main(x), executor="default")


@task(version="1")
def broken(x):
    """Fail."""
    raise ValueError(f"broken {x}")


@task(version="1")
def main_broken(x):
    """Fail below."""
    return subrun(broken(x), executor="default")


@task(version="1")
def message_of(error):
    """Recover."""
    return str(error)


@task(version="1")
def recovering(x):
    """Recover from what failed below."""
    return catch(subrun(broken(x), executor="default"), ValueError, message_of)


@task(version="1")
def where():
    """Tell what the context says."""
    return get_context("at.x", "nowhere")


@task(version="1")
def asking(**options):
    """Ask for the context below."""
    return subrun(where(), executor="default", **options)


@task(version="1")
def write(path):
    """Write a file."""
    RAN.append(path)
    File(path).write("made")
    return File(path)


@task(version="1")
def writing(path):
    """Write a file below."""
    return subrun(write(path), executor="default")


@task(version="1")
def who():
    """Tell which scheduler runs this."""
    return get_current_scheduler() is WHO[0]


WHO: list = []


@task(version="1")
def whose():
    """Ask here and below."""
    return [who(), subrun(who.options(cache=False)(), executor="default")]


@task(version="1", cache=False)
def wait_below():
    """Wait for the test."""
    AT_WORK.set()
    GO_ON.wait(20)
    return leaf(100)


@task(version="1")
def waiting():
    """Finish one thing and wait below."""
    return subrun([leaf(1), wait_below()], executor="default")


@task(version="1", cache=False)
def fail_meanwhile():
    """Fail once the other is at work."""
    AT_WORK.wait(20)
    raise RuntimeError("meanwhile")


@task(version="1")
def count_up():
    """Say that it ran."""
    RAN.append("counted")
    AT_WORK.set()
    return 1


@task(version="1", cache=False)
def moody():
    """Fail the first time, once the other has run."""
    AT_WORK.wait(20)
    RAN.append("moody")
    if RAN.count("moody") == 1:
        raise RuntimeError("not yet")
    return "good"


@task(version="1", cache=False)
def flaky(x):
    """Fail the first time."""
    RAN.append(x)
    if len(RAN) == 1:
        raise RuntimeError("not yet")
    return x


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()
    AT_WORK.clear()
    GO_ON.clear()


def open_repository(tmp_path):
    """Make or open the repository of a test."""
    return Repository.open_or_init(tmp_path / ".redun")


def tree(repository, limit=1):
    """Return depth, task and state of each job of the last executions, newest first."""
    views = [load_execution(repository.store, repository.refs, ref.name) for ref in repository.refs.iter_refs(limit)]
    return [
        [(depth, row.task.rpartition(".")[2], view.state_of(row).value) for depth, row in view.iter_tree()]
        for view in views
    ]


BELOW_MAIN = [(2, "inner", "DONE"), (3, "leaf", "DONE"), (3, "leaf", "DONE")]


def test_the_jobs_of_a_sub_run_stand_below_its_job(tmp_path):
    """One execution holds both, and each job of it has an id of its own."""
    with open_repository(tmp_path) as repository:
        assert Scheduler(backend=repository).run(main(1)) == [2, 3]
        (jobs,) = tree(repository, limit=None)
        assert jobs == [(0, "main", "DONE"), (1, "subrun_root_task", "DONE"), *BELOW_MAIN]
        (ref,) = repository.refs.iter_refs()
        assert len({row.number for row in load_execution(repository.store, repository.refs, ref.name).rows}) == 5
        assert len(ref.packs) == 1


def test_what_is_known_is_reused_in_one_step(tmp_path):
    """A second run asks for nothing below; another call of the same expression is answered below its own job."""
    with open_repository(tmp_path) as repository:
        Scheduler(backend=repository).run(main(1))
        RAN.clear()
        assert Scheduler(backend=repository).run(main(1)) == [2, 3]
        assert tree(repository) == [[(0, "main", "CACHED")]]
        assert Scheduler(backend=repository).run(subrun(inner(1), executor="default")) == [2, 3]
        assert tree(repository) == [[(0, "root_task", "DONE"), (1, "subrun_root_task", "CACHED")]]
        assert RAN == []


def test_a_task_below_that_changed_runs_again(tmp_path):
    """The sub-run begins again, and only what changed runs in it."""
    with open_repository(tmp_path) as repository, get_task_registry().isolated():
        Scheduler(backend=repository).run(main(1))
        RAN.clear()

        @task(version="2", name="leaf")
        def changed(x):
            RAN.append(x)
            return -x

        assert Scheduler(backend=repository).run(main(1)) == [-1, -2]
        assert sorted(RAN) == [1, 2]
        assert tree(repository) == [
            [
                (0, "main", "CACHED"),
                (1, "subrun_root_task", "DONE"),
                (2, "inner", "CACHED"),
                (3, "leaf", "DONE"),
                (3, "leaf", "DONE"),
            ]
        ]


def test_any_expression_may_be_evaluated(tmp_path):
    """Containers, operations and forms are, and the calls in them stand below the job."""
    store = MemoryStore()
    expected = {"a": [3], "b": 14, "c": "yes", "d": 5}
    assert Scheduler(backend=store).run(shapes(2)) == expected
    assert sorted(RAN) == [0, 2, 10]
    assert Scheduler(backend=store).run(shapes(2)) == expected
    assert sorted(RAN) == [0, 2, 10]


def test_a_sub_run_may_make_another(tmp_path):
    """Its jobs stand deeper in the same tree, and a change at the bottom is seen from the top."""
    with open_repository(tmp_path) as repository, get_task_registry().isolated():
        assert Scheduler(backend=repository).run(nested(1)) == [2, 3]
        ((*_, last),) = tree(repository, limit=None)
        assert last == (5, "leaf", "DONE")

        @task(version="2", name="leaf")
        def changed(x):
            return -x

        assert Scheduler(backend=repository).run(nested(1)) == [-1, -2]


def test_an_execution_of_its_own_is_shown_beside(tmp_path):
    """It has a root of its own, and the job that asked for it depends on that call."""
    with open_repository(tmp_path) as repository, get_task_registry().isolated():
        assert Scheduler(backend=repository).run(main(1, new_execution=True)) == [2, 3]
        below, above = tree(repository, limit=None)
        assert above == [(0, "main", "DONE"), (1, "subrun_root_task", "DONE")]
        assert below == [(0, "inner", "DONE"), (1, "leaf", "DONE"), (1, "leaf", "DONE")]
        assert Scheduler(backend=repository).run(main(1, new_execution=True)) == [2, 3]
        assert sorted(RAN) == [1, 2]

        @task(version="2", name="leaf")
        def changed(x):
            return -x

        assert Scheduler(backend=repository).run(main(1, new_execution=True)) == [-1, -2]


def test_an_execution_of_its_own_in_memory():
    """A scheduler without a repository makes one in its memory."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(main(1, new_execution=True)) == [2, 3]
    assert len(list(store.iter_oids(Kind.EXECUTION))) == 2


def test_another_repository_keeps_its_own_execution(tmp_path):
    """What was called there is not on record here, so each run asks there again; it cannot extend this execution."""
    other = tmp_path / "other" / ".redun"
    Repository.init(other).close()
    with open_repository(tmp_path) as repository:
        expr = subrun(inner(1), executor="default", config_dir=str(other), new_execution=True)
        for _ in range(2):
            assert Scheduler(backend=repository).run(expr) == [2, 3]
        assert sorted(RAN) == [1, 2]
        with Repository.open(other) as there:
            assert tree(there, limit=None)[0] == [(0, "inner", "CACHED")]
        with pytest.raises(OtherRepository, match="another repository"):
            Scheduler(backend=repository).run(subrun(inner(1), executor="default", config_dir=str(other)))


def test_settings_come_from_one_place():
    """``config`` and ``config_dir`` exclude each other."""
    with pytest.raises(ConfigError, match="one of config and config_dir"):
        Scheduler().run(subrun(leaf(1), executor="default", config={}, config_dir="x"))


def test_the_settings_of_a_folder_are_its_own(tmp_path):
    """``config_dir`` may name the repository that the run is in."""
    with open_repository(tmp_path) as repository:
        (tmp_path / ".redun/redun.ini").write_text("[executors.mine]\ntype = local\n")
        expr = subrun(leaf.options(executor="mine")(1), executor="default", config_dir=str(tmp_path / ".redun"))
        assert Scheduler(backend=repository).run(expr) == 2


def test_settings_are_handed_on():
    """The other scheduler has the executors of this one, or those it is given."""
    mine = {"executors.mine": {"type": "local"}}
    call = leaf.options(executor="mine")(1)
    assert Scheduler(mine).run(subrun(call, executor="mine")) == 2
    assert Scheduler().run(subrun(call, executor="default", config=mine)) == 2
    with pytest.raises(Exception, match="Unknown executor"):
        Scheduler().run(subrun(call, executor="default"))


def test_the_job_runs_where_it_is_told():
    """Options are those of the job; the jobs below are not bound by them."""
    logger = Logger()
    two = {"executors.a": {"type": "local"}}
    Scheduler(two, logger=logger).run(subrun(leaf(1), executor="a", limits=["gpu"]))
    lines = [line for line in logger.lines if line.startswith("Run ")]
    assert [line.rpartition(" on ")[2].split()[0] for line in lines] == ["a", "default"]


def test_context_is_handed_on_and_never_stale():
    """What is asked for below follows the context of the job; settings of the sub-run stand under it."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(asking()) == "nowhere"
    assert Scheduler(backend=store).run(asking(), context={"at": {"x": 1}}) == 1
    assert Scheduler(backend=store).run(asking.update_context({"at": {"x": 2}})(), context={"at": {"x": 1}}) == 2
    under = {"scheduler": {"context": '{"at": {"x": 3}}'}}
    assert Scheduler(backend=store).run(asking(config=under)) == 3
    assert Scheduler(backend=store).run(asking(config=under), context={"at": {"x": 4}}) == 4
    assert Scheduler(backend=store).run(asking()) == "nowhere"


def test_exported_options_are_handed_on():
    """Without provenance above there is none below."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(main.options(prov=False)(1)) == [2, 3]
    assert not any(kind == Kind.CALL and oid for oid, kind in store.iter_oids())


def test_caching_off_is_handed_on():
    """Nothing of earlier executions serves below."""
    store = MemoryStore()
    for _ in range(2):
        assert Scheduler(backend=store).run(main(1), cache=False) == [2, 3]
    assert sorted(RAN) == [1, 1, 2, 2]


def test_a_file_below_is_looked_at(tmp_path):
    """One that was made below is put back, and one that something else changed is made again."""
    path = str(tmp_path / "out")
    with open_repository(tmp_path) as repository:
        Scheduler(backend=repository).run(writing(path))
        (tmp_path / "out").unlink()
        Scheduler(backend=repository).run(writing(path))
        assert [path] == RAN
        assert (tmp_path / "out").read_text() == "made"
        (tmp_path / "out").write_text("other")
        Scheduler(backend=repository).run(writing(path))
        assert [path, path] == RAN
        assert (tmp_path / "out").read_text() == "made"


def test_a_file_is_made_by_the_job_that_made_it(tmp_path):
    """The job of the sub-run only hands it on: else it would claim files that jobs below merely name."""
    with open_repository(tmp_path) as repository:
        made = Scheduler(backend=repository).run(writing(str(tmp_path / "out")))
        assert len(repository.store.find_producers(encode_value(made).oid)) == 1


def test_what_the_run_above_has_finished_is_found():
    """At once, though nobody has waited since."""
    known = cond(leaf(1) == 2, subrun(leaf(1), executor="default"), None)
    assert Scheduler(backend=MemoryStore()).run(known) == 2
    assert RAN == [1]


def test_an_attempt_leaves_nothing_in_the_next(tmp_path):
    """The call of a sub-run that was tried again names the calls of the last attempt."""
    with open_repository(tmp_path) as repository:
        expr = subrun([count_up(), moody()], executor="default", retries=1, retry_backoff=0)
        assert Scheduler(backend=repository).run(expr) == [1, "good"]
        (ref,) = repository.refs.iter_refs()
        rows = load_execution(repository.store, repository.refs, ref.name).rows
        (call,) = (row.outcome for row in rows if row.task == "redun.subrun_root_task")
        assert len(CallRecord.decode(repository.store.get_node(call)).children) == 2


def test_a_dry_run_goes_on_below_and_runs_nothing(tmp_path):
    """It names the jobs that would run; where nothing would, it has the value."""
    logger = Logger()
    with open_repository(tmp_path) as repository:
        Scheduler(backend=repository).run(main(1))
        with get_task_registry().isolated():

            @task(version="2", name="leaf")
            def changed(x):
                RAN.append("changed")
                return -x

            with pytest.raises(DryRunResult):
                Scheduler(backend=repository, logger=logger).run(main(1), dryrun=True)
        assert sum(line.startswith("Dryrun Job") for line in logger.lines) == 2
        assert not any("Reject" in line for line in logger.lines)
        assert Scheduler(backend=repository).run(main(1), dryrun=True) == [2, 3]
        assert sorted(RAN) == [1, 2]
        assert len(tree(repository, limit=None)) == 1


def test_an_error_below_comes_out_as_it_is(tmp_path):
    """It can be caught by its class; its traceback leads through both schedulers; all three jobs have failed."""
    with open_repository(tmp_path) as repository:
        with pytest.raises(ValueError, match="broken 1") as caught:
            Scheduler(backend=repository).run(main_broken(1))
        places = [line.rpartition(" in ")[2].partition("(")[0] for line in caught.value.redun_traceback.jobs]
        assert places == ["test_subrun.main_broken", "redun.subrun_root_task", "test_subrun.broken"]
        assert [state for *_, state in tree(repository)[0]] == ["FAILED"] * 3
        for _ in range(2):
            assert Scheduler(backend=repository).run(recovering(1)) == "broken 1"


def test_a_report_is_logged():
    """It shows what the other scheduler was given and how its jobs ended."""
    logger = Logger()
    Scheduler({"limits": {"gpu": 2}}, logger=logger).run(main(1))
    text = "\n".join(logger.lines)
    report = text[text.index("BEGIN: Sub-scheduler report") : text.index("END: Sub-scheduler report")]
    assert "executor='default'" in report
    assert "inner(1)" in report
    assert "[limits] {'gpu': '2'}" in report
    assert "config_dir': '.'" in report
    assert "cache=True, dryrun=False" in report
    assert "| ALL " in report


def test_each_job_knows_its_own_scheduler():
    """The one of the thread: that of the run above it is there again when the sub-run has ended."""
    scheduler = Scheduler()
    WHO[:] = [scheduler]
    assert scheduler.run(whose()) == [True, False]
    assert get_current_scheduler(required=False) is None


def test_a_failure_beside_stops_the_sub_run(tmp_path, monkeypatch):
    """Nothing new starts in it, and the run fails of the first error alone."""
    logger, stop = Logger(), Extensions.stop

    def stop_and_go_on(extensions):
        stop(extensions)
        GO_ON.set()

    monkeypatch.setattr(Extensions, "stop", stop_and_go_on)
    with open_repository(tmp_path) as repository:
        with pytest.raises(RuntimeError, match="meanwhile"):
            Scheduler(backend=repository, logger=logger).run([waiting(), fail_meanwhile()])
        assert 100 not in RAN
        assert not any("more failed" in line for line in logger.lines)
        assert (3, "leaf", "DONE") in tree(repository)[0]


def test_options_of_failing_and_waiting_are_those_of_the_job():
    """It is tried again as a whole; when its time is up the sub-run ends; a limit of time makes nothing stale."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(subrun(flaky(1), executor="default", retries=1, retry_backoff=0)) == 1
    assert RAN == [1, 1]
    with pytest.raises(TimedOut):
        Scheduler(backend=store).run(subrun([leaf(5), wait_below()], executor="default", timeout=0.05))
    GO_ON.set()
    timed = subrun(leaf(7), executor="default", timeout=60)
    assert Scheduler(backend=store).run(timed) == 8
    with get_task_registry().isolated():

        @task(version="2", name="leaf")
        def changed(x):
            return -x

        assert Scheduler(backend=store).run(timed) == -7


def test_ctrl_c_ends_both_and_keeps_what_had_finished(tmp_path):
    """The sub-run runs in another thread: the run above ends it and waits for what it has to record."""

    def interrupt():
        AT_WORK.wait(20)
        signal.raise_signal(signal.SIGINT)

    with open_repository(tmp_path) as repository:
        scheduler = Scheduler(backend=repository)
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(Interrupted):
            scheduler.run(waiting())
        GO_ON.set()
        thread.join()
        assert any(name == "leaf" for _, name, _ in tree(repository)[0])
        RAN.clear()
        assert Scheduler(backend=repository).run(waiting()) == [2, 101]
        assert RAN == [100]


def test_many_sub_runs_at_once_share_one_store(tmp_path):
    """Their jobs are numbered from one count, and all are there at the end."""
    with open_repository(tmp_path) as repository:
        calls = [subrun([inner(100 * i + j) for j in range(5)], executor="default") for i in range(8)]
        values = Scheduler(backend=repository).run(calls)
        assert values == [[[100 * i + j + 1, 100 * i + j + 2] for j in range(5)] for i in range(8)]
        (jobs,) = tree(repository)
        assert len(jobs) == 1 + 8 + 8 * (5 + 6)
    with open_repository(tmp_path) as repository:
        RAN.clear()
        assert Scheduler(backend=repository).run(calls) == values
        assert RAN == []
