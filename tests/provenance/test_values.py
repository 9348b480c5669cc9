"""Values as text, and what is nested in them."""

from __future__ import annotations

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.provenance import values
from redun.provenance.values import describe_damage, iter_nested, view_eval, view_value
from redun.store.base import ObjectMissing


def test_a_value_that_cannot_be_read_says_so(shelf):
    """Missing, damaged and undecodable values have texts of their own."""
    missing = Oid(b"\xaa" * 32)
    assert view_value(shelf.store, missing).text == "<aaaaaaaa is missing>"
    file = shelf.store.get(shelf.call_of(shelf.second, 7))
    shelf.store.put(missing, file[:-1], int(Kind.VALUE))
    assert view_value(shelf.store, missing).text.startswith("<aaaaaaaa cannot be read: ")
    shelf.store.damaged.add(missing)
    assert view_value(shelf.store, missing).text == "<aaaaaaaa is damaged>"
    assert describe_damage(missing, ObjectMissing(missing)) == "<aaaaaaaa is missing>"
    assert describe_damage(missing, ObjectError("why")) == "<aaaaaaaa cannot be read: why>"


def test_an_eval_reads_as_a_call(shelf):
    """Task, names and values."""
    asked = view_eval(shelf.store, shelf.second.by_number()[4].eval)
    assert (asked.fullname, asked.arguments[0].name) == ("redun.examples.compile.compile", "c_file")
    assert asked.arguments[0].value.text == "File(path=prog.c, hash=eb5c7bf2)"


def test_nested_values_are_found_once_and_damage_is_passed_over(shelf):
    """Files in a list in an argument, each once; a content is no value but is reached too."""
    table = view_eval(shelf.store, shelf.second.by_number()[1].eval).arguments[0].value.oid
    kinds = [kind for _, kind in iter_nested(shelf.store, table)]
    assert kinds == [Kind.VALUE, Kind.FILE, Kind.FILE, Kind.FILE]
    shelf.store.damaged.add(table)
    assert [oid for oid, _ in iter_nested(shelf.store, table)] == [table]
    outer, data = ValueRecord("list", "data", None, [Oid(b"gone" * 8)]).encode()
    shelf.store.put(outer, data, int(Kind.VALUE))
    assert [oid for oid, _ in iter_nested(shelf.store, outer)] == [outer]


def test_looking_into_a_value_is_bounded(shelf, monkeypatch):
    """A data set in an argument is not walked to its end."""
    monkeypatch.setattr(values, "MAX_NESTED", 2)
    table = view_eval(shelf.store, shelf.second.by_number()[1].eval).arguments[0].value.oid
    assert len(list(iter_nested(shelf.store, table))) == 2
