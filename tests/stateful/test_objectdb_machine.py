"""Two writers and a reader of one repository against a dictionary, under kills, seals, merges and refreshes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from redun.hashing import Oid, hash_blob
from redun.objects.codec import decode_node, encode_node
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.store.base import Candidate
from redun.store.local_storage import LocalStorage
from redun.store.lookups import newest_first
from redun.store.maintain.repack import consolidate
from redun.store.objectdb import ObjectDb


class ObjectDbMachine(RuleBasedStateMachine):
    """``durable`` is what must survive anything, ``pending`` what a writer has put and not flushed yet."""

    objects = Bundle("objects")
    writers = st.sampled_from([0, 1])

    @initialize()
    def start(self):
        self.path = Path(tempfile.mkdtemp(prefix="redun-machine-"))
        self.now_us = 1_750_000_000_000_000
        self.dead = set()
        self.durable = {}
        self.data = {}  # every object ever put
        self.pending = [{}, {}]
        self.outcomes = {}  # eval: candidates, with the jobs node that says so
        self.stores = [self._open(), self._open()]
        self.reader = self._open(is_writable=False)

    def _open(self, **options):
        return ObjectDb(
            LocalStorage(self.path),
            journals=self.path / "objects" / "journal",
            durability="off",
            clock=lambda: self.now_us,
            is_alive=lambda header, _modified, _now: header.writer not in self.dead,
            **options,
        )

    def _put(self, writer, oid, data, kind):
        self.stores[writer].put(oid, data, int(kind))
        self.data[oid] = (int(kind), data)
        if oid not in self.durable:
            self.pending[writer][oid] = (int(kind), data)
        return oid

    @rule(target=objects, writer=writers, number=st.integers(0, 30))
    def put_blob(self, writer, number):
        content = b"content %d" % number
        return self._put(writer, hash_blob(content), content, Kind.BLOB)

    @rule(target=objects, writer=writers, links=st.lists(objects, max_size=4), number=st.integers(0, 5))
    def put_value(self, writer, links, number):
        oid, data = encode_node(Kind.VALUE, links, ["type", "data", number])
        return self._put(writer, oid, data, Kind.VALUE)

    @rule(target=objects, writer=writers, key=objects, outcome=objects, end_us=st.integers(1, 9))
    def put_jobs(self, writer, key, outcome, end_us):
        for linked in (key, outcome):
            self._put_whole(writer, linked)
        row = JobRow(1, 0, 0, end_us, JobStatus.DONE, "default", 1, key, outcome, "task")
        oid, data = JobsRecord(bytes(16), 0, [row]).encode()
        self.outcomes.setdefault(key, {})[Candidate(end_us, outcome)] = oid
        return self._put(writer, oid, data, Kind.JOBS)

    def _put_whole(self, writer, oid):
        """Put an object after what it links to, as whoever puts a node must."""
        kind, content = self.data[oid]
        for linked in decode_node(content).links if kind != Kind.BLOB else ():
            self._put_whole(writer, linked)
        self._put(writer, oid, content, kind)

    @rule(writer=writers)
    def flush(self, writer):
        self.stores[writer].flush()
        self._settle(writer)

    def _settle(self, writer):
        self.durable.update(self.pending[writer])
        self.pending[writer].clear()

    @rule(writer=writers, finishes=st.booleans())
    def seal(self, writer, finishes):
        self.stores[writer].seal()
        if finishes:
            self.stores[writer].finish()
        self._settle(writer)

    @rule(writer=writers)
    def close_and_reopen(self, writer):
        self.stores[writer].close()
        self._settle(writer)
        self._mourn(writer)
        self.stores[writer] = self._open()

    @rule(writer=writers)
    def kill_and_reopen(self, writer):
        """What was not flushed may be lost; all else must not."""
        self.pending[writer].clear()
        self._mourn(writer)
        self.stores[writer] = self._open()

    def _mourn(self, writer):
        own = self.stores[writer]._own
        if own.begun_writer:
            self.dead.add(own.begun_writer)
        own._journal = None

    @rule(writer=writers)
    def seal_orphans(self, writer):
        self.stores[writer].seal_orphans()

    @rule(writer=writers)
    def merge(self, writer):
        consolidate(self.stores[writer])

    @rule()
    def refresh_all(self):
        self.now_us += 600_000
        for store in (*self.stores, self.reader):
            store.refresh()

    @rule()
    def reopen_reader(self):
        self.reader = self._open(is_writable=False)

    @precondition(lambda self: hasattr(self, "stores"))
    @invariant()
    def each_writer_finds_what_it_put(self):
        for store, pending in zip(self.stores, self.pending):
            for oid, (kind, data) in pending.items():
                assert store.get(oid) == data
                assert store.kind_of(oid) == kind

    @rule(number=st.integers(0, 2))
    def everything_durable_is_found(self, number):
        """By either writer or by the reader, after it has looked."""
        store = (*self.stores, self.reader)[number]
        store.refresh(force=True)
        held = dict(store.iter_oids())
        expected = dict(self.durable)
        if number < 2:
            expected.update(self.pending[number])
        for oid, (kind, data) in expected.items():
            assert store.get(oid) == data
            assert store.kind_of(oid) == held[oid] == kind
        for key, candidates in self.outcomes.items():
            found = store.find_candidates(key)
            assert found == newest_first(set(found))
            assert {candidate for candidate, jobs in candidates.items() if jobs in expected} <= set(found)
            assert set(found) <= set(candidates)
        assert not store.has(Oid(bytes(32)))
        assert store.warnings == []

    def teardown(self):
        if hasattr(self, "path"):
            shutil.rmtree(self.path)


TestObjectDbMachine = ObjectDbMachine.TestCase
TestObjectDbMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
