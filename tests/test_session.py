"""redun.run: a project's repository and settings, found from the working directory."""

from __future__ import annotations

import threading

import pytest

import redun
from redun import Scheduler, get_context, get_current_scheduler, task
from redun.objects.execution_records import ExecutionRecord
from redun.scheduler import DryRunResult, SchedulerError
from redun.session import open_session
from redun.store.repository import Repository

redun_namespace = "test_session"

RAN: list = []
INSIDE = threading.Event()
GO_ON = threading.Event()
MEET = threading.Barrier(2, timeout=20)


@task(version="1")
def note(x):
    """Say that it ran."""
    RAN.append(x)
    return x + 1


@task(version="1")
def where():
    """Tell what the context says."""
    return get_context("at.x", "nowhere")


@task(version="1", cache=False)
def current():
    """Return the identity of the scheduler that runs this."""
    return id(get_current_scheduler())


@task(version="1", cache=False)
def again(path):
    """Run in the folder that this runs in."""
    return redun.run(note(1), config_dir=path)


@task(version="1", cache=False)
def meet(x):
    """Wait for the other thread's run, and call on."""
    MEET.wait()
    return [note(x), current()]


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


@pytest.fixture
def folder(tmp_path):
    """A folder of settings that say something."""
    path = tmp_path / ".redun"
    Repository.init(path).close()
    settings = '[scheduler]\ncontext = {"at": {"x": 1}}\n[tags]\nteam = "a"\n[limits]\ngpu = 3\n'
    (path / "redun.ini").write_text(settings)
    return path


def record_of(path):
    """Return the record of the newest execution of a folder."""
    with Repository.open(path) as repository:
        (ref,) = repository.refs.iter_refs(1)
        return ref, ExecutionRecord.decode(repository.store.get_node(ref.object))


def test_the_folder_is_that_of_the_working_directory(tmp_path, monkeypatch):
    """As for the command line: the nearest .redun above, made here when there is none."""
    monkeypatch.chdir(tmp_path)
    assert redun.run(note(1)) == 2
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert redun.run(note(1)) == 2
    assert RAN == [1]
    assert not (tmp_path / "below/.redun").exists()


def test_settings_and_arguments_are_those_of_a_run(folder):
    """Context, tags, command line and id are recorded as given, over what the settings say."""
    path, uuid = str(folder), "6c1d2f3e-1111-4222-8333-abcdefabcdef"
    assert redun.run(where(), path) == 1
    assert redun.run(where(), path, context={"at": {"x": 2}}) == 2
    assert redun.run(note(1), path, ["my", "program"], tags=[("k", "v")], execution_id=uuid) == 2
    ref, record = record_of(folder)
    assert (ref.execution_id, record.argv, len(record.tags)) == (uuid, ["my", "program"], 2)
    assert redun.run(note(1), path, cache=False) == 2
    assert RAN == [1, 1]
    with pytest.raises(DryRunResult):
        redun.run(note(2), path, dryrun=True)


def test_one_scheduler_serves_a_folder(tmp_path, folder):
    """Another folder has another; nothing is current once a run has ended."""
    other = str(tmp_path / "other/.redun")
    first, second = (redun.run(current(), str(folder)) for _ in range(2))
    assert first == second != redun.run(current(), other)
    assert get_current_scheduler(required=False) is None


def test_the_scheduler_that_the_settings_name_is_used(folder):
    """Its function is called once."""
    (folder.parent / "session_setup.py").write_text(
        "from redun import Scheduler\nMADE = []\n"
        "def make(config):\n    MADE.append(Scheduler(config))\n    return MADE[-1]\n"
    )
    (folder / "redun.ini").write_text("[scheduler]\nsetup_scheduler = session_setup.py::make\n")
    for _ in range(2):
        assert redun.run(note(1), str(folder)) == 2
    import session_setup

    assert len(session_setup.MADE) == 1
    assert record_of(folder)[1].argv[0] == "scheduler.run"


def test_a_run_inside_a_run_of_the_same_folder_is_refused(folder):
    """One scheduler has one run at a time."""
    with pytest.raises(SchedulerError, match="running already"):
        redun.run(again(str(folder)), str(folder))


def test_two_threads_run_in_two_folders_at_once(tmp_path):
    """Each has its own current scheduler, and records in its own place."""
    paths = [tmp_path / name / ".redun" for name in "ab"]
    values: dict = {}

    def work(number):
        values[number] = redun.run(meet(number), str(paths[number]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [values[number][0] for number in range(2)] == [1, 2]
    assert values[0][1] != values[1][1]
    for path in paths:
        assert record_of(path)[0].status == "done"


def test_two_schedulers_share_a_repository_in_two_threads(tmp_path):
    """Each with a journal of its own; both see in the end what either has recorded."""
    path, values = tmp_path / ".redun", {}

    def work(number):
        with Repository.open_or_init(path) as repository:
            values[number] = Scheduler(backend=repository).run(meet(number))[0]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == {0: 1, 1: 2}
    RAN.clear()
    with Repository.open(path) as repository:
        assert len(list(repository.refs.iter_refs())) == 2
        assert Scheduler(backend=repository).run([note(0), note(1)]) == [1, 2]
    assert RAN == []


def test_a_session_releases_what_it_holds(folder):
    """Closing it leaves no journal behind."""
    session = open_session(folder, None, pytest.fail)
    assert session.scheduler.limits == {"gpu": 3}
    session.scheduler.run(note(1))
    session.close()
    assert list((folder / "objects/journal").iterdir()) == []
