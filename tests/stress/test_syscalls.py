"""Kills and failing disks at each single step: system calls picked one after the other with strace.

The invariant that is attacked: order of writing (docs/format/pack.md, section *Sealing*).  A sweep makes the first
call of a family fail, then the second, and so on, until a command ends untouched.
"""

from __future__ import annotations

import re
import shutil
import time

import pytest

pytestmark = [
    pytest.mark.stress,
    pytest.mark.timeout(0),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace injects the faults"),
]

FAMILIES = ("rename", "write,pwrite64", "fsync", "unlink,unlinkat", "mkdir", "ftruncate")
SIZE = 4
MAX_STEPS = 60


def strace(families: str, fault: str, n: int) -> tuple[str, ...]:
    """Return the command that injects a fault into the n-th call of some families, in any thread of what follows."""
    inject = f"inject={families}:{fault}:when={n}"
    # Without --seccomp-bpf, which would be quicker: with it strace 6.1 injects no signals.
    return ("strace", "-f", "-qq", "-o", "faults.txt", "-e", f"trace={families}", "-e", inject)


def was_hit(project):
    """Tell whether the fault was injected into the last command."""
    return re.search(r"INJECTED|killed by SIGKILL", (project.folder / "faults.txt").read_text()) is not None


def steps(rounds):
    """Return which calls a sweep picks: all of them with enough rounds, else some from first to last."""
    return range(1, MAX_STEPS + 1, max(1, 2 * MAX_STEPS // max(1, rounds)))


@pytest.mark.parametrize("families", FAMILIES)
def test_a_run_killed_at_any_call_is_taken_up_again(make_project, rounds, families):
    """Nothing on record is lost, the result is right and fsck is content, whichever call was the last."""
    project = make_project("project")
    for n in steps(rounds):
        base = 100 * n
        project.redun(
            "-q", *project.run_words(SIZE, base, 0.0), code=None, before=strace(families, "signal=SIGKILL", n)
        )
        is_hit = was_hit(project)
        project.check_sound()
        project.check_rerun(SIZE, base, 0.0, time.time())
        project.check_sound()
        if not is_hit:
            return


@pytest.mark.parametrize("families", FAMILIES)
def test_a_first_run_killed_at_any_call_leaves_a_repository_that_can_be_used(make_project, rounds, families):
    """The same where the repository is only being made."""
    for n in steps(rounds):
        project = make_project(f"project {n}")
        project.redun("-q", *project.run_words(SIZE, 0, 0.0), code=None, before=strace(families, "signal=SIGKILL", n))
        is_hit = was_hit(project)
        project.check_rerun(SIZE, 0, 0.0, time.time())
        project.check_sound()
        shutil.rmtree(project.folder)
        if not is_hit:
            return


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EACCES"])
@pytest.mark.parametrize("families", FAMILIES)
def test_a_run_whose_disk_fails_at_any_call_says_so(make_project, rounds, families, error):
    """It ends with its result or with one clear line, and the next run finds everything sound."""
    project = make_project("project")
    for n in steps(rounds):
        base = 100 * n
        words = project.run_words(SIZE, base, 0.0)
        done = project.redun("-q", *words, code=None, before=strace(families, f"error={error}", n))
        is_hit = was_hit(project)
        assert done.code in (0, 1), done
        if done.code == 0 and done.stdout:
            assert done.stdout.strip() == str(sum(range(base, base + SIZE)))
        project.check_sound()
        project.check_rerun(SIZE, base, 0.0, time.time())
        project.check_sound()
        if not is_hit:
            return


@pytest.mark.parametrize("fault", ["signal=SIGKILL", "error=EIO", "error=ENOSPC"])
@pytest.mark.parametrize("families", FAMILIES)
@pytest.mark.parametrize("verb", ["push", "pull"])
def test_a_transfer_that_fails_at_any_call_is_taken_up_again(make_project, tmp_path, rounds, verb, families, fault):
    """Both sides stay whole, and the next transfer brings the rest."""
    project, other = make_project("project"), make_project("other")
    other.redun("init")
    for n in steps(rounds):
        base = 100 * n
        project.redun("-q", *project.run_words(SIZE, base, 0.0))
        if n == 1:
            for each in (project, other):
                each.redun("remote", "add", "origin", str(tmp_path / "remote"))
        faulty = strace(families, fault, n)
        project.redun("push", code=None, before=faulty if verb == "push" else ())
        is_hit = verb == "push" and was_hit(project)
        if (tmp_path / "remote" / "objects" / "format").exists():
            other.redun("pull", code=None, before=faulty if verb == "pull" else ())
            is_hit = is_hit or (verb == "pull" and was_hit(other))
            other.check_sound()
        project.redun("push")
        other.redun("pull")
        other.check_sound()
        before = len(other.notes())
        done = other.redun("-q", *other.run_words(SIZE, base, 0.0))
        assert done.stdout.strip() == str(sum(range(base, base + SIZE)))
        assert len(other.notes()) == before, "what was pulled ran again"
        if not is_hit:
            return


HOUSEKEEPING = {
    "gc": ("gc", "--keep-executions", "1", "--grace", "0", "--apply"),
    "repack": ("repack", "--all"),
}


@pytest.mark.parametrize("fault", ["signal=SIGKILL", "error=EIO", "error=ENOSPC"])
@pytest.mark.parametrize("families", FAMILIES)
@pytest.mark.parametrize("verb", HOUSEKEEPING)
def test_housekeeping_that_fails_at_any_call_loses_nothing(make_project, rounds, verb, families, fault):
    """What is kept is whole, whichever call of a collection or of a merge was the last or failed."""
    project = make_project("project")
    for n in steps(rounds):
        base = 100 * n
        for first in (base + 50, base):
            project.redun("-q", *project.run_words(SIZE, first, 0.0))
        done = project.redun(*HOUSEKEEPING[verb], code=None, before=strace(families, fault, n))
        is_hit = was_hit(project)
        assert done.code in (0, 1, -9, 137), done
        project.check_sound()
        before = len(project.notes())
        assert project.redun("-q", *project.run_words(SIZE, base, 0.0)).stdout.strip() == str(
            sum(range(base, base + SIZE))
        )
        assert len(project.notes()) == before, "what was kept ran again"
        project.redun(*HOUSEKEEPING[verb])
        project.check_sound()
        if not is_hit:
            return
