"""The kinds of objects, and which of them values are made of.  Normative page: docs/format/object.md.

What nodes of each kind link to and hold is in ``value_records``, ``task_records``, ``call_records`` and
``execution_records``.  Records are named tuples, not dataclasses: an eval and a call are built for every job, and a
named tuple costs a third of a frozen dataclass to make (0.35 against 1.1 us).  ``encode`` gives an oid and canonical
bytes; ``X.decode`` takes a ``Node`` and raises ``BadBody`` for anything that does not fit.
"""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """What an object is.  The numbers are part of the format; a kind mostly links to kinds below it."""

    BLOB = 0  # raw bytes; the only kind that is not a node
    FILE = 1
    HANDLE = 2
    UNIT = 3
    TASK = 4
    VALUE = 5
    SOURCE = 6
    EVAL = 7
    EXPRESSION = 8
    REDUCTION = 9
    CALL = 10
    JOBS = 11
    TAG = 12
    EXECUTION = 13


VALUE_KINDS = frozenset({Kind.FILE, Kind.HANDLE, Kind.TASK, Kind.VALUE})
"""Kinds that a task can take or return: each of them is named by a value hash."""

SOFT_LINK_KINDS = frozenset({Kind.FILE})
"""Kinds whose links may point at nothing: a file's content is kept or not, and its identity must not tell which."""
