"""Nodes of code: tasks, the units that they use, their source text.  Format: docs/format/object.md."""

from __future__ import annotations

from typing import NamedTuple

from redun.hashing import Oid
from redun.objects.codec import Encoded, Node, encode_node
from redun.objects.decoding import checked
from redun.objects.kinds import Kind


class UnitRecord(NamedTuple):
    """One piece of source that a task uses: a function, a class or a constant, by its digest."""

    unit_kind: str  # "function", "class", "constant", "assignment"
    name: str  # module.qualname
    digest: bytes

    def encode(self) -> Encoded:
        return encode_node(Kind.UNIT, [], list(self))

    @classmethod
    @checked(Kind.UNIT)
    def decode(cls, node: Node) -> UnitRecord:
        return cls(*node.body)


class TaskRecord(NamedTuple):
    """A task: its full name and what its hash covers.  Its oid is the task hash."""

    fullname: str
    version: str | None  # when set, it stands for the source
    digest: bytes | None  # of the function's own normalized syntax tree, when there is no version
    includes: list[Oid]  # value hashes given as hash_includes, sorted
    units: list[Oid]  # every unit it uses, directly or through others, sorted by name

    def encode(self) -> Encoded:
        return encode_node(Kind.TASK, self.units, [self.fullname, self.version, self.digest, self.includes])

    @classmethod
    @checked(Kind.TASK)
    def decode(cls, node: Node) -> TaskRecord:
        fullname, version, digest, includes = node.body
        return cls(fullname, version, digest, includes, node.links)


class SourceRecord(NamedTuple):
    """The text of a task or unit as it was written, for people; part of no key."""

    subject: Oid
    text: str
    module: str
    line: int

    def encode(self) -> Encoded:
        return encode_node(Kind.SOURCE, [self.subject], [self.text, self.module, self.line])

    @classmethod
    @checked(Kind.SOURCE)
    def decode(cls, node: Node) -> SourceRecord:
        (subject,) = node.links
        return cls(subject, *node.body)
