"""The part of fsck that looks at refs: each must be readable, and what it leads to whole.

The invariant: a ref's check tells of damage only, so whatever it says is compared with what its execution says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from redun.errors import ObjectError, RedunError
from redun.hashing import Oid
from redun.objects.codec import decode_node
from redun.objects.execution_records import ExecutionRecord
from redun.objects.ids import format_id
from redun.objects.kinds import Kind
from redun.objects.links import BrokenLink, walk
from redun.objects.oid import short
from redun.store.maintain.findings import Findings, Severity
from redun.store.maintain.known import Known
from redun.store.ref_names import EXECUTIONS, REMOTES, TAGS
from redun.store.ref_texts import ExecutionRef, RefStatus, TagRef

if TYPE_CHECKING:
    from redun.store.repository import Repository


class RefCheck:
    """Reads the refs of a repository before its objects are looked at, and checks them afterwards."""

    def __init__(
        self, repository: Repository, known: Known, found: Findings, get: Callable[[Oid], bytes], *, is_full: bool
    ) -> None:
        """``get`` returns the bytes of a known object; ``is_full``: follow what refs lead to."""
        self._repository = repository
        self._known = known
        self._found = found
        self._get = get
        self._is_full = is_full
        self.count = 0

    def read(self) -> list[tuple[str, ExecutionRef | TagRef]]:
        """Return all refs with their places; those that cannot be read are findings."""
        found: list[tuple[str, ExecutionRef | TagRef]] = []
        refs = self._repository.refs
        for name in refs.iter_strangers():
            self._found.note("file", name, "it is no ref")
        reads: list[tuple[str, Callable[[], ExecutionRef | TagRef]]] = []
        for remote in (None, *refs.iter_remotes()):
            folder = EXECUTIONS if remote is None else f"{REMOTES}/{remote}"
            names = list(refs.iter_names(remote=remote))
            refs.prefetch(names, remote=remote)
            reads += [(f"{folder}/{name}", partial(refs.read, name, remote=remote)) for name in names]
        reads += [(f"{TAGS}/{name}", partial(refs.read_tags, name)) for name in refs.iter_tag_names()]
        self.count = len(reads)
        for where, read in reads:
            try:
                found.append((where, read()))
            except RedunError as error:
                self._found.error("ref", where, str(error))
        return found

    def check(self, refs: Iterable[tuple[str, ExecutionRef | TagRef]]) -> None:
        """Check what refs lead to, once all objects are known."""
        for where, ref in refs:
            if isinstance(ref, TagRef):
                self._check_tag_ref(ref, where)
            else:
                self._check_ref(ref, where)

    def _check_tag_ref(self, ref: TagRef, where: str) -> None:
        for tag in ref.tags:
            if self._known.kind_of(tag) != Kind.TAG:
                self._found.error("ref", where, f"its tag {short(tag)} is missing")

    def _check_ref(self, ref: ExecutionRef, where: str) -> None:
        if ref.status is RefStatus.RUNNING:
            if not self._repository.is_alive(ref):
                self._found.note("ref", where, "its run was interrupted; the next run says so in it")
            return
        if ref.object is None:
            self._found.error("ref", where, f"it says {ref.status.value} and names no object")
        elif self._known.kind_of(ref.object) != Kind.EXECUTION:
            self._found.error("ref", where, f"its execution {short(ref.object)} is missing")
        elif self._is_full:
            self._check_closure(ref, ref.object, where)

    def _check_closure(self, ref: ExecutionRef, oid: Oid, where: str) -> None:
        try:
            found = ExecutionRecord.decode(decode_node(self._get(oid)))
            for why in find_contradictions(ref, found):
                self._found.error("ref", where, why)
            if any(problem.severity is Severity.ERROR for problem in self._found.problems):
                # Every hard link of every object was followed already; only which runs it concerns is left to find.
                for _ in walk([oid], self._find):
                    pass
        except BrokenLink as error:
            self._found.error("ref", where, f"its run is not whole: object {short(error.oid)} is missing")
        except ObjectError as error:
            self._found.error("ref", where, f"its run is not whole: {error}")

    def _find(self, oid: Oid) -> tuple[int, bytes] | None:
        kind = self._known.kind_of(oid)
        if kind is None or kind == Kind.BLOB:
            return None if kind is None else (kind, b"")  # it was hashed before, and leads nowhere
        return kind, self._get(oid)


def find_contradictions(ref: ExecutionRef, record: ExecutionRecord) -> Iterator[str]:
    """Yield in what a ref differs from its execution, which says all that the ref says."""
    if format_id(record.execution_id) != ref.execution_id:
        yield f"its object tells of execution {format_id(record.execution_id)}"
        return
    pairs: dict[str, tuple[Any, Any]] = {
        "status": (ref.status.value, record.status.name.lower()),
        "start": (ref.start_us, record.start_us),
        "end": (ref.end_us, record.end_us),
        "argv": (ref.argv, record.argv),
    }
    for key, (said, expected) in pairs.items():
        if said != expected:
            yield f"it says {key} {said!r}, and its execution says {expected!r}"
