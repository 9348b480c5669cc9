"""A parameter of each type, given on the command line."""

import datetime
import enum
from typing import Callable, List, Optional

from redun import File, task

redun_namespace = "a"


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def helper(x):
    return x


@task()
def main(
    num: int,
    ratio: float,
    flag: bool,
    hue: Color,
    xs: List[int],
    maybe: Optional[int] = None,
    day: datetime.datetime = None,
    either: "int | None" = None,
    long_name: str = "z",
    bare: list = [],
    source: File = None,
    fun: Callable = helper,
):
    return [num, ratio, flag, hue, xs, maybe, day, either, long_name, bare, source, fun.__name__]
