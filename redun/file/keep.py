"""Keeping the content of a file that a job produced, so that it can be restored."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from redun.file.file import File
from redun.file.filesystems import get_filesystem
from redun.file.local_filesystem import local_path
from redun.hashing import Oid
from redun.objects.value_records import CONTENT_SCHEME, FileRecord

KEEP_BYTES = 16 << 20
"""The default of ``[files] keep_bytes``."""

PutFile = Callable[[Path], "tuple[Oid, int]"]
"""Stores a local file's content as a blob; returns its oid and its size in bytes.  Raises OSError."""


def keep_content(record: FileRecord, put_file: PutFile, *, limit_bytes: int = KEEP_BYTES) -> FileRecord | None:
    """Store the content of a local file of at most ``limit_bytes``.

    Returns:
        The record of what was stored.  It differs from ``record`` when the file changed after that was made; then the
        new one must take its place wherever the job's result names the file.  None when nothing was stored: the file
        is too large, remote, gone, unreadable or not identified by content.
    """
    if record.scheme != CONTENT_SCHEME or not get_filesystem(url=record.path).is_local:
        return None
    path = local_path(record.path)
    try:
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode) or info.st_size > limit_bytes:
            return None
        digest, size = put_file(Path(path))
    except OSError:
        return None
    return record._replace(digest=digest, size=size)


def keep_file(file: File, put_file: PutFile, *, limit_bytes: int = KEEP_BYTES) -> bool:
    """Store a File's content, and bring its hash up to date with what was stored.  Tell whether it was stored.

    To be called before the result that names the file is encoded.
    """
    stored = keep_content(file.record, put_file, limit_bytes=limit_bytes)
    if stored is None:
        return False
    if stored != file.record:
        file.set_record(stored)
    return True
