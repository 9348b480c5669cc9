"""A copy of the compile example in a folder of its own, driven by the real command line; and a workflow for sharing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "02_compile"
TRACKED = ("make.py", "lib.c", "prog.c", "prog2.c", ".gitignore")
OUTPUTS = ("prog", "prog2", "prog.o", "prog2.o", "lib.o")
JOB_LINE = re.compile(r"^\[redun\] (Run   |Cached) Job [0-9a-f]{8}:  redun\.examples\.compile\.(\w+)\((.*)$")


FLOW = """
from redun import File, task

redun_namespace = "flow"

@task()
def double(x: int) -> int:
    return 2 * x

@task()
def write(size: int) -> File:
    file = File("big.txt")
    file.write("x" * size)
    return file

@task()
def main(n: int = 3):
    return [[double(x) for x in range(n)], write(2_000_000)]
"""


@pytest.fixture(scope="session")
def flow() -> str:
    """The text of a workflow with as many small results as one likes, and one large file."""
    return FLOW


@dataclass(frozen=True, slots=True)
class Run:
    """What one ``redun run make.py make`` said."""

    stdout: str
    stderr: str

    @property
    def ran(self) -> list[str]:
        """The tasks whose jobs ran, in order of name."""
        return sorted(name for kind, name, _ in self._jobs() if kind == "Run   ")

    @property
    def cached(self) -> list[str]:
        """The tasks whose jobs were served from the store, in order of name."""
        return sorted(name for kind, name, _ in self._jobs() if kind == "Cached")

    def arguments(self, task: str) -> list[str]:
        """Return what the jobs of a task that ran were called with, and all that their lines say after it."""
        return [rest for kind, name, rest in self._jobs() if kind == "Run   " and name == task]

    def _jobs(self) -> Iterator[tuple[str, str, str]]:
        for line in self.stderr.splitlines():
            match = JOB_LINE.match(line)
            if match:
                yield match[1], match[2], match[3]


@dataclass(frozen=True, slots=True)
class Example:
    """One checkout of the example."""

    folder: Path
    command: Callable[..., subprocess.CompletedProcess[str]]

    def redun(self, *arguments: str, **options: str | int) -> str:
        """Run a redun command here and return what it printed."""
        return self.command(*arguments, cwd=self.folder, **options).stdout

    def make(self, *globals_: str, **environment: str) -> Run:
        """Run the workflow here."""
        done = self.command(*globals_, "run", "make.py", "make", cwd=self.folder, **environment)
        return Run(done.stdout, done.stderr)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a piece of a file that occurs once."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new))

    def outputs(self) -> dict[str, bytes]:
        """Return the content of each program and object file that is here."""
        return {name: (self.folder / name).read_bytes() for name in OUTPUTS if (self.folder / name).exists()}

    def says(self, program: str) -> str:
        """Run a program that was built here."""
        return subprocess.run([self.folder / program], capture_output=True, text=True, check=True).stdout

    def copy(self, folder: Path, *, outputs: bool) -> Example:
        """Check out the sources elsewhere, as a fresh clone does: new mtimes, no .redun; outputs when asked for."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*TRACKED, *(OUTPUTS if outputs else ())):
            shutil.copyfile(self.folder / name, folder / name)
            shutil.copymode(self.folder / name, folder / name)
        return Example(folder, self.command)


@pytest.fixture
def fresh(tmp_path: Path, redun_command: Callable[..., subprocess.CompletedProcess[str]]) -> Example:
    """The example as it is checked out: nothing was ever run in it."""
    return Example(EXAMPLE, redun_command).copy(tmp_path / "example", outputs=False)


@pytest.fixture
def built(fresh: Example) -> Example:
    """The example after one run."""
    fresh.make()
    return fresh
