"""The numbers and limits of the value format.  Normative page: docs/format/value.md.

A payload is nil, a boolean, an integer, a float, text, bytes, or an array whose first item is one of these tags.  The
tags are plain integers, not an enum: they go straight into msgpack, and looking one up costs nothing.
"""

from __future__ import annotations

from typing import Any

Payload = Any
"""None, bool, int (64 bits), float, str, bytes, or a list of a tag and what the tag says, payloads among it."""

LIST = 1
TUPLE = 2
DICT = 3
SET = 4
FROZENSET = 5
BYTEARRAY = 6
BIG_INT = 7
COMPLEX = 8
SURROGATES = 9
BLOB_BYTES = 10
BLOB_STR = 11
LINK = 12
CONSTANT = 13
RANGE = 14
SLICE = 15
DATACLASS = 16
NAMEDTUPLE = 17
ENUM = 18
CLASS = 19
FUNCTION = 20
OBJECT = 21
SERIALIZED = 22
PROXY = 23
PICKLE = 24
FOREIGN = 25
DATE = 26
TIME = 27
DATETIME = 28
TIMEDELTA = 29
TIMEZONE = 30
ZONE = 31
DECIMAL = 32
FRACTION = 33
UUID = 34
PATH = 35
ORDERED_DICT = 36
DEFAULT_DICT = 37
COUNTER = 38
DEQUE = 39
ABSENT = 40

DATA_CODEC = "data"
PICKLE_CODEC = "pickle"
CODECS = (DATA_CODEC, PICKLE_CODEC)

LARGE_SIZE = 65_536
"""Bytes, or characters, from which a content is a blob of its own."""

MAX_NESTING = 200
"""Levels of containers in one payload.  msgpack stops at 511; half of it leaves room for what a level may wrap."""
