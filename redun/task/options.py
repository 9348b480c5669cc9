"""Options of a task: what is checked and brought to one form when a task is defined or called with ``.options()``.

Options that redun does not know belong to an executor and pass through untouched.  A value may be an expression, which
the scheduler evaluates before the job runs; such a value passes through as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, TypeVar

from redun.expression import Expression


class CacheScope(Enum):
    """How far a result may come from.  Results are recorded whatever the scope."""

    NONE = "NONE"  # every job runs
    CSE = "CSE"  # the same call in this execution
    BACKEND = "BACKEND"  # also calls of earlier executions


class CacheCheckValid(Enum):
    """What must still hold for a recorded result to be reused."""

    FULL = "full"  # the same outcome as stepping through every call below
    SHALLOW = "shallow"  # the result itself is valid and every task below is current


class CacheResult(Enum):
    """Where a job's result came from."""

    CSE = "CSE"  # a job of this execution
    SINGLE = "SINGLE"  # a recorded single reduction
    ULTIMATE = "ULTIMATE"  # a recorded call
    MISS = "MISS"  # nowhere: the job runs


_Member = TypeVar("_Member", bound=Enum)
_TYPES: dict[str, type] = {"executor": str, "load_module": str, "prov": bool}
"""Options whose value has one type; the others are checked by whoever reads them."""
_KIND_WORDS = {str: "a text", bool: "True or False"}


def normalize_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with enums for texts, ``limits`` as a dict, ``cache`` folded into ``cache_scope``.

    Raises:
        ValueError: an option has a value that it cannot take.
        TypeError: ``nout`` is not a natural number.
    """
    done = dict(options)
    for name, kind in _TYPES.items():
        value = done.get(name)
        if value is not None and not isinstance(value, (kind, Expression)):
            raise ValueError(f"expected {name} to be {_KIND_WORDS[kind]}, found {value!r}")
    if "cache" in done:
        # The older spelling.  When both are given, the one that says more counts.
        cache = done.pop("cache")
        done.setdefault("cache_scope", cache if isinstance(cache, Expression) else _scope_of_cache(cache))
    for name, enum in (("cache_scope", CacheScope), ("check_valid", CacheCheckValid)):
        if name in done:
            done[name] = _member(name, enum, done[name])
    if done.get("allowed_cache_results") is not None:
        done["allowed_cache_results"] = _cache_results(done["allowed_cache_results"])
    if done.get("limits") is not None:
        done["limits"] = _normalize_limits(done["limits"])
    if done.get("nout") is not None:
        check_nout(done["nout"])
    if done.get("config_args") is not None:
        done["config_args"] = _names("config_args", done["config_args"])
    return done


def check_nout(nout: Any) -> int:
    """Return the number of outputs; TypeError when it is not an int of 0 or more."""
    if type(nout) is not int or nout < 0:
        raise TypeError(f"expected nout to be an int of 0 or more, found {nout!r}")
    return nout


def check_async_options(fullname: str, options: Mapping[str, Any]) -> None:
    """Refuse to cache the steps of an async task: what it awaits has no single reduction.

    Raises:
        ValueError: the options neither leave the cache of earlier executions out nor ask for a shallow check.
    """
    if options.get("cache_scope", CacheScope.BACKEND) is not CacheScope.BACKEND:
        return
    if "cache_scope" in options and options.get("check_valid") is CacheCheckValid.SHALLOW:
        return
    raise ValueError(
        f"the async task {fullname} needs cache=False, or cache=True with check_valid='shallow': "
        f"its steps cannot be replayed one by one"
    )


def exported_by_nature(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a task's options that its descendants inherit without being asked to."""
    return {"prov": options["prov"]} if "prov" in options else {}


def _scope_of_cache(cache: Any) -> CacheScope:
    if not isinstance(cache, bool):
        raise ValueError(f"expected cache to be True or False, found {cache!r}")  # noqa: TRY004  (as users know it)
    return CacheScope.BACKEND if cache else CacheScope.CSE


def _member(name: str, enum: type[_Member], value: Any) -> Any:
    if isinstance(value, (enum, Expression)):
        return value
    try:
        return enum(value)
    except ValueError:
        choices = ", ".join(repr(member.value) for member in enum)
        raise ValueError(f"expected {name} to be one of {choices}, found {value!r}") from None


def _cache_results(allowed: Any) -> Any:
    if isinstance(allowed, Expression):
        return allowed
    if isinstance(allowed, str) or not isinstance(allowed, Iterable):
        raise ValueError(f"expected allowed_cache_results to be a set of CacheResult, found {allowed!r}")  # noqa: TRY004  (as users know it)
    return frozenset(_member("allowed_cache_results", CacheResult, one) for one in allowed)


def _normalize_limits(limits: Any) -> Any:
    if isinstance(limits, Expression):
        return limits
    counts = dict(limits) if isinstance(limits, Mapping) else dict.fromkeys(_names("limits", limits), 1)
    for name, count in counts.items():
        is_count = isinstance(count, Expression) or (type(count) is int and count >= 0)
        if not isinstance(name, str) or not is_count:
            raise ValueError(f"expected limits to give a count of 0 or more per name, found {name!r}: {count!r}")
    return counts


def _names(option: str, names: Any) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ValueError(f"expected {option} to be a list of names, found {names!r}")  # noqa: TRY004  (as users know it)
    listed = list(names)
    if not all(isinstance(name, str) for name in listed):
        raise ValueError(f"expected {option} to be a list of names, found {listed!r}")
    return listed
