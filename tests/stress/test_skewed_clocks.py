"""Machines whose clocks are a day apart share repositories and remotes: nothing is lost, run again or deleted too soon.

The disk's own clock is right: libfaketime moves the clock of a process and leaves the times of files alone.
"""

from __future__ import annotations

import shutil

import pytest

pytestmark = [
    pytest.mark.stress,
    pytest.mark.timeout(0),
    pytest.mark.skipif(shutil.which("faketime") is None, reason="there is no faketime: apt-get install faketime"),
]

SKEWS = {"a day ahead": ("faketime", "-f", "+1d"), "right": (), "a day behind": ("faketime", "-f", "-1d")}
SIZE = 5


@pytest.fixture
def project(make_project):
    """A project whose commands may run at another time than the disk has."""
    made = make_project("project")
    made.environment = {**made.environment, "NO_FAKE_STAT": "1"}
    return made


@pytest.fixture
def other(make_project):
    """Another one."""
    made = make_project("other")
    made.environment = {**made.environment, "NO_FAKE_STAT": "1"}
    made.redun("init")
    return made


@pytest.mark.parametrize("pushing", SKEWS)
@pytest.mark.parametrize("running", SKEWS)
def test_results_go_where_they_are_wanted_whatever_the_clocks(project, other, tmp_path, running, pushing):
    """A run by one clock, pushed by another, is whole at a third machine and not done again there."""
    project.redun("-q", *project.run_words(SIZE, 0, 0.0), before=SKEWS[running])
    for each in (project, other):
        each.redun("remote", "add", "origin", str(tmp_path / "remote"))
    project.redun("push", before=SKEWS[pushing])
    other.redun("pull")
    other.redun("fsck")
    for skew in SKEWS.values():
        assert other.redun("-q", *other.run_words(SIZE, 0, 0.0), before=skew).stdout.strip() == str(sum(range(SIZE)))
    assert not other.notes()
    other.redun("fsck")


@pytest.mark.parametrize("collecting", SKEWS)
def test_the_grace_period_follows_the_clock_of_the_disk(project, collecting):
    """What a collection has condemned just now, no other deletes, whatever the time where it runs."""
    for base in (0, 100):
        project.redun("-q", *project.run_words(SIZE, base, 0.0))
    packs = project.store / "objects" / "pack"
    before = {path.name for path in packs.glob("*.pack")}
    for _ in range(2):
        project.redun("gc", "--keep-executions", "1", "--apply", before=SKEWS[collecting])
        assert before <= {path.name for path in packs.glob("*.pack")}
    project.redun("fsck")
    n_notes = len(project.notes())
    project.redun("-q", *project.run_words(SIZE, 100, 0.0))
    assert len(project.notes()) == n_notes


@pytest.mark.parametrize("opening", SKEWS)
def test_a_run_in_flight_is_left_alone_by_another_clock(project, opening):
    """A process a day ahead does not take a running one for dead, and neither does a collection there."""
    run = project.start("-q", *project.run_words(40, 0, 0.1), before=SKEWS["right"])
    journals = project.store / "objects" / "journal"
    while run.poll() is None and not any(path.stat().st_size > 2000 for path in journals.glob("*.journal")):
        pass
    project.redun("gc", "--apply", before=SKEWS[opening])
    assert "RUNNING" in project.redun("log", before=SKEWS[opening]).stdout or run.poll() is not None
    assert project.finish(run).stdout.strip() == str(sum(range(40)))
    project.redun("fsck")
    n_notes = len(project.notes())
    project.redun("-q", *project.run_words(40, 0, 0.1))
    assert len(project.notes()) == n_notes
