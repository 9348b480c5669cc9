"""Runs and transfers that are killed at random moments, again and again in one repository.

Each round draws what is done, how large it is and when it is killed.  Afterwards nothing that was on record may be
lost or done again, results are right, and fsck finds nothing that it cannot mend.  The seed is printed.
"""

from __future__ import annotations

import shutil
import time

import pytest

pytestmark = [pytest.mark.stress, pytest.mark.timeout(0)]

MAX_SECONDS = 1.2


def test_killed_runs_lose_nothing_that_was_on_record(project, rounds, chance):
    """After each kill the record is whole, and the next run repeats only what had not been written out."""
    for number in range(rounds):
        size, base = chance.choice([1, 5, 40, 200]), 1000 * number
        pause = chance.choice([0.0, 0.01, 0.05])
        project.kill_after(chance.uniform(0.05, MAX_SECONDS), *project.run_words(size, base, pause))
        killed = time.time()
        if chance.random() < 0.3:
            project.check_sound()
        if chance.random() < 0.3:
            project.kill_after(chance.uniform(0.05, 0.3), *project.run_words(size, base, pause))
        project.check_rerun(size, base, pause, killed)
        project.check_sound()


def test_a_killed_run_keeps_what_ended_seconds_before(project, chance):
    """What a long run had finished a few seconds before the kill is not done again."""
    size, pause = 300, 0.2
    project.kill_after(6.0, *project.run_words(size, 0, pause))
    project.check_rerun(size, 0, 0.2, time.time())
    assert len(project.notes()) < 2 * size + 200
    project.check_sound()


def test_killed_transfers_are_taken_up_again(project, make_project, tmp_path, rounds, chance):
    """A push and a pull that were killed leave both sides whole, and the next one brings the rest."""
    remote, other = tmp_path / "remote", make_project("other")
    other.redun("init")
    for each in (project, other):
        each.redun("init")
        each.redun("remote", "add", "origin", str(remote))
    for number in range(rounds):
        size, base = chance.choice([1, 30, 300]), 1000 * number
        project.redun("-q", *project.run_words(size, base, 0.0))
        if chance.random() < 0.8:
            project.kill_after(chance.uniform(0.08, 0.35), "push")
            check_remote(remote, tmp_path / "looked", project)
        project.redun("push")
        if chance.random() < 0.8:
            other.kill_after(chance.uniform(0.08, 0.35), "pull")
            other.check_sound()
        other.redun("pull")
        other.check_sound()
        before = len(other.notes())
        done = other.redun("-q", *other.run_words(size, base, 0.0))
        assert done.stdout.strip() == str(sum(range(base, base + size)))
        assert len(other.notes()) == before, "what was pulled ran again"
        other.check_outputs(size, base)


def check_remote(remote, folder, project):
    """Check that whatever a remote shows is whole: a clone of it passes fsck."""
    if not (remote / "objects" / "format").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    project.redun("clone", str(remote), str(folder))
    project.redun("-c", str(folder / ".redun"), "fsck")
