"""Values that say themselves whether they still hold, and what they do on their way into and out of a job.

The files and tasks in a value are on record with every call that returned it, so whether those are as they were is
known without the value.  Any other class with hooks of its own (``is_valid``, ``iter_subvalues``) must be asked, with
the value in hand: a call whose result or reduction holds one forbids reuse in one step to all calls above it.
"""

from __future__ import annotations

from typing import Any

from redun.scheduler.owned import ATOMS
from redun.value.nested import iter_nested_value, map_nested_value
from redun.value.registry import get_type_registry
from redun.value.value import ProxyValue, Value, find_proxy, on_register, overrides, proxies, value_classes

_RECORDED = frozenset(
    {
        "redun.value.value",
        "redun.handle",
        "redun.file.file",
        "redun.file.fileset",
        "redun.file.staging",
        "redun.task.task",
        "redun.task.partial",
    }
)
"""Where the hooks are defined whose answer follows from the files and tasks on record, and from decoding."""

_asks: dict[type, bool] = {}
_processing: dict[str, bool] = {}
on_register.extend((_asks.clear, _processing.clear))


def must_be_asked(value: Any) -> bool:
    """Tell whether something in a value has a validity of its own."""
    kind = type(value)
    if kind in ATOMS or (kind is list and ATOMS.issuperset(map(type, value))):
        return False
    return any(_has_validity(type(part)) for part in iter_nested_value(value))


def is_still_valid(value: Any) -> bool:
    """Ask everything in a value; a hook that raises says no."""
    try:
        return get_type_registry().is_valid_nested(value)
    except Exception:
        return False


def preprocess(value: Any, facts: dict[str, Any]) -> Any:
    """Return an argument as its hooks want it handed to the function."""
    return _process("preprocess", value, facts)


def postprocess(value: Any, facts: dict[str, Any]) -> Any:
    """Return what a function returned as its hooks want it taken."""
    return _process("postprocess", value, facts)


def _process(hook: str, value: Any, facts: dict[str, Any]) -> Any:
    if type(value) in ATOMS or not _anyone_has(hook):
        return value
    registry = get_type_registry()
    process = registry.preprocess if hook == "preprocess" else registry.postprocess
    return map_nested_value(lambda part: process(part, facts), value)


def _anyone_has(hook: str) -> bool:
    known = _processing.get(hook)
    if known is None:
        classes = [*value_classes.values(), *proxies.values()]
        known = _processing[hook] = any(overrides(cls, hook) for cls in classes)
    return known


def _has_validity(kind: type) -> bool:
    known = _asks.get(kind)
    if known is None:
        hooks: Any = kind if issubclass(kind, (Value, ProxyValue)) else find_proxy(kind)
        known = _asks[kind] = hooks is not None and any(
            getattr(hooks, name).__module__ not in _RECORDED for name in ("is_valid", "iter_subvalues")
        )
    return known
