"""Refs: named pointers to executions and to edits of tags, one small text each.  Normative page: docs/format/refs.md.

The invariant: a ref that names an object is the commit of a run; everything reachable from that object was in the store
before the ref was written.  Names sort by time of start, so the newest runs are found by name, and no file is opened
to list them.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from enum import Enum
from typing import NamedTuple, Protocol, TypeVar

from redun.errors import ObjectError, RefError
from redun.hashing import Oid, hash_blob
from redun.objects.oid import parse_oid
from redun.store.storage import NameMissing, Storage

EXECUTIONS = "refs/executions"
TAGS = "refs/tags"
REMOTES = "refs/remotes"
_VERSION_LINE = "redun-ref 1"
_CHECK = b"check "
_CHECK_DIGITS = 16
_SIGNATURE = "signature"
_SIGNATURE_SIZES = (32, 64)
_STATEMENT_LINE = "redun-signature 1"
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")
_NAME_LENGTH = 60
_REMOTE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_MICROSECONDS = 1_000_000


class RefStatus(str, Enum):
    """What a ref says of its run.  A running one whose writer is dead counts as interrupted, whatever it says."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_ended(self) -> bool:
        return self is not RefStatus.RUNNING


class RefMissing(RefError):
    """There is no ref of this name."""

    def __init__(self, path: str, where: str) -> None:
        super().__init__(f"there is no ref {path} in {where}")
        self.path = path


class BadRef(RefError):
    """The text of a ref is not what a ref says."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"the ref {path} is malformed: {why}", hint="run `redun fsck` to see what else is damaged")
        self.path = path
        self.why = why


class BadRefName(RefError):
    """A text that was meant as the name of a ref, or of a remote, is not one."""

    def __init__(self, name: str, expected: str) -> None:
        super().__init__(f"expected {expected}, found {name!r}")
        self.name = name


class Signature(NamedTuple):
    """That the owner of a key vouches for a ref: docs/format/signature.md."""

    key: bytes  # the 32 bytes of the public key
    value: bytes  # the 64 bytes of the signature


class SignsStatements(Protocol):
    """Who signs refs of this repository; ``store/signing.py`` has the one there is."""

    def load(self) -> None:
        """Get ready; raises ConfigError when that cannot be."""

    def sign(self, statement: bytes) -> Signature:
        """Return the signature of a statement."""


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
        if not _is_named(ref):
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


def ref_name(start_us: int, execution_id: str) -> str:
    """Return the name of an execution's ref: ``<UTC time>-<uuid>``.

    Raises:
        BadRefName: the id is no UUID, or the time lies outside the years 1 to 9999.
    """
    seconds, microseconds = divmod(start_us, _MICROSECONDS)
    try:
        moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
        name = f"{moment.year:04d}{moment:%m%dT%H%M%S}.{microseconds:06d}Z-{uuid.UUID(execution_id)}"
    except (ValueError, OverflowError, OSError) as error:
        raise BadRefName(f"{start_us}-{execution_id}", f"a start time and a UUID ({error})") from None
    return name


def _is_named(ref: ExecutionRef) -> bool:
    """Tell whether an execution ref has the name that follows from what it says."""
    try:
        return ref_name(ref.start_us, ref.execution_id) == ref.name
    except BadRefName:
        return False  # of a time that no clock shows


def is_ref_name(name: str) -> bool:
    """Tell whether a text has the form of an execution ref's name."""
    return len(name) == _NAME_LENGTH and _NAME.fullmatch(name) is not None


def check_ref_name(name: str) -> str:
    """Return a name that has the one form that ref names have, and so cannot reach outside its folder.

    Raises:
        BadRefName: it has another form.
    """
    if not is_ref_name(name):
        raise BadRefName(name, "the name of an execution ref (UTC time, dash, UUID)")
    return name


def is_remote_name(name: str) -> bool:
    """Tell whether a text can name a remote: letters, digits, ``_`` and ``-``, not beginning with a dash."""
    return _REMOTE_NAME.fullmatch(name) is not None


def check_remote_name(name: str) -> str:
    """Return a name that a remote can have.

    Raises:
        BadRefName: it has another form.
    """
    if not is_remote_name(name):
        raise BadRefName(name, "a remote's name (letters, digits, _ and -)")
    return name


_Ref = TypeVar("_Ref", ExecutionRef, TagRef)


class Refs:
    """The refs of one repository, read and written through a Storage at its root.

    ``remote=None`` means the repository's own executions; a remote's name, what was last seen there.
    """

    signer: SignsStatements | None = None
    """Who vouches for what this repository records; nobody when None."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def sign(self, ref: _Ref) -> _Ref:
        """Return a ref of this repository's own making, signed if it is to be: not one that came from elsewhere.

        Raises:
            ConfigError: there is no key where the settings say.
        """
        if self.signer is None:
            return ref
        self.signer.load()
        if isinstance(ref, ExecutionRef) and ref.object is None:
            return ref  # what goes on is not vouched for; but a key that is missing is told before the run
        return replace(ref, signatures=(self.signer.sign(ref.statement()),))

    @staticmethod
    def ref_name(start_us: int, execution_id: str) -> str:
        """Return the name of an execution's ref; see the function of this name."""
        return ref_name(start_us, execution_id)

    def write(self, ref: ExecutionRef, *, remote: str | None = None, is_forced: bool = False) -> None:
        """Put a ref in place, atomically; the last writer wins.  ``is_forced`` forces it to the disk.

        Raises:
            BadRefName: its name does not say its start and its id.
            ReadOnlyStore: the repository cannot be written.
        """
        if not _is_named(ref):
            raise BadRefName(ref.name, f"the name of execution {ref.execution_id}, started at {ref.start_us}")
        path = _path(ref.name, remote)
        self._storage.write(path, ref.encode())
        if is_forced:
            self._storage.sync([path])

    def read(self, name: str, *, remote: str | None = None) -> ExecutionRef:
        """Read one ref.

        Raises:
            BadRefName: the name has not the form of one.
            RefMissing: there is none of this name.
            BadRef: its text is malformed.
        """
        path = _path(name, remote)
        try:
            content = self._storage.read(path)
        except NameMissing:
            raise RefMissing(path, self._storage.location) from None
        return ExecutionRef.decode(name, content, path=path)

    def iter_names(self, *, newest_first: bool = True, remote: str | None = None) -> Iterator[str]:
        """Yield the names of all refs by time of start, opening none; what has not a ref's name is passed over."""
        folder = _folder(remote)
        entries = self._storage.iter_entries(folder)
        names = sorted((entry.name[len(folder) + 1 :] for entry in entries), reverse=newest_first)
        return (name for name in names if is_ref_name(name))

    def iter_refs(self, limit: int | None = None, *, remote: str | None = None) -> Iterator[ExecutionRef]:
        """Yield the newest ``limit`` refs (None: all), newest first, reading one at a time.

        A ref that disappears in between is passed over.

        Raises:
            BadRef: the text of one is malformed.
        """
        left = limit
        names = list(self.iter_names(remote=remote))
        self.prefetch(names if limit is None else names[:limit], remote=remote)
        for name in names:
            if left is not None and left <= 0:
                return
            try:
                ref = self.read(name, remote=remote)
            except RefMissing:
                continue
            if left is not None:
                left -= 1
            yield ref

    def prefetch(self, names: Iterable[str], *, remote: str | None = None) -> None:
        """Get ready to read these refs, where each read would be a request."""
        self._storage.prefetch(_path(name, remote) for name in names)

    def find(self, prefix: str, *, remote: str | None = None) -> list[str]:
        """Return the names of the refs whose uuid begins with ``prefix`` (either case), newest first."""
        wanted = prefix.lower()
        return [name for name in self.iter_names(remote=remote) if execution_id_of(name).startswith(wanted)]

    def write_tags(self, ref: TagRef, *, is_forced: bool = False) -> None:
        """Put a tag ref in place, atomically; whoever writes it writes the same.  ``is_forced`` forces it to the disk.

        Raises:
            BadRefName: its name has not the form of one.
            ReadOnlyStore: the repository cannot be written.
        """
        path = f"{TAGS}/{check_ref_name(ref.name)}"
        self._storage.write(path, ref.encode())
        if is_forced:
            self._storage.sync([path])

    def read_tags(self, name: str) -> TagRef:
        """Read one tag ref.  Raises as ``read`` does."""
        path = f"{TAGS}/{check_ref_name(name)}"
        try:
            content = self._storage.read(path)
        except NameMissing:
            raise RefMissing(path, self._storage.location) from None
        return TagRef.decode(name, content, path=path)

    def iter_tag_names(self) -> Iterator[str]:
        """Yield the names of all tag refs, oldest first; what has not a ref's name is passed over.

        They are made ready to be read: whoever wants to know of edits wants all of them.
        """
        paths = sorted(entry.name for entry in self._storage.iter_entries(TAGS))
        self._storage.prefetch(paths)
        return (name for path in paths if is_ref_name(name := path[len(TAGS) + 1 :]))

    def iter_all_names(self) -> Iterator[tuple[str, str]]:
        """Yield (folder, name) of each execution ref and tag ref of this repository, from one listing, in no order."""
        for entry in self._storage.iter_entries("refs"):
            folder, _, name = entry.name.rpartition("/")
            if folder in {EXECUTIONS, TAGS} and is_ref_name(name):
                yield folder, name

    def iter_strangers(self) -> Iterator[str]:
        """Yield the names under ``refs/`` that are no ref of this repository or of a remote: what fsck tells of."""
        for entry in self._storage.iter_entries("refs"):
            parts = entry.name.split("/")
            is_own = "/".join(parts[:-1]) in {EXECUTIONS, TAGS}
            is_remote = len(parts) == 4 and parts[1] == "remotes" and is_remote_name(parts[2])
            if not ((is_own or is_remote) and is_ref_name(parts[-1])):
                yield entry.name

    def iter_remotes(self) -> Iterator[str]:
        """Yield the names of the remotes of which something was seen."""
        parts = (entry.name.split("/") for entry in self._storage.iter_entries(REMOTES))
        yield from sorted({part[2] for part in parts if len(part) == 4 and is_remote_name(part[2])})


def execution_id_of(name: str) -> str:
    """Return the uuid that a ref's name ends with."""
    return name[-36:]


def _folder(remote: str | None) -> str:
    return EXECUTIONS if remote is None else f"{REMOTES}/{check_remote_name(remote)}"


def _path(name: str, remote: str | None) -> str:
    return f"{_folder(remote)}/{check_ref_name(name)}"
