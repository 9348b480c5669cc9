"""Runs whose results lie elsewhere: in an alternate, or at a remote that a lazy pull has left contents at."""

from __future__ import annotations

import shutil

import pytest

from redun import File, Scheduler, task
from redun.file.statcache import StatCache, use_stat_cache
from redun.remotes.connect import connect
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.settings import add_remote
from redun.session import open_session
from redun.store.maintain.fsck import check_repository
from redun.store.repository import Repository

redun_namespace = "test_results_elsewhere"

RAN: list[str] = []
SIZE = 1 << 20
N_FILES = 6


@task(version="1")
def make_file(number: int) -> File:
    """Write a large file."""
    RAN.append(f"file {number}")
    file = File(f"out{number}.bin")
    file.write(bytes([number]) * SIZE, "wb")
    return file


@task(version="1")
def make_bytes(number: int) -> bytes:
    """Return a large value."""
    RAN.append(f"bytes {number}")
    return bytes([number]) * SIZE


@task(version="1")
def measure(content: bytes, salt: int) -> int:
    """Read a large value."""
    RAN.append("measure")
    return len(content) + salt


@task(version="1")
def main(salt: int = 0) -> list:
    """Make files and a value."""
    RAN.append("main")
    return [[make_file(number) for number in range(N_FILES)], measure(make_bytes(77), salt)]


class Log:
    """Keeps a run's lines."""

    def __init__(self):
        self.text = ""

    def log(self, *parts, **_options):
        self.text += " ".join(map(str, parts)) + "\n"

    info = warning = error = debug = log


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    use_stat_cache(StatCache(None))
    RAN.clear()
    return work


def clean(folder):
    """Remove the files that runs have made; forget what ran."""
    for path in folder.glob("*.bin"):
        path.unlink()
    RAN.clear()


@pytest.fixture
def shared(tmp_path, folder):
    """A repository in which all was computed once."""
    path = tmp_path / "shared" / ".redun"
    with Repository.init(path) as repository:
        Scheduler(backend=repository).run(main())
        assert len(RAN) == N_FILES + 3
    clean(folder)
    return path


def run(path, expression, writable=True):
    """Run in a repository."""
    with Repository.open(path, writable=writable) as repository:
        return Scheduler(backend=repository).run(expression)


def test_results_of_an_alternate_serve_and_files_come_from_it(tmp_path, folder, shared):
    """Nothing runs and nothing is stored twice; files are put back from the alternate."""
    path = tmp_path / "mine" / ".redun"
    Repository.init(path).close()
    (path / "redun.ini").write_text("[repository]\nalternates = ../shared\n")
    assert run(path, main())[1] == SIZE
    assert RAN == []
    assert len(list(folder.glob("*.bin"))) == N_FILES
    with Repository.open(path) as repository:
        assert not list(repository.store.blobs.iter_oids())
        assert check_repository(repository).is_clean
    assert run(path, main(1))[1] == SIZE + 1
    assert RAN == ["main", "measure"]


def test_a_folder_that_cannot_be_written_reads_an_alternate(tmp_path, folder, shared):
    """Settings alone are enough to use what is there; what is new stays in memory."""
    path = tmp_path / "mine" / ".redun"
    path.mkdir(parents=True)
    (path / "redun.ini").write_text("[repository]\nalternates = ../shared\n")
    (path / "objects").write_text("in the way")  # no folder can be made here, not even by root
    warnings = []
    session = open_session(path, None, warnings.append)
    try:
        assert session.repository is None
        assert session.scheduler.run(main())[1] == SIZE
        assert RAN == []
        assert session.scheduler.run(main(2))[1] == SIZE + 2
        assert RAN == ["main", "measure"]
    finally:
        session.close()
    assert "nothing of this run is recorded" in warnings[0]


def test_a_vanished_alternate_costs_a_run_and_nothing_else(tmp_path, folder, shared):
    """What only the alternate had is computed again, and is here from then on."""
    path = tmp_path / "mine" / ".redun"
    Repository.init(path).close()
    (path / "redun.ini").write_text("[repository]\nalternates = ../shared\n")
    run(path, main(1))
    clean(folder)
    shutil.rmtree(shared.parent)
    assert run(path, main(1))[1] == SIZE + 1
    assert "bytes 77" in RAN
    RAN.clear()
    (path / "redun.ini").write_text("")
    assert run(path, main(1))[1] == SIZE + 1
    assert RAN == []


@pytest.fixture
def lazy(tmp_path, folder, shared):
    """A repository that was pulled lazily from a remote."""
    path = tmp_path / "lazy" / ".redun"
    with Repository.init(path) as repository, Repository.open(shared) as source:
        for one in (repository, source):
            add_remote(one.config_path, "origin", "../origin")
        push(source, connect(source, "origin"))
        report = pull(repository, connect(repository, "origin"), is_lazy=True)
        assert report.promised == N_FILES + 1
    return path


def count_transfers(monkeypatch):
    """Note how many contents each request for some asked for."""
    from redun.remotes import contents

    batches = []
    original = contents.get_contents

    def noting(remote, storage, sizes, *rest):
        batches.append(len(sizes))
        return original(remote, storage, sizes, *rest)

    monkeypatch.setattr(contents, "get_contents", noting)
    return batches


def test_a_hit_brings_all_its_files_together(folder, lazy, monkeypatch):
    """One result that is reused in one step has all files of its subtree brought at once."""
    batches = count_transfers(monkeypatch)
    assert run(lazy, main())[1] == SIZE
    assert RAN == []
    assert batches == [N_FILES]
    assert len(list(folder.glob("*.bin"))) == N_FILES


def test_files_that_are_in_place_need_no_content(folder, lazy, monkeypatch):
    """What is as recorded is not brought."""
    batches = count_transfers(monkeypatch)
    for number in range(N_FILES):
        (folder / f"out{number}.bin").write_bytes(bytes([number]) * SIZE)
    assert run(lazy, main())[1] == SIZE
    assert RAN == []
    assert batches == []


def test_calls_that_are_asked_one_by_one_bring_their_files_together(folder, lazy, monkeypatch):
    """Where a change forces every call to be asked, the files below are brought at once all the same."""
    batches = count_transfers(monkeypatch)
    (folder / "out0.bin").write_bytes(b"foreign")
    assert run(lazy, main())[1] == SIZE
    assert RAN == ["file 0"]
    assert batches == [N_FILES - 1, 1]  # the value is no file


def test_a_large_value_comes_when_it_is_read(folder, lazy, monkeypatch):
    """An argument that a job reads is brought alone."""
    batches = count_transfers(monkeypatch)
    assert run(lazy, measure(make_bytes(77), 5)) == SIZE + 5
    assert RAN == ["measure"]
    assert batches == [1]


def test_a_remote_that_is_gone_is_a_miss_with_a_reason(tmp_path, folder, lazy):
    """The jobs run again, and say why."""
    shutil.rmtree(tmp_path / "origin")
    log = Log()
    with Repository.open(lazy) as repository:
        assert Scheduler(backend=repository, logger=log).run(main(3))[1] == SIZE + 3
        assert check_repository(repository).is_clean
    assert RAN.count("file 0") == 1
    assert "a file cannot be put back" in log.text
    assert "at remote 'origin' still" in log.text
