"""What fsck finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from redun.objects.kinds import Kind


class Severity(str, Enum):
    """How much a finding matters."""

    NOTE = "note"  # nothing is lost: a run that was cut off, a file that does not belong
    ERROR = "error"  # something is damaged or missing


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding."""

    severity: Severity
    what: str  # "pack", "idx", "journal", "blob", "object", "ref", "file"
    where: str  # its name in the repository, or its oid
    why: str
    is_repaired: bool = False
    source: str = ""  # what it was repaired from, when not from what is here


@dataclass(slots=True)
class Findings:
    """The findings so far, in order."""

    problems: list[Problem] = field(default_factory=list)

    def note(self, what: str, where: str, why: str) -> None:
        """Add what loses nothing."""
        self.problems.append(Problem(Severity.NOTE, what, where, why))

    def error(self, what: str, where: str, why: str, *, is_repaired: bool = False) -> None:
        """Add what is damaged or missing."""
        self.problems.append(Problem(Severity.ERROR, what, where, why, is_repaired))


def kind_name(kind: int) -> str:
    """Return what to call a kind, known or not."""
    try:
        return Kind(kind).name.lower()
    except ValueError:
        return f"kind {kind}"
