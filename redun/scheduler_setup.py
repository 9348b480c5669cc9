"""``[scheduler] setup_scheduler = file_or_module::function``: a function of the project's own that makes the scheduler.

The function takes the settings (``redun.config.Config``) and, as further parameters, whatever ``redun --setup k=v``
shall be able to say; it returns a ``Scheduler``.  The invariant: what it raises is not hidden, and what it returns is
checked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from redun.config import Config
from redun.errors import ConfigError
from redun.scheduler.scheduler import Scheduler
from redun.value.annotations import hints_of
from redun.value.arguments import parse_argument
from redun.value.errors import InvalidValueError


class BadSetup(ConfigError):
    """The function that makes the scheduler cannot be found, or not be called with what was given."""


@dataclass(frozen=True, slots=True)
class SetupParameter:
    """One thing that ``--setup`` can say."""

    name: str
    annotation: Any
    default: Any
    is_required: bool


class SchedulerSetup:
    """The function, and how to call it."""

    def __init__(self, name: str, func: Callable[..., Any]) -> None:
        from inspect import Parameter, signature

        self.name = name
        self.func = func
        hints = hints_of(func)
        variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        parameters = [p for p in signature(func).parameters.values() if p.kind not in variadic]
        if not parameters:
            raise BadSetup(f"{name} takes no parameter, expected one for the settings")
        self.parameters = [
            SetupParameter(p.name, hints.get(p.name, Any), p.default, p.default is Parameter.empty)
            for p in parameters[1:]
        ]

    def make(self, config: Config, texts: Mapping[str, str]) -> Scheduler:
        """Call the function.

        Args:
            config: its first argument.
            texts: its other arguments, as typed.

        Raises:
            BadSetup: a text fits no parameter, one is missing, or what comes back is no scheduler.
            Exception: what the function raises.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        arguments: dict[str, Any] = {}
        for name, text in texts.items():
            parameter = known.get(name.replace("-", "_"))
            if parameter is None:
                raise BadSetup(f"{self.name} has no parameter {name!r}", hint=f"it has {', '.join(known) or 'none'}")
            try:
                arguments[parameter.name] = parse_argument(parameter.annotation, text)
            except InvalidValueError as error:
                raise BadSetup(f"--setup {name}={text}: {error}") from None
        missing = [name for name, parameter in known.items() if parameter.is_required and name not in arguments]
        if missing:
            raise BadSetup(f"{self.name} needs {', '.join(missing)}", hint=f"give --setup {missing[0]}=VALUE")
        made = self.func(config, **arguments)
        if not isinstance(made, Scheduler):
            raise BadSetup(f"expected {self.name} to return a Scheduler, found {type(made).__name__}")
        return made


def find_setup(config: Config) -> SchedulerSetup | None:
    """Return the function that the settings name; None when they name none.

    Raises:
        BadSetup: it cannot be imported.
    """
    name = config.scheduler.setup_scheduler
    if name is None:
        return None
    place, colons, function = name.partition("::")
    if not colons or not place or not function:
        raise BadSetup(f"[scheduler] setup_scheduler: expected file_or_module::function, found {name!r}")
    try:
        module = _load(place, config)
    except BadSetup:
        raise
    except (Exception, SystemExit) as error:
        raise BadSetup(f"[scheduler] setup_scheduler: importing {place} failed: {error!r}") from error
    func = getattr(module, function, None)
    if not callable(func):
        raise BadSetup(f"[scheduler] setup_scheduler: {place} has no function {function!r}")
    return SchedulerSetup(name, func)


def _load(place: str, config: Config) -> ModuleType:
    if not place.endswith(".py"):
        return import_module(place)
    path = config.find_project_file(place).resolve()
    if not path.is_file():
        raise BadSetup(f"[scheduler] setup_scheduler: there is no file {path}")
    loaded = sys.modules.get(path.stem)
    if loaded is not None and Path(getattr(loaded, "__file__", None) or "").resolve() == path:
        return loaded  # it is the workflow itself, or was asked for before
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BadSetup(f"[scheduler] setup_scheduler: {path} is no Python file")
    module = module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if sys.modules.get(path.stem) is module:
            del sys.modules[path.stem]
        raise
    return module
