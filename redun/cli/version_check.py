"""``--check-version``: is this the version of redun that a project asks for?"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import eq, ge, gt, le, lt

from redun.errors import ConfigError, RedunError

_OPERATORS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    "==": eq,
    ">=": ge,
    "<=": le,
    ">": gt,
    "<": lt,
}
_CLAUSE = re.compile(r"\s*(==|>=|<=|>|<)\s*(\d+(?:\.\d+)*)\s*")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")


class BadVersionSpec(ConfigError):
    """What --check-version was given is no list of comparisons."""


class WrongVersion(RedunError):
    """This redun is not one that the project works with."""

    def __init__(self, found: str, spec: str) -> None:
        super().__init__(f"expected redun {spec}, found {found}", hint=f"pip install 'redun{spec}'")
        self.found = found
        self.spec = spec


def check_version(spec: str, version: str) -> None:
    """Check a version against a comma-separated list of ``==``, ``>=``, ``<=``, ``>`` and ``<`` with a release.

    Only release numbers count (``1.2`` is ``1.2.0``); what follows them in ``version`` does not.

    Raises:
        BadVersionSpec: ``spec`` is none.
        WrongVersion: the version does not fit.
    """
    release = _RELEASE.match(version)
    assert release is not None, f"a version begins with numbers: {version}"
    for clause in spec.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise BadVersionSpec(f"--check-version: expected as in '>=0.1,<2', found {spec!r}")
        found, wanted = _numbers(release[0]), _numbers(match[2])
        width = max(len(found), len(wanted))
        padded = [numbers + (0,) * (width - len(numbers)) for numbers in (found, wanted)]
        if not _OPERATORS[match[1]](padded[0], padded[1]):
            raise WrongVersion(version, spec.strip())


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
