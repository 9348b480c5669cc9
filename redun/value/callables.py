"""Codecs of callables made of a function and something else: partials, bound methods, cached functions.

The invariant: the code of the function is part of the value, as that of a function passed by itself is; pickle would
keep its name only, and a task could be answered with what the function returned before it was edited.
Normative page: docs/format/value.md.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

from redun.value.classes import code_digest
from redun.value.errors import NoPlainForm
from redun.value.names import NotFound, find_named, name_of
from redun.value.objects import Codec


def list_codecs() -> Iterator[tuple[type, Codec]]:
    """Yield each type with its codec."""
    yield functools.partial, Codec("functools.partial", _encode_partial, _decode_partial)
    yield MethodType, Codec("builtins.method", _encode_method, _decode_method)
    cached = type(functools.lru_cache(len))
    yield cached, Codec("functools.lru_cache", _encode_cached, _decode_cached)


def _encode_partial(value: functools.partial[Any]) -> Any:
    if vars(value):
        raise NoPlainForm("it has attributes of its own")
    return value.func, value.args, value.keywords


def _decode_partial(state: Any) -> Any:
    func, args, keywords = state
    return functools.partial(func, *args, **keywords)


def _encode_method(value: MethodType) -> Any:
    owner, func = value.__self__, value.__func__
    name = getattr(func, "__name__", "")
    if getattr(owner, name, None) != value:
        raise NoPlainForm(f"it is not the {name} of what it is bound to")
    if isinstance(owner, type):
        return owner, name, None  # the digest of the class covers its methods
    try:
        name_of(func)
    except NotFound as error:
        raise NoPlainForm(str(error)) from None
    return owner, name, func if type(func) is FunctionType else None


def _decode_method(state: Any) -> Any:
    owner, name, func = state
    found = getattr(owner, name)
    if not isinstance(found, MethodType) or (func is not None and found.__func__ is not func):
        raise NotFound(f"{type(owner).__name__}.{name} is not the method any more that it was")
    return found


def _encode_cached(value: Any) -> Any:
    try:
        return name_of(value), code_digest(value.__wrapped__)
    except NotFound as error:
        raise NoPlainForm(str(error)) from None


def _decode_cached(state: Any) -> Any:
    name, digest = state
    found = find_named(name)
    if code_digest(getattr(found, "__wrapped__", None)) != digest:
        raise NotFound(f"the code of {name} has changed")
    return found
