"""Is a file still what its record says?"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from redun.file.errors import RedunOSError
from redun.file.identity import LISTING_SCHEMES, identify, listed_paths
from redun.objects.value_records import ABSENT_SCHEME, FileRecord


class FileState(Enum):
    """How what is at a path now compares with a record."""

    SAME = "same"
    """The file is as recorded; a file recorded as absent is absent."""
    MISSING = "missing"
    """There is no file, though one was recorded."""
    DIFFERENT = "different"
    """There is another content, or something that cannot be read as a file."""


class FileCheck(NamedTuple):
    """The answer for one record."""

    state: FileState
    current: FileRecord | None
    """What is there now; None when it is missing or could not be identified."""
    reason: str = ""
    """Why it could not be identified: a sentence for people."""


def check_file(record: FileRecord) -> FileCheck:
    """Compare a record, of whatever scheme, with what is at its path now.  Raises nothing that a disk can cause.

    A listing is the same as long as no file was *added*.  A removed one is the business of its own record, which
    stands beside the listing: it may be restored, and then the listing is whole again.
    """
    try:
        current = identify(record.path, record.scheme)._replace(type_name=record.type_name)
    except RedunOSError as error:
        return FileCheck(FileState.DIFFERENT, None, str(error))
    if record.scheme in LISTING_SCHEMES:
        is_same = listed_paths(current) <= listed_paths(record)
        return FileCheck(FileState.SAME if is_same else FileState.DIFFERENT, current)
    if current == record:
        return FileCheck(FileState.SAME, current)
    if current.scheme == ABSENT_SCHEME:
        return FileCheck(FileState.MISSING, None)
    return FileCheck(FileState.DIFFERENT, current)
