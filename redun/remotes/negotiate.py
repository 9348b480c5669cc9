"""What to transfer: pure decisions over refs and sets of oids.  No I/O, no clock.

The invariant: whoever exchanges the same refs in whatever order ends with the same ones.  Two tellings of one
execution are put in a total order (``is_better``), so that the union of repositories is the same from every side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from redun.hashing import Oid
from redun.store.ref_texts import ExecutionRef, RefStatus

_RANK = {RefStatus.RUNNING: 0, RefStatus.INTERRUPTED: 1, RefStatus.FAILED: 2, RefStatus.DONE: 3}
_FINAL = frozenset({RefStatus.DONE, RefStatus.FAILED})


def is_transferable(ref: ExecutionRef) -> bool:
    """Tell whether a ref may leave its repository: it has ended, and names its execution."""
    return ref.status.is_ended and ref.object is not None


def is_final(ref: ExecutionRef) -> bool:
    """Tell whether a ref will not be told otherwise later.

    An interrupted one may: who judged it from another host can have been wrong, and its writer ends it after all.
    """
    return ref.status in _FINAL


def is_better(one: ExecutionRef, other: ExecutionRef) -> bool:
    """Tell whether ``one`` stands and ``other`` gives way, of two refs of the same name.

    Ended beats running, and a run's own word beats a judgement from outside; then the later end; then, for a total
    order, the greater oid; then one that somebody signed.  Packs and writer are hints and decide nothing.
    """
    return _weight(one) > _weight(other)


def plan_refs(source: Iterable[ExecutionRef], target: Mapping[str, ExecutionRef]) -> list[ExecutionRef]:
    """Return the refs that the target lacks or tells worse, and that may leave, in order of name."""
    wanted = [
        ref for ref in source if is_transferable(ref) and (ref.name not in target or is_better(ref, target[ref.name]))
    ]
    return sorted(wanted, key=lambda ref: ref.name)


def names_to_read(listed: Collection[str], seen: Mapping[str, ExecutionRef]) -> list[str]:
    """Return which of the refs listed at a remote must be read: those not seen there yet, or not final when seen."""
    return sorted(name for name in listed if name not in seen or not is_final(seen[name]))


def order_packs(depends_on: Mapping[Oid, Collection[Oid]], together: Collection[Oid] = ()) -> list[list[Oid]]:
    """Order packs so that each stands behind those it has links into; packs that link to each other form one step.

    A transfer that takes the steps in this order, each of them at once, can stop anywhere and leaves no object behind
    whose links lead nowhere.

    Args:
        depends_on: for each pack, the others that it has links into; those that are no key of it are ignored.
        together: packs that must form one step, whatever they link to.
    """
    first = min(together, default=None)
    group = {pack: first if first is not None and pack in together else pack for pack in sorted(depends_on)}
    while True:
        graph: dict[Oid, set[Oid]] = {}
        for pack, name in group.items():
            below = {group[other] for other in depends_on[pack] if other in group}
            graph.setdefault(name, set()).update(sorted(below - {name}))
        try:
            order = list(TopologicalSorter(graph).static_order())
            break
        except CycleError as error:
            cycle = error.args[1]
            group = {pack: min(cycle) if name in cycle else name for pack, name in group.items()}
    return [[pack for pack in group if group[pack] == name] for name in order]


def _weight(ref: ExecutionRef) -> tuple[int, int, bytes, bool]:
    return _RANK[ref.status], ref.end_us or 0, ref.object or b"", bool(ref.signatures)
