"""Kinds of node: round trips, refusals, and bytes that may never change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import Oid
from redun.objects.call_records import (
    CallRecord,
    EvalRecord,
    ExpressionRecord,
    ReductionRecord,
    SubtreeSummary,
    encode_eval,
    produced_code,
)
from redun.objects.codec import decode_node, encode_node
from redun.objects.decoding import BadBody
from redun.objects.execution_records import (
    ExecutionRecord,
    ExecutionStatus,
    JobRow,
    JobsRecord,
    JobStatus,
    RunSubject,
    TagRecord,
)
from redun.objects.kinds import Kind
from redun.objects.task_records import SourceRecord, TaskRecord, UnitRecord
from redun.objects.value_records import CONTENT_SCHEME, FileRecord, HandleForm, HandleRecord, ValueRecord

OIDS = st.binary(min_size=32, max_size=32).map(Oid)
LINKS = st.lists(OIDS, max_size=4)
TEXT = st.text(max_size=10)
COUNTS = st.integers(0, 2**40)
RUN_SUBJECTS = st.builds(RunSubject, st.binary(min_size=16, max_size=16), COUNTS)
CODES = st.lists(st.integers(0, 1), max_size=2)


@st.composite
def calls(draw):
    externals = draw(LINKS)
    codes = st.lists(st.integers(0, 2 * len(externals) - 1), max_size=4) if externals else st.just([])
    summary = SubtreeSummary(draw(st.booleans()), draw(LINKS), externals, draw(codes))
    upstreams = draw(st.lists(st.tuples(st.integers(0, 9), LINKS), max_size=3))
    return CallRecord(draw(OIDS), draw(OIDS), draw(st.none() | OIDS), draw(LINKS), upstreams, summary, draw(codes))


@st.composite
def reductions(draw):
    produced = draw(LINKS)
    return ReductionRecord(draw(OIDS), draw(OIDS), produced, [draw(st.booleans()) for _ in produced])


@st.composite
def evals(draw):
    args = draw(LINKS)
    return EvalRecord(draw(OIDS), args, [draw(TEXT | st.integers(0, 9)) for _ in args], draw(st.none() | st.binary()))


FILES = st.builds(FileRecord, TEXT, st.just("etag"), st.binary(), st.none() | COUNTS) | st.builds(
    FileRecord, TEXT, st.just(CONTENT_SCHEME), OIDS, st.none() | COUNTS
)
ROWS = st.builds(
    JobRow,
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    st.sampled_from(JobStatus),
    TEXT,
    COUNTS,
    st.none() | OIDS,
    st.none() | OIDS,
    TEXT,
)


@st.composite
def handles(draw):
    """States of each form."""
    form = draw(st.sampled_from(HandleForm))
    n_texts = {HandleForm.ROOT: 2, HandleForm.MERGED: 0}.get(form, 1)
    n_links = {HandleForm.ROOT: 1, HandleForm.MERGED: draw(st.integers(3, 5))}.get(form, 2)
    links = draw(st.lists(OIDS, min_size=n_links, max_size=n_links))
    return HandleRecord(form, links, draw(st.lists(TEXT, min_size=n_texts, max_size=n_texts)))


RECORDS = {
    Kind.FILE: FILES,
    Kind.HANDLE: handles(),
    Kind.UNIT: st.builds(UnitRecord, TEXT, TEXT, st.binary()),
    Kind.TASK: st.builds(TaskRecord, TEXT, st.none() | TEXT, st.none() | st.binary(), LINKS, LINKS),
    Kind.VALUE: st.builds(ValueRecord, TEXT, TEXT, st.none() | st.lists(st.integers(0, 9)) | TEXT, LINKS),
    Kind.SOURCE: st.builds(SourceRecord, OIDS, TEXT, TEXT, COUNTS),
    Kind.EVAL: evals(),
    Kind.EXPRESSION: st.builds(ExpressionRecord, st.lists(st.lists(TEXT, max_size=2), max_size=3), LINKS),
    Kind.REDUCTION: reductions(),
    Kind.CALL: calls(),
    Kind.JOBS: st.builds(JobsRecord, st.binary(min_size=16, max_size=16), COUNTS, st.lists(ROWS, max_size=5)),
    Kind.TAG: st.builds(TagRecord, OIDS | RUN_SUBJECTS, LINKS, TEXT, TEXT, st.booleans()),
    Kind.EXECUTION: st.builds(
        ExecutionRecord,
        st.binary(min_size=16, max_size=16),
        st.lists(TEXT, max_size=3),
        st.sampled_from(ExecutionStatus),
        COUNTS,
        COUNTS,
        TEXT,
        TEXT,
        st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=2),
        st.none() | OIDS,
        LINKS,
        LINKS,
        LINKS,
    ),
}
ANY_RECORD = st.one_of(*(st.tuples(st.just(kind), records) for kind, records in RECORDS.items()))


@given(ANY_RECORD)
def test_records_come_back(case):
    """A record of each kind decodes to what was encoded, and its node carries the kind's number."""
    kind, record = case
    oid, data = record.encode()
    node = decode_node(data)
    assert node.kind == kind
    assert type(record).decode(node) == record
    assert encode_node(*node) == (oid, data)


@given(
    st.sampled_from(sorted(RECORDS)), LINKS, st.recursive(st.none() | COUNTS | TEXT, st.lists, max_leaves=12), st.data()
)
def test_nodes_that_do_not_fit_their_kind_are_refused(kind, links, body, data):
    """Decoding an arbitrary body gives a record or BadBody, and nothing else."""
    record_type = type(data.draw(RECORDS[kind]))
    node = decode_node(encode_node(kind, links, body)[1])
    try:
        record = record_type.decode(node)
    except BadBody:
        return
    assert isinstance(record, record_type)


def test_a_node_of_another_kind_is_refused():
    """A unit is not taken for a tag, though its bytes are a node."""
    _, data = UnitRecord("function", "m.f", b"d").encode()
    with pytest.raises(BadBody, match="expected a node of kind tag, found kind 3"):
        TagRecord.decode(decode_node(data))


def test_paths_that_are_not_utf_8_come_back():
    """A path that Python spells with lone surrogates is kept byte for byte."""
    record = FileRecord("a\udcff.txt", "etag", b"d", 1)
    assert FileRecord.decode(decode_node(record.encode()[1])) == record


@pytest.mark.parametrize("scheme", [CONTENT_SCHEME, "path"])
def test_a_file_of_another_class_names_it(scheme):
    """The class is part of the identity; a file without one has the bytes that it had before there were others."""
    record = FileRecord("a", scheme, A if scheme == CONTENT_SCHEME else b"", None, "redun.file.IFile")
    assert FileRecord.decode(decode_node(record.encode()[1])) == record
    assert record.encode()[0] != record._replace(type_name="").encode()[0]


@pytest.mark.parametrize("tail", [[""], [1], ["a", "b"]])
def test_a_file_names_one_class_or_none(tail):
    """Each file has one form: no empty name, and nothing behind it."""
    _, data = encode_node(Kind.FILE, [], ["a", "etag", b"d", 1, *tail])
    with pytest.raises(BadBody, match="type name"):
        FileRecord.decode(decode_node(data))


def test_an_eval_can_be_encoded_without_its_record():
    """The short cut of the hot path names the same object."""
    task, argument = Oid(b"t" * 32), Oid(b"a" * 32)
    record = EvalRecord(task, [argument], ["x"], b"salt")
    assert encode_eval(task, [argument], ["x"], b"salt") == record.encode()


def test_a_code_tells_index_and_executability():
    """Twice the index, plus one for a program."""
    assert [produced_code(3, is_executable=False), produced_code(3, is_executable=True)] == [6, 7]


A, B, C = (Oid(letter * 32) for letter in (b"a", b"b", b"c"))
SUMMARY = SubtreeSummary(True, [B], [A, C], [1, 2])
ROW = JobRow(2, 1, 10, 20, JobStatus.DONE, "default", 1, A, B, "m.f")
GOLDEN = {
    "root of a handle": (
        HandleRecord(HandleForm.ROOT, [A], ["wf.Database", "wf.db"]),
        "3a23c02de7eda931da45687eef714fefe8db7d66d2812c97bda3aca2b874a1a5",
    ),
    "fork of a handle": (
        HandleRecord(HandleForm.FORK, [A, B], ["1"]),
        "9c5ce78f81377dc0744f15c73d14eaa87e14c4a91551254f8b08aeaa3482ea6e",
    ),
    "handle after a call": (
        HandleRecord(HandleForm.CALLED, [A, B], ["aa"]),
        "4a1a583f5fef655a13ef4effcc98d92a23abf2059e50fdcd7436f930b82bea47",
    ),
    "merged handle": (
        HandleRecord(HandleForm.MERGED, [A, B, C], []),
        "267720735748843d179872b7a20600b48438f0f4bc073b0d7967c70753ff80bd",
    ),
    "file by content": (
        FileRecord("a.txt", CONTENT_SCHEME, A, 7),
        "e54c0fe3996cd3307ba5967283f12e9c2dc1598ad7bafc3606d5d7582be47e0a",
    ),
    "file by token": (
        FileRecord("s3://b/k", "etag", b"token", None),
        "b8598437576ab73a1c56c96064819e8135915136eafe5017211614c9ccaf52f5",
    ),
    "unit": (
        UnitRecord("function", "m.helper", b"\1\2\3"),
        "ee2b6eb7d39518e5d391ef4cb9ec417361ce5e1e1b91f2a591932ee42a26c446",
    ),
    "task": (
        TaskRecord("m.f", None, b"\1\2", [A], [B, C]),
        "c333fa3c27ee4aecc453451f8855dd499e47cf28d65c7882e2acba66bdfe99d1",
    ),
    "value": (
        ValueRecord("builtins.list", "data", [1, "two", 3.0, None, True, b"x"], [A]),
        "a82a0a62fa65e68654024b2cf6bfdc547198dd0aceca7839efc3dec72392a1ba",
    ),
    "source": (
        SourceRecord(A, "def f(): pass\n", "m", 3),
        "620639d6bbb0c28e37bf67209e7b41979f63ab9b44f11008d0f688d8266b745f",
    ),
    "eval": (
        EvalRecord(A, [B, C], ["x", 0], b"salt"),
        "acd0f69446d07aabbfdeafd48e7c1943a256b2362265bd37c6312505695e8b66",
    ),
    "expression": (
        ExpressionRecord([["call", 0], ["ref", 1]], [A]),
        "b5ddb145b8924521c63be08123e84231c79a05afe45467dc5da77da57b43cbc3",
    ),
    "reduction": (
        ReductionRecord(A, B, [C], [True]),
        "e4b25cc0854c4f829edba9137f30e1108545432415aaeeb4af003ccf01be053d",
    ),
    "call": (
        CallRecord(A, B, C, [A], [(0, [B, C]), (1, [])], SUMMARY, [2]),
        "e9c30fd5b1c6623e64a862eb4e9619a0535e492700f65dc1f4c0b5299f704406",
    ),
    "jobs": (
        JobsRecord(bytes(range(16)), 1_750_000_000_000_000, [ROW, ROW._replace(number=3, outcome=None)]),
        "09897918a022dc61f8b7a509e046212f6e3892e1cb05fa031d6c780407670345",
    ),
    "tag of a job": (
        TagRecord(RunSubject(bytes(range(16)), 3), [B], "key", '"value"', is_deleted=False),
        "6c622549d2a895138ec72d599351fcc870d165e50aa0d16a8298c496e3e54d37",
    ),
    "tag": (
        TagRecord(A, [B], "key", '"value"', is_deleted=False),
        "5b790cbbbc3c64ba14dd2e6744356701e0cff72049e0faee2b30f6157966d671",
    ),
    "execution": (
        ExecutionRecord(
            bytes(range(16)), ["run"], ExecutionStatus.DONE, 1, 2, "u", "h", [["redun", "1"]], A, [B], [C], [A]
        ),
        "bd2412b28e514a225ff7011b5236b6e50a926232a79037bb7788ac6390b07acb",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_oids_never_change(name):
    """A record's oid is part of the format: another one would make every store of before a stranger."""
    record, oid = GOLDEN[name]
    assert record.encode()[0].hex() == oid


@pytest.mark.parametrize(
    ("form", "links", "texts"),
    [
        (0, [A], ["x"]),
        (0, [], ["x", "y"]),
        (1, [A], ["k"]),
        (2, [A, B], []),
        (3, [A, B], []),
        (1, [A, B], [1]),
        (4, [A], []),
    ],
)
def test_a_handle_of_no_form_is_refused(form, links, texts):
    """Each form has its numbers of links and texts."""
    node = decode_node(encode_node(Kind.HANDLE, links, [form, *texts])[1])
    with pytest.raises(BadBody, match="malformed handle"):
        HandleRecord.decode(node)
