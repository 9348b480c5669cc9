"""Which call stands above which, within one execution.

A call does not name its parent: it would not deduplicate if it did.  So the answer comes from the execution's job rows,
and, below a job that was replayed in one step and so has no rows under it, from the children that calls list.
"""

from __future__ import annotations

from dataclasses import dataclass

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.execution_records import JobStatus
from redun.provenance.executions import ExecutionView
from redun.provenance.values import get_call
from redun.store.base import ObjectStore

MAX_CALLS = 50_000
"""At most so many calls below replayed jobs are read to find a parent."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A job that asked for a call: its eval, and its own call when it was completed."""

    eval: Oid
    call: Oid | None


class Parents:
    """Finds who asked for a call."""

    def __init__(self, store: ObjectStore, execution: ExecutionView | None) -> None:
        self._store = store
        self._execution = execution
        self._from_rows = _read_rows(execution) if execution is not None else {}
        self._from_children: dict[Oid, Oid] | None = None

    def is_top(self, call: Oid) -> bool:
        """Tell whether the execution itself asked for a call."""
        execution = self._execution
        if execution is None:
            return False
        return call == execution.root or any(row.parent == 0 and row.outcome == call for row in execution.rows)

    def find(self, call: Oid, *, near: Oid | None = None) -> Asker | None:
        """Return who asked for a call, None where that is not known.

        Where several did, it is the one that also asked for the call ``near``.
        """
        askers = self._from_rows.get(call)
        if askers:
            beside = self._from_rows.get(near, []) if near is not None else []
            return next((asker for asker in askers if asker in beside), askers[0])
        if self._from_children is None:
            self._from_children = self._read_children()
        parent = self._from_children.get(call)
        if parent is None:
            return None
        try:
            return Asker(get_call(self._store, parent).eval, parent)
        except ObjectError:
            return None

    def _read_children(self) -> dict[Oid, Oid]:
        """Map each call below a replayed job to its parent, breadth first, as far as MAX_CALLS."""
        rows = self._execution.rows if self._execution is not None else ()
        queue = [row.outcome for row in rows if row.status is JobStatus.CACHED and row.outcome is not None]
        parents: dict[Oid, Oid] = {}
        for count, call in enumerate(queue):
            if count >= MAX_CALLS:
                break
            try:
                children = get_call(self._store, call).children
            except ObjectError:
                continue
            for child in children:
                if child not in parents:
                    parents[child] = call
                    queue.append(child)
        return parents


def _read_rows(execution: ExecutionView) -> dict[Oid, list[Asker]]:
    known = execution.by_number()
    askers: dict[Oid, list[Asker]] = {}
    for row in execution.rows:
        parent = known.get(row.parent)
        if row.outcome is None or row.status is JobStatus.FAILED or parent is None or parent.eval is None:
            continue
        is_call = parent.status not in {JobStatus.REDUCED, JobStatus.FAILED}
        askers.setdefault(row.outcome, []).append(Asker(parent.eval, parent.outcome if is_call else None))
    return askers
