"""What can go wrong between a Python value and its node."""

from __future__ import annotations

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.oid import short

MAX_PATH_CHARS = 160
"""Of a path within a value, in messages."""


class InvalidValueError(ObjectError):
    """A value cannot be used: it cannot be stored, cannot be read back, or no longer means what it did."""


class ValueNotEncodable(InvalidValueError):
    """A value, or something in it, has no form in which it could be stored."""

    hint = "return plain data, or give its class a Value or ProxyValue that says how to serialize it"

    def __init__(self, path: str, type_name: str, why: str) -> None:
        super().__init__(f"value{shorten_path(path)}: cannot serialize a {type_name}: {why}")
        self.path = path
        """Where the offender stands, as Python would reach it from the value: ``[1].conn``; empty when it is that."""
        self.type_name = type_name
        self.why = why

    def describe(self, root: str) -> str:
        """Return the message with the caller's own name of the value: an argument's, or ``result``."""
        return f"{root}{shorten_path(self.path)}: cannot serialize a {self.type_name}: {self.why}"

    def __reduce__(self) -> tuple[type[ValueNotEncodable], tuple[str, str, str]]:
        return type(self), (self.path, self.type_name, self.why)


def shorten_path(path: str) -> str:
    """Return a path within a value without its middle, where it is long: a value may nest thousands of levels deep."""
    if len(path) <= MAX_PATH_CHARS:
        return path
    half = MAX_PATH_CHARS // 2
    return f"{path[:half]}...{path[-half:]}"


class NoPlainForm(InvalidValueError):
    """What a codec's ``encode`` raises for an instance that it has no plain data for; that one is pickled."""


class ValueUndecodable(InvalidValueError):
    """A stored value cannot be made into a Python object here and now.  For the engine this is a cache miss."""

    def __init__(self, oid: Oid, reason: str) -> None:
        super().__init__(f"value {short(oid)} cannot be read back: {reason}")
        self.oid = oid
        self.reason = reason

    def __reduce__(self) -> tuple[type[ValueUndecodable], tuple[Oid, str]]:
        return type(self), (self.oid, self.reason)
