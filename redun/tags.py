"""Tags as text: ``key=value``, as people type them and as they are shown.

A tag's value is any JSON value.  The invariant: what ``format_tag_value`` writes, ``parse_tag_value`` reads as the same
value, and equal values have one canonical text (``encode_tag_value``), which is what enters a tag's hash.
Normative page: docs/format/tag.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

from redun.errors import RedunError

MAX_KEY_LENGTH = 1_000
"""Characters: a key is looked at in lists, and a longer one is a value that lost its way."""
# Keys that redun itself gives a meaning to.
USER_KEY = "user"
PROJECT_KEY = "project"
DOC_KEY = "doc"
VERSION_KEY = "redun.version"
CONTEXT_KEY = "redun.context"

Tag = tuple[str, Any]
"""A key and its value."""

_QUOTED = frozenset(' "[]{}(),=')
"""Characters that a text shown without quotes has not: they would end it, or begin something else."""
_JSON_BEGINS = ("{", "[", '"')
_QUOTING = "a text that begins so is given in JSON's quotes, inside those of the shell"


class _AnyValue:
    """The type of ``ANY_VALUE``."""

    def __repr__(self) -> str:
        return "ANY_VALUE"


ANY_VALUE: Final = _AnyValue()
"""What ``parse_tag_key_value`` gives for a key without ``=``, where that is allowed: the key, whatever its value."""


class BadTag(RedunError, ValueError):
    """A text is no tag, or a value cannot be a tag's."""

    def __init__(self, text: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"{text!r} is no tag: {why}", hint=hint)
        self.text = text
        self.why = why


def parse_tag_value(text: str) -> Any:
    """Return the value that a text stands for: a JSON value, a bare text, or None when empty.

    ``10``, ``true``, ``null``, ``"10"`` and ``[1, 2]`` are JSON; ``prod``, ``v1.2`` and ``NaN`` are texts.

    Raises:
        BadTag: the text begins as a JSON string, list or object does, and is none.
    """
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_parse_float)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith(_JSON_BEGINS):
            raise BadTag(
                text, f"it begins as JSON and is none ({error})", hint="quote a text twice: '\"...\"'"
            ) from None
        return text


def parse_tag_key_value(text: str, value_required: bool = True) -> Tag:
    """Return the key and the value of ``key=value``.

    Args:
        text: what was typed; the key ends at the first ``=``.
        value_required: False lets a lone ``key`` through, with ``ANY_VALUE`` as its value.

    Raises:
        BadTag: there is no ``=`` where one is required, or key or value are malformed.
    """
    key, equals, value = text.partition("=")
    if not equals and value_required:
        raise BadTag(text, "expected key=value", hint="an empty value is written key=")
    return check_tag_key(key), parse_tag_value(value) if equals else ANY_VALUE


def check_tag_key(key: str) -> str:
    """Return a key that a tag can have: a printable text without ``=``, and without spaces at its ends.

    Raises:
        BadTag: it is not one.
    """
    if type(key) is not str:
        raise BadTag(repr(key), f"expected a text as its key, found {type(key).__name__}")
    if not key or len(key) > MAX_KEY_LENGTH:
        raise BadTag(key[:60], f"expected a key of 1 to {MAX_KEY_LENGTH} characters, found {len(key)}")
    if "=" in key or not _is_utf8(key) or key != key.strip() or not key.isprintable():
        raise BadTag(key, "a key has no '=', no unprintable characters, and no spaces at its ends")
    return key


def check_tags(tags: Iterable[Tag]) -> list[Tag]:
    """Return tags as pairs of a key and a value, each checked.

    Raises:
        BadTag: one is no pair, or its key or value cannot be a tag's.
    """
    checked: list[Tag] = []
    for tag in tags:
        if not isinstance(tag, (tuple, list)) or len(tag) != 2:
            raise BadTag(repr(tag), "expected a pair of a key and a value")
        key, value = tag
        encode_tag_value(value)
        checked.append((check_tag_key(key), value))
    return checked


def encode_tag_value(value: Any) -> str:
    """Return the canonical JSON of a value: ASCII, keys sorted, no spaces.

    Raises:
        BadTag: it is no JSON value.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadTag(repr(value)[:60], f"its value cannot be written as JSON ({error})") from None


def encode_tags(tags: Iterable[Tag]) -> tuple[tuple[str, str], ...]:
    """Return the key and the canonical JSON of each tag, in order, each pair once.  Raises as ``check_tags`` does."""
    return tuple(dict.fromkeys((key, encode_tag_value(value)) for key, value in check_tags(tags)))


def format_tag_value(value: Any) -> str:
    """Return a value as people read and type it: a text bare where that reads back, everything else as JSON."""
    if isinstance(value, str) and _is_bare(value):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def format_tag_key_value(key: str, value: Any, max_length: int | None = 50) -> str:
    """Return ``key=value``; a text of the value longer than ``max_length`` characters is cut, with dots at its end."""
    text = format_tag_value(value)
    if max_length is not None and len(text) > max_length:
        text = f"{text[: max(max_length - 3, 0)]}..."
    return f"{key}={text}"


def _is_bare(text: str) -> bool:
    """Tell whether a text can stand without quotes and is read back as itself."""
    # No regular expressions here: to compile them took a millisecond of every run's start.
    if not text.isprintable() or text.startswith("'") or not _QUOTED.isdisjoint(text):
        return False
    try:
        return bool(parse_tag_value(text) == text)
    except BadTag:
        return False


def _parse_float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is beyond what a float can hold")
    return number


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")
