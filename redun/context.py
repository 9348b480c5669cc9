"""Contexts as plain data: nested dicts of settings that calls inherit from the call above."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTEXT_OPTION = "_context_override"
"""The option of a call that holds what its context has over that of the call above."""


def merge_dicts(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of both, those of ``new`` on top; where both have a dict, the dicts are merged."""
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[name] = merge_dicts(before, value)
        else:
            merged[name] = value
    return merged
