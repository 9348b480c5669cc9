"""How many values a task's result unpacks into, read off its return annotation."""

from __future__ import annotations

import sys
from typing import Any, get_args, get_origin


def infer_nout(func: Any) -> int | None:
    """Return the length of an annotated tuple or named tuple; None for any other annotation, or an open length.

    Asked at the first call, not at the definition: a name in quotes may be defined further down the module.
    """
    annotation = getattr(func, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        annotation = _evaluate(annotation, func)
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        fields = getattr(annotation, "_fields", None)
        if fields is not None:
            return len(fields)
    if get_origin(annotation) is not tuple:
        return None
    members = get_args(annotation)
    if Ellipsis in members:
        return None
    # Python 3.10 gives typing.Tuple[()] one member, which is ().
    return 0 if members == ((),) else len(members)


def _evaluate(text: str, func: Any) -> Any:
    """Return what an annotation in quotes stands for, as typing.get_type_hints would; None when it cannot be told."""
    namespace = getattr(func, "__globals__", None) or vars(sys.modules.get(func.__module__, sys))
    try:
        return eval(text, dict(namespace))  # noqa: S307  (the user's own annotation, evaluated as typing does)
    except Exception:
        return None
