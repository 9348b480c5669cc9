"""Values whose oids are fixed for ever.  ``python -m golden_values`` prints the oid of each, in any Python.

The module stands alone: it runs in interpreters that have nothing but the library's own dependencies.
"""

from __future__ import annotations

import json
import math
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from redun.value import Value, encode_value


class Color(Enum):
    RED = 1
    GREEN = "green"


class Level(IntEnum):
    LOW = 1


class Access(Flag):
    READ = 1
    WRITE = 2
    EXECUTE = 4
    ALL = 7


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass
class Point:
    x: int
    y: float = 0.5
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Nested:
    point: Point
    note: str = field(init=False)


class Box(Value):
    type_name = "golden.Box"

    def __init__(self, content: Any) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return type(other) is Box and other.content == self.content

    def __hash__(self) -> int:
        return hash(repr(self.content))


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __eq__(self, other: object) -> bool:
        return type(other) is Plain and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]


def module_function(x: int) -> int:
    return x


SAMPLES: dict[str, Any] = {
    "none": None,
    "true": True,
    "one": 1,
    "one float": 1.0,
    "one text": "1",
    "negative zero": -0.0,
    "not a number": math.nan,
    "infinity": -math.inf,
    "largest native": 2**64 - 1,
    "smallest native": -(2**63),
    "beyond native": 2**64,
    "below native": -(2**63) - 1,
    "complex": complex(-0.0, 2.5),
    "text": "snow \u2603",
    "surrogate": "a\udcff",
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"ab"),
    "large bytes": b"x" * 65_536,
    "large text": "\u00e9" * 65_536,
    "list": [1, [2.5, None], "three"],
    "tuple": (1, ("a",), ()),
    "dict": {"b": 1, "a": [2], 3: None},
    "dict in another order": {"a": [2], "b": 1, 3: None},
    "set": {"x", 1, (2, "y"), b"z", None, 2.5},
    "frozenset": frozenset({frozenset({1}), frozenset()}),
    "range": range(0, 10, 3),
    "slice": slice(None, 5),
    "ellipsis": ...,
    "date": date(2024, 2, 29),
    "time": time(12, 30, 1, 5, fold=1),
    "datetime": datetime(2024, 2, 29, 12, 30),
    "datetime utc": datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc),
    "datetime offset": datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=-5), "EST")),
    "datetime zone": datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    "timedelta": timedelta(days=-1, microseconds=1),
    "decimal": Decimal("-1.50e-7"),
    "decimal nan": Decimal("sNaN12"),
    "fraction": Fraction(-1, 3),
    "uuid": UUID("12345678-1234-5678-1234-567812345678"),
    "path": PurePosixPath("a/b.txt"),
    "windows path": PureWindowsPath("c:/a"),
    "enum": Color.GREEN,
    "int enum": Level.LOW,
    "flag": Access.READ | Access.EXECUTE,
    "flag alias": Access.ALL,
    "flag zero": Access(0),
    "namedtuple": Pair(1, [2]),
    "dataclass": Point(1, tags=["a"]),
    "dataclass with a gap": Nested(Point(2)),
    "ordered dict": OrderedDict(b=1, a=2),
    "default dict": defaultdict(list, {"a": [1]}),
    "counter": Counter("abca"),
    "deque": deque([1, 2], maxlen=3),
    "class": Point,
    "builtin class": int,
    "function": module_function,
    "builtin function": len,
    "value": Box([1, Box("inner")]),
    "values in a list": [Box(1), Box(2), Box(1)],
    "values in a set": {Box("b"), Box("a"), (Box("c"), 1), 5},
    "pickle": Plain(name="same", label="same", box=Box(3)),
}


def main() -> None:
    """Print the oid of each sample, as JSON."""
    print(json.dumps({name: encode_value(value).oid.hex() for name, value in SAMPLES.items()}, indent=4))


if __name__ == "__main__":
    import golden_values  # by its own name, so that its classes are called the same from everywhere

    golden_values.main()
