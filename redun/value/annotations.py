"""What an annotation means once its wrappers are off: the questions that reading arguments asks of it.

The invariant: nothing here raises, whatever stands as an annotation; what means nothing here is ``Any``.
"""

from __future__ import annotations

import typing
from collections import abc
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

NoneType = type(None)
_TEXTS = (None, NoneType, str, Any, object)
_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)
_SETS = (set, abc.Set, abc.MutableSet)
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
_MAX_WRAPPERS = 100


def unwrap(annotation: Any) -> Any:
    """Return T of ``Optional[T]``, ``Annotated[T, ...]``, ``NewType``, ``type X = T`` and a bound ``TypeVar``."""
    for _ in range(_MAX_WRAPPERS):  # an alias may lead back to itself
        if get_origin(annotation) is typing.Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif isinstance(annotation, TypeVar):
            annotation = annotation.__bound__ or Any
        elif is_union(annotation) and len(members := members_of(annotation)) == 1:
            annotation = members[0]
        else:
            return Any if isinstance(annotation, (str, typing.ForwardRef)) else annotation
    return Any


def is_union(annotation: Any) -> bool:
    """Tell whether an annotation is ``Union[...]`` or ``A | B``."""
    return get_origin(annotation) in {Union, UnionType}


def members_of(annotation: Any) -> list[Any]:
    """Return the members of a union but None, text last: a text would fit before the others were asked."""
    members = [member for member in get_args(annotation) if member is not NoneType]
    return [m for m in members if not is_text(m)] + [m for m in members if is_text(m)]


def is_text(annotation: Any) -> bool:
    """Tell whether a text stands for itself."""
    return annotation in _TEXTS


def choices_of(annotation: Any) -> tuple[Any, ...] | None:
    """Return the values of ``Literal[...]``; None of anything else."""
    return get_args(annotation) if get_origin(annotation) is Literal else None


def collection_of(annotation: Any) -> type | None:
    """Return list, tuple, set, frozenset or dict for an annotation of such a kind; None of anything else."""
    origin = get_origin(annotation) or annotation
    for kind, kinds in ((list, _LISTS), (set, _SETS), (dict, _MAPPINGS), (tuple, (tuple,)), (frozenset, (frozenset,))):
        if origin in kinds:
            return kind
    return None


def item_of(annotation: Any) -> Any:
    """Return what each item of a list, set, or tuple of any length is; text when nobody says."""
    arguments = get_args(annotation)
    return arguments[0] if arguments else str


def fixed_items_of(annotation: Any) -> tuple[Any, ...] | None:
    """Return the items of a tuple of known length; None of anything else."""
    arguments = get_args(annotation)
    if collection_of(annotation) is not tuple or not arguments or arguments[-1] is Ellipsis:
        return None
    return () if arguments == ((),) else arguments


def entry_of(annotation: Any) -> tuple[Any, Any]:
    """Return what keys and values of a mapping are; texts and anything when nobody says."""
    arguments = get_args(annotation)
    return (arguments[0], arguments[1]) if len(arguments) == 2 else (str, Any)


def fields_of(annotation: Any) -> Mapping[str, Any] | None:
    """Return name and annotation of each field of a dataclass, NamedTuple or TypedDict; None of anything else."""
    cls = get_origin(annotation) or annotation
    if not isinstance(cls, type):
        return None
    if hasattr(cls, "__dataclass_fields__"):
        hints = hints_of(cls)
        return {name: hints.get(name, Any) for name, field in cls.__dataclass_fields__.items() if field.init}
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        hints = hints_of(cls)
        return {name: hints.get(name, Any) for name in cls._fields}
    return hints_of(cls) if typing.is_typeddict(cls) else None


def hints_of(thing: Any, scope: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the annotations of a function or class, those written as text evaluated.

    One that cannot be, as when it is imported for type checkers only, is left out, and the others stand.

    Args:
        thing: a function or a class.
        scope: where names in texts are looked up; the module of ``thing`` when not given.
    """
    space = None if scope is None else dict(scope)
    try:
        return typing.get_type_hints(thing, space, include_extras=True)
    except Exception:
        return _hints_one_by_one(thing, space)


def _hints_one_by_one(thing: Any, space: dict[str, Any] | None) -> dict[str, Any]:
    if space is None:
        import sys

        module = sys.modules.get(getattr(thing, "__module__", ""))
        space = getattr(thing, "__globals__", None) or dict(vars(module) if module else {})
    hints: dict[str, Any] = {}
    for name, annotation in getattr(thing, "__annotations__", {}).items():
        holder = type("_Holder", (), {"__annotations__": {name: annotation}})
        try:
            hints.update(typing.get_type_hints(holder, space, include_extras=True))
        except Exception:  # noqa: S112  (any code may stand in an annotation)
            continue
    return hints
