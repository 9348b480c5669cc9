"""What differs between a task as it was recorded and as it is now, unit by unit.  Pure but for the new task's hash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.hashing import Oid
from redun.objects.task_records import TaskRecord, UnitRecord

if TYPE_CHECKING:
    from redun.task.task import Task

CHANGED = "changed"
ADDED = "added"
REMOVED = "removed"
_KINDS_SHOWN = {"function": "helper", "assignment": "constant", "bytecode": "helper"}
_MAX_SHOWN = 3


class UnitChange(NamedTuple):
    """One difference."""

    name: str  # of the unit; "" for the function itself; "old -> new" for a version
    unit_kind: str  # as in UnitRecord, or "body", "version", "hash_includes"
    how: str  # "changed", "added", "removed"


def diff_records(old: TaskRecord, old_units: Mapping[str, UnitRecord], new: Task[Any, Any]) -> list[UnitChange]:
    """Return what differs: version, the function itself, extra hashed values, then units by name.

    Args:
        old: the task as recorded.
        old_units: the units that ``old`` links to, by name.
        new: the task as it is.
    """
    record = new.record()
    changes = []
    if old.version != record.version:
        changes.append(UnitChange(f"{_shown(old)} -> {_shown(record)}", "version", CHANGED))
    elif old.digest != record.digest:
        changes.append(UnitChange("", "body", CHANGED))
    if old.includes != record.includes:
        changes.append(UnitChange("", "hash_includes", CHANGED))
    if record.version is None and old.version is None:
        changes += _diff_units(old, old_units, [unit.record for unit in new.units()])
    return changes


def describe_changes(changes: Iterable[UnitChange]) -> str:
    """Return changes as a few words for one line of a log: ``helper scale changed, constant LIMIT changed``."""
    words = [_describe(change) for change in changes]
    if len(words) > _MAX_SHOWN:
        rest = len(words) - _MAX_SHOWN
        words = [*words[:_MAX_SHOWN], f"{rest} more"]
    return ", ".join(words)


def _diff_units(old: TaskRecord, old_units: Mapping[str, UnitRecord], new: list[UnitRecord]) -> list[UnitChange]:
    kept: set[Oid] = set(old.units)
    changes = {}
    for unit in new:
        if unit.encode()[0] not in kept:
            how = CHANGED if unit.name in old_units else ADDED
            changes[unit.name] = UnitChange(unit.name, unit.unit_kind, how)
    names = {unit.name for unit in new}
    for name, unit in old_units.items():
        if name not in names:
            changes[name] = UnitChange(name, unit.unit_kind, REMOVED)
    return [changes[name] for name in sorted(changes)]


def _describe(change: UnitChange) -> str:
    if change.unit_kind == "version":
        return f"version {change.name}"
    if change.unit_kind == "body":
        return "function body changed"
    if change.unit_kind == "hash_includes":
        return "hash_includes changed"
    kind = _KINDS_SHOWN.get(change.unit_kind, change.unit_kind)
    return f"{kind} {_short_name(change.name)} {change.how}"


def _short_name(name: str) -> str:
    """Return the part of a unit's name that people know it by: that after the last dot, or the method's class too."""
    head, colon, inner = name.partition(":")
    return f"{head.rpartition('.')[2]}{colon}{inner}"


def _shown(record: TaskRecord) -> str:
    return "none" if record.version is None else record.version
