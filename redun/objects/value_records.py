"""Nodes that tasks take and return: files, states of handles, Python values.  Format: docs/format/object.md."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from redun.hashing import Oid
from redun.objects.codec import Encoded, Node, encode_node
from redun.objects.decoding import checked
from redun.objects.kinds import Kind


class FileRecord(NamedTuple):
    """A file as somebody named it: its path as written, and what identifies its content."""

    path: str
    scheme: str  # "blake3": digest is the oid of the content; others are opaque tokens of a file system
    digest: bytes
    size: int | None  # bytes; None where the file system does not tell
    type_name: str = ""  # of the class it is read back as; empty for File itself

    def encode(self) -> Encoded:
        path, tail = _encode_path(self.path), [self.type_name] if self.type_name else []
        if self.scheme == CONTENT_SCHEME:
            return encode_node(Kind.FILE, [Oid(self.digest)], [path, self.scheme, None, self.size, *tail])
        return encode_node(Kind.FILE, [], [path, self.scheme, self.digest, self.size, *tail])

    @classmethod
    @checked(Kind.FILE)
    def decode(cls, node: Node) -> FileRecord:
        path, scheme, digest, size, *tail = node.body
        if scheme == CONTENT_SCHEME:
            (digest,) = node.links
        if tail and not (len(tail) == 1 and type(tail[0]) is str and tail[0]):
            raise ValueError(f"expected the type name of a class of files, found {tail!r}")
        return cls(_decode_path(path), scheme, digest, size, *tail)


def _encode_path(path: str) -> str | bytes:
    """Return a path's text; the bytes of one that is not UTF-8, which Python spells with lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        try:
            return path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return path  # no path on disk; the codec refuses it
    return path


def _decode_path(path: str | bytes) -> str:
    if type(path) is bytes:
        text = path.decode("utf-8", "surrogateescape")
        if _encode_path(text) != path:
            raise ValueError("a path in UTF-8 must be text")
        return text
    if type(path) is not str:
        raise TypeError(f"expected a path, found {path!r}")
    return path


CONTENT_SCHEME = "blake3"
ABSENT_SCHEME = "absent"
"""The scheme of a file that was not there when it was hashed; its digest is empty."""


class HandleForm(IntEnum):
    """How a state of a handle came about; the numbers are part of the format."""

    ROOT = 0  # by its constructor
    FORK = 1  # as a branch
    CALLED = 2  # by a call of a task
    MERGED = 3  # from branches


class HandleRecord(NamedTuple):
    """One state of a handle: docs/format/handle.md."""

    form: HandleForm
    links: list[Oid]  # of a root its arguments, else the root and then the parents
    texts: list[str]  # class type name and full name, key, call, nothing: as the form has it

    @property
    def parents(self) -> list[Oid]:
        """The states that it was made from."""
        return [] if self.form is HandleForm.ROOT else self.links[1:]

    def encode(self) -> Encoded:
        return encode_node(Kind.HANDLE, self.links, [int(self.form), *self.texts])

    @classmethod
    @checked(Kind.HANDLE)
    def decode(cls, node: Node) -> HandleRecord:
        form, *texts = node.body
        record = cls(HandleForm(form), node.links, texts)
        has_links = len(node.links) >= 3 if record.form is HandleForm.MERGED else len(node.links) == _N_LINKS[form]
        if not has_links or len(texts) != _N_TEXTS[form] or any(type(text) is not str for text in texts):
            raise ValueError(f"{len(node.links)} links and {len(texts)} texts for a handle of form {form}")
        return record


_N_LINKS, _N_TEXTS = (1, 2, 2), (2, 1, 1, 0)


class ValueRecord(NamedTuple):
    """A Python value.  ``links`` are the nested Values and the parts that stand alone, in order of appearance."""

    type_name: str
    codec: str  # "data" structural, "pickle", or the name of a registered codec
    payload: Any
    links: list[Oid]

    def encode(self) -> Encoded:
        return encode_node(Kind.VALUE, self.links, [self.type_name, self.codec, self.payload])

    @classmethod
    @checked(Kind.VALUE)
    def decode(cls, node: Node) -> ValueRecord:
        type_name, codec, payload = node.body
        return cls(type_name, codec, payload, node.links)
