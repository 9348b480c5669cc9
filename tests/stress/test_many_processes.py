"""Many processes in one repository and around one remote, all at once."""

from __future__ import annotations

import pytest

from redun.store.maintain.repack import consolidate
from redun.store.repository import Repository

pytestmark = [pytest.mark.stress, pytest.mark.timeout(0)]

PROCESSES = 8
JOBS = 200


def total(size, base):
    """What a run of the workflow prints."""
    return str(sum(range(base, base + size)))


def test_eight_runs_at_once_lose_nothing(project, rounds):
    """Each of eight runs that begin at once gives its result, and all of it is on record afterwards."""
    for number in range(max(1, rounds // 10)):
        bases = [10_000 * number + 150 * each for each in range(PROCESSES)]  # each shares 50 leaves with the next
        runs = [project.start("-q", *project.run_words(JOBS, base, 0.0)) for base in bases]
        for base, run in zip(bases, runs):
            assert project.finish(run).stdout.strip() == total(JOBS, base)
        done = project.redun("fsck")
        assert "error" not in done.stdout
        before = len(project.notes())
        for base in bases:
            assert project.redun("-q", *project.run_words(JOBS, base, 0.0)).stdout.strip() == total(JOBS, base)
        assert len(project.notes()) == before, "what was on record ran again"
    assert not list((project.store / "objects" / "journal").iterdir())


def test_runs_beside_transfers_checks_and_merges(project, make_project, tmp_path, rounds, chance):
    """Pushing, pulling, checking, merging and looking while others run disturbs nobody."""
    other = make_project("other")
    for each in (project, other):
        each.redun("init")
        each.redun("remote", "add", "origin", str(tmp_path / "remote"))
    project.redun("-q", *project.run_words(1, 0, 0.0))
    project.redun("push")
    other.redun("pull")
    for number in range(max(2, rounds // 4)):
        size, base = chance.choice([3, 50, 400]), 10_000 * number
        pause = chance.choice([0.0, 0.02])
        runs = [
            (each, base + 20 * place, each.start("-q", *each.run_words(size, base + 20 * place, pause)))
            for place, each in enumerate((project, project, other))
        ]
        words = [("push",), ("pull",), ("fetch",), ("fsck",), ("log", "-"), ("log", "--file"), ("push", "origin", "-")]
        words.append(("gc", "--apply"))
        beside = [(each, each.start(*chance.choice(words))) for each in (project, other) for _ in range(2)]
        with Repository.open(project.store) as repository:
            consolidate(repository.store)
        for each, first, run in runs:
            assert each.finish(run).stdout.strip() == total(size, first)
        for each, process in beside:
            done = each.finish(process)
            assert "error" not in done.stderr
    for each in (project, other, project):
        each.redun("push")
        each.redun("pull")
    for each in (project, other):
        each.redun("fsck")
    listed = [each.redun("log", "--all").stdout for each in (project, other)]
    assert listed[0] == listed[1], "both have all executions in the end"


def test_a_run_whose_repository_is_removed_ends_with_its_result(project):
    """The folder is removed under the first run: the result is right, and the next run uses what that one still wrote.

    (What an earlier run had sealed is gone with the folder, and a later one may link to it: fsck tells.)
    """
    run = project.start("-q", *project.run_words(60, 0, 0.2))
    journals = project.store / "objects" / "journal"
    while run.poll() is None and not any(path.stat().st_size > 2000 for path in journals.glob("*.journal")):
        pass
    project.store.rename(project.folder / "removed")
    assert project.finish(run).stdout.strip() == total(60, 0)
    before = len(project.notes())
    assert project.redun("-q", *project.run_words(60, 0, 0.2)).stdout.strip() == total(60, 0)
    assert len(project.notes()) == before
    project.redun("fsck")


def test_a_pull_takes_no_run_that_has_not_ended(project, make_project):
    """A run in flight at the remote is left out until it has ended; then all of it comes."""
    other = make_project("other")
    other.redun("init")
    other.redun("remote", "add", "origin", "../project")
    project.redun("-q", *project.run_words(3, 0, 0.0))
    run = project.start("-q", *project.run_words(300, 1000, 0.5))
    while "RUNNING" not in project.redun("log").stdout and run.poll() is None:
        pass
    other.redun("pull")
    assert run.poll() is None, "it ended before it was pulled; make it longer"
    assert "RUNNING" not in other.redun("log").stdout
    assert other.redun("log").stdout.count("Exec ") == 1
    other.redun("fsck")
    project.finish(run)
    other.redun("pull")
    other.redun("fsck")
    other.redun("-q", *other.run_words(300, 1000, 0.5))
    assert not other.notes()
