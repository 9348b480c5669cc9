"""What fsck finds, and what it knows while it looks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.kinds import Kind

if TYPE_CHECKING:
    from redun.store.beyond import Beyond


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
class Known:
    """The objects that are here whole, and the links that were seen so far."""

    kinds: dict[Oid, int] = field(default_factory=dict)
    linked: dict[Oid, Oid] = field(default_factory=dict)  # target: a node that must have it
    promised: Collection[Oid] = ()  # contents that a remote has, here or not
    beyond: Beyond | None = None  # what is read from elsewhere is whole for a check over there to say

    def kind_of(self, oid: Oid) -> int | None:
        """Return the kind of an object that is here whole, beyond, or promised."""
        kind = self.kinds.get(oid)
        if kind is None and self.beyond is not None:
            kind = self.beyond.kind_of(oid)
        return Kind.BLOB if kind is None and oid in self.promised else kind


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
