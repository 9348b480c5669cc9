"""A project whose processes can be killed at any moment, and what must hold afterwards."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from redun.provenance.executions import JobState, load_execution
from redun.provenance.jobs import view_job
from redun.store.repository import Repository

REDUN = str(Path(sys.executable).with_name("redun"))
SECONDS = 120
WRITTEN_OUT_SECONDS = 2.5
"""A job that ended so long before a kill must be on record: writing out happens each second, on a busy machine."""

WORKFLOW = """
import os
import time

from redun import File, task

redun_namespace = "demo"


def note(word, n):
    descriptor = os.open("notes.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {n} {time.time()}\\n".encode())
    os.close(descriptor)


@task()
def leaf(n, pause):
    note("start", n)
    time.sleep(pause)
    file = File(f"out/{n}.txt")
    file.write(f"content {n} " * (n % 7 * 200 + 1))
    note("end", n)
    return {"n": n, "file": file, "text": "x" * n}


@task()
def total(parts):
    return sum(part["n"] for part in parts)


@task()
def main(size: int = 30, base: int = 0, pause: float = 0.0):
    return total([leaf(base + n, pause) for n in range(size)])
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command said."""

    code: int  # -9 when it was killed
    stdout: str
    stderr: str


@dataclass
class Project:
    """A folder with the workflow, driven by the real command line."""

    folder: Path
    environment: dict[str, str]
    asked: set[int] = field(default_factory=set)  # leaves that were asked for in any run

    @property
    def store(self) -> Path:
        """The ``.redun`` folder."""
        return self.folder / ".redun"

    def start(self, *words: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start a command in a process group of its own; ``before`` is a program that runs it."""
        return subprocess.Popen(
            [*before, REDUN, *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def redun(self, *words: str, code: int | None = 0, before: tuple[str, ...] = ()) -> Done:
        """Run a command to its end; ``code=None`` allows any but a traceback's."""
        return self.finish(self.start(*words, before=before), code=code)

    def finish(self, process: subprocess.Popen[str], *, code: int | None = 0) -> Done:
        """Wait for a command, and check that it told of its errors as it should."""
        stdout, stderr = process.communicate(timeout=SECONDS)
        done = Done(process.returncode, stdout, stderr)
        assert "Traceback" not in stderr, stderr
        assert "this was not expected" not in stderr, stderr
        if code is not None:
            assert done.code == code, f"{process.args}: exit code {done.code}\n{stdout}\n{stderr}"
        return done

    def kill_after(self, delay: float, *words: str) -> Done:
        """Start a command and kill all of it after some seconds, unless it has ended by then."""
        process = self.start(*words)
        try:
            process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        return self.finish(process, code=None)

    def kill_when(self, reached: Callable[[], bool], *words: str) -> Done:
        """Start a command and kill all of it as soon as something is so, or after it has ended."""
        process = self.start(*words)
        while process.poll() is None:
            if reached():
                os.killpg(process.pid, signal.SIGKILL)
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.02)
        return self.finish(process, code=None)

    def run_words(self, size: int, base: int, pause: float) -> list[str]:
        """Return the command line that runs some leaves."""
        self.asked.update(range(base, base + size))
        return ["run", "wf.py", "main", "--size", str(size), "--base", str(base), "--pause", str(pause)]

    def notes(self) -> list[tuple[str, int, float]]:
        """Return what leaves have noted: "start" or "end", which, and when."""
        path = self.folder / "notes.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(word, int(n), float(when)) for word, n, when in map(str.split, lines)]

    def finished_leaves(self) -> set[int]:
        """Return the leaves that the newest execution has on record as finished, asking without changing anything."""
        if not (self.store / "objects" / "format").exists():
            return set()
        with Repository.open(self.store, writable=False) as repository:
            name = next(repository.refs.iter_names(), None)
            if name is None:
                return set()
            execution = load_execution(repository.store, repository.refs, name)
            return {
                int(view_job(repository.store, execution, row).arguments[0].value.text)
                for row in execution.rows
                if row.task == "demo.leaf" and execution.state_of(row) in (JobState.DONE, JobState.CACHED)
            }

    def check_sound(self) -> None:
        """Check that the repository is whole, if need be after a repair."""
        if not (self.store / "objects" / "format").exists():
            return
        first = self.redun("fsck", code=None)
        if first.code:
            self.redun("fsck", "--repair")
            self.redun("fsck")

    def check_rerun(self, size: int, base: int, pause: float, killed: float) -> None:
        """Run again after a kill: the result is right, and nothing that was on record is done anew."""
        kept = self.finished_leaves()
        before = self.notes()
        due = {n for word, n, when in before if word == "end" and when < killed - WRITTEN_OUT_SECONDS}
        due &= set(range(base, base + size))
        done = self.redun(*self.run_words(size, base, pause))
        assert done.stdout.strip() == str(sum(range(base, base + size)))
        again = {n for word, n, _ in self.notes()[len(before) :] if word == "start"}
        assert not again & kept, f"on record as finished, and run again: {sorted(again & kept)}"
        assert not again & due, f"ended long before the kill, and run again: {sorted(again & due)}"
        self.check_outputs(size, base)

    def check_outputs(self, size: int, base: int) -> None:
        """Check that each leaf's file holds what it must."""
        for n in range(base, base + size):
            expected = f"content {n} " * (n % 7 * 200 + 1)
            assert (self.folder / "out" / f"{n}.txt").read_text() == expected


MakeProject = Callable[[str], Project]


@pytest.fixture
def make_project(tmp_path: Path, redun_environment: dict[str, str]) -> MakeProject:
    """Make a project folder of a name, with nothing but the workflow in it."""

    def make(name: str) -> Project:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "wf.py").write_text(WORKFLOW)
        return Project(folder, redun_environment)

    return make


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """A project in which nothing was run."""
    return make_project("project")


@pytest.fixture
def rounds() -> int:
    """How many rounds an attack has."""
    return int(os.environ.get("REDUN_STRESS_ROUNDS", "200"))


@pytest.fixture
def chance() -> Iterator[random.Random]:
    """Chance, from a seed that is printed; REDUN_STRESS_SEED repeats it."""
    seed = int(os.environ.get("REDUN_STRESS_SEED", time.time_ns() % 1_000_000))
    print(f"REDUN_STRESS_SEED={seed}")
    return random.Random(seed)
