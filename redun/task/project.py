"""What is the user's own project, as against the standard library, installed packages and redun itself.

Decided by where a file lies, so that a package installed in editable mode counts as project, and one installed into
a folder of ``PYTHONPATH`` does not.  What has no file belongs
to the project when it was typed in: at a prompt, in a notebook, through exec.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_STANDARD_LIBRARY = Path(os.__file__).resolve().parent
_REDUN = Path(__file__).resolve().parent.parent


@lru_cache(maxsize=4096)
def is_project_file(path: str) -> bool:
    """Tell whether a file is part of the user's project; the path need not be real."""
    if path.startswith("<"):
        return not path.startswith("<frozen")
    real = Path(path).resolve()
    if _INSTALLED.intersection(real.parts):
        return False
    return not {_STANDARD_LIBRARY, _REDUN, *_installed_folders(tuple(sys.path))}.intersection(real.parents)


@lru_cache(maxsize=16)
def _installed_folders(paths: tuple[str, ...]) -> frozenset[Path]:
    """Return the import folders that a package installer has filled, as ``pip install --target`` does.

    It leaves a ``.dist-info`` beside each package.  Hashing such a package as project code would take minutes.
    """
    folders = {Path(path or ".").resolve() for path in paths}
    return frozenset(folder for folder in folders if next(folder.glob("*.dist-info"), None) is not None)


def is_project_module(module: ModuleType) -> bool:
    """Tell whether a module, or a package with or without ``__init__``, is part of the user's project."""
    path = module_file(vars(module))
    if path is not None:
        return is_project_file(path)
    folders = getattr(module, "__path__", None)
    if folders is not None:
        return any(is_project_file(str(Path(folder, "__init__.py"))) for folder in folders)
    return module.__name__ == "__main__" or not _is_known_elsewhere(module.__name__)


def is_project_name(name: str) -> bool:
    """Tell whether a module of this full name is part of the project, importing nothing."""
    root = name.partition(".")[0]
    loaded = sys.modules.get(root)
    if loaded is not None:
        return is_project_module(loaded)
    return _is_project_package(root)


def module_file(namespace: dict[str, Any]) -> str | None:
    """Return the source file of a module, given its globals; None when it has none."""
    path = namespace.get("__file__")
    return path if isinstance(path, str) else None


def module_name(namespace: dict[str, Any]) -> str:
    """Return the name of a module, given its globals, as whoever imports it would spell it.

    A file run as a script is called ``__main__``; run by ``redun run`` it goes by its own name.  Both must give the
    same hashes.
    """
    name = namespace.get("__name__", "")
    if name != "__main__":
        return str(name)
    spec = namespace.get("__spec__")
    if spec is not None and getattr(spec, "name", None):
        return str(spec.name).removesuffix(".__main__")
    path = module_file(namespace)
    return Path(path).stem if path else "__main__"


@lru_cache(maxsize=4096)
def _is_project_package(root: str) -> bool:
    try:
        spec = find_spec(root)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    if spec.origin is not None and spec.has_location:
        return is_project_file(spec.origin)
    return any(is_project_file(str(Path(folder, "__init__.py"))) for folder in spec.submodule_search_locations or ())


def _is_known_elsewhere(name: str) -> bool:
    root = name.partition(".")[0]
    return root in sys.stdlib_module_names or root in sys.builtin_module_names
