"""Refs: names, texts, order, and refusal of what is malformed."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import Oid
from redun.store.memory_storage import MemoryStorage
from redun.store.ref_names import BadRefName, check_remote_name, is_ref_name, ref_name
from redun.store.ref_texts import BadRef, ExecutionRef, RefStatus
from redun.store.refs import RefMissing, Refs
from redun.testing.probed import ProbedStorage

UUID = "6c1d2f3e-1111-4222-8333-abcdefabcdef"
START = 1_750_000_000_123_456


def _storage() -> ProbedStorage:
    return ProbedStorage(MemoryStorage())


def _ref(start_us: int = START, execution_id: str = UUID, **changes: object) -> ExecutionRef:
    ref = ExecutionRef(
        ref_name(start_us, execution_id),
        execution_id,
        RefStatus.DONE,
        start_us,
        start_us + 5,
        ["redun", "run", "wf.py", "main", "--text", "a b\n'\u00e9"],
        Oid(b"\x01" * 32),
        None,
        (Oid(b"\x02" * 32), Oid(b"\x03" * 32)),
    )
    return dataclasses.replace(ref, **changes)  # type: ignore[arg-type]


def test_the_text_is_the_one_that_the_format_page_gives() -> None:
    """Lines stand in the order of docs/format/refs.md, each ended by a newline."""
    assert _ref(argv=["redun", "run"]).encode().decode() == (
        "redun-ref 1\n"
        f"execution {UUID}\n"
        "status done\n"
        f"start {START}\n"
        f"end {START + 5}\n"
        'argv ["redun", "run"]\n'
        f"object {'01' * 32}\n"
        f"pack {'02' * 32}\n"
        f"pack {'03' * 32}\n"
        "check a6ed96a2f1fe5a56\n"
    )


def test_a_name_is_the_utc_time_and_the_uuid() -> None:
    """The name shows the start in UTC with six digits of microseconds."""
    assert ref_name(START, UUID) == f"20250615T150640.123456Z-{UUID}"
    assert is_ref_name(ref_name(START, UUID))


_refs = st.builds(
    lambda start, raw, status, end, argv, oid, writer, packs: ExecutionRef(
        ref_name(start, str(raw)), str(raw), status, start, end, argv, oid, writer, tuple(packs)
    ),
    st.integers(0, 4_000_000_000_000_000),
    st.uuids(),
    st.sampled_from(RefStatus),
    st.none() | st.integers(0, 1 << 62),
    st.lists(st.text()),
    st.none() | st.binary(min_size=32, max_size=32).map(Oid),
    st.none() | st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True),
    st.lists(st.binary(min_size=32, max_size=32).map(Oid), max_size=3),
)


@given(_refs)
def test_decode_gives_back_what_was_encoded(ref: ExecutionRef) -> None:
    """Every ref survives the way through its text."""
    assert ExecutionRef.decode(ref.name, ref.encode()) == ref


@given(st.lists(st.tuples(st.integers(0, 4_000_000_000_000_000), st.uuids()), max_size=20))
def test_names_sort_by_start(starts: list[tuple[int, uuid.UUID]]) -> None:
    """Text order of names is order of start, then of uuid."""
    ordered = sorted((start, str(raw)) for start, raw in starts)
    assert [ref_name(*pair) for pair in ordered] == sorted(ref_name(*pair) for pair in ordered)


def test_an_unknown_key_is_ignored() -> None:
    """A later version may add keys; this one passes over them."""
    ref = _ref()
    assert ExecutionRef.decode(ref.name, ref.encode() + b"colour green\n") == ref


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: b"", "expected the first line"),
        (lambda text: text.replace(b"redun-ref 1", b"redun-ref 2"), "expected the first line 'redun-ref 1'"),
        (lambda text: text[:-1], "cut short"),
        (lambda text: text.replace(b"status done\n", b""), "expected a line 'status'"),
        (lambda text: text.replace(b"status done", b"status dead"), "dead"),
        (lambda text: text.replace(b"start 17", b"start x7"), "x7"),
        (lambda text: text.replace(b"start 17", b"start 18"), "not its name"),
        (lambda text: text.replace(b'argv ["redun"', b'argv [1, "redun"'), "expected argv"),
        (lambda text: text.replace(b"argv [", b"argv {"), "Expecting"),
        (lambda text: text.replace(b"object 01", b"object 1"), "64 hex digits"),
        (lambda text: text.replace(b"pack 02", b"pack zz"), "hex digits"),
        (lambda text: text.replace(b"redun-ref 1\n", b"redun-ref 1\nstart 5\n"), "two lines 'start'"),
        (lambda text: text + b"\xff\n", "not UTF-8"),
    ],
)
def test_a_malformed_ref_is_refused_by_name(change, why) -> None:
    """A text that is not a ref's raises BadRef, with the file and what was wrong."""
    storage = _storage()
    ref = _ref()
    path = f"refs/executions/{ref.name}"
    storage.write(path, change(ref.encode()))
    with pytest.raises(BadRef, match=why) as caught:
        Refs(storage).read(ref.name)
    assert caught.value.path == path
    assert path in str(caught.value)


@given(st.data())
def test_a_wrong_byte_anywhere_is_refused_or_says_the_same(data: st.DataObject) -> None:
    """Wherever a ref is changed, it is refused, or only its check was taken for something else."""
    ref = _ref()
    text = bytearray(ref.encode())
    text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert ExecutionRef.decode(ref.name, bytes(text)) == ref
    except BadRef:
        return


@given(st.binary(max_size=300))
def test_any_bytes_are_a_ref_or_refused(content: bytes) -> None:
    """No content makes decode raise anything but BadRef."""
    try:
        found = ExecutionRef.decode(ref_name(START, UUID), b"redun-ref 1\n" + content)
    except BadRef:
        return
    assert found.start_us == START


@given(st.integers(0, 400))
def test_a_ref_cut_anywhere_is_refused(at: int) -> None:
    """A text cut before its check loses its object, its packs or its last newline; it is never taken as whole."""
    ref = _ref()
    text = ref.encode()
    if at < len(text):
        try:
            found = ExecutionRef.decode(ref.name, text[:at])
        except BadRef:
            return
        assert found.packs != ref.packs or found.object is None or text[at:].startswith(b"check ")


@pytest.mark.parametrize("name", ["", "x", "../executions/x", f"20250615T150640.123456Z-{UUID}/..", "a/b", f"-{UUID}"])
def test_a_name_cannot_reach_outside_its_folder(name: str) -> None:
    """Only names of the one form are taken."""
    with pytest.raises(BadRefName):
        Refs(_storage()).read(name)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "-x", "a.b", "a b", "\u00e9"])
def test_a_remote_name_cannot_reach_outside_its_folder(name: str) -> None:
    """Names of remotes are letters, digits, _ and -."""
    with pytest.raises(BadRefName):
        check_remote_name(name)
    with pytest.raises(BadRefName):
        list(Refs(_storage()).iter_names(remote=name))


def test_a_start_beyond_the_calendar_is_refused() -> None:
    """A time that no calendar date has makes no name."""
    with pytest.raises(BadRefName):
        ref_name(1 << 80, UUID)


def test_names_are_listed_newest_first_without_opening_a_file() -> None:
    """Listing opens nothing, and passes over what is no ref."""
    storage = _storage()
    refs = Refs(storage)
    made = [_ref(START + step) for step in (5, 1, 9)]
    for ref in made:
        refs.write(ref)
    storage.write("refs/executions/.DS_Store", b"?")
    newest = [made[2].name, made[0].name, made[1].name]
    assert list(refs.iter_names()) == newest
    assert list(refs.iter_names(newest_first=False)) == newest[::-1]
    assert [verb for verb, _ in storage.calls if verb in ("read", "view", "open")] == []
    assert list(refs.iter_strangers()) == ["refs/executions/.DS_Store"]


def test_only_as_many_refs_are_opened_as_are_asked_for() -> None:
    """``iter_refs(2)`` reads two files of many."""
    storage = _storage()
    refs = Refs(storage)
    for step in range(10):
        refs.write(_ref(START + step))
    assert [ref.start_us for ref in refs.iter_refs(2)] == [START + 9, START + 8]
    assert len(storage.names("read")) == 2
    assert len(list(refs.iter_refs())) == 10


def test_a_prefix_of_a_uuid_finds_its_refs() -> None:
    """Either case is accepted; the newest stands first."""
    refs = Refs(_storage())
    for step, raw in enumerate(("aa11", "aa22", "bb33")):
        refs.write(_ref(START + step, f"{raw}0000-1111-4222-8333-abcdefabcdef"))
    assert [name[24:28] for name in refs.find("AA")] == ["aa22", "aa11"]
    assert [name[24:28] for name in refs.find("bb330000-")] == ["bb33"]
    assert refs.find("cc") == []


def test_refs_of_a_remote_stand_apart() -> None:
    """What was seen at a remote is no execution of this repository."""
    refs = Refs(_storage())
    refs.write(_ref(), remote="origin")
    assert list(refs.iter_names()) == []
    assert list(refs.iter_names(remote="origin")) == [_ref().name]
    assert refs.read(_ref().name, remote="origin") == _ref()
    assert list(refs.iter_remotes()) == ["origin"]
    assert list(refs.iter_strangers()) == []


def test_a_missing_ref_is_named() -> None:
    """Reading what is not there names the file; iterating passes over what vanished."""
    with pytest.raises(RefMissing, match="refs/executions/2025"):
        Refs(_storage()).read(_ref().name)


def test_a_ref_whose_name_does_not_fit_is_not_written() -> None:
    """A ref is written only under the name that its start and id give."""
    with pytest.raises(BadRefName):
        Refs(_storage()).write(_ref(name=ref_name(START + 1, UUID)))


def test_a_forced_ref_is_synced_after_it_is_written() -> None:
    """The commit of a run survives a power cut; the ref that only shows a run as running need not."""
    synced: list[list[str]] = []

    class Synced(MemoryStorage):
        def sync(self, names):
            synced.append([name for name in names if self.size(name) is not None])

    refs = Refs(Synced())
    ref = _ref()
    refs.write(ref)
    assert synced == []
    refs.write(ref, is_forced=True)
    assert synced == [[f"refs/executions/{ref.name}"]]
