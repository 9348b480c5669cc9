"""Arrow's types and fields as plain data, not as Arrow's own schema message, whose bytes differ between its versions.

Normative page: docs/format/foreign-value.md.
"""

from __future__ import annotations

from typing import Any

from redun.value.errors import NoPlainForm


def encode_type(data_type: Any) -> Any:
    """Return a type's form.  Raises NoPlainForm for those that the page does not list."""
    import pyarrow as pa

    types = pa.types
    if types.is_timestamp(data_type) and data_type.tz is not None:
        return "timestamp", data_type.unit, data_type.tz
    if types.is_decimal(data_type):
        return "decimal", data_type.bit_width, data_type.precision, data_type.scale
    if types.is_fixed_size_binary(data_type):
        return "binary", data_type.byte_width
    if types.is_struct(data_type):
        return "struct", *(encode_field(data_type.field(i)) for i in range(data_type.num_fields))
    if types.is_dictionary(data_type):
        return "dictionary", encode_type(data_type.index_type), encode_type(data_type.value_type), data_type.ordered
    if types.is_map(data_type):
        keys, items = encode_field(data_type.key_field), encode_field(data_type.item_field)
        return "map", keys, items, data_type.keys_sorted
    if types.is_list(data_type):
        return "list", encode_field(data_type.value_field)
    if types.is_large_list(data_type):
        return "large_list", encode_field(data_type.value_field)
    if types.is_fixed_size_list(data_type):
        return "fixed_list", encode_field(data_type.value_field), data_type.list_size
    return _encode_plain(data_type)


def _encode_plain(data_type: Any) -> str:
    import pyarrow as pa

    if not isinstance(data_type, pa.BaseExtensionType):
        name = str(data_type)
        try:
            if pa.type_for_alias(name) == data_type:
                return name
        except ValueError:
            pass
    raise NoPlainForm(f"an Arrow type that has no form: {data_type}")


def decode_type(form: Any) -> Any:
    """Return the type of a form.  Raises ValueError for what is none."""
    import pyarrow as pa

    if type(form) is str:
        return pa.type_for_alias(form)
    name, *fields = form
    make = {
        "timestamp": pa.timestamp,
        "decimal": _decimal,
        "binary": pa.binary,
        "struct": lambda *members: pa.struct(list(map(decode_field, members))),
        "dictionary": lambda index, value, ordered: pa.dictionary(decode_type(index), decode_type(value), ordered),
        "map": lambda key, item, is_sorted: pa.map_(decode_field(key), decode_field(item), is_sorted),
        "list": lambda field: pa.list_(decode_field(field)),
        "large_list": lambda field: pa.large_list(decode_field(field)),
        "fixed_list": lambda field, size: pa.list_(decode_field(field), size),
    }.get(name)
    if make is None:
        raise ValueError(f"no form of an Arrow type: {name!r}")
    return make(*fields)


def _decimal(bits: int, precision: int, scale: int) -> Any:
    import pyarrow as pa

    return getattr(pa, f"decimal{int(bits)}")(precision, scale)


def encode_field(field: Any) -> Any:
    """Return the form of a field: name, type, whether it is nullable, metadata."""
    return field.name, encode_type(field.type), field.nullable, field.metadata


def decode_field(form: Any) -> Any:
    """Return the field of a form."""
    import pyarrow as pa

    name, data_type, is_nullable, metadata = form
    return pa.field(name, decode_type(data_type), is_nullable, metadata)
