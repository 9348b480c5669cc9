"""Current tags: what follows from a set of tags, where they are looked for, and what an edit puts."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import Oid
from redun.objects.execution_records import ExecutionRecord, RunSubject, TagRecord
from redun.objects.ids import parse_id
from redun.objects.kinds import Kind
from redun.provenance.executions import load_execution
from redun.provenance.tag_edits import plan_add, plan_remove, plan_update
from redun.provenance.tags import TagBook, TagView, find_current, has_tags, view_current
from redun.provenance.values import get_eval
from redun.store.ref_names import ref_name
from redun.store.ref_texts import TagRef
from redun.tags import ANY_VALUE, BadTag
from redun.testing.compile_workflow import MadeRun

RUN = RunSubject(bytes(range(16)), 0)
KEYS = st.sampled_from(["a", "b"])
VALUES = st.sampled_from([None, 1, "x", [True]])
EDITS = st.lists(st.tuples(st.sampled_from(["add", "update", "remove"]), KEYS, VALUES), max_size=12)
PLANS = {"add": plan_add, "update": plan_update, "remove": plan_remove}


def _known(*records: TagRecord) -> dict[Oid, TagRecord]:
    return {record.encode()[0]: record for record in records}


def _apply(known, plan, *tags):
    """Make an edit; return all tags there are then."""
    return known | _known(*plan(RUN, known, tags))


def _pairs(known) -> list[tuple[str, object]]:
    return [tuple(view) for view in view_current(known)]


class TestEdits:
    """What an edit puts."""

    def test_a_key_has_several_values(self):
        """Adding does not replace."""
        known = _apply({}, plan_add, ("env", "prod"), ("env", "test"), ("n", 1))
        assert _pairs(known) == [("env", "prod"), ("env", "test"), ("n", 1)]

    def test_update_replaces_all_values_of_a_key(self):
        """Other keys stay."""
        known = _apply({}, plan_add, ("env", "prod"), ("env", "test"), ("n", 1))
        assert _pairs(_apply(known, plan_update, ("env", "dev"))) == [("env", "dev"), ("n", 1)]
        assert _pairs(_apply(known, plan_update, ("env", "dev"), ("env", "qa")))[:2] == [("env", "dev"), ("env", "qa")]
        assert _pairs(_apply(known, plan_update, ("new", 0))) == [*_pairs(known), ("new", 0)]

    def test_remove_takes_one_value_or_all_of_a_key(self):
        """What is not there is not removed."""
        known = _apply({}, plan_add, ("env", "prod"), ("env", "test"), ("n", 1))
        assert _pairs(_apply(known, plan_remove, ("env", "prod"))) == [("env", "test"), ("n", 1)]
        assert _pairs(_apply(known, plan_remove, ("env", ANY_VALUE))) == [("n", 1)]
        assert plan_remove(RUN, known, [("other", 1), ("n", 2)]) == []

    def test_what_was_removed_can_be_added_again_and_again(self):
        """The same note is another tag then, which names the one it brings back."""
        known = {}
        for _ in range(3):
            known = _apply(known, plan_add, ("env", "prod"))
            assert _pairs(known) == [("env", "prod")]
            known = _apply(known, plan_remove, ("env", "prod"))
            assert _pairs(known) == []

    def test_bad_tags_are_refused(self):
        """Keys and values are checked before anything is put."""
        with pytest.raises(BadTag):
            plan_add(RUN, {}, [("a=b", 1)])
        with pytest.raises(BadTag):
            plan_update(RUN, {}, [("a", object())])

    @given(EDITS)
    def test_edits_do_what_a_dictionary_of_sets_does(self, edits):
        """After any edits the current tags are those of the model, and each edit made twice puts nothing."""
        known, model = {}, set()
        for name, key, value in edits:
            known = _apply(known, PLANS[name], (key, value))
            text = repr(value)
            if name == "update":
                model = {pair for pair in model if pair[0] != key}
            model = model - {(key, text)} if name == "remove" else model | {(key, text)}
            assert {(tag.key, repr(tag.value)) for tag in view_current(known)} == model
            assert PLANS[name](RUN, known, [(key, value)]) == []

    @given(EDITS, EDITS, st.randoms())
    def test_repositories_that_exchange_tags_agree(self, ours, theirs, rng: random.Random):
        """The union of two histories has one set of current tags, in whatever order it came together."""
        start = _apply({}, plan_add, ("a", 1), ("b", "x"))
        sides = []
        for edits in (ours, theirs):
            known = start
            for name, key, value in edits:
                known = _apply(known, PLANS[name], (key, value))
            sides.append(known)
        union = list({**sides[0], **sides[1]}.items())
        shuffled = union[:]
        rng.shuffle(shuffled)
        assert view_current(dict(union)) == view_current(dict(shuffled))
        assert set(find_current(dict(union))) <= set(find_current(sides[0])) | set(find_current(sides[1]))

    def test_of_two_updates_both_stay(self):
        """Neither knew of the other; an update beside a removal leaves the new value."""
        start = _apply({}, plan_add, ("env", "prod"))
        one, other = _apply(start, plan_update, ("env", "a")), _apply(start, plan_update, ("env", "b"))
        assert _pairs(one | other) == [("env", "a"), ("env", "b")]
        assert _pairs(one | _apply(start, plan_remove, ("env", "prod"))) == [("env", "a")]

    def test_a_tag_that_is_no_json_is_passed_over(self):
        """It was written by something else."""
        assert view_current(_known(TagRecord(RUN, [], "a", "{", False), TagRecord(RUN, [], "b", "1", False))) == (
            TagView("b", 1),
        )

    def test_true_is_not_one(self):
        """Values are compared as JSON."""
        tags = (TagView("a", 1),)
        assert has_tags(tags, [("a", 1)])
        assert has_tags(tags, [("a", ANY_VALUE)])
        assert not has_tags(tags, [("a", True)])
        assert not has_tags(tags, [("a", 1), ("b", ANY_VALUE)])


class TestBook:
    """Where tags are looked for."""

    @pytest.fixture
    def book(self, shelf):
        """The tags of the two runs."""
        return TagBook(shelf.store, shelf.refs)

    def _edit(self, shelf, *records):
        for record in records:
            shelf.store.put(*record.encode(), Kind.TAG)
        name = ref_name(1, str(MadeRun(shelf.store, "11111111-2222-4333-8444-555555555555", 5).execution_id))
        shelf.refs.write_tags(TagRef(name, tuple(record.encode()[0] for record in records)))

    def test_the_tags_of_a_run_are_in_its_node(self, book, shelf):
        """Both runs were tagged when they ended."""
        assert book.of_execution(shelf.first.head) == (TagView("project", "compile"),)
        assert book.of_job(shelf.first, 1) == ()

    def test_edits_are_found_through_tag_refs(self, shelf):
        """Of an execution and of a job; those of another run are not mixed in."""
        run = parse_id(shelf.second.id)
        old = TagRecord(RunSubject(run, 0), [], "project", '"compile"', is_deleted=False).encode()[0]
        self._edit(
            shelf,
            TagRecord(RunSubject(run, 0), [old], "project", '"other"', is_deleted=False),
            TagRecord(RunSubject(run, 3), [], "good", "true", is_deleted=False),
        )
        book = TagBook(shelf.store, shelf.refs)
        assert book.of_execution(shelf.second.head) == (TagView("project", "other"),)
        assert book.of_execution(shelf.first.head) == (TagView("project", "compile"),)
        assert book.of_job(shelf.second, 3) == (TagView("good", True),)
        assert book.of_job(shelf.first, 3) == ()
        assert book.count_keys() == {"good": {"Job": 1}, "project": {"Execution": 2}}
        assert book.count_values(["project"]) == {
            ("project", '"compile"'): {"Execution": 1},
            ("project", '"other"'): {"Execution": 1},
        }

    def test_a_run_in_flight_shows_its_tags(self, shelf):
        """It has no node yet: they are found in its journal."""
        run = MadeRun(shelf.store, "11111111-2222-4333-8444-555555555555", 1_700_000_000_000_000)
        run.row(1, 0, "make", None, None, 0)
        name = run.start(shelf.refs).name
        for number, key in ((0, "env"), (1, "of job")):
            subject = RunSubject(parse_id(run.execution_id), number)
            run.put(TagRecord(subject, [], key, "1", is_deleted=False).encode(), Kind.TAG)
        execution = load_execution(shelf.store, shelf.refs, name)
        book = TagBook(shelf.store, shelf.refs)
        assert book.of_execution(execution.head) == (TagView("env", 1),)
        assert book.of_job(execution, 1) == (TagView("of job", 1),)

    def test_tags_of_objects_may_stem_from_any_run(self, shelf):
        """A task tagged in whatever run is tagged; its type is told."""
        task = get_eval(shelf.store, shelf.second.by_number()[7].eval).task
        shelf.store.put(*TagRecord(task, [], "team", '"bio"', is_deleted=False).encode(), Kind.TAG)
        book = TagBook(shelf.store, shelf.refs)
        assert book.of_object(task) == (TagView("team", "bio"),)
        assert [book.type_of(subject) for subject, _ in book.iter_tagged()] == ["Execution", "Execution", "Task"]
        assert book.short_id(task) == task.hex()[:8]
        assert book.short_id(RunSubject(parse_id(shelf.first.id), 2)) == shelf.first.job_id(2)[:8]

    def test_the_tags_of_foreign_runs_are_not_counted(self, shelf):
        """A run that was only fetched is no execution of this repository yet."""
        shelf.store.put(*TagRecord(RUN, [], "foreign", "1", is_deleted=False).encode(), Kind.TAG)
        assert "foreign" not in TagBook(shelf.store, shelf.refs).count_keys()

    def test_damage_costs_only_what_is_damaged(self, shelf):
        """A tag, a tag ref or an execution that cannot be read leaves the others standing."""
        run = parse_id(shelf.second.id)
        lost = TagRecord(RunSubject(run, 0), [], "lost", "1", is_deleted=False)
        self._edit(shelf, lost)
        shelf.store.damaged.add(lost.encode()[0])
        shelf.refs.write_tags(TagRef(ref_name(2, "11111111-2222-4333-8444-555555555555"), (Oid(b"\1" * 32),)))
        assert TagBook(shelf.store, shelf.refs).of_execution(shelf.second.head) == (TagView("project", "compile"),)
        shelf.store.damaged.add(shelf.second.head.object)
        assert TagBook(shelf.store, shelf.refs).of_execution(shelf.second.head) == ()

    def test_only_an_executions_own_tags_are_read_for_its_line(self, shelf):
        """They come first in its node; a run of many tagged jobs costs no more."""
        record = ExecutionRecord.decode(shelf.store.get_node(shelf.second.head.object))
        run = RunSubject(parse_id(shelf.second.id), 4)
        others = [TagRecord(run, [], f"k{at}", "1", is_deleted=False).encode() for at in range(3)]
        for other in others:
            shelf.store.put(*other, Kind.TAG)
        oid, data = record._replace(tags=[*record.tags, *(oid for oid, _ in others)]).encode()
        shelf.store.put(oid, data, Kind.EXECUTION)
        shelf.store.damaged.update(oid for oid, _ in others[1:])
        head = replace(shelf.second.head, object=oid)
        assert TagBook(shelf.store, shelf.refs).of_execution(head) == (TagView("project", "compile"),)
