"""``objects/format``: what a repository's objects are written in.  Normative page: docs/format/refs.md.

The invariant: a tree whose format is not exactly the one of this program is refused, before anything else is read.
"""

from __future__ import annotations

from redun.errors import StoreError
from redun.hashing import NODE_KEY
from redun.store.storage import NameMissing, Storage

FORMAT_NAME = "objects/format"
FORMAT_TEXT = f"redun objects 1\nhash blake3-256\nnode-key {NODE_KEY.hex()}\n"
_MAX_SHOWN = 80


class NotARepository(StoreError):
    """There is no repository where one was expected."""

    def __init__(self, location: str) -> None:
        makers = "the first run there, or the first push," if "://" in location else "`redun init`"
        super().__init__(
            f"{location} is not a redun repository: it has no {FORMAT_NAME}", hint=f"{makers} makes a repository"
        )
        self.location = location


class UnknownFormat(StoreError):
    """A repository is written in a format that this program does not read."""

    def __init__(self, location: str, expected: str, found: str) -> None:
        super().__init__(
            f"{location}/{FORMAT_NAME} names another format: expected {expected!r}, found {found!r}",
            hint="it was made by another version of redun; nothing was read or changed",
        )
        self.location = location
        self.expected = expected
        self.found = found


def check_format(storage: Storage) -> None:
    """Refuse a tree that this program does not read.

    Raises:
        NotARepository: there is no format file.
        UnknownFormat: it says anything else than this program's version, hash and node key.
    """
    try:
        text = storage.read(FORMAT_NAME).decode("utf-8", "replace")
    except NameMissing:
        raise NotARepository(storage.location) from None
    if text == FORMAT_TEXT:
        return
    expected_lines, found_lines = FORMAT_TEXT.splitlines(), text.splitlines()
    for expected, found in zip(expected_lines, found_lines):
        if expected != found:
            raise UnknownFormat(storage.location, expected, found[:_MAX_SHOWN])
    raise UnknownFormat(storage.location, FORMAT_TEXT, text[: 2 * len(FORMAT_TEXT)])


def has_format(storage: Storage) -> bool:
    """Tell whether a tree has a format file, of whatever format."""
    return storage.size(FORMAT_NAME) is not None


def write_format(storage: Storage) -> None:
    """Mark a tree as a repository.  Idempotent: the content is always the same, so a race does not matter."""
    storage.write(FORMAT_NAME, FORMAT_TEXT.encode())
