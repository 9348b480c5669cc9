"""Expressions to *expression* nodes and back.  Normative page: docs/format/expression.md.

Both ways work through an explicit stack: a chain of calls may be 100 000 deep.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, NamedTuple

from redun.errors import ObjectError
from redun.expression import Expression, SchedulerExpression, SimpleExpression, TaskExpression, ValueExpression
from redun.hashing import Oid
from redun.objects.call_records import ExpressionRecord
from redun.operators import find_operation
from redun.value.encoding import Encoded, ValueNotEncodable, encode_value
from redun.value.nested import iter_nested_value

_VALUE, _TASK, _OPERATION, _CONTAINER, _ATOM, _FORM = range(6)
MAX_ATOM_BYTES = 64
_INT64_MIN, _UINT64_MAX = -(1 << 63), (1 << 64) - 1
_ATOMS = frozenset({type(None), bool, int, float, str, bytes})


class ExpressionUndecodable(ObjectError):
    """A stored expression cannot be rebuilt: a class, task or operation is gone, or its steps make no sense."""


class ExpressionNotEncodable(ObjectError):
    """A plain value in an expression has no form in which it could be stored."""

    def __init__(self, owner: str, cause: ValueNotEncodable) -> None:
        super().__init__(cause.describe(f"{owner}: value"), hint=cause.hint)
        self.owner = owner
        self.type_name = cause.type_name


class EncodedExpression(NamedTuple):
    """An expression node and the values it links to, which must be stored before it."""

    oid: Oid
    data: bytes
    values: list[Encoded]
    externals: list[Oid]  # files and handles among the values, in order of first use
    plain: list[Any]  # the values themselves


def is_concrete(value: Any) -> bool:
    """Tell whether a value holds no expression at any depth of its containers."""
    if type(value) in _ATOMS:
        return True
    if isinstance(value, Expression):
        return False
    if type(value) is list and _ATOMS.issuperset(map(type, value)):
        return True
    return not any(isinstance(part, Expression) for part in iter_nested_value(value))


class _Visit(NamedTuple):
    """A part whose own parts have been pushed above it, and what to write once they are done."""

    part: Any
    children: list[Any]


class _Flattener:
    """Turns one expression into steps, each part after its own parts."""

    def __init__(self) -> None:
        self.steps: list[list[Any]] = []
        self.links: dict[Oid, int] = {}
        self.values: list[Encoded] = []
        self.plain: list[Any] = []
        self.externals: dict[Oid, None] = {}
        # By identity, while `_alive` keeps the parts from being freed and their ids reused.
        self._index: dict[int, int] = {}
        self._value_index: dict[Oid, int] = {}
        self._alive: list[Any] = []
        self._open: set[int] = set()

    def flatten(self, root: Any) -> None:
        stack: list[Any] = [root]
        while stack:
            top = stack.pop()
            if type(top) is _Visit:
                self._write(top)
            elif id(top) not in self._index:
                if _is_atom(top):
                    self._note(top, len(self.steps))
                    self.steps.append([_ATOM, top])
                    continue
                if type(top) is TaskExpression and self._write_plain_call(top):
                    continue
                children = None if is_concrete(top) else _parts_of(top)
                if children is None:
                    try:
                        self._write_value(top)
                    except ValueNotEncodable as error:
                        raise ExpressionNotEncodable(_owner_of(top, stack), error) from error
                else:
                    self._enter(top, stack)
                    stack.append(_Visit(top, children))
                    stack.extend(reversed(children))

    def _write_plain_call(self, call: TaskExpression[Any]) -> bool:
        """Write a call whose parts are all atoms, as a wide fan-out has thousands of; False when it is none."""
        args = call.args
        if call.kwargs or call.task_options or call.export_options or not all(map(_is_atom, args)):
            return False
        steps, index = self.steps, self._index
        places = []
        for arg in args:
            place = index.get(id(arg))
            if place is None:
                place = len(steps)
                self._note(arg, place)
                steps.append([_ATOM, arg])
            places.append(place)
        self._note(call, len(steps))
        steps.append([_TASK, call.task_name, places, [], [], None, None, call.length])
        return True

    def _enter(self, part: Any, stack: list[Any]) -> None:
        # Depth first: what is met again before it is written holds itself.
        if id(part) in self._open:
            cause = ValueNotEncodable("", type(part).__name__, "it contains itself")
            raise ExpressionNotEncodable(_owner_of(part, stack), cause)
        self._open.add(id(part))

    def _write_value(self, value: Any) -> None:
        encoded = encode_value(value)
        index = self._value_index.get(encoded.oid)
        if index is None:
            link = self.links.setdefault(encoded.oid, len(self.links))
            self.values.append(encoded)
            self.plain.append(value)
            self.externals.update(dict.fromkeys(encoded.externals))
            index = self._value_index[encoded.oid] = len(self.steps)
            self.steps.append([_VALUE, link])
        self._note(value, index)

    def _note(self, part: Any, index: int) -> None:
        self._index[id(part)] = index
        self._alive.append(part)

    def _write(self, visit: _Visit) -> None:
        part = visit.part
        if id(part) in self._index:
            return
        indexes = [self._index[id(child)] for child in visit.children]
        self._open.discard(id(part))
        self._note(part, len(self.steps))
        self.steps.append(_step_of(part, indexes))


def encode_expression(value: Any) -> EncodedExpression:
    """Encode what holds expressions: an expression, or a container of some.

    Raises:
        ExpressionNotEncodable: a plain value in it cannot be stored; it says whose argument that is.
    """
    flattener = _Flattener()
    flattener.flatten(value)
    oid, data = ExpressionRecord(flattener.steps, list(flattener.links)).encode()
    return EncodedExpression(oid, data, flattener.values, list(flattener.externals), flattener.plain)


def _owner_of(value: Any, stack: list[Any]) -> str:
    """Say where a value stands, given the visits that it was reached by."""
    for visit in reversed(stack):
        if type(visit) is _Visit and isinstance(visit.part, TaskExpression):
            position = next((i for i, child in enumerate(visit.children) if child is value), None)
            place = "an argument" if position is None else f"argument {position + 1}"
            return f"{place} of {visit.part.task_name}"
    return "result"


def _is_atom(part: Any) -> bool:
    """Tell whether a part is written in its place: see docs/format/expression.md."""
    kind = type(part)
    if kind is int:
        return bool(_INT64_MIN <= part <= _UINT64_MAX)
    if kind is str:
        # A lone surrogate has no UTF-8 form; the value codec knows what to do with it.
        return len(part) <= MAX_ATOM_BYTES and (part.isascii() or _utf8_size(part) <= MAX_ATOM_BYTES)
    if kind is bytes:
        return len(part) <= MAX_ATOM_BYTES
    return part is None or kind is bool or kind is float


def _utf8_size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return MAX_ATOM_BYTES + 1


def _parts_of(part: Any) -> list[Any]:
    """Return the parts of something that is not concrete, in the order that ``_step_of`` and ``_rebuild`` use."""
    if isinstance(part, TaskExpression):
        options = [dict(o) for o in (part.task_options, part.export_options) if o]
        return [*part.args, *part.kwargs.values(), *options]
    if isinstance(part, SimpleExpression):
        return [*part.args, *part.kwargs.values()]
    if isinstance(part, ValueExpression):
        return [part.value]
    if isinstance(part, dict):
        return [item for pair in part.items() for item in pair]
    if is_dataclass(part):
        return [getattr(part, name) for name in set_fields(part)]
    return list(part)


def _step_of(part: Any, indexes: list[int]) -> list[Any]:
    if isinstance(part, TaskExpression):
        n_args, n_kwargs = len(part.args), len(part.kwargs)
        options = iter(indexes[n_args + n_kwargs :])
        return [
            _FORM if isinstance(part, SchedulerExpression) else _TASK,
            part.task_name,
            indexes[:n_args],
            list(part.kwargs),
            indexes[n_args : n_args + n_kwargs],
            next(options) if part.task_options else None,
            next(options) if part.export_options else None,
            part.length,
        ]
    if isinstance(part, SimpleExpression):
        n_args = len(part.args)
        return [_OPERATION, part.func_name, indexes[:n_args], list(part.kwargs), indexes[n_args:]]
    if isinstance(part, ValueExpression):
        return [_CONTAINER, "value", None, indexes]
    if isinstance(part, tuple) and hasattr(part, "_fields"):
        return [_CONTAINER, "namedtuple", [_class_name(type(part))], indexes]
    if is_dataclass(part):
        return [_CONTAINER, "dataclass", [_class_name(type(part)), set_fields(part)], indexes]
    return [_CONTAINER, type(part).__name__, None, indexes]


def flatten_expression(value: Any) -> tuple[list[list[Any]], list[Any]]:
    """Return an expression as plain data: its steps, and the values that they refer to by their places.

    Raises:
        ExpressionNotEncodable: a plain value in it cannot be stored.
    """
    flattener = _Flattener()
    flattener.flatten(value)
    return flattener.steps, flattener.plain


def unflatten_expression(steps: list[list[Any]], values: list[Any]) -> Any:
    """Return the expression that ``flatten_expression`` took apart.  Raises as ``decode_expression`` does."""
    return _rebuild_all(steps, range(len(values)), values.__getitem__)


def decode_expression(record: ExpressionRecord, decode: Callable[[Oid], Any]) -> Any:
    """Rebuild an expression; ``decode`` turns a value's oid into the value.

    Raises:
        ExpressionUndecodable: a class is gone, or the steps make no sense.
    """
    return _rebuild_all(record.steps, record.links, decode)


def _rebuild_all(steps: list[list[Any]], links: Sequence[Any], decode: Callable[[Any], Any]) -> Any:
    built: list[Any] = []
    try:
        for step in steps:
            built.append(_rebuild(step, built, links, decode))
        return built[-1]
    except (IndexError, TypeError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise ExpressionUndecodable(f"a stored expression cannot be rebuilt: {error}") from error


def _rebuild(step: list[Any], built: list[Any], links: Sequence[Any], decode: Callable[[Any], Any]) -> Any:
    if step[0] == _ATOM:
        return step[1]
    if step[0] == _VALUE:
        return decode(links[step[1]])
    if step[0] in (_TASK, _FORM):
        kind, task_name, args, names, kwargs, options, export_options, length = step
        made = TaskExpression if kind == _TASK else SchedulerExpression
        return made(
            task_name,
            tuple(built[index] for index in args),
            dict(zip(names, (built[index] for index in kwargs))),
            None if options is None else built[options],
            None if export_options is None else built[export_options],
            length,
        )
    if step[0] == _OPERATION:
        _, name, args, names, kwargs = step
        if find_operation(name) is None:
            raise ExpressionUndecodable(f"a stored expression names the operation {name!r}, which is not registered")
        keywords = dict(zip(names, (built[index] for index in kwargs)))
        return SimpleExpression(name, tuple(built[index] for index in args), keywords)
    _, container, detail, items = step
    return rebuild_container(container, detail, [built[index] for index in items])


def rebuild_container(container: str, detail: list[Any] | None, items: list[Any]) -> Any:
    """Make a container of a kind from its items.  Raises ValueError for a kind there is none of."""
    if container == "list":
        return items
    if container == "dict":
        pairs: Iterator[Any] = iter(items)
        return dict(zip(pairs, pairs))
    if container == "value":
        return ValueExpression(items[0])
    if container in ("tuple", "set", "frozenset"):
        return {"tuple": tuple, "set": set, "frozenset": frozenset}[container](items)
    if detail is None:
        raise ValueError(f"unknown container {container!r}")
    cls = _find_class(detail[0])
    if container == "namedtuple":
        return make_namedtuple(cls, items)
    return make_dataclass(cls, dict(zip(detail[1], items)))


def set_fields(instance: Any) -> list[str]:
    """Return the names of a dataclass's fields that are set: one with ``init=False`` may not be yet."""
    return [field.name for field in fields(instance) if hasattr(instance, field.name)]


def make_namedtuple(cls: type, items: list[Any]) -> Any:
    """Make a named tuple of its items, past its ``__new__``, which may take others."""
    return tuple.__new__(cls, items)


def make_dataclass(cls: type, values: dict[str, Any]) -> Any:
    """Make an instance of a dataclass with these fields, past its ``__init__``: it has been made once already."""
    instance: Any = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(instance, name, value)
    return instance


def _class_name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _find_class(name: str) -> type:
    module_name, _, qualname = name.partition(":")
    found: Any = sys.modules.get(module_name) or import_module(module_name)
    for part in qualname.split("."):
        found = getattr(found, part)
    if not isinstance(found, type):
        raise TypeError(f"{name} is no class")
    return found
