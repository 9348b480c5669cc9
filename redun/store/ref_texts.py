"""The texts of refs: what one says of an execution, or of an edit of tags.  Normative page: docs/format/refs.md.

The invariant: what is decoded is what was written, told by a check at the end of the text; and a ref of an execution
has the name that follows from what it says.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from redun.errors import ObjectError, RefError
from redun.hashing import Oid, hash_blob
from redun.objects.oid import parse_oid
from redun.store.ref_names import EXECUTIONS, TAGS, BadRefName, ref_name

_VERSION_LINE = "redun-ref 1"
_CHECK = b"check "
_CHECK_DIGITS = 16
_SIGNATURE = "signature"
_SIGNATURE_SIZES = (32, 64)
_STATEMENT_LINE = "redun-signature 1"


class RefStatus(str, Enum):
    """What a ref says of its run.  A running one whose writer is dead counts as interrupted, whatever it says."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_ended(self) -> bool:
        return self is not RefStatus.RUNNING


class BadRef(RefError):
    """The text of a ref is not what a ref says."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"the ref {path} is malformed: {why}", hint="run `redun fsck` to see what else is damaged")
        self.path = path
        self.why = why


class Signature(NamedTuple):
    """That the owner of a key vouches for a ref: docs/format/signature.md."""

    key: bytes  # the 32 bytes of the public key
    value: bytes  # the 64 bytes of the signature


@dataclass(frozen=True, slots=True)
class ExecutionRef:
    """One execution as its ref tells it."""

    name: str
    execution_id: str  # uuid, as text
    status: RefStatus
    start_us: int  # microseconds since 1970 UTC
    end_us: int | None  # the same; None while running
    argv: list[str]
    object: Oid | None  # the execution node; None while running
    writer: str | None  # name of the journal that a running one is written to
    packs: tuple[Oid, ...]  # where the closure was when the ref was written: a hint
    signatures: tuple[Signature, ...] = ()

    def encode(self) -> bytes:
        """Return the text of the ref."""
        lines = [_VERSION_LINE, *self._facts()]
        if self.writer is not None:
            lines.append(f"writer {self.writer}")
        lines += [f"pack {pack.hex()}" for pack in self.packs]
        return _join_lines(lines, self.signatures)

    def statement(self) -> bytes:
        """Return what is signed: all that the ref says but for hints."""
        return _state(f"{EXECUTIONS}/{self.name}", self._facts())

    def _facts(self) -> list[str]:
        lines = [f"execution {self.execution_id}", f"status {self.status.value}", f"start {self.start_us}"]
        if self.end_us is not None:
            lines.append(f"end {self.end_us}")
        lines.append(f"argv {json.dumps(self.argv)}")
        if self.object is not None:
            lines.append(f"object {self.object.hex()}")
        return lines

    @classmethod
    def decode(cls, name: str, content: bytes, *, path: str | None = None) -> ExecutionRef:
        """Read the text of a ref; ``path`` is what to call it in messages.

        Raises:
            BadRef: it says another version, lacks a line, or a line says what it must not.
        """
        path = path or name
        fields, packs, signatures = _split_lines(path, content)
        try:
            ref = cls(
                name,
                str(uuid.UUID(fields["execution"])),
                RefStatus(fields["status"]),
                _decode_integer(fields["start"]),
                _decode_integer(fields["end"]) if "end" in fields else None,
                _decode_argv(fields["argv"]),
                parse_oid(fields["object"]) if "object" in fields else None,
                fields.get("writer"),
                tuple(parse_oid(pack) for pack in packs),
                _decode_signatures(signatures),
            )
        except KeyError as error:
            raise BadRef(path, f"expected a line {error.args[0]!r}, found none") from None
        except (ValueError, ObjectError) as error:
            raise BadRef(path, str(error)) from None
        if not has_own_name(ref):
            raise BadRef(path, f"it tells of execution {ref.execution_id}, started at {ref.start_us}: not its name")
        _check_text(path, content)
        return ref


@dataclass(frozen=True, slots=True)
class TagRef:
    """One edit of tags made outside of a run.  Written once: of two of one name, both say the same."""

    name: str
    tags: tuple[Oid, ...]
    signatures: tuple[Signature, ...] = ()

    def encode(self) -> bytes:
        """Return the text of the ref."""
        return _join_lines([_VERSION_LINE, *self._facts()], self.signatures)

    def statement(self) -> bytes:
        """Return what is signed: all that the ref says."""
        return _state(f"{TAGS}/{self.name}", self._facts())

    def _facts(self) -> list[str]:
        return [f"tag {tag.hex()}" for tag in sorted(self.tags)]

    @classmethod
    def decode(cls, name: str, content: bytes, *, path: str | None = None) -> TagRef:
        """Read the text of a tag ref; ``path`` is what to call it in messages.  Raises BadRef for what is none."""
        path = path or name
        _, tags, signatures = _split_lines(path, content, repeated="tag")
        try:
            ref = cls(name, tuple(parse_oid(tag) for tag in tags), _decode_signatures(signatures))
        except (ValueError, ObjectError) as error:
            raise BadRef(path, str(error)) from None
        _check_text(path, content)
        return ref


def _state(path: str, facts: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in (_STATEMENT_LINE, f"ref {path}", *facts)).encode()


def _join_lines(lines: list[str], signatures: Iterable[Signature]) -> bytes:
    """Return the text of a ref, with the line that tells whether it is still what was written."""
    signed = [f"{_SIGNATURE} {key.hex()} {value.hex()}" for key, value in sorted(signatures)]
    text = "".join(f"{line}\n" for line in (*lines, *signed)).encode()
    return text + _CHECK + hash_blob(text).hex()[:_CHECK_DIGITS].encode() + b"\n"


def _check_text(path: str, content: bytes) -> None:
    """Raise BadRef when the check does not fit what stands before it; a text without one was written by hand."""
    at = content.rfind(b"\n" + _CHECK) + 1
    found = content[at + len(_CHECK) :].partition(b"\n")[0]
    if at and found != hash_blob(content[:at]).hex()[:_CHECK_DIGITS].encode():
        raise BadRef(path, "damaged: its text does not fit its check")


def _split_lines(path: str, content: bytes, repeated: str = "pack") -> tuple[dict[str, str], list[str], list[str]]:
    """Return the value of each key, of each line whose key may be repeated, and of each signature."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRef(path, f"not UTF-8: {error}") from None
    head, *lines = text.split("\n")
    if head != _VERSION_LINE:
        raise BadRef(path, f"expected the first line {_VERSION_LINE!r}, found {head[:60]!r}")
    if not lines or lines.pop() != "":
        raise BadRef(path, "cut short: its last line does not end")
    fields: dict[str, str] = {}
    many: dict[str, list[str]] = {repeated: [], _SIGNATURE: []}
    for line in lines:
        key, _, value = line.partition(" ")
        if key in many:
            many[key].append(value)
        elif fields.setdefault(key, value) != value:
            raise BadRef(path, f"it has two lines {key!r}")
    return fields, many[repeated], many[_SIGNATURE]


def _decode_signatures(texts: list[str]) -> tuple[Signature, ...]:
    found = []
    for text in texts:
        key, _, value = text.partition(" ")
        signature = Signature(bytes.fromhex(key), bytes.fromhex(value))
        if (len(signature.key), len(signature.value)) != _SIGNATURE_SIZES:
            raise ValueError(f"expected a public key and a signature, found {text[:60]!r}")
        found.append(signature)
    return tuple(found)


def _decode_integer(text: str) -> int:
    number = int(text)
    if str(number) != text:
        raise ValueError(f"expected a plain integer, found {text[:60]!r}")
    return number


def _decode_argv(text: str) -> list[str]:
    try:
        argv = json.loads(text)
    except RecursionError:
        raise ValueError("expected argv as a list of strings, found something that nests without end") from None
    if type(argv) is not list or not all(type(argument) is str for argument in argv):
        raise ValueError(f"expected argv as a list of strings, found {text[:60]}")
    return argv


def has_own_name(ref: ExecutionRef) -> bool:
    """Tell whether an execution ref has the name that follows from what it says."""
    try:
        return ref_name(ref.start_us, ref.execution_id) == ref.name
    except BadRefName:
        return False  # of a time that no clock shows
