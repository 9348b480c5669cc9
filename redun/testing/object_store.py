"""What every ObjectStore must do, as tests to inherit.

class TestBucketStore(ObjectStoreSuite):
    @pytest.fixture
    def store(self): return BucketStore(...)
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from redun.hashing import Oid, hash_blob, hash_node
from redun.objects.call_records import CallRecord, ReductionRecord, SubtreeSummary, produced_code
from redun.objects.codec import NotCanonical, decode_node, encode_node
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.objects.oid import BadOid
from redun.objects.value_records import FileRecord, ValueRecord
from redun.store.base import Candidate, ObjectMissing, ObjectStore

ABSENT = Oid(bytes(32))
EXECUTION = bytes(range(16))
EPOCH_US = 1_750_000_000_000_000


def put_value(store: ObjectStore, payload: object) -> Oid:
    """Put a small value and return its oid."""
    oid, data = ValueRecord("test", "data", payload, []).encode()
    store.put(oid, data, int(Kind.VALUE))
    return oid


def put_jobs(store: ObjectStore, rows: list[tuple[Oid | None, Oid | None, int, JobStatus]]) -> Oid:
    """Put a batch of jobs, given (eval, outcome, end in microseconds after the epoch, status) of each."""
    made = [
        JobRow(number, 0, end_us - 1, 1, status, "default", 1, eval_oid, outcome, "test.task")
        for number, (eval_oid, outcome, end_us, status) in enumerate(rows, 1)
    ]
    oid, data = JobsRecord(EXECUTION, EPOCH_US, made).encode()
    store.put(oid, data, int(Kind.JOBS))
    return oid


class ObjectStoreSuite:
    """The contract of ``redun.store.base.ObjectStore``.  Override the ``store`` fixture with an empty one."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        """Return an empty store that can be put to."""
        raise RuntimeError("override this fixture")

    def test_what_is_put_is_got(self, store: ObjectStore) -> None:
        """Nodes and blobs come back byte for byte, with their kinds."""
        oid, data = encode_node(Kind.VALUE, [hash_blob(b"x")], ["type", "data", 1])
        blob = b"raw bytes"
        store.put(oid, data, int(Kind.VALUE))
        store.put(hash_blob(blob), blob, int(Kind.BLOB))
        assert store.get(oid) == data
        assert store.get(hash_blob(blob)) == blob
        assert store.has(oid)
        assert store.kind_of(oid) == Kind.VALUE
        assert store.kind_of(hash_blob(blob)) == Kind.BLOB
        assert store.find_kind_and_data(oid) == (Kind.VALUE, data)

    def test_a_node_comes_decoded(self, store: ObjectStore) -> None:
        """``get_node`` gives what decoding the bytes gives; a blob, and what is only like a node, is refused."""
        oid, data = encode_node(Kind.VALUE, [hash_blob(b"x")], ["type", "data", [1, 2.5, None, b"", "text"]])
        fake = data[:-1] + b"\xda\x00\x00"  # an empty text, spelled longer than need be
        for name, content, kind in ((oid, data, Kind.VALUE), (hash_blob(b"raw"), b"raw", Kind.BLOB)):
            store.put(name, content, int(kind))
        store.put(hash_node(fake), fake, int(Kind.VALUE))
        store.flush()
        assert store.get_node(oid) == decode_node(data)
        for name in (hash_blob(b"raw"), hash_node(fake)):
            with pytest.raises(NotCanonical):
                store.get_node(name)

    def test_what_is_absent_is_told(self, store: ObjectStore) -> None:
        """An absent object raises ObjectMissing with its name, and has no kind."""
        for verb in (store.get, store.get_node, store.open):
            with pytest.raises(ObjectMissing) as caught:
                verb(ABSENT)
            assert caught.value.oid == ABSENT
        assert not store.has(ABSENT)
        assert store.kind_of(ABSENT) is None
        assert store.find_kind_and_data(ABSENT) is None

    def test_putting_twice_is_putting_once(self, store: ObjectStore) -> None:
        """The same object put again changes nothing."""
        for _ in range(3):
            oid = put_value(store, 1)
            store.flush()
        assert list(store.iter_oids()) == [(oid, Kind.VALUE)]

    @pytest.mark.parametrize("size", [0, 1, 5_000, 300_000, (1 << 20) - 1, 1 << 20, 3_000_001])
    def test_blobs_of_any_size(self, store: ObjectStore, tmp_path: Path, size: int) -> None:
        """A content comes back whole whatever its size, put from memory or from a file."""
        content = (b"0123456789abcde" * (size // 15 + 1))[:size]
        path = tmp_path / "file"
        path.write_bytes(content)
        oid = hash_blob(content)
        assert store.put_file(path) == (oid, size)
        store.put(oid, content, int(Kind.BLOB))
        store.flush()
        assert store.get(oid) == content
        assert store.kind_of(oid) == Kind.BLOB
        with store.open(oid) as stream:
            assert stream.read() == content
        assert [row for row in store.iter_oids() if row[0] == oid] == [(oid, Kind.BLOB)]
        assert store.find_prefix(oid.hex()) == [(oid, Kind.BLOB)]

    def test_a_file_that_is_not_there_is_an_os_error(self, store: ObjectStore, tmp_path: Path) -> None:
        """What cannot be read raises what the system says."""
        with pytest.raises(FileNotFoundError):
            store.put_file(tmp_path / "absent")

    def test_oids_come_once_and_by_kind(self, store: ObjectStore) -> None:
        """All objects come once each, or those of one kind."""
        values = {put_value(store, number) for number in range(5)}
        blob = hash_blob(b"blob")
        store.put(blob, b"blob", int(Kind.BLOB))
        store.flush()
        everything = list(store.iter_oids())
        assert sorted(everything) == sorted([(oid, int(Kind.VALUE)) for oid in values] + [(blob, int(Kind.BLOB))])
        assert {oid for oid, _ in store.iter_oids(int(Kind.VALUE))} == values
        assert list(store.iter_oids(int(Kind.BLOB))) == [(blob, Kind.BLOB)]
        assert list(store.iter_oids(int(Kind.TAG))) == []

    def test_prefixes_find_in_order_and_within_the_limit(self, store: ObjectStore) -> None:
        """A prefix of 4 digits or more finds what begins so, in order of oid, either case, at most the limit."""
        oids = sorted(put_value(store, number) for number in range(200))
        wanted = oids[17]
        for digits in (4, 5, 7, 8, 63, 64):
            prefix = wanted.hex()[:digits]
            expected = [(oid, int(Kind.VALUE)) for oid in oids if oid.hex().startswith(prefix)]
            assert store.find_prefix(prefix) == store.find_prefix(prefix.upper()) == expected
        assert store.find_prefix(wanted.hex()[:4], limit=0) == []
        assert store.find_prefix(ABSENT.hex()) == []
        with pytest.raises(BadOid):
            store.find_prefix("abc")

    def test_candidates_come_newest_first(self, store: ObjectStore) -> None:
        """All recorded outcomes of an eval come by time, then by oid, both descending."""
        key, other = put_value(store, 100), put_value(store, 101)  # put, as whatever a node links to has been
        targets = [put_value(store, number) for number in range(4)]
        low, high = sorted(targets[2:])
        put_jobs(store, [(key, targets[0], 10, JobStatus.DONE), (other, targets[0], 50, JobStatus.DONE)])
        put_jobs(store, [(key, targets[1], 30, JobStatus.REDUCED), (key, low, 20, JobStatus.STEPPED)])
        put_jobs(store, [(key, high, 20, JobStatus.CONTESTED)])
        expected = [(30, targets[1]), (20, high), (20, low), (10, targets[0])]
        assert store.find_candidates(key) == [Candidate(EPOCH_US + time, target) for time, target in expected]
        assert store.find_candidates(other) == [Candidate(EPOCH_US + 50, targets[0])]
        assert store.find_candidates(ABSENT) == []

    def test_only_outcomes_are_candidates(self, store: ObjectStore) -> None:
        """Cached and failed jobs, and jobs without an eval or an outcome, record no outcome of an eval."""
        key = Oid(b"k" * 32)
        target = put_value(store, 1)
        rows = [(key, target, 1, JobStatus.CACHED), (key, target, 2, JobStatus.FAILED)]
        put_jobs(store, [*rows, (key, None, 3, JobStatus.DONE), (None, target, 4, JobStatus.DONE)])
        assert store.find_candidates(key) == []

    def test_producers_are_found(self, store: ObjectStore) -> None:
        """A file leads to the calls and reductions that list it as made by themselves, and to no others."""
        made, read = (FileRecord(name, "absent", b"", None).encode() for name in ("made", "read"))
        for oid, data in (made, read):
            store.put(oid, data, int(Kind.FILE))
        value = put_value(store, 1)
        externals = sorted([made[0], read[0]])
        code = produced_code(externals.index(made[0]), is_executable=True)
        summary = SubtreeSummary(True, [], externals, [code])
        maker = CallRecord(value, value, value, [value], [(0, [value, value])], summary, [code])
        parent = CallRecord(value, value, None, [], [], summary, [])
        reduction = ReductionRecord(value, value, [made[0]], [False])
        expected = []
        for record, kind in ((maker, Kind.CALL), (parent, Kind.CALL), (reduction, Kind.REDUCTION)):
            oid, data = record.encode()
            store.put(oid, data, int(kind))
            if record is not parent:
                expected.append(oid)
        assert store.find_producers(made[0]) == sorted(expected)
        assert store.find_producers(read[0]) == []

    def test_nodes_that_do_not_fit_their_kind_do_no_harm(self, store: ObjectStore) -> None:
        """A malformed jobs, call or reduction node is kept, and answers no question."""
        for kind in (Kind.JOBS, Kind.CALL, Kind.REDUCTION):
            for body in (None, [], [[1]] * 9, [1, 2, 3, [["a"]] * 9], [b"", 1 << 62, [], [[1 << 62]] * 9]):
                oid, data = encode_node(kind, [], body)
                store.put(oid, data, int(kind))
                assert store.get(oid) == data
        assert store.find_candidates(ABSENT) == []
        assert store.find_producers(ABSENT) == []

    def test_threads_put_files_and_read_while_one_thread_puts(self, store: ObjectStore, tmp_path: Path) -> None:
        """Worker threads may store files and read while the main thread puts: nothing is lost or mixed up."""
        errors: list[BaseException] = []
        folder = tmp_path / "files"
        folder.mkdir()

        def work(number: int) -> None:
            try:
                for step in range(30):
                    path = folder / f"{number}-{step}"
                    path.write_bytes(b"content %d" % (step if number % 2 else 1000 * number + step))
                    oid, _ = store.put_file(path)
                    assert store.get(oid) == path.read_bytes()
            except BaseException as error:  # shown by the main thread
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        values = [put_value(store, number) for number in range(2000)]
        for thread in threads:
            thread.join()
        assert not errors, errors
        store.flush()
        assert {oid for oid, _ in store.iter_oids(int(Kind.VALUE))} == set(values)
        for path in folder.iterdir():
            assert store.get(hash_blob(path.read_bytes())) == path.read_bytes()

    def test_threads_put_and_look_up_at_once(self, store: ObjectStore) -> None:
        """What one thread has put is found by it, nodes and outcomes alike, while other threads put and ask too."""
        errors: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for step in range(100):
                    key = put_value(store, f"key {number} {step}")
                    target = put_value(store, [number, step])
                    put_jobs(store, [(key, target, step, JobStatus.DONE)])
                    assert store.has(target)
                    assert store.find_candidates(key) == [Candidate(EPOCH_US + step, target)]
                    assert store.find_producers(target) == []
            except BaseException as error:  # shown by the main thread
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        assert len(list(store.iter_oids(int(Kind.JOBS)))) == 400

    def test_closing_is_idempotent(self, store: ObjectStore) -> None:
        """A store can be refreshed, flushed and closed, the last more than once."""
        oid = put_value(store, 1)
        store.refresh()
        store.flush()
        assert store.has(oid)
        store.close()
        store.close()
