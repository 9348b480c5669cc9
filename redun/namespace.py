"""Names of tasks, and the namespace that ``redun.namespace("x")`` sets for the tasks defined after it.

A full name is ``namespace.name``, where a namespace is names joined by dots and may be empty.  Hashes cover full names
and the command line splits them at dots, so nothing else is let in.

The current namespace is process-wide state, read once per task, at decoration.  A module's own ``redun_namespace``
goes before it, so a module that says where its tasks belong is not moved by the order of imports.

``redun.namespace`` is this module and, to users, the function.  As with ``redun.task``, the module itself can be
called, so that both hold whatever was imported first.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType

_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_NAMESPACE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_0-9]+)*")

_current = ""


def namespace(name: str | None = None) -> None:
    """Set the namespace of the tasks defined from here on; None or an empty name ends it.

    Raises:
        ValueError: the name is not made of names joined by dots.
    """
    global _current
    _current = check_namespace(name) if name else ""


def get_current_namespace() -> str:
    """Return the namespace that ``namespace`` set last, or an empty string."""
    return _current


def check_name(name: str) -> str:
    """Return a task's own name; ValueError when it is no identifier of ASCII letters, digits and underscores."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"expected a task name made of letters, digits and underscores, found {name!r}")
    return name


def check_namespace(name: str) -> str:
    """Return a namespace; ValueError when it is neither empty nor names joined by dots."""
    if name and not _NAMESPACE.fullmatch(name):
        raise ValueError(f"expected a namespace made of names joined by dots, found {name!r}")
    return name


def join_fullname(namespace: str, name: str) -> str:
    """Return ``namespace.name``, or the bare name when the namespace is empty."""
    return f"{namespace}.{name}" if namespace else name


def split_task_fullname(fullname: str) -> tuple[str, str]:
    """Split a full name into its namespace (empty when it has none) and its name."""
    namespace, _, name = fullname.rpartition(".")
    return namespace, name


class _CallableModule(ModuleType):
    """A module that is also its main function."""

    def __call__(self, name: str | None = None) -> None:
        namespace(name)


sys.modules[__name__].__class__ = _CallableModule
