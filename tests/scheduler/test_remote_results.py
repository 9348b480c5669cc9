"""Runs that use what remotes have: a frontier at a time, in few requests, and never a result that does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redun import File, Scheduler, task
from redun.file.statcache import StatCache, use_stat_cache
from redun.objects.execution_records import JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.objects.links import walk
from redun.remotes.lookup import RemoteLookups
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.scheduler.errors import DryRunResult
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.probed import ProbedStorage

redun_namespace = "test_remote_results"
N_JOBS = 5_000


class Runs:
    """What ran, and what the code is like at the moment."""

    names: list[str] = []
    salt = ""


@task(version="1")
def leaf(number: int, salt: str = "") -> str:
    """Do a little."""
    Runs.names.append("leaf")
    return f"{number}{salt}"


@task(version="1")
def many(count: int, salt: str = "") -> list[str]:
    """Call a leaf for each number."""
    Runs.names.append("many")
    return [leaf(number, salt) for number in range(count)]


@task(version="1")
def many_more(count: int) -> list[str]:
    """Call the same leaves, from somewhere else."""
    Runs.names.append("many_more")
    return [leaf(number) for number in range(count)]


@task(version="1")
def chain(depth: int) -> int:
    """Call itself on the way down."""
    Runs.names.append("chain")
    return depth if depth == 0 else chain(depth - 1)


@task(version="1")
def fail(number: int) -> int:
    """Never end well."""
    Runs.names.append("fail")
    raise ValueError(number)


@task(version="1", cache=False)
def uncached() -> int:
    """Run each time."""
    Runs.names.append("uncached")
    return 1


@task(version="1")
def write(path: str, text: str, times: int = 1) -> File:
    """Write a file."""
    Runs.names.append("write")
    file = File(path)
    file.write(text * times)
    return file


class Place:
    """A remote, and the repositories that use it."""

    def __init__(self, folder: Path) -> None:
        self.storage = ProbedStorage(MemoryStorage("bucket"))
        self.folder = folder
        self.opened: list[Repository] = []
        self.warnings: list[str] = []

    def repository(self, name: str) -> Repository:
        """Return a repository, made when there is none."""
        self.opened.append(Repository.init(self.folder / name / ".redun"))
        return self.opened[-1]

    def share(self, expression: Any) -> Any:
        """Run something elsewhere, and push it."""
        repository = self.repository(f"maker{len(self.opened)}")
        try:
            value = Scheduler(backend=repository).run(expression)
        except ValueError:
            value = None
        push(repository, Remote("origin", self.storage))
        self.storage.forget()
        Runs.names.clear()
        return value

    def run(self, repository: Repository, expression: Any, **options: Any) -> Any:
        """Run something that may use what the remote has."""
        assert repository.cache_path is not None
        cache = LocalStorage(repository.cache_path / "remotes" / "origin")
        remote = Remote("origin", self.storage, cache, project=ProbedStorage(MemoryStorage()))
        scheduler = Scheduler(backend=repository)
        scheduler.lookups = RemoteLookups(repository, [remote], self.warnings.append)
        try:
            return scheduler.run(expression, **options)
        finally:
            scheduler.lookups.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A remote; repositories are closed at the end."""
    Runs.names.clear()
    use_stat_cache(StatCache(None))
    place = Place(tmp_path)
    yield place
    for repository in place.opened:
        repository.close()


def _taken(repository: Repository) -> int:
    """Count the rows of results that were taken from elsewhere."""
    store = repository.store
    rows = (
        row
        for oid, _ in store.iter_oids(Kind.JOBS)
        for row in JobsRecord.decode(store.get_node(oid)).rows
        if row.status is JobStatus.TAKEN
    )
    return sum(1 for _ in rows)


def test_look_ups_of_5000_jobs_against_a_warm_remote(place: Place) -> None:
    """Twenty requests or fewer, whether one call answers all or each is looked up for itself; nothing runs again."""
    expected = place.share(many(N_JOBS))
    here = place.repository("here")
    assert place.run(here, many(N_JOBS)) == expected
    assert Runs.names == []
    assert len(place.storage.calls) == 4  # format, list, idx, pack
    other = place.repository("other")
    place.storage.forget()
    assert place.run(other, many_more(N_JOBS)) == expected
    assert Runs.names == ["many_more"]
    assert len(place.storage.calls) <= 20
    assert place.warnings == []


def test_the_number_of_requests_follows_the_packs(place: Place) -> None:
    """Results that were pushed in six goes are in six packs, each of which is brought once."""
    for count in range(100, 700, 100):
        place.share(many(count))
    assert len(place.run(place.repository("here"), many_more(600))) == 600
    assert Runs.names == ["many_more"]
    assert len(place.storage.calls) <= 20
    assert len(place.storage.names("open")) == 6


def test_what_was_taken_is_on_record_here(place: Place) -> None:
    """The next run finds all of it without the remote: the whole, and each call below."""
    place.share(many(20))
    here = place.repository("here")
    place.run(here, many(20))
    assert _taken(here) == 21
    refs = [ref.object for ref in here.refs.iter_refs() if ref.object is not None]
    for _ in walk(refs, here.store.find_kind_and_data):
        pass
    place.storage.forget()
    assert len(Scheduler(backend=here).run(many(20))) == 20
    assert len(Scheduler(backend=here).run(many_more(20))) == 20
    assert Runs.names == ["many_more"]
    assert place.storage.calls == []


def test_what_the_repository_has_asks_nobody(place: Place) -> None:
    """A remote is asked when something is missing here, and not before."""
    place.share(many(3))
    here = place.repository("here")
    place.run(here, many(3))
    place.storage.forget()
    place.run(here, many(3))
    assert place.storage.calls == []


def test_a_chain_is_brought_with_its_first_link(place: Place) -> None:
    """A call comes with all below it, so depth costs no requests."""
    place.share(chain(300))
    assert place.run(place.repository("here"), chain(300)) == 0
    assert Runs.names == []
    assert len(place.storage.calls) == 4


def test_only_what_nobody_has_runs(place: Place) -> None:
    """New calls run beside those that were taken."""
    place.share(many(5))
    assert place.run(place.repository("here"), many(8)) == [str(number) for number in range(8)]
    assert sorted(Runs.names) == ["leaf"] * 3 + ["many"]


def test_failures_and_uncached_tasks_are_nobodys_results(place: Place) -> None:
    """They run here as they ran there."""
    place.share([fail(1)])
    place.share(uncached())
    here = place.repository("here")
    with pytest.raises(ValueError, match="1"):
        place.run(here, fail(1))
    assert place.run(here, uncached()) == 1
    assert Runs.names == ["fail", "uncached"]


def test_no_cache_asks_nobody(place: Place) -> None:
    """Who wants no earlier results wants none from elsewhere."""
    place.share(many(2))
    place.run(place.repository("here"), many(2), cache=False)
    assert len(Runs.names) == 3
    assert place.storage.calls == []


@pytest.mark.parametrize("times", [1, 300_000])
def test_files_are_put_back_from_what_came(place: Place, tmp_path: Path, times: int) -> None:
    """The content is brought when the file is not as recorded; when it is, a large one stays there."""
    path = tmp_path / "out"
    call = write(str(path), "small", times)
    place.share(call)
    place.run(place.repository("near"), call)
    assert [name for name in place.storage.names("open") if "/blob/" in name] == []
    path.unlink()
    place.run(place.repository("far"), call)
    assert path.read_text() == "small" * times
    assert Runs.names == []
    assert len([name for name in place.storage.names("open") if "/blob/" in name]) == (times > 1)


def test_a_file_that_was_changed_by_something_else_is_left_alone(place: Place, tmp_path: Path) -> None:
    """What comes from a remote is checked as what is on record here: the job runs."""
    path = tmp_path / "out"
    place.share(write(str(path), "one"))
    path.write_text("mine")
    place.run(place.repository("here"), write(str(path), "one"))
    assert Runs.names == ["write"]


def test_a_dry_run_looks_there_too_and_leaves_no_trace(place: Place) -> None:
    """It comes to what a run would come to."""
    place.share(many(3))
    here = place.repository("here")
    assert place.run(here, many(3), dryrun=True) == ["0", "1", "2"]
    with pytest.raises(DryRunResult):
        place.run(here, many(4), dryrun=True)
    assert Runs.names == []
    assert list(here.store.iter_oids()) == []
    assert list(here.refs.iter_names()) == []


def test_a_remote_that_goes_away_in_the_middle_changes_no_result(place: Place) -> None:
    """One warning; whatever had not come yet runs."""
    expected = place.share(many(50))
    open_storage = place.storage.open

    def leave(name: str) -> Any:
        raise OSError(f"connection reset, reading {name}")

    place.storage.open = leave  # type: ignore[method-assign]
    assert place.run(place.repository("here"), many(50)) == expected
    assert len(Runs.names) == 51
    assert len(place.warnings) == 1
    place.storage.open = open_storage  # type: ignore[method-assign]


def test_a_damaged_remote_changes_no_result(place: Place) -> None:
    """Whatever byte of its pack is another one: it is told, and the jobs run."""
    expected = place.share(many(50))
    (name,) = [one.name for one in place.storage.inner.iter_entries("objects/pack") if one.name.endswith(".pack")]
    content = place.storage.inner.read(name)
    for at in range(8, len(content), max(1, len(content) // 12)):
        changed = bytearray(content)
        changed[at] ^= 0x10
        place.storage.inner.write(name, bytes(changed))
        place.warnings.clear()
        assert place.run(place.repository(f"here{at}"), many(50)) == expected
        assert len(place.warnings) == 1
        assert "damaged" in place.warnings[0]


def test_a_contest_over_there_counts(place: Place) -> None:
    """A call from there is stepped when a task below it has two results on record there, and the newer one is taken."""
    place.share(_counted(1))
    first = place.repository("first")
    Scheduler(backend=first).run(_counted(1))
    with_other = place.repository("second")
    _Counter.value = 10
    Scheduler(backend=with_other).run(_counted(1))
    push(with_other, Remote("origin", place.storage))
    place.storage.forget()
    assert place.run(place.repository("here"), _counted(1)) == Scheduler(backend=with_other).run(_counted(1))


class _Counter:
    value = 0


@task(version="1")
def _count(number: int) -> int:
    """Give another result each time it runs."""
    _Counter.value += 1
    return number + _Counter.value


@task(version="1")
def _counted(number: int) -> int:
    """Have it counted by a call below."""
    return _count(number)
