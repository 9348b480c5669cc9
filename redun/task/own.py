"""Where redun's own tasks are defined.

Whoever calls one has imported its module.  A later run may not: it takes the calls of a task from the record, without
running the function that named them.  So the registry loads the module when a task of redun's is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module

OWN_NAMESPACE = "redun."
FORMS = "redun.scheduler.forms"
OTHERS = ("redun.scripting.tasks", "redun.functools", "redun.federated_tasks", "redun.tools")


def load_next_module() -> bool:
    """Import one more of the modules that define tasks of redun's own; tell whether there was one left."""
    for name in _module_names():
        if name not in sys.modules:
            import_module(name)
            return True
    return False


def _module_names() -> Iterator[str]:
    from pkgutil import iter_modules

    for module in iter_modules(import_module(FORMS).__path__):
        yield f"{FORMS}.{module.name}"
    yield from OTHERS
