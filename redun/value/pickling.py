"""Pickle, the last resort: for the smallest part of a value that has no codec.  Normative page: docs/format/value.md.

Each text, bytes, Value and function of the project within the pickled object is a persistent id, an index into a table
of payloads beside the pickle.  It has four reasons.  A pickle writes an equal text shorter when it is the same object
as one before, and that differs between a value just made and the same value read back: one value would have two keys.
Large contents become blobs.  Nested Values stay links, so that gc, push and validity see them.  And the code of a
function stays part of the value.

Protocol 4 is fixed: a newer default must not change keys.
"""

from __future__ import annotations

import io
import pickle
from types import FunctionType
from typing import TYPE_CHECKING, Any

from redun.value.encoder import Refused, TooDeep
from redun.value.names import NotFound, dotted
from redun.value.tags import PICKLE, Payload
from redun.value.value import Value

if TYPE_CHECKING:
    from redun.value.decoder import Decoder
    from redun.value.encoder import Encoder

PROTOCOL = 4
_TABLED = frozenset({str, bytes})


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, encoder: Encoder, depth: int) -> None:
        super().__init__(stream, PROTOCOL)
        self._encoder = encoder
        self._depth = depth
        self._indices: dict[Any, int] = {}
        self.table: list[Payload] = []

    def persistent_id(self, thing: Any) -> int | None:
        """Put texts, bytes, Values and functions of the project into the table, equal ones once."""
        if type(thing) in _TABLED:
            index = self._indices.get(thing)
            return self._enter(thing, self._encoder.payload(thing, self._depth)) if index is None else index
        if isinstance(thing, Value):
            return self._place_of(self._encoder.payload(thing, self._depth))
        if type(thing) is FunctionType:
            payload = self._encoder.payload(thing, self._depth)
            _, _name, digest = payload
            return None if digest is None else self._place_of(payload)
        if isinstance(thing, type):  # an instance is written with its class
            self._encoder.classes[thing] = None
        return None

    def _place_of(self, payload: list[Payload]) -> int:
        key = tuple(payload)
        index = self._indices.get(key)
        return self._enter(key, payload) if index is None else index

    def _enter(self, key: Any, payload: Payload) -> int:
        index = self._indices[key] = len(self.table)
        self.table.append(payload)
        return index


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, table: list[Any]) -> None:
        super().__init__(io.BytesIO(content))
        self._table = table

    def persistent_load(self, index: Any) -> Any:
        """Take what an index stands for from the table."""
        if type(index) is not int or not 0 <= index < len(self._table):
            raise pickle.UnpicklingError(f"no entry {index!r} in a table of {len(self._table)}")
        return self._table[index]


def encode_pickle(encoder: Encoder, value: Any, depth: int) -> Payload:
    """Return the payload of an object that has no codec.

    Raises:
        Refused: pickle cannot write it either.
    """
    stream = io.BytesIO()
    pickler = _Pickler(stream, encoder, depth + 1)
    try:
        pickler.dump(value)
    except (Refused, TooDeep):
        raise
    except RecursionError:
        raise Refused(value, "it nests too deep") from None
    except Exception as error:
        raise Refused(value, f"{error}" if str(error) else type(error).__name__) from error
    encoder.has_pickle = True
    cls = type(value)
    return [PICKLE, f"{cls.__module__}:{cls.__qualname__}", encoder.bytes_payload(stream.getvalue()), *pickler.table]


def decode_pickle(decoder: Decoder, payload: list[Payload]) -> Any:
    """Unpickle: this runs code that the pickle names."""
    _, name, content, *_ = payload
    if not decoder.is_pickle:
        raise ValueError("a pickle in a value that says it holds none")
    if not decoder.allow_pickle:
        raise ValueError(f"it holds a pickle of {name}, and this reader does not unpickle")
    table = decoder.members(payload, 3)
    unpickler = _Unpickler(decoder.bytes_in(content), table)
    try:
        return unpickler.load()
    except (ImportError, AttributeError) as error:
        # Its own words may name the module alone.
        raise NotFound(f"a pickle of {dotted(str(name))} cannot be loaded: {type(error).__name__}: {error}") from error
