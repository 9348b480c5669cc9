"""Codecs of numpy's arrays, scalars and dtypes.  Normative page: docs/format/foreign-value.md.

The invariant: arrays that no task can tell apart have one form, whatever their strides, base or padding; reading it
back gives the exact dtype.  This module is loaded, and with it numpy, only where somebody has such an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

from redun.value.errors import NoPlainForm
from redun.value.objects import Codec
from redun.value.texts import pack_texts, unpack_texts

if TYPE_CHECKING:
    import numpy as np

_LONGDOUBLE_SIZES = {"f": 8, "c": 16}
"""Bytes of the widest float and complex that are the same on every machine."""


def list_codecs() -> Iterator[tuple[type, Codec]]:
    """Yield each type with its codec."""
    import numpy as np

    yield np.ndarray, Codec("numpy.ndarray", _encode_array, _decode_array, "numpy.ndarray")
    yield np.ma.MaskedArray, Codec("numpy.ma.MaskedArray", _encode_masked, _decode_masked, "numpy.ma.MaskedArray")
    dtype_codec = Codec("numpy.dtype", lambda dtype: (_encode_dtype(dtype),), _decode_dtype_alone, "numpy.dtype")
    for cls in {*np.sctypeDict.values(), np.record}:
        dtype = np.dtype((np.record, [("f", "b1")])) if cls is np.record else np.dtype(cls)
        yield type(dtype), dtype_codec
        # A C type that has the form of another (long long) comes back as the other, from pickle as well: left to that.
        if cls is not np.object_ and np.dtype(dtype.str if dtype.names is None else dtype).type is cls:
            # It was bool_ before numpy 2.
            name = f"numpy.{'bool' if cls is np.bool_ else cls.__name__}"
            yield cls, Codec("numpy.generic", _encode_scalar, _decode_scalar, name)
    if hasattr(np, "dtypes") and hasattr(np.dtypes, "StringDType"):
        yield np.dtypes.StringDType, dtype_codec


def _encode_array(array: np.ndarray[Any, Any]) -> Any:
    return _encode_dtype(array.dtype), array.shape, _encode_content(array)


def _decode_array(state: Any) -> Any:
    dtype, shape, content = state
    return _decode_content(_decode_dtype(dtype), _checked_shape(shape), content)


def _encode_masked(array: np.ma.MaskedArray[Any, Any]) -> Any:
    import numpy as np

    mask = None if array.mask is np.ma.nomask else np.asarray(array.mask)
    return np.asarray(array.data), mask, np.asarray(array.fill_value), bool(array.hardmask)


def _decode_masked(state: Any) -> Any:
    import numpy as np

    data, mask, fill_value, is_hard = state
    mask = np.ma.nomask if mask is None else mask
    return np.ma.MaskedArray(data, mask, fill_value=fill_value[()], hard_mask=is_hard)


def _encode_scalar(scalar: np.generic) -> Any:
    import numpy as np

    if isinstance(scalar, np.str_):
        return "str", "".join(scalar)  # str() would lose zeros at the end, and so would an array
    if isinstance(scalar, np.bytes_):
        return "bytes", bytes(scalar)
    return _encode_dtype(scalar.dtype), _encode_content(np.asarray(scalar))


def _decode_scalar(state: Any) -> Any:
    import numpy as np

    dtype, content = state
    if dtype == "str":
        return np.str_(content)
    if dtype == "bytes":
        return np.bytes_(content)
    return _decode_content(_decode_dtype(dtype), (), content)[()]


def _decode_dtype_alone(state: Any) -> Any:
    (dtype,) = state
    return _decode_dtype(dtype)


# Dtypes


def _encode_dtype(dtype: np.dtype[Any]) -> Any:
    import numpy as np

    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return "array", _encode_dtype(base), shape
    if dtype.names is not None:
        fields = tuple(_encode_field(name, *dtype.fields[name]) for name in dtype.names)  # type: ignore[index]
        return "struct", issubclass(dtype.type, np.record), dtype.isalignedstruct, dtype.itemsize, fields
    if dtype.kind == "T":
        missing: tuple[Any, ...] = (dtype.na_object,) if hasattr(dtype, "na_object") else ()
        return "strings", dtype.coerce, missing  # type: ignore[attr-defined]
    if _is_long(dtype):
        return "longdouble", dtype.str, int(np.finfo(dtype).nmant)
    if np.dtype(dtype.str) != dtype:
        raise NoPlainForm(f"{dtype!r} is more than {dtype.str}")
    return dtype.str


def _encode_field(name: str, dtype: np.dtype[Any], offset: int, title: Any = None) -> Any:
    return name, title, offset, _encode_dtype(dtype)


def _decode_dtype(form: Any) -> Any:
    import numpy as np

    if type(form) is str:
        return np.dtype(form)
    tag, *fields = form
    if tag == "array":
        base, shape = fields
        return np.dtype((_decode_dtype(base), _checked_shape(shape)))
    if tag == "struct":
        return _decode_struct(*fields)
    if tag == "strings":
        coerce, missing = fields
        return np.dtypes.StringDType(coerce=coerce, **({"na_object": missing[0]} if missing else {}))
    if tag == "longdouble":
        text, bits = fields
        dtype = np.dtype(text)
        if np.finfo(dtype).nmant != bits:
            raise ValueError(f"expected {text} of {bits} bits, this machine's have {np.finfo(dtype).nmant}")
        return dtype
    raise ValueError(f"no form of a dtype: {tag!r}")


def _decode_struct(is_record: bool, is_aligned: bool, itemsize: int, members: Any) -> Any:
    import numpy as np

    spec = {
        "names": [name for name, _, _, _ in members],
        "titles": [title for _, title, _, _ in members],
        "offsets": [offset for _, _, offset, _ in members],
        "formats": [_decode_dtype(form) for _, _, _, form in members],
        "itemsize": itemsize,
    }
    dtype = np.dtype(spec, align=is_aligned)  # type: ignore[call-overload]
    return np.dtype((np.record, dtype)) if is_record else dtype


def _is_long(dtype: np.dtype[Any]) -> bool:
    return dtype.itemsize > _LONGDOUBLE_SIZES.get(dtype.kind, dtype.itemsize)


def _checked_shape(shape: Any) -> tuple[int, ...]:
    if type(shape) is not tuple or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"expected a shape, found {shape!r}")
    return shape


# Contents


def _encode_content(array: np.ndarray[Any, Any]) -> Any:
    dtype = array.dtype
    if dtype.names is not None:
        # Field by field: the bytes between fields are whatever was in memory.
        return tuple(_encode_content(array[name]) for name in dtype.names)
    if dtype.kind in {"O", "T"}:
        return pack_texts(list(array.astype(object, copy=False).flat))
    if _is_long(dtype):
        return _encode_long(array)
    return array.tobytes()


def _encode_long(array: np.ndarray[Any, Any]) -> Any:
    import numpy as np

    if array.dtype.kind == "c":
        return _encode_long(array.real), _encode_long(array.imag)
    # As text: 6 of the 16 bytes are whatever was in memory.
    return tuple(np.format_float_scientific(number, unique=True) for number in array.flat)


def _decode_content(dtype: np.dtype[Any], shape: tuple[int, ...], content: Any) -> Any:
    import numpy as np

    if dtype.subdtype is not None:
        base, inner = dtype.subdtype
        return _decode_content(base, (*shape, *inner), content)
    if dtype.names is not None:
        made = np.zeros(shape, dtype)
        _expect(len(content), len(dtype.names))
        for name, part in zip(dtype.names, content):
            made[name] = _decode_content(dtype[name], shape, part)
        return made
    if dtype.kind in {"O", "T"}:
        return _decode_objects(dtype, shape, unpack_texts(content))
    if _is_long(dtype):
        return _decode_long(dtype, shape, content)
    _expect(len(content), prod(shape) * dtype.itemsize)
    # Copied, so that it owns its memory and can be written to, as an array just made.
    return np.ndarray(shape, dtype, buffer=content).copy()


def _decode_objects(dtype: np.dtype[Any], shape: tuple[int, ...], elements: list[Any]) -> Any:
    import numpy as np

    _expect(len(elements), prod(shape))
    made = np.empty(len(elements), object)
    for index, element in enumerate(elements):
        made[index] = element  # all at once, numpy would look into elements that are sequences
    return made.reshape(shape).astype(dtype, copy=False)


def _decode_long(dtype: np.dtype[Any], shape: tuple[int, ...], content: Any) -> Any:
    import numpy as np

    if dtype.kind == "c":
        real, imaginary = content
        made = np.empty(shape, dtype)
        for part, texts in ((made.real, real), (made.imag, imaginary)):
            part[...] = _decode_long(np.dtype(np.longdouble), shape, texts)
        return made
    _expect(len(content), prod(shape))
    return np.array([np.longdouble(text) for text in content], np.longdouble).reshape(shape).astype(dtype, copy=False)


def _expect(found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"expected a content of {expected}, found {found}")
