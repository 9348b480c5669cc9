"""Many texts as one content, so that a column of a million is a blob and not a node.

Normative page: docs/format/foreign-value.md.
"""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate
from struct import pack
from typing import Any

_NONE, _NAN = -1, -2
_NAN_BITS = pack("<d", float("nan"))
_TAG = "texts"
_KINDS = {str, type(None), float}


def pack_texts(elements: list[Any]) -> Any:
    """Return ``("texts", lengths, content)`` of texts, None and NaN; a list of anything else as it is."""
    kinds = set(map(type, elements))
    if str not in kinds or not kinds <= _KINDS or (float in kinds and not all(map(_fits, elements))):
        return elements
    pieces = [element.encode("utf-8", "surrogatepass") if type(element) is str else element for element in elements]
    lengths = array("i", (len(p) if type(p) is bytes else _NONE if p is None else _NAN for p in pieces))
    return _TAG, _little(lengths).tobytes(), b"".join([piece for piece in pieces if type(piece) is bytes])


def unpack_texts(form: Any) -> list[Any]:
    """Return the elements that ``pack_texts`` was given.  Raises ValueError when the form does not fit."""
    if type(form) is list:
        return form
    tag, packed, content = form
    lengths = array("i")
    lengths.frombytes(packed)
    lengths = _little(lengths)
    sizes = [max(length, 0) for length in lengths]
    if tag != _TAG or sum(sizes) != len(content) or min(lengths, default=0) < _NAN:
        raise ValueError("texts and their lengths do not match")
    ends = accumulate(sizes)
    if content.isascii():
        whole = content.decode("ascii")
        return [_absent(length) if length < 0 else whole[end - length : end] for length, end in zip(lengths, ends)]
    return [
        _absent(length) if length < 0 else content[end - length : end].decode("utf-8", "surrogatepass")
        for length, end in zip(lengths, ends)
    ]


def _fits(element: Any) -> bool:
    return type(element) is not float or pack("<d", element) == _NAN_BITS


def _absent(length: int) -> float | None:
    return None if length == _NONE else float("nan")


def _little(lengths: array[int]) -> array[int]:
    """Turn the bytes of each length around on a machine that is not little-endian."""
    if sys.byteorder == "big":
        lengths = array("i", lengths)
        lengths.byteswap()
    return lengths
