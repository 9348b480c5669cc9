"""Command-line arguments of more than one part: several words, or JSON, by the annotation of the parameter.

The invariant: what comes out has the types that the annotation names, all the way down, or ``BadArgument`` says what
was expected: ``dict[str, File]`` from ``{"a": "b.txt"}`` holds a File.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_origin

from redun.value.annotations import (
    collection_of,
    entry_of,
    fields_of,
    fixed_items_of,
    is_text,
    is_union,
    item_of,
    members_of,
    unwrap,
)
from redun.value.arguments import BadArgument, parse_argument
from redun.value.errors import InvalidValueError

_PLAIN = {bool: "true or false", int: "a whole number", str: "a text in quotes"}
_ANYTHING = (None, Any, object)


def parse_words(annotation: Any, words: Sequence[str]) -> Any:
    """Return the value that the words after a flag stand for.

    A list, set or tuple takes one word for each item, or one word of JSON; ``[]`` stands for an empty one.  A mapping
    takes ``key=value`` words, or one word of JSON.  Everything else takes one word.

    Raises:
        BadArgument: they do not stand for such a value.
    """
    wanted = unwrap(annotation)
    kind = collection_of(wanted)
    if kind is None and is_union(wanted):
        return _parse_union(wanted, words)
    if len(words) == 1 and (kind is None or _is_json(wanted, kind, words[0])):
        return parse_argument(wanted, words[0])
    if kind is None:
        raise BadArgument("true or false" if wanted is bool else "one value", str(len(words) or "none"), quoted=False)
    if not words:
        raise BadArgument("one or more values", "none", quoted=False)
    if kind is dict:
        return _parse_entries(wanted, words)
    if (fixed := fixed_items_of(wanted)) is not None:
        if len(words) != len(fixed):
            raise BadArgument(f"{len(fixed)} values", " ".join(words))
        return tuple(map(parse_argument, fixed, words))
    item = item_of(wanted)
    return kind(parse_argument(item, word) for word in words)


def takes_words(annotation: Any) -> bool:
    """Tell whether more than one word may stand for a value."""
    wanted = unwrap(annotation)
    members = members_of(wanted) if is_union(wanted) else [wanted]
    return any(collection_of(unwrap(member)) is not None for member in members)


def parse_json(annotation: Any, text: str) -> Any:
    """Return the value that a JSON text stands for.

    Raises:
        BadArgument: it is no JSON, or does not stand for such a value.
    """
    import json

    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise BadArgument(f"{_shape_of(annotation)} as JSON", text) from None
    return convert_json(annotation, data)


def convert_json(annotation: Any, data: Any) -> Any:
    """Return what decoded JSON stands for, by annotation.  Raises BadArgument."""
    if data is None and is_union(annotation) and type(None) in annotation.__args__:
        return None
    wanted = unwrap(annotation)
    if wanted in _ANYTHING:
        return data
    if is_union(wanted):
        return _convert_union(wanted, data)
    if (kind := collection_of(wanted)) is not None:
        return _convert_collection(wanted, kind, data)
    if (fields := fields_of(wanted)) is not None and not isinstance(data, str):
        return _convert_record(wanted, fields, data)
    if wanted in _PLAIN:
        if type(data) is not wanted:
            raise BadArgument(_PLAIN[wanted], _show(data), quoted=False)
        return data
    if isinstance(data, str):
        return parse_argument(wanted, data)
    if wanted is float and type(data) in {int, float}:
        return float(data)
    raise BadArgument(f"a value of type {getattr(wanted, '__name__', wanted)}", _show(data), quoted=False)


def _is_json(wanted: Any, kind: type, word: str) -> bool:
    """Tell whether one word is all of a collection: text items that begin with a bracket are items."""
    if kind is dict:
        return word.lstrip().startswith("{")
    if kind is set and wanted is set:
        return True  # the hook of sets takes words apart at commas
    is_list = word.lstrip().startswith("[")
    return word.strip() == "[]" or (is_list and not (fixed_items_of(wanted) is None and is_text(item_of(wanted))))


def _parse_union(annotation: Any, words: Sequence[str]) -> Any:
    members = members_of(annotation)
    if len(words) == 1:  # one word may be one item of a list as well: what takes just one comes first
        members.sort(key=takes_words)
    for member in members:
        try:
            return parse_words(member, words)
        except InvalidValueError:
            continue
    names = ", ".join(getattr(member, "__name__", str(member)) for member in members)
    raise BadArgument(f"one of {names}", " ".join(words))


def _parse_entries(annotation: Any, words: Sequence[str]) -> dict[Any, Any]:
    key_type, value_type = entry_of(annotation)
    entries: dict[Any, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise BadArgument("key=value, or an object as JSON", word)
        entries[parse_argument(key_type, key)] = parse_argument(value_type, value)
    return entries


def _convert_union(annotation: Any, data: Any) -> Any:
    members = members_of(annotation)
    members.sort(key=lambda member: type(data) is not member)  # JSON says what it is: "5" is a text
    for member in members:
        try:
            return convert_json(member, data)
        except InvalidValueError:
            continue
    names = ", ".join(getattr(member, "__name__", str(member)) for member in members)
    raise BadArgument(f"one of {names}", _show(data), quoted=False)


def _convert_collection(annotation: Any, kind: type, data: Any) -> Any:
    if kind is dict and isinstance(data, dict):
        key_type, value_type = entry_of(annotation)
        return {parse_argument(key_type, key): convert_json(value_type, value) for key, value in data.items()}
    if kind is dict or not isinstance(data, list):
        raise BadArgument(_shape_of(annotation), _show(data), quoted=False)
    fixed = fixed_items_of(annotation)
    if fixed is None:
        is_bare = not getattr(annotation, "__args__", ())
        return kind(convert_json(Any if is_bare else item_of(annotation), item) for item in data)
    if len(fixed) != len(data):
        raise BadArgument(f"a list of {len(fixed)}", _show(data), quoted=False)
    return tuple(map(convert_json, fixed, data))


def _convert_record(annotation: Any, fields: Any, data: Any) -> Any:
    cls = get_origin(annotation) or annotation
    if type(data) is list and issubclass(cls, tuple):
        data = dict(zip(fields, data))
    if type(data) is not dict or not data.keys() <= fields.keys():
        raise BadArgument(_shape_of(annotation), _show(data), quoted=False)
    try:
        return cls(**{name: convert_json(fields[name], value) for name, value in data.items()})
    except InvalidValueError:
        raise
    except Exception as error:
        raise BadArgument(f"{_shape_of(annotation)} ({error})", _show(data), quoted=False) from error


def _shape_of(annotation: Any) -> str:
    if (kind := collection_of(annotation)) is not None:
        return "an object" if kind is dict else "a list"
    fields = fields_of(annotation) or {}
    name = getattr(get_origin(annotation) or annotation, "__name__", str(annotation))
    return f"an object of {name} with {', '.join(fields) or 'no fields'}"


def _show(data: Any) -> str:
    import json

    return json.dumps(data, ensure_ascii=False)[:200]
