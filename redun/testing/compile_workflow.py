"""Two runs of a small C build, made by hand: what tests of logs and of provenance read.

The workflow: ``make`` asks ``make_prog`` for two programs; each compiles its sources and links them.  In the second run
``lib.c`` has changed, so two of the compile jobs are cached.  The invariant: equal stores get equal objects, byte for
byte: ids, times and contents are fixed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redun.hashing import Oid, hash_blob
from redun.objects.call_records import CallRecord, EvalRecord, ReductionRecord, SubtreeSummary, produced_code
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
from redun.objects.task_records import SourceRecord, TaskRecord
from redun.objects.value_records import CONTENT_SCHEME, FileRecord, ValueRecord
from redun.store.base import ObjectStore
from redun.store.ref_names import ref_name
from redun.store.ref_texts import ExecutionRef, RefStatus
from redun.store.refs import Refs

NAMESPACE = "redun.examples.compile"
FIRST_ID = "69c40fe5-c081-4ca6-b232-e56a0a679d42"
SECOND_ID = "4a2b624d-b6c7-41cb-acca-ec440c2434db"
FIRST_START_US = 1_624_012_468_250_000
"""2021-06-18 10:34:28.25 UTC."""
SECOND_START_US = 1_624_016_502_500_000
"""2021-06-18 11:41:42.5 UTC."""

SOURCES = {
    "compile": 'def compile(c_file: File) -> File:\n    os.system(f"gcc -c {c_file.path}")\n'
    '    return File(c_file.path.replace(".c", ".o"))\n',
    "link": "def link(prog_path: str, o_files: List[File]) -> File:\n"
    '    objects = " ".join(o_file.path for o_file in o_files)\n'
    '    os.system(f"gcc -o {prog_path} {objects}")\n    return File(prog_path)\n',
    "make_prog": "def make_prog(prog_path: str, c_files: List[File]) -> File:\n"
    "    return link(prog_path, [compile(c_file) for c_file in c_files])\n",
    "make": "def make(files: Dict[str, List[File]] = files) -> List[File]:\n"
    "    return [make_prog(prog_path, c_files) for prog_path, c_files in files.items()]\n",
}

_LIST, _DICT, _LINK = 1, 3, 12  # tags of docs/format/value.md
_JOB_US = 240_000


@dataclass(slots=True)
class MadeRun:
    """One execution in the making: puts objects as they are named and gathers job rows."""

    store: ObjectStore
    execution_id: str
    start_us: int
    rows: list[JobRow] = field(default_factory=list)
    sources: list[Oid] = field(default_factory=list)
    root: Oid | None = None

    def put(self, encoded: tuple[Oid, bytes], kind: Kind) -> Oid:
        """Store one object; return its oid."""
        self.store.put(*encoded, int(kind))
        return encoded[0]

    def text(self, text: str) -> Oid:
        """Store a str."""
        return self.put(ValueRecord("str", "data", text, []).encode(), Kind.VALUE)

    def file(self, path: str, content: bytes) -> Oid:
        """Store a file and its content."""
        self.store.put(hash_blob(content), content, int(Kind.BLOB))
        record = FileRecord(path, CONTENT_SCHEME, hash_blob(content), len(content))
        return self.put(record.encode(), Kind.FILE)

    def files(self, files: Sequence[Oid]) -> Oid:
        """Store a list of files."""
        payload = [_LIST, *([_LINK, index] for index in range(len(files)))]
        return self.put(ValueRecord("list", "data", payload, list(files)).encode(), Kind.VALUE)

    def table(self, table: Mapping[str, Sequence[Oid]]) -> Oid:
        """Store a dict from texts to lists of files."""
        links = list(dict.fromkeys(file for files in table.values() for file in files))
        payload: list[object] = [_DICT]
        for name, files in table.items():
            payload += [name, [_LIST, *([_LINK, links.index(file)] for file in files)]]
        return self.put(ValueRecord("dict", "data", payload, links).encode(), Kind.VALUE)

    def task(self, name: str) -> Oid:
        """Store a task of the build and its text."""
        record = TaskRecord(f"{NAMESPACE}.{name}", None, hash_blob(SOURCES[name].encode()), [], [])
        task = self.put(record.encode(), Kind.TASK)
        source = self.put(SourceRecord(task, SOURCES[name], "make", 10).encode(), Kind.SOURCE)
        if source not in self.sources:
            self.sources.append(source)
        return task

    def evaluation(self, name: str, arguments: Mapping[str, Oid]) -> Oid:
        """Store what a task is asked."""
        record = EvalRecord(self.task(name), list(arguments.values()), list(arguments), None)
        return self.put(record.encode(), Kind.EVAL)

    def leaf(self, asked: Oid, result: Oid, upstreams: Sequence[tuple[int, list[Oid]]] = ()) -> Oid:
        """Store a call whose function wrote and returned one file."""
        produced = [produced_code(0, is_executable=False)]
        summary = SubtreeSummary(is_reusable=True, tasks=[], externals=[result], produced=produced)
        record = CallRecord(asked, result, None, [], list(upstreams), summary, produced)
        return self.put(record.encode(), Kind.CALL)

    def parent(self, asked: Oid, result: Oid, children: Sequence[Oid]) -> Oid:
        """Store a call that only asked others; its reduction stands for the expression that it returned."""
        reduction = self.put(ReductionRecord(asked, result, [], []).encode(), Kind.REDUCTION)
        summary = SubtreeSummary(is_reusable=True, tasks=[], externals=[], produced=[])
        record = CallRecord(asked, result, reduction, list(children), [], summary, [])
        return self.put(record.encode(), Kind.CALL)

    def row(
        self, number: int, parent: int, name: str, asked: Oid | None, outcome: Oid | None, status: JobStatus
    ) -> None:
        """Add a job that started 10 ms after the one before."""
        row = JobRow(
            number, parent, number * 10_000, _JOB_US, status, "default", 1, asked, outcome, f"{NAMESPACE}.{name}"
        )
        self.rows.append(row)

    def commit(self, refs: Refs, status: ExecutionStatus = ExecutionStatus.DONE) -> ExecutionRef:
        """Store the jobs and the execution, and write its ref."""
        raw_id = uuid.UUID(self.execution_id).bytes
        jobs = self.put(JobsRecord(raw_id, self.start_us, self.rows).encode(), Kind.JOBS)
        tags = []
        if self.root is not None:
            tag = TagRecord(RunSubject(raw_id, 0), [], "project", '"compile"', is_deleted=False)
            tags.append(self.put(tag.encode(), Kind.TAG))
        argv = ["redun", "run", "make.py", "make"]
        end_us = self.start_us + 1_470_000
        record = ExecutionRecord(
            raw_id, argv, status, self.start_us, end_us, "alice", "host-1", [["redun", "0.1.0"]],
            self.root, [jobs], self.sources, tags,
        )  # fmt: skip
        oid = self.put(record.encode(), Kind.EXECUTION)
        name = ref_name(self.start_us, self.execution_id)
        ref = ExecutionRef(name, self.execution_id, RefStatus[status.name], self.start_us, end_us, argv, oid, None, ())
        refs.write(ref)
        return ref

    def start(self, refs: Refs) -> ExecutionRef:
        """Store the jobs and write a ref that says running, as while the run is alive."""
        self.put(JobsRecord(uuid.UUID(self.execution_id).bytes, self.start_us, self.rows).encode(), Kind.JOBS)
        name = ref_name(self.start_us, self.execution_id)
        argv = ["redun", "run", "make.py", "make"]
        ref = ExecutionRef(name, self.execution_id, RefStatus.RUNNING, self.start_us, None, argv, None, "a-writer", ())
        refs.write(ref)
        return ref


def make_compile_runs(store: ObjectStore, refs: Refs) -> tuple[ExecutionRef, ExecutionRef]:
    """Store both runs, and write their refs."""
    first = MadeRun(store, FIRST_ID, FIRST_START_US)
    _build(first, b"int lib = 1;", cached=frozenset())
    second = MadeRun(store, SECOND_ID, SECOND_START_US)
    _build(second, b"int lib = 2;", cached=frozenset({"prog.c", "prog2.c"}))
    return first.commit(refs), second.commit(refs)


def _build(run: MadeRun, lib: bytes, cached: frozenset[str]) -> None:
    """Add the eight jobs of one run: make; two of make_prog; two compiles (one of lib.c shared) and a link for each."""
    sources = {
        "prog.c": run.file("prog.c", b"int main() {}"),
        "prog2.c": run.file("prog2.c", b"int main() { return 2; }"),
        "lib.c": run.file("lib.c", lib),
    }
    compiled = {path: _compile(run, path, source) for path, source in sources.items()}
    programs = {"prog": ["prog.c", "lib.c"], "prog2": ["prog2.c", "lib.c"]}
    table = run.table({name: [sources[path] for path in paths] for name, paths in programs.items()})
    top = run.evaluation("make", {"files": table})
    made = [_make_prog(run, name, paths, sources, compiled) for name, paths in programs.items()]
    run.root = run.parent(top, run.files([result for _, _, _, result in made]), [call for _, call, _, _ in made])
    run.row(1, 0, "make", top, run.root, JobStatus.DONE)
    for number, (asked, call, _, _) in zip((2, 3), made):
        run.row(number, 1, "make_prog", asked, call, JobStatus.DONE)
    for number, parent, path in ((4, 2, "prog.c"), (5, 2, "lib.c"), (6, 3, "prog2.c")):
        asked, call, _ = compiled[path]
        run.row(number, parent, "compile", asked, call, JobStatus.CACHED if path in cached else JobStatus.DONE)
    for number, parent, (_, _, link, _) in zip((7, 8), (2, 3), made):
        run.row(number, parent, "link", link[0], link[1], JobStatus.DONE)


def _compile(run: MadeRun, path: str, source: Oid) -> tuple[Oid, Oid, Oid]:
    """Return eval, call and object file of compiling one source."""
    content = b"object of " + source
    asked = run.evaluation("compile", {"c_file": source})
    result = run.file(path.replace(".c", ".o"), content)
    return asked, run.leaf(asked, result), result


def _make_prog(
    run: MadeRun, name: str, paths: list[str], sources: Mapping[str, Oid], compiled: Mapping[str, tuple[Oid, Oid, Oid]]
) -> tuple[Oid, Oid, tuple[Oid, Oid], Oid]:
    """Return eval and call of make_prog, eval and call of its link, and the program."""
    asked = run.evaluation(
        "make_prog", {"prog_path": run.text(name), "c_files": run.files([sources[p] for p in paths])}
    )
    objects = run.files([compiled[path][2] for path in paths])
    link = run.evaluation("link", {"prog_path": run.text(name), "o_files": objects})
    program = run.file(name, b"program of " + objects)
    calls = [compiled[path][1] for path in paths]
    linked = run.leaf(link, program, [(1, calls)])
    return asked, run.parent(asked, program, [*calls, linked]), (link, linked), program
