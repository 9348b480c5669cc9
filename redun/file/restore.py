"""Putting a recorded content back at its path.

The invariant: the path holds what it held before, or the whole recorded content; never a part, never another content.
The content goes to a new file in the same folder and is renamed over the path once its digest is known to be right.
There is no fsync: after a power cut the content can be restored again.

A symbolic link at the path is replaced by the file.  Writing through it would change a file elsewhere that no record
speaks of; what the link pointed at stays as it is.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from blake3 import blake3

from redun.errors import ObjectError
from redun.file.errors import RedunOSError, typed_errors
from redun.file.filesystems import get_filesystem
from redun.file.local_filesystem import local_path
from redun.hashing import READ_SIZE_BYTES
from redun.objects.oid import short
from redun.objects.value_records import CONTENT_SCHEME, FileRecord


class ContentMismatch(ObjectError):
    """The content that was offered for a file is not the one that its record names."""

    def __init__(self, record: FileRecord, found: bytes, size: int) -> None:
        expected = f"{short(record.digest)} ({record.size} bytes)"
        super().__init__(
            f"cannot restore {record.path}: expected content {expected}, found {short(found)} ({size} bytes)",
            hint="run `redun fsck` to see what else is damaged",
        )
        self.record = record
        self.found = found
        self.size = size


class NotRestorable(RedunOSError):
    """A record names no content that could be put back, or a place that is not on this machine."""


def restore_file(record: FileRecord, content: BinaryIO, *, is_executable: bool) -> None:
    """Put a content at the record's path, atomically, making parent folders.

    Args:
        record: a file on this machine, identified by content.
        content: read to its end, and not closed.
        is_executable: whether those who may read the file may execute it; the umask applies.

    Raises:
        ContentMismatch: the content is another one; what was at the path is untouched.
        NotRestorable: the record is of another scheme or of a remote file.
        RedunOSError: the disk refuses; what was at the path is untouched.
    """
    if record.scheme != CONTENT_SCHEME or not get_filesystem(url=record.path).is_local:
        raise NotRestorable(
            f"only contents of local files are restored, not {record.path} ({record.scheme})", record.path
        )
    target = local_path(record.path)
    folder, name = os.path.split(target)
    # A fixed short name: one made of the file's own could be longer than a file system allows.
    draft = os.path.join(folder, f".redun-{os.urandom(8).hex()}.tmp")
    with typed_errors(record.path, "restore"):
        if folder:
            os.makedirs(folder, exist_ok=True)
        try:
            _write_checked(draft, record, content, 0o777 if is_executable else 0o666)
            os.rename(draft, os.path.join(folder, name))
        except BaseException:
            _remove_quietly(draft)
            raise


def _write_checked(draft: str, record: FileRecord, content: BinaryIO, mode: int) -> None:
    hasher = blake3()
    size = 0
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(descriptor, "wb", buffering=0) as stream:
        while piece := content.read(READ_SIZE_BYTES):
            hasher.update(piece)
            size += len(piece)
            _write_all(stream, piece)
    digest = hasher.digest()
    if digest != record.digest:
        raise ContentMismatch(record, digest, size)


def _write_all(stream: BinaryIO, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[stream.write(view) :]


def _remove_quietly(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        return
