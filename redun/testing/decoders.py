"""Everything that is decoded from bytes which somebody else may have written, with samples, for fuzzing.

The fact that each must show: any bytes at all are read, or refused with one of the typed errors that its format has.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from zlib import crc32

from redun.errors import ObjectError, RedunError, RefError, RemoteError
from redun.executors.remote.code_package import BadCodePackage, unpack_code
from redun.executors.remote.scratch import ARRAYS, INPUT, Scratch
from redun.expression_codec import decode_expression
from redun.hashing import Oid, hash_blob, hash_node
from redun.objects.call_records import ExpressionRecord
from redun.objects.codec import NotCanonical, decode_node
from redun.objects.headers import CallHeader, JobFacts, OutcomeHeader, Settings, TaskPlace
from redun.objects.kinds import Kind
from redun.objects.parcel import ParcelDamaged, decode_parcel, encode_parcel
from redun.remotes.bundle import apply_bundle, create_bundle
from redun.store.absent import Absence, Cause, write_absent
from redun.store.base import ObjectCorrupt
from redun.store.canonical import split_node
from redun.store.condemned import read_condemned, write_condemned
from redun.store.forgotten import Forgotten, write_forgotten
from redun.store.idx import CHECKSUM_SIZE
from redun.store.journal import HEADER, MAGIC, NODE, RECORD_HEAD_SIZE, encode_record
from redun.store.journal_reader import JournalReader
from redun.store.liveness import JournalHeader
from redun.store.maintain.fsck_objects import RECORDS
from redun.store.memory_storage import MemoryStorage
from redun.store.notes import Notes
from redun.store.pack import PackReader, rebuild_idx, write_pack
from redun.store.pack_format import idx_name, pack_name
from redun.store.promised import Promise, write_promised
from redun.store.ref_texts import ExecutionRef, Signature, TagRef
from redun.store.repository import Repository
from redun.testing.objects import EPOCH_US, MadeFile, build_execution, made_ref, make_execution
from redun.value import encode_value
from redun.value.encoding import decode_value
from redun.value.errors import ValueUndecodable
from redun.value.preview import preview_value

OID = Oid(bytes(range(32)))
_LIST = "objects/pack/20250615T150640.000000Z-00000000"
_CRC_OF_TYPE = {type_: crc32(bytes([type_])) for type_ in range(256)}


@dataclass(frozen=True, slots=True)
class Format:
    """One format."""

    samples: Sequence[bytes]
    read: Callable[[bytes], object]
    refusals: tuple[type[RedunError], ...]
    """What ``read`` may raise, and nothing else."""
    finish: Callable[[bytes], bytes] = bytes
    """Makes the checksums of changed bytes fit again, so that what lies behind them is reached."""
    is_msgpack: bool = False
    """Whether the whole is msgpack, so that a part of its tree can be exchanged for another."""

    def accepts(self, data: bytes) -> bool:
        """Tell whether bytes are read; False when they are refused as they should be."""
        try:
            self.read(data)
        except self.refusals:
            return False
        return True


def list_formats() -> dict[str, Format]:
    """Return all formats by name; the samples are made here."""
    made = build_execution(4, files=[MadeFile("f", b"content")], blobs=[b"part"])
    nodes = [data for _, data, kind in made.objects if kind != Kind.BLOB]
    pack, idx = _make_pack(made.objects)
    assert made.record is not None
    ref = made_ref(made, (OID,))
    signed = replace(ref, signatures=(Signature(bytes(32), bytes(64)),))
    return {
        "node": Format(nodes, _read_node, (ObjectError,), is_msgpack=True),
        "value": Format(_make_values(), _read_value, (NotCanonical, ValueUndecodable), is_msgpack=True),
        "expression": Format(_make_expressions(), _read_expression, (ObjectError,), is_msgpack=True),
        "pack": Format([pack], _PackOf(idx).read_pack, (ObjectCorrupt, NotCanonical)),
        "idx": Format([idx], _PackOf(pack).read_idx, (ObjectCorrupt, NotCanonical), _finish_idx),
        "journal": Format([_make_journal(nodes)], _read_journal, (), _finish_journal),
        "ref": Format([ref.encode(), signed.encode()], lambda data: ExecutionRef.decode(ref.name, data), (RefError,)),
        "tag ref": Format([TagRef("t", (OID,)).encode()], lambda data: TagRef.decode("t", data), (RefError,)),
        "condemned": Format([_make_list(_write_condemned)], _read_condemned, ()),
        "absent": Format([_make_list(_write_absent)], lambda data: _read_notes("absent", data), ()),
        "forgotten": Format([_make_list(_write_forgotten)], lambda data: _read_notes("forgotten", data), ()),
        "promised": Format([_make_list(_write_promised)], lambda data: _read_notes("promised", data), ()),
        "bundle": Format([_make_bundle()], _read_bundle, (RemoteError,)),
        "parcel": Format(_make_parcels(nodes), _read_parcel, (ParcelDamaged,), _finish_parcel),
        "array": Format([_make_array()], _read_array, (RedunError,)),
        "code package": Format([_make_code()], _read_code, (BadCodePackage,)),
    }


# -- objects


def _read_node(data: bytes) -> None:
    node = decode_node(data)
    split_node(data)
    record = RECORDS.get(node.kind)
    if record is not None:
        record.decode(node)


def _make_values() -> list[bytes]:
    values: list[Any] = [
        [1, -(2**70), 1.5, None, True, "text", b"bytes"],
        {"a": {1, 2}, (3, 4): frozenset([date(2025, 6, 15)])},
        [complex(1, 2), range(3), slice(1, 2), Path("a/b")],
    ]
    return [encode_value(value).data for value in values]


def _read_value(data: bytes) -> None:
    def read(oid: Oid) -> bytes:
        return data if oid == OID else encode_value(1).data

    node = decode_node(data)
    if node.kind == Kind.VALUE:
        decode_value(OID, read, allow_pickle=False)
        preview_value(OID, read)


def _make_expressions() -> list[bytes]:
    steps: list[list[Any]] = [
        [4, 3],
        [0, 0],
        [2, "add", [0, 1], [], []],
        [3, "dict", None, [0, 2]],
        [1, "ns.f", [2], ["x"], [0], 3, None, None],
        [5, "ns.g", [2], [], [], None, None, 2],
        [3, "dataclass", ["redun.testing.objects:MadeFile", ["path", "content", "is_kept"]], [0, 1, 2]],
        [3, "namedtuple", ["redun.store.storage:Entry"], [0, 1, 2]],
        [3, "set", None, [0]],
        [3, "tuple", None, [4, 5, 6, 7, 8]],
    ]
    return [ExpressionRecord(steps, [OID]).encode()[1]]


def _read_expression(data: bytes) -> None:
    node = decode_node(data)
    if node.kind == Kind.EXPRESSION:
        decode_expression(ExpressionRecord.decode(node), lambda _oid: 1)


# -- packs


def _make_pack(objects: list[tuple[Oid, bytes, int]]) -> tuple[bytes, bytes]:
    storage = MemoryStorage()
    rows = sorted(((oid, kind, data) for oid, data, kind in objects), key=lambda row: row[1])
    sealed = write_pack(rows, storage)
    assert sealed is not None
    return storage.read(pack_name(sealed.name)), storage.read(idx_name(sealed.name))


class _PackOf:
    """A pack of which one file is sound and the other comes from anywhere."""

    def __init__(self, other: bytes) -> None:
        self._other = other

    def read_pack(self, data: bytes) -> None:
        """Read a pack by the sound idx of another, then as fetch does: by an idx that is made of it."""
        with suppress(ObjectCorrupt, NotCanonical):
            _read_pack_files(data, self._other)
        _read_pack_files(data, rebuild_idx(data))

    def read_idx(self, data: bytes) -> None:
        """Read a sound pack by an idx."""
        _read_pack_files(self._other, data)


def _read_pack_files(pack: bytes, idx: bytes) -> None:
    name = hash_blob(pack)
    storage = MemoryStorage()
    storage.write(pack_name(name), pack)
    reader = PackReader(name, storage, idx=idx)
    oids: list[Oid] = []
    failed: Exception | None = None
    for ordinal in range(min(len(reader), 50)):
        try:
            oids.append(reader.idx.oid_at(ordinal))
            data = reader.read(ordinal)
            assert oids[-1] in (hash_blob(data), hash_node(data)), "wrong bytes are given under a name"
            if reader.idx.kind_at(ordinal) != Kind.BLOB:
                reader.read_node(ordinal, oids[-1])
        except (ObjectCorrupt, NotCanonical) as error:
            failed = error
    for oid in (*oids, OID):
        for ask in (reader.idx.find, reader.kind_of, reader.idx.find_candidates, reader.idx.find_producers):
            try:
                ask(oid)
            except (ObjectCorrupt, NotCanonical) as error:
                failed = error
    reader.find_prefix(bytes(32), b"\xff" * 32, 5)
    if failed is not None:
        raise failed


def _finish_idx(data: bytes) -> bytes:
    head = data[:-CHECKSUM_SIZE]
    return head + hash_blob(head)


# -- journals


def _make_journal(nodes: list[bytes]) -> bytes:
    header = JournalHeader("20250615T150640Z-host-7-01020304", "host", 7, "99", "pid:[1]", EPOCH_US)
    return MAGIC + encode_record(HEADER, header.encode()) + b"".join(encode_record(NODE, data) for data in nodes)


def _read_journal(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        reader = JournalReader(Path(file.name))
        try:
            reader.refresh()
            for oid, kind, payload in reader.iter_objects():
                assert oid == (hash_blob(payload) if kind == Kind.BLOB else hash_node(payload))
        finally:
            reader.close()


def _finish_journal(data: bytes) -> bytes:
    """Give each record the checksum that fits, as long as the lengths lead from one to the next."""
    head = struct.Struct("<BII")
    assert head.size == RECORD_HEAD_SIZE
    made, at = bytearray(data), len(MAGIC)
    while at + head.size <= len(made):
        type_, length, _ = head.unpack_from(made, at)
        payload = bytes(made[at + head.size : at + head.size + length])
        head.pack_into(made, at, type_, length, crc32(payload, _CRC_OF_TYPE[type_]))
        at += head.size + length
    return bytes(made)


# -- refs and lists


def _make_list(write: Callable[[MemoryStorage], str]) -> bytes:
    storage = MemoryStorage()
    return storage.read(write(storage))


def _write_condemned(storage: MemoryStorage) -> str:
    return write_condemned(storage, [OID], [OID], EPOCH_US)


def _write_absent(storage: MemoryStorage) -> str:
    return write_absent(storage, [Absence(OID, int(Kind.VALUE), cause, EPOCH_US) for cause in Cause], EPOCH_US)


def _write_forgotten(storage: MemoryStorage) -> str:
    return write_forgotten(storage, Forgotten({OID: EPOCH_US}, {OID: EPOCH_US}), EPOCH_US)


def _write_promised(storage: MemoryStorage) -> str:
    return write_promised(storage, [Promise(OID, 1 << 20, "origin")], EPOCH_US)


def _read_condemned(data: bytes) -> None:
    storage = MemoryStorage()
    storage.write(f"{_LIST}.condemned", data)
    (entry,) = storage.iter_entries("objects")
    read_condemned(storage, entry)


def _read_notes(suffix: str, data: bytes) -> None:
    storage = MemoryStorage()
    storage.write(f"{_LIST}.{suffix}", data)
    notes = Notes(storage, lambda _text: None)
    notes.update([f"{_LIST}.{suffix}"])
    notes.find_absences("0001")


# -- what travels


def _make_bundle() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b"
        with Repository.init(Path(folder) / ".redun") as repository:
            make_execution(repository.store, repository.refs, 2, blobs=[b"part"])
            create_bundle(repository, path)
        return path.read_bytes()


def _read_bundle(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b"
        path.write_bytes(data)
        with Repository.init(Path(folder) / ".redun") as repository:
            apply_bundle(repository, path)


def _make_parcels(nodes: list[bytes]) -> list[bytes]:
    call = CallHeader(
        ("1", "3"),
        TaskPlace("ns.f", OID, "m", "", ["src"]),
        JobFacts(bytes(16), 1, 1, OID),
        [OID, None],
        [("x", OID)],
        OID,
        None,
        Settings("content", "closure", 0),
    )
    outcome = OutcomeHeader(OID, "value", OID, [(OID, True)], ["text"], [OID], None, (None, OID))
    objects = [(hash_node(data), data, int(Kind.VALUE)) for data in nodes[:3]]
    return [encode_parcel(header.encode(), objects) for header in (call, outcome)]


def _read_parcel(data: bytes) -> None:
    header = decode_parcel(data).header
    refused: ParcelDamaged | None = None
    for decode in (CallHeader.decode, OutcomeHeader.decode):
        try:
            decode(header)
            return
        except ParcelDamaged as error:
            refused = error
    assert refused is not None
    raise refused


def _finish_parcel(data: bytes) -> bytes:
    head = struct.Struct("<16sQ32s")
    body = data[head.size :]
    return head.pack(data[:16].ljust(16, b"\0"), len(body), hash_blob(body)) + body


def _make_array() -> bytes:
    storage = MemoryStorage()
    Scratch("memory://scratch", storage=storage).put_array("a", [("0" * 64, b"one"), ("1" * 64, b"two")])
    return storage.read(f"{ARRAYS}/a/{INPUT}")


def _read_array(data: bytes) -> None:
    storage = MemoryStorage()
    storage.write(f"{ARRAYS}/a/{INPUT}", data)
    for rank in range(2):
        Scratch("memory://scratch", storage=storage).read_element("a", rank)


def _make_code() -> bytes:
    import io
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in ("a.py", "b/c.py"):
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"pass"))
    return packed.getvalue()


def _read_code(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        unpack_code(data, Path(folder))
