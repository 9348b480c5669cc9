"""Objects of every kind, taken apart."""

from __future__ import annotations

from io import BytesIO

import pytest

from redun.errors import ObjectError
from redun.hashing import Oid, hash_blob
from redun.objects.call_records import ExpressionRecord
from redun.objects.codec import decode_node, encode_node
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.objects.task_records import UnitRecord
from redun.provenance.show import HEAD_BYTES, iter_raw, kind_name, show_object
from redun.store.base import ObjectCorrupt, ObjectMissing
from redun.testing.objects import make_execution


def put(shelf, encoded, kind):
    """Store an object; return its oid."""
    shelf.store.put(*encoded, int(kind))
    return encoded[0]


def test_every_link_of_every_object_is_named(shelf):
    """Whatever the kind, the links shown are the node's links."""
    make_execution(shelf.store, shelf.refs)
    put(shelf, UnitRecord("constant", "m.X", b"d").encode(), Kind.UNIT)
    kinds = set()
    for oid, kind in list(shelf.store.iter_oids()):
        view = show_object(shelf.store, oid)
        kinds.add(view.kind_name)
        links = [] if kind == Kind.BLOB else decode_node(shelf.store.get(oid)).links
        assert sorted(link.oid for link in view.links) == sorted(links)
        assert all(link.name for link in view.links)
    assert kinds == {
        *("blob", "file", "unit", "task", "value", "source", "eval", "reduction", "call", "jobs", "tag", "execution"),
    }


def test_a_call_tells_its_parts_by_name(shelf):
    """The link of prog: its eval, its result, and the upstreams of its second argument."""
    view = show_object(shelf.store, shelf.call_of(shelf.second, 7))
    assert [link.name for link in view.links] == [
        *("eval", "result", "upstream of argument 1", "upstream of argument 1", "external"),
    ]
    assert dict(view.fields)["own_produced"] == [view.links[1].oid.hex()]


def test_an_eval_tells_its_outcomes_and_a_file_its_producers(shelf):
    """What points at an object is told where the store's tables know it."""
    row = shelf.second.by_number()[7]
    asked = show_object(shelf.store, row.eval)
    assert [(link.name, link.oid) for link in asked.pointers] == [("outcome", row.outcome)]
    file = show_object(shelf.store, show_object(shelf.store, row.outcome).links[1].oid)
    assert (file.preview, dict(file.fields)["path"]) == ("File(path=prog, hash=3bcb169f)", "prog")
    assert [(link.name, link.oid) for link in file.pointers] == [("produced by", row.outcome)]


def test_content_that_is_not_kept_shows_as_missing(shelf):
    """A file's link to its content is soft."""
    view = show_object(shelf.store, show_object(shelf.store, shelf.call_of(shelf.second, 7)).links[1].oid)
    del shelf.store._objects[view.links[0].oid]
    assert kind_name(show_object(shelf.store, view.oid).links[0].kind) == "missing"


def test_an_expression_reads_as_steps(shelf):
    """Steps are written as calls; one of an unknown form as it is."""
    value = shelf.call_of(shelf.second, 7)
    steps = [
        [0, 0],
        [1, "ns.f", [0], ["k"], [0], None, None, None],
        [2, "add", [0, 1], [], []],
        [3, "list", None, [2]],
        [9],
    ]
    view = show_object(shelf.store, put(shelf, ExpressionRecord(steps, [value]).encode(), Kind.EXPRESSION))
    assert view.text.split("\n") == [
        *("#0 = <52ba086c>", "#1 = ns.f(#0, k=#0)", "#2 = add(#0, #1)", "#3 = list(#2)", "#4 = [9]"),
    ]


def test_a_batch_of_jobs_lists_its_rows(shelf):
    """Rows are lists in the order of the columns; a contested row's link is a task."""
    task = Oid(b"t" * 32)
    rows = [
        JobRow(0, 0, 0, 0, JobStatus.CONTESTED, "", 0, task, task, "f"),
        JobRow(1, 0, 2, 3, JobStatus.DONE, "e", 1, task, None, "f"),
    ]
    view = show_object(shelf.store, put(shelf, JobsRecord(b"x" * 16, 7, rows).encode(), Kind.JOBS))
    assert dict(view.fields)["rows"][1] == [1, 0, "done", "f", 2, 3, "e", 1]
    assert [link.name for link in view.links] == ["task contested", "outcome of 0", "eval of 1"]


def test_a_kind_of_a_later_version_is_shown_without_names(shelf):
    """Links of an unknown kind can be followed all the same."""
    view = show_object(shelf.store, put(shelf, encode_node(77, [Oid(b"l" * 32)], ["body"]), 77))
    assert (view.kind_name, view.links[0].name, dict(view.fields)) == ("kind 77", "link 0", {"body": "['body']"})


class TestBlobs:
    """Contents are looked at from their start and written whole."""

    def test_the_head_is_bounded(self, shelf):
        """A large content costs its first pages."""
        content = b"x" * (HEAD_BYTES + 10)
        view = show_object(shelf.store, put(shelf, (hash_blob(content), content), Kind.BLOB))
        assert (len(view.head), view.size) == (HEAD_BYTES, HEAD_BYTES + 10)

    def test_a_stream_that_cannot_seek_is_measured_by_reading(self, shelf, monkeypatch):
        """A content behind a decompressor has a size too."""
        content = b"y" * (HEAD_BYTES + 10)
        oid = put(shelf, (hash_blob(content), content), Kind.BLOB)

        class Pipe(BytesIO):
            def seekable(self):
                return False

        monkeypatch.setattr(shelf.store, "open", lambda _oid: Pipe(content))
        assert show_object(shelf.store, oid).size == len(content)

    def test_raw_bytes_are_those_that_the_hash_is_of(self, shelf):
        """A blob's content, a node's canonical bytes."""
        content = b"z" * 3_000_000
        blob = put(shelf, (hash_blob(content), content), Kind.BLOB)
        assert b"".join(iter_raw(shelf.store, blob)) == content
        call = shelf.call_of(shelf.second, 7)
        assert b"".join(iter_raw(shelf.store, call)) == shelf.store.get(call)

    def test_a_content_that_is_another_is_reported(self, shelf):
        """What streams by is hashed."""
        oid = put(shelf, (hash_blob(b"right"), b"wrong"), Kind.BLOB)
        with pytest.raises(ObjectCorrupt, match="do not hash"):
            list(iter_raw(shelf.store, oid))


def test_missing_and_damaged_objects_are_errors(shelf):
    """They are told, not shown."""
    with pytest.raises(ObjectMissing):
        show_object(shelf.store, Oid(b"0" * 32))
    call = shelf.call_of(shelf.second, 7)
    shelf.store.damaged.add(call)
    with pytest.raises(ObjectError):
        show_object(shelf.store, call)
