"""Nested values: containers that the engine looks into, and what is within them.

Looked into are lists, tuples, sets, frozensets, dicts (keys and values), named tuples and dataclasses, by exact type:
a subclass of list or dict is the user's own affair, and so is a Value.  Both walks keep their own stack, so depth is
bounded by memory alone.  A container found again within itself is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from enum import Enum
from itertools import chain
from typing import Any, NamedTuple

from redun.value.classes import field_names, is_namedtuple
from redun.value.value import Value


def iter_nested_value(value: Any) -> Iterator[Any]:
    """Yield everything within a nested value that is not itself a container, from left to right.

    A value that is no container is yielded itself.
    """
    stack: list[Iterator[Any]] = [iter((value,))]
    opened: list[int] = [0]
    within: set[int] = set()
    while stack:
        for member in stack[-1]:
            shape = shape_of(type(member))
            if shape is None:
                yield member
            elif id(member) not in within:
                stack.append(iter(shape.members(member)))
                opened.append(id(member))
                within.add(id(member))
                break
        else:
            stack.pop()
            within.discard(opened.pop())


def map_nested_value(func: Callable[[Any], Any], value: Any) -> Any:
    """Return a nested value with ``func`` applied to everything in it that is not a container.

    Containers are made anew, with their exact types; a set may shrink.  Dataclasses are copied and their fields set,
    without ``__init__``.
    """
    root = _Open(None, _ROOT, iter((value,)))
    stack = [root]
    within: set[int] = set()
    while True:
        top = stack[-1]
        for member in top.members:
            shape = shape_of(type(member))
            if shape is None:
                top.made.append(func(member))
            elif id(member) in within:
                top.made.append(member)
            else:
                within.add(id(member))
                stack.append(_Open(member, shape, iter(shape.members(member))))
                break
        else:
            if top is root:
                return root.made[0]
            stack.pop()
            within.discard(id(top.container))
            stack[-1].made.append(top.shape.rebuild(top.container, top.made))


class Shape(NamedTuple):
    """How a container lists its members, and how one like it is made of new members in the same order."""

    members: Callable[[Any], Iterable[Any]]
    rebuild: Callable[[Any, list[Any]], Any]


class _Open:
    """A container whose members are being mapped."""

    __slots__ = ("container", "made", "members", "shape")

    def __init__(self, container: Any, shape: Shape, members: Iterator[Any]) -> None:
        self.container = container
        self.shape = shape
        self.members = members
        self.made: list[Any] = []


def shape_of(cls: type) -> Shape | None:
    """Return how to look into instances of a type, None when the engine takes them as they are."""
    try:
        return _shapes[cls]
    except KeyError:
        shape = _shapes[cls] = _find_shape(cls)
        return shape


def _find_shape(cls: Any) -> Shape | None:
    if issubclass(cls, (Value, Enum, type)):
        return None
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass_shape(cls)
    if is_namedtuple(cls):
        return Shape(iter, _rebuild_namedtuple)
    return None


def _list_items(value: dict[Any, Any]) -> Iterable[Any]:
    return chain.from_iterable(value.items())


def _rebuild_dict(_value: dict[Any, Any], made: list[Any]) -> dict[Any, Any]:
    return dict(zip(made[::2], made[1::2]))


def _dataclass_shape(cls: Any) -> Shape:
    names = field_names(cls)

    def present(value: Any) -> list[str]:
        # A field with init=False and no default may never have been set.
        return [name for name in names if hasattr(value, name)]

    def members(value: Any) -> list[Any]:
        return [getattr(value, name) for name in present(value)]

    def rebuild(value: Any, made: list[Any]) -> Any:
        rebuilt = copy(value)
        for name, member in zip(present(value), made):
            object.__setattr__(rebuilt, name, member)
        return rebuilt

    return Shape(members, rebuild)


def _rebuild_namedtuple(value: Any, made: list[Any]) -> Any:
    return tuple.__new__(type(value), made)


_ROOT = Shape(iter, lambda _value, made: made)
_shapes: dict[type, Shape | None] = {
    list: Shape(iter, lambda _value, made: made),
    tuple: Shape(iter, lambda _value, made: tuple(made)),
    set: Shape(iter, lambda _value, made: set(made)),
    frozenset: Shape(iter, lambda _value, made: frozenset(made)),
    dict: Shape(_list_items, _rebuild_dict),
}
