"""Objects that are missing on purpose: what is known of each.  Normative page: docs/format/absent.md.

The invariant: an absence explains why an object is missing and never makes one missing: what is put again is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from enum import Enum
from typing import NamedTuple

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.objects.oid import parse_oid, short
from redun.store.base import ObjectMissing
from redun.store.lists import write_list
from redun.store.storage import Storage

SUFFIX = ".absent"
VERSION_LINE = "redun-absent 1"
ABSENT_KINDS = frozenset({Kind.BLOB, Kind.FILE, Kind.VALUE, Kind.SOURCE, Kind.EXPRESSION})
"""What may be absent: kinds that nothing is judged by but what they hold."""

_MAX_TIME_US = 253_402_300_800_000_000  # the year 10000


class Cause(str, Enum):
    """Why an object is absent."""

    PURGED = "purged"  # removed for good: no transfer brings it back
    WITHHELD = "withheld"  # not taken from a remote that is trusted with data alone: another may give it


class Absence(NamedTuple):
    """One absent object."""

    oid: Oid
    kind: int
    cause: Cause
    time_us: int  # when that was decided, microseconds since 1970 UTC

    @property
    def why(self) -> str:
        """Say it in words that follow the object's name."""
        if self.cause is Cause.PURGED:
            return f"was purged on {datetime.fromtimestamp(self.time_us / 1e6, timezone.utc):%Y-%m-%d}"
        return "was withheld: it was only where plain data alone is trusted"


class ObjectAbsent(ObjectMissing):
    """An object is missing on purpose."""

    def __init__(self, absence: Absence) -> None:
        super().__init__(absence.oid)
        self.args = (f"object {short(absence.oid)} {absence.why}",)
        self.absence = absence


def write_absent(storage: Storage, absences: Iterable[Absence], now_us: int) -> str:
    """Write a list of absences; return its name.  Raises as ``write_list`` does."""
    lines = sorted(f"{one.cause.value} {one.oid.hex()} {int(one.kind)} {one.time_us}" for one in absences)
    return write_list(storage, SUFFIX, [VERSION_LINE, *lines], now_us)


def parse_absence(line: str) -> Absence | None:
    """Read one line of a list; None for a line of another form."""
    try:
        cause, oid, kind, time_us = line.split(" ")
        absence = Absence(parse_oid(oid), int(kind), Cause(cause), int(time_us))
    except (ObjectError, ValueError):
        return None
    return absence if absence.kind in ABSENT_KINDS and 0 <= absence.time_us < _MAX_TIME_US else None


def merge_absences(absences: Iterable[Absence]) -> dict[Oid, Absence]:
    """Return what holds for each object: the latest word on it."""
    found: dict[Oid, Absence] = {}
    for one in absences:
        known = found.get(one.oid)
        if known is None or _weight(one) > _weight(known):
            found[one.oid] = one
    return found


def _weight(absence: Absence) -> tuple[int, bool]:
    return absence.time_us, absence.cause is Cause.PURGED
