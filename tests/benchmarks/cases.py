"""What is measured: one workflow file and one size, run cold, warm, and after one leaf has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WORKFLOWS = Path(__file__).parent / "workflows"

PHASES = ("cold", "warm", "leaf")
"""In order, in one folder: nothing recorded; nothing changed since; one leaf's input changed since."""

SIZES = {"trivial": 1, "fanout": 1000, "chain": 500, "descent": 500, "tree": 10, "values": 200, "files": 200}
"""Each workflow and its usual size: calls, values or files; a tree's is its depth."""

DEFAULT_CASES = ("fanout-1000", "fanout-5000", "chain-500", "descent-500", "tree-10", "values-200", "files-200")


@dataclass(frozen=True, slots=True)
class Case:
    """One workflow at one size."""

    workflow: str
    size: int

    @property
    def name(self) -> str:
        """What it is called on the command line and in tables: ``fanout-1000``."""
        return f"{self.workflow}-{self.size}"

    @property
    def jobs(self) -> int:
        """How many jobs a cold run makes, its main task among them."""
        by_workflow = {
            "trivial": 1,
            "fanout": self.size + 2,
            "chain": self.size + 1,
            "descent": self.size + 1,
            "tree": 2 ** (self.size + 1) - 1 + 2**self.size - 1 + 1,
            "values": 2 * self.size + 2,
            "files": self.size + 2,
        }
        return by_workflow[self.workflow]

    def prepare(self, folder: Path) -> None:
        """Put the workflow and its inputs into an empty folder."""
        (folder / "wf.py").write_bytes((WORKFLOWS / f"{self.workflow}.py").read_bytes())
        if self.workflow == "files":
            (folder / "in").mkdir()
            (folder / "out").mkdir()
            for i in range(self.size):
                (folder / "in" / f"{i}.txt").write_text(f"line of file {i}\n" * 20)

    def arguments(self, folder: Path, phase: str) -> list[str]:
        """Return the command line of a phase, after making the change that it is about."""
        line = ["run", "wf.py", "main", "--n", str(self.size)]
        if phase != "leaf":
            return line
        if self.workflow == "files":
            (folder / "in" / "0.txt").write_text("another line\n" * 20)
            return line
        return [*line, "--changed", "1"]


def parse_case(name: str) -> Case:
    """Read ``workflow`` or ``workflow-size``.

    Raises:
        ValueError: there is no such workflow, or the size is no whole number above zero.
    """
    workflow, _, size = name.partition("-")
    if workflow not in SIZES:
        raise ValueError(f"no workflow {workflow!r}: there are {', '.join(SIZES)}")
    if size and (not size.isdecimal() or int(size) == 0):
        raise ValueError(f"a size is a whole number above zero, found {size!r}")
    return Case(workflow, int(size) if size else SIZES[workflow])
