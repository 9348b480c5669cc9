"""A value that lies in a store and has not been read: what the scheduler holds of a large result.

A worker hands back the oid of an array of a gigabyte, and the next worker reads it by that oid; in between, the
scheduler passes on a ``StoredValue``.  Whoever hands a value to code of the user's calls ``loaded`` first.  The
invariant: user code never sees one, and it is encoded as what it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redun.value.nested import map_nested_value

if TYPE_CHECKING:
    from redun.value.encoder import Encoded, Encoder
    from redun.value.tags import Payload

LARGE_TYPES = frozenset(
    {
        "bytearray",
        "bytes",
        "numpy.ndarray",
        "pandas.DataFrame",
        "pandas.Series",
        "pyarrow.Table",
        "str",
    }
)
"""Names of types whose values hold data alone: no file, no task, no object of a user's class, so that nothing but their
oid needs to be known of them."""


class StoredValue:
    """A value by its objects."""

    __slots__ = ("encoded", "load", "type_name")

    def __init__(self, type_name: str, encoded: Encoded, load: Callable[[], Any]) -> None:
        """``load`` reads the value: anew each time, so that each caller has one of its own."""
        global _is_in_use
        _is_in_use = True
        self.type_name = type_name
        self.encoded = encoded
        self.load = load

    def __repr__(self) -> str:
        return f"<{self.type_name} {self.encoded.oid.hex()[:8]}>"


_is_in_use = False  # until there is one, no value is looked through for some


def loaded(value: Any) -> Any:
    """Return a value with everything in it that lies in a store read."""
    if not _is_in_use:
        return value
    if type(value) is StoredValue:
        return value.load()
    return map_nested_value(_load_leaf, value)


def encode_stored(encoder: Encoder, value: StoredValue, depth: int) -> Payload:
    """Encode one that stands in a container: it becomes part of the container's node, so it must be read."""
    return encoder.payload(value.load(), depth)


def _load_leaf(part: Any) -> Any:
    return part.load() if type(part) is StoredValue else part
