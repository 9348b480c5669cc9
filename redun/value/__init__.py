"""Python values as objects: the type registry and the codecs.  Names are resolved on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.file.file_cache import FileCache as FileCache
    from redun.value.arguments import Bool as Bool
    from redun.value.arguments import DatetimeType as DatetimeType
    from redun.value.arguments import EnumType as EnumType
    from redun.value.arguments import Function as Function
    from redun.value.arguments import Set as Set
    from redun.value.encoding import Codec as Codec
    from redun.value.encoding import Encoded as Encoded
    from redun.value.encoding import Preview as Preview
    from redun.value.encoding import decode_value as decode_value
    from redun.value.encoding import encode_value as encode_value
    from redun.value.encoding import find_pickled_types as find_pickled_types
    from redun.value.encoding import preview_value as preview_value
    from redun.value.encoding import register_codec as register_codec
    from redun.value.encoding import register_kind as register_kind
    from redun.value.errors import InvalidValueError as InvalidValueError
    from redun.value.errors import ValueNotEncodable as ValueNotEncodable
    from redun.value.errors import ValueUndecodable as ValueUndecodable
    from redun.value.nested import iter_nested_value as iter_nested_value
    from redun.value.nested import map_nested_value as map_nested_value
    from redun.value.registry import TypeRegistry as TypeRegistry
    from redun.value.registry import get_type_registry as get_type_registry
    from redun.value.value import ProxyValue as ProxyValue
    from redun.value.value import Value as Value

_HOMES = {
    "Bool": "arguments",
    "Codec": "encoding",
    "DatetimeType": "arguments",
    "Encoded": "encoding",
    "EnumType": "arguments",
    "FileCache": "redun.file.file_cache",  # it stands on files, which stand on values; users look for it here
    "Function": "arguments",
    "InvalidValueError": "errors",
    "Preview": "encoding",
    "ProxyValue": "value",
    "Set": "arguments",
    "TypeRegistry": "registry",
    "Value": "value",
    "ValueNotEncodable": "errors",
    "ValueUndecodable": "errors",
    "decode_value": "encoding",
    "encode_value": "encoding",
    "find_pickled_types": "encoding",
    "get_type_registry": "registry",
    "iter_nested_value": "nested",
    "map_nested_value": "nested",
    "preview_value": "encoding",
    "register_codec": "encoding",
    "register_kind": "encoding",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'redun.value' has no attribute {name!r}")
    value = getattr(import_module(home if "." in home else f"redun.value.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
