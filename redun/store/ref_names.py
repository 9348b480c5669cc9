"""The names of refs and of remotes.  Normative page: docs/format/refs.md.

The invariant: a name that is accepted here cannot reach outside the folder of refs that it stands for.  Names sort by
time of start.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timezone

from redun.errors import RefError

EXECUTIONS = "refs/executions"
TAGS = "refs/tags"
REMOTES = "refs/remotes"
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")
_NAME_LENGTH = 60
_REMOTE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_MICROSECONDS = 1_000_000


class BadRefName(RefError):
    """A text that was meant as the name of a ref, or of a remote, is not one."""

    def __init__(self, name: str, expected: str) -> None:
        super().__init__(f"expected {expected}, found {name!r}")
        self.name = name


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


def execution_id_of(name: str) -> str:
    """Return the uuid that a ref's name ends with."""
    return name[-36:]
