"""`redun run` with remotes: by name, by the settings, or none."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """
from pathlib import Path

from redun import File, task

redun_namespace = "flow"


@task()
def step(number: int):
    with Path("../ran").open("a") as stream:
        stream.write("x")
    return number * 2


@task()
def main(count: int = 3):
    return [step(number) for number in range(count)]


@task()
def write(size: int):
    file = File("large.txt")
    file.write("x" * size)
    return file


@task()
def fail(number: int):
    raise ValueError(number)


@task()
def both():
    return [step(1), fail(step(2))]
"""
SECTION = "[remotes.origin]\nurl = ../shared\n"
MAIN = ("run", "flow.py", "main")


class Projects:
    """Folders with one script and repositories of their own, beside one remote."""

    def __init__(self, root: Path, redun_command, monkeypatch) -> None:
        self._root = root
        self._redun = redun_command
        self._monkeypatch = monkeypatch

    def run(self, name: str, *words: str, settings: str = SECTION, code: int = 0):
        """Run a command in the project of a name, made when there is none."""
        folder = self._root / name
        if not folder.exists():
            (folder / ".redun").mkdir(parents=True)
            (folder / ".redun" / "redun.ini").write_text(settings)
            (folder / "flow.py").write_text(FLOW)
        self._monkeypatch.chdir(folder)
        return self._redun(*words, code=code, cwd=folder)

    @property
    def n_ran(self) -> int:
        """How many jobs did something, anywhere."""
        ran = self._root / "ran"
        return len(ran.read_text()) if ran.exists() else 0


@pytest.fixture
def projects(tmp_path, redun_command, monkeypatch):
    """No project yet, and nothing at the remote."""
    return Projects(tmp_path, redun_command, monkeypatch)


def test_a_remote_is_asked_by_its_name(projects):
    """What it has does not run; what was taken is told, and is here from then on."""
    projects.run("a", *MAIN)
    projects.run("a", "push")
    told = projects.run("b", "run", "--remote", "origin", "flow.py", "main")
    assert told.stdout == "[0, 2, 4]\n"
    assert "objects from remote 'origin'" in told.stderr
    assert projects.run("b", *MAIN).stdout == "[0, 2, 4]\n"
    assert projects.n_ran == 3
    projects.run("b", "fsck")


def test_a_name_that_is_no_remotes_is_an_error(projects):
    """Nothing has run then."""
    told = projects.run("a", "run", "--remote", "orgin", "flow.py", "main", code=1)
    assert "there is no remote 'orgin'; there are origin" in told.stderr
    assert projects.n_ran == 0


def test_settings_pull_and_push(projects):
    """Each run asks first and pushes what came of it, unless it is told not to."""
    settings = SECTION + "auto_pull = true\nauto_push = true\n"
    told = projects.run("a", *MAIN, settings=settings)
    assert "there is nothing at remote 'origin' yet" in told.stderr
    assert "Pushed 1 execution to remote 'origin'" in told.stderr
    told = projects.run("b", *MAIN, settings=settings)
    assert "Took " in told.stderr
    assert "Pushed 1 execution" in told.stderr
    assert projects.n_ran == 3
    told = projects.run("c", "run", "--no-remote", "flow.py", "main", settings=settings)
    assert "remote" not in told.stderr.replace("--no-remote", "")
    assert projects.n_ran == 6


def test_remote_add_writes_the_settings(projects):
    """Both are off when nothing is said."""
    add = ("remote", "add", "shared", "../shared", "--auto-pull", "--auto-push")
    projects.run("a", *add, settings="")
    projects.run("a", "remote", "add", "other", "../other")
    assert "Pushed 1 execution to remote 'shared'" in projects.run("a", *MAIN).stderr
    assert projects.run("a", "push", "other").stdout.startswith("Pushed 1 execution")


def test_what_finished_in_a_run_that_failed_is_pushed(projects):
    """The exit code stays that of the run."""
    settings = SECTION + "auto_pull = true\nauto_push = true\n"
    told = projects.run("a", "run", "flow.py", "both", settings=settings, code=1)
    assert "Pushed 1 execution" in told.stderr
    before = projects.n_ran
    projects.run("b", "run", "flow.py", "both", settings=settings, code=1)
    assert projects.n_ran == before


def test_a_remote_that_cannot_be_reached_is_one_warning_each_way(projects, tmp_path):
    """The run comes to what it would have come to, with its own exit code."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "stranger").write_text("")
    settings = SECTION + "auto_pull = true\nauto_push = true\n"
    told = projects.run("a", *MAIN, settings=settings)
    assert told.stdout == "[0, 2, 4]\n"
    warnings = [line for line in told.stderr.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert "this run was not pushed" in warnings[0]


def test_a_dry_run_asks_and_pushes_nothing(projects):
    """It tells what a run with the remote would come to."""
    projects.run("a", *MAIN)
    projects.run("a", "push")
    settings = SECTION + "auto_pull = true\nauto_push = true\n"
    told = projects.run("b", "run", "--dryrun", "flow.py", "main", settings=settings)
    assert told.stdout == "[0, 2, 4]\n"
    assert "Pushed" not in told.stderr
    assert "Dryrun" in projects.run("b", "run", "--dryrun", "flow.py", "main", "--count", "4", code=1).stderr


def test_a_setting_that_cannot_be_understood_is_told(projects):
    """With its file and line, before anything runs."""
    told = projects.run("a", *MAIN, settings=SECTION + "auto_pull = perhaps\n", code=2)
    assert "redun.ini:3: [remotes.origin] auto_pull: expected yes or no, found 'perhaps'" in told.stderr
    told = projects.run("b", *MAIN, settings=SECTION + "auto_pul = true\n", code=2)
    assert "redun.ini:3: [remotes.origin] auto_pul: there is no such setting; there are url, auto_pull" in told.stderr


def on_terminal(folder: Path, environment: dict[str, str], *words: str) -> str:
    """Run a command whose standard error is a terminal; return what was written there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("redun")), *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    with open(ours, "rb", buffering=0) as stream:
        try:
            while piece := stream.read(4096):
                written += piece
        except OSError:
            pass  # how a terminal tells that nobody writes there any more
    assert process.wait(60) == 0, written
    return written.decode()


def test_what_goes_is_shown_on_a_terminal(projects, tmp_path, redun_environment):
    """A run with auto_push tells of what it sends in the same way."""
    projects.run("a", "init", settings=f"{SECTION}auto_push = yes\n")
    shown = on_terminal(tmp_path / "a", redun_environment, "run", "flow.py", "write", "--size", "3000000")
    assert re.search(r"\r\x1b\[2K\[redun\] [^\r]*: [^\r]*\r\x1b\[2K\[redun\] Pushed 1 execution", shown), shown


@pytest.mark.parametrize("is_lazy", [False, True])
def test_what_comes_is_shown_on_a_terminal(projects, tmp_path, redun_environment, is_lazy):
    """One line that is gone at the end, and nothing of it with --quiet or in a file."""
    write = ("flow.py", "write", "--size", "3000000")
    projects.run("a", "run", *write)
    projects.run("a", "push")
    for name in ("shown", "quiet", "piped"):
        projects.run(name, *(("pull", "--lazy") if is_lazy else ("init",)))
    words = ("run", *(() if is_lazy else ("--remote", "origin")), *write)
    shown = on_terminal(tmp_path / "shown", redun_environment, *words)
    quiet = on_terminal(tmp_path / "quiet", redun_environment, "-q", *words)
    piped = projects.run("piped", *words).stderr
    what = (
        r"getting contents: 0 bytes of 2\.9 MiB" if is_lazy else r"\d+ objects from remote 'origin': \S+ (bytes|[KM]iB)"
    )
    assert re.search(rf"\r\x1b\[2K\[redun\] {what}\r\x1b\[2K", shown), shown
    assert "\x1b[2K" not in quiet + piped
    assert all((tmp_path / name / "large.txt").stat().st_size == 3_000_000 for name in ("shown", "quiet", "piped"))
