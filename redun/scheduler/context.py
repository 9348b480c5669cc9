"""What jobs below a call may ask for by name: settings that are no arguments.

A context is immutable.  Jobs share it with the job above, unless their call overrides some of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redun.context import merge_dicts
from redun.hashing import Oid
from redun.once import once
from redun.scheduler.errors import NotSerializable
from redun.value.encoding import ValueNotEncodable, encode_value


class Context:
    """Nested dicts of values, by dotted path."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    @once
    def key(self) -> Oid:
        """What tells this context from others: calls of one execution are one call only in equal contexts.

        Raises:
            ValueNotEncodable: something in it cannot be stored.
        """
        return encode_value(dict(self.values)).oid

    def get(self, path: str, default: Any = None) -> Any:
        """Return the value at a dotted path; ``default`` where there is none."""
        found: Any = self.values
        for part in path.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return default
            found = found[part]
        return found


def merge_context(context: Context | None, update: Mapping[str, Any] | None) -> Context | None:
    """Return a context with entries merged in, dict by dict; None for an empty one."""
    if not update:
        return context
    return Context(merge_dicts({} if context is None else context.values, update))


def check_context(values: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return what a context is to have, or to have over another one's.

    Raises:
        TypeError: it is no mapping.
        NotSerializable: something in it cannot be stored, so that nothing could tell one context from another.
    """
    if not values:
        return None
    if not isinstance(values, Mapping):
        raise TypeError(f"expected a context to be a dict, found {type(values).__name__}")
    try:
        encode_value(dict(values))
    except ValueNotEncodable as error:
        raise NotSerializable("context", error) from error
    return values
