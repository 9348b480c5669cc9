"""Decisions about transfers: a total order of refs, and packs in an order that leaves no link dangling."""

from __future__ import annotations

from itertools import pairwise, permutations

from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import Oid
from redun.remotes.negotiate import is_better, is_transferable, names_to_read, order_packs, plan_refs
from redun.store.ref_names import ref_name
from redun.store.ref_texts import ExecutionRef, RefStatus
from redun.testing.objects import EPOCH_US, execution_id


def _oid(number: int) -> Oid:
    return Oid(bytes([number]) * 32)


def _ref(seed: int, status: RefStatus, end_us: int | None = 5, oid: int | None = 1) -> ExecutionRef:
    name = ref_name(EPOCH_US, execution_id(seed))
    object_ = None if oid is None else _oid(oid)
    return ExecutionRef(name, execution_id(seed), status, EPOCH_US, end_us, ["run"], object_, None, ())


_tellings = st.builds(
    lambda status, end, oid: _ref(0, status, end, oid),
    st.sampled_from(RefStatus),
    st.none() | st.integers(1, 3),
    st.integers(1, 3),
)


@given(st.lists(_tellings, min_size=1, max_size=4))
def test_whatever_the_order_the_same_telling_stands(tellings: list[ExecutionRef]) -> None:
    """Keeping the better one of two gives one result for each order in which they are met."""
    ends = set()
    for order in permutations(tellings):
        best = order[0]
        for ref in order[1:]:
            best = ref if is_better(ref, best) else best
        ends.add((best.status, best.end_us or 0, best.object))
    assert len(ends) == 1


def test_a_run_that_ended_beats_one_that_was_judged() -> None:
    """Running gives way to interrupted, that to failed, that to done."""
    order = [RefStatus.RUNNING, RefStatus.INTERRUPTED, RefStatus.FAILED, RefStatus.DONE]
    refs = [_ref(0, status) for status in order]
    assert all(is_better(after, before) for before, after in pairwise(refs))
    assert not is_better(refs[0], refs[0])


def test_packs_and_writer_decide_nothing() -> None:
    """Refs that differ in hints alone are equally good."""
    ref = _ref(0, RefStatus.DONE)
    other = ExecutionRef(
        ref.name, ref.execution_id, ref.status, ref.start_us, ref.end_us, ref.argv, ref.object, "w", (_oid(9),)
    )
    assert not is_better(ref, other)
    assert not is_better(other, ref)


def test_only_ended_refs_that_are_new_or_better_are_planned() -> None:
    """A running ref stays at home, and what the other side has already is not sent."""
    running, done, known = (
        _ref(1, RefStatus.RUNNING, oid=None),
        _ref(2, RefStatus.DONE),
        _ref(3, RefStatus.DONE),
    )
    failed_there = _ref(2, RefStatus.FAILED)
    assert not is_transferable(running)
    assert plan_refs([running, known, done], {known.name: known}) == [done]
    assert plan_refs([done], {done.name: failed_there}) == [done]
    assert plan_refs([failed_there], {done.name: done}) == []


def test_a_final_ref_is_read_once() -> None:
    """Refs seen as done or failed are not read again; interrupted ones are."""
    seen = {ref.name: ref for ref in (_ref(1, RefStatus.DONE), _ref(2, RefStatus.INTERRUPTED))}
    new = _ref(3, RefStatus.DONE).name
    assert names_to_read([*seen, new], seen) == sorted([_ref(2, RefStatus.DONE).name, new])


_graphs = st.integers(1, 8).flatmap(
    lambda n: st.fixed_dictionaries({_oid(i): st.sets(st.integers(0, n).map(_oid)) for i in range(n)})
)


@given(_graphs, st.data())
def test_no_step_depends_on_a_later_one(graph: dict[Oid, set[Oid]], data: st.DataObject) -> None:
    """Every pack is in one step, behind all it has links into; those asked to be together are."""
    together = data.draw(st.sets(st.sampled_from(sorted(graph))))
    steps = order_packs(graph, together)
    assert sorted(pack for step in steps for pack in step) == sorted(graph)
    place = {pack: number for number, step in enumerate(steps) for pack in step}
    assert all(place[other] <= place[pack] for pack, below in graph.items() for other in below if other in graph)
    assert len({place[pack] for pack in together}) <= 1


@given(_graphs)
def test_packs_stand_together_only_when_they_must(graph: dict[Oid, set[Oid]]) -> None:
    """Two packs of one step reach each other."""

    def reach(start: Oid) -> set[Oid]:
        seen, stack = set(), [start]
        while stack:
            pack = stack.pop()
            if pack in graph and pack not in seen:
                seen.add(pack)
                stack.extend(graph[pack])
        return seen

    for step in order_packs(graph):
        assert all(other in reach(pack) for pack in step for other in step)
