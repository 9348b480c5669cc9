"""From a path to its FileRecord: what the file's identity is now.

A *listing* is the set of files that a pattern matches or that lie in a folder.  It is recorded as a file node too, with
the members' paths as its digest, so that whoever checks the files in a result also notices a file that was added.
Specified in docs/internals/files.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from redun.file.filesystems import Found, get_filesystem
from redun.objects.value_records import ABSENT_SCHEME, FileRecord

PATH_SCHEME = "path"
"""The path is all there is to the identity, so that the file is always what it was; the digest is empty."""

GLOB_SCHEME = "glob"
TREE_SCHEME = "tree"
LISTING_SCHEMES = frozenset({GLOB_SCHEME, TREE_SCHEME})
"""The digest is the members' paths in order, with a NUL between two of them."""


def identify(path: str, scheme: str | None = None) -> FileRecord:
    """Return the record of what is at a path now.

    Args:
        path: a path or URL; for a listing, its pattern or folder.
        scheme: how to identify it, where there is a choice; None takes the usual way.

    Raises:
        RedunOSError: it is a folder, or cannot be reached or read.
    """
    if scheme in LISTING_SCHEMES:
        return listing_record(path, scheme, (found.path for found in find_members(path, scheme)))
    if scheme == PATH_SCHEME:
        return FileRecord(path, PATH_SCHEME, b"", None)
    checksum = get_filesystem(url=path).checksum(path, scheme)
    if checksum is None:
        return FileRecord(path, ABSENT_SCHEME, b"", None)
    return FileRecord(path, *checksum)


def find_members(pattern: str, scheme: str) -> list[Found]:
    """Return the files of a listing, in order of path."""
    filesystem = get_filesystem(url=pattern)
    return filesystem.glob(pattern) if scheme == GLOB_SCHEME else filesystem.list_folder(pattern)


def listing_record(pattern: str, scheme: str, members: Iterable[str]) -> FileRecord:
    """Return the record of a listing, given its members' paths in any order."""
    return FileRecord(pattern, scheme, b"\0".join(sorted(os.fsencode(path) for path in members)), None)


def listed_paths(record: FileRecord) -> frozenset[bytes]:
    """Return the members' paths, as bytes, of a listing's record."""
    return frozenset(record.digest.split(b"\0")) if record.digest else frozenset()
