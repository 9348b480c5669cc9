"""Checks requests to a Kubernetes API server against the schema that Kubernetes publishes.

The classes of the official client are generated from that schema: what fields an object has, of which types, and which
are required.  The invariant: what passes here has no field that a server would drop, and none of another type.
"""

from __future__ import annotations

import re
from typing import Any

_SIMPLE = dict(str=str, int=int, bool=bool, float=(int, float), datetime=str, bytes=str, object=object)  # noqa: C408
"""What JSON has for them."""


class SchemaError(Exception):
    """An object is not what the schema says; the message has the path to the field."""


def check_object(found: Any, type_name: str, path: str = "") -> None:
    """Raise SchemaError unless ``found`` is what the schema calls ``type_name``: ``V1Job``, ``List[V1Pod]``.

    Up to version 35 of the client types are written ``list[str]`` and ``dict(str, str)``.
    """
    if match := re.fullmatch(r"[Ll]ist\[(.*)\]", type_name):
        _need(isinstance(found, list), path, "a list", found)
        for number, each in enumerate(found):
            check_object(each, match[1], f"{path}[{number}]")
    elif match := re.fullmatch(r"[Dd]ict[(\[](\w+), (.*)[)\]]", type_name):
        _need(isinstance(found, dict), path, "an object", found)
        for key, value in found.items():
            check_object(value, match[2], f"{path}.{key}")
    elif type_name in _SIMPLE:
        is_fit = isinstance(found, _SIMPLE[type_name])  # type: ignore[arg-type]
        _need(is_fit and not (isinstance(found, bool) and type_name in {"int", "float"}), path, type_name, found)
    else:
        _check_model(found, type_name, path)


def _check_model(found: Any, type_name: str, path: str) -> None:
    from kubernetes import client

    model = getattr(client, type_name)
    _need(isinstance(found, dict), path, type_name, found)
    names = {shown: name for name, shown in model.attribute_map.items()}
    for key, value in found.items():
        if key not in names:
            raise SchemaError(f'strict decoding error: unknown field "{f"{path}.{key}".lstrip(".")}"')
        check_object(value, model.openapi_types[names[key]], f"{path}.{key}")
    try:
        model(**{names[key]: value for key, value in found.items()})  # its setters know what is required
    except ValueError as error:
        raise SchemaError(f"{path.lstrip('.') or type_name}: {error}") from error


def _need(is_fit: bool, path: str, expected: str, found: Any) -> None:
    if not is_fit:
        raise SchemaError(f"{path.lstrip('.')}: expected {expected}, found {found!r}")
