"""Executors by the type that a config names.

A type stands for a class or a factory: a dotted string, imported when the type is first used, or the thing itself.
Types come from the table below, from ``register_executor``, from ``class =`` in a section, and from installed packages
that have an entry point in the group ``redun.executors``; those are looked at last, since looking costs milliseconds.
The invariant: a section either makes the executor that it describes, or an error names the section and what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar, overload

from redun.errors import ConfigError, ExecutorError
from redun.executors.base import Executor

ENTRY_POINTS = "redun.executors"
Factory = str | Callable[..., Any]
"""A dotted string, a class ``(name, scheduler=None, config=None)``, or a function ``(name, section)``."""

_types: dict[str, Factory] = {
    "alias": "redun.executors.alias.AliasExecutor",
    "aws_batch": "redun.executors.aws_batch.AWSBatchExecutor",
    "aws_glue": "redun.executors.aws_glue.AWSGlueExecutor",
    "docker": "redun.executors.docker.DockerExecutor",
    "gcp_batch": "redun.executors.gcp_batch.GCPBatchExecutor",
    "k8s": "redun.executors.k8s.K8SExecutor",
    "local": "redun.executors.local.make_executor",
    "slurm": "redun.executors.slurm.SlurmExecutor",
    "spark": "redun.executors.spark.SparkExecutor",
}
_EXTRAS = {
    "aws_batch": "aws",
    "aws_glue": "aws",
    "gcp_batch": "gcp",
    "k8s": "k8s",
    "spark": "spark",
}
"""Which extra of redun brings the packages that a type needs."""

_Made = TypeVar("_Made", bound=Callable[..., Any])


class BadFactory(ExecutorError, ConfigError):
    """What is to make an executor cannot be found, or makes something else."""


class UnknownExecutorType(ExecutorError, ConfigError):
    """A section names a type that nobody has registered."""

    def __init__(self, executor: str, type_name: str, known: list[str]) -> None:
        from difflib import get_close_matches

        near = get_close_matches(type_name, known, n=1)
        super().__init__(
            f"executor {executor!r} has unknown type {type_name!r}; known types: {', '.join(known)}",
            hint=f"did you mean {near[0]}?" if near else "name its class in the section: class = package.module.Class",
        )
        self.executor = executor
        self.type_name = type_name


class MissingPackage(ExecutorError, ConfigError):
    """The packages that a type of executor stands on are not installed."""

    def __init__(self, executor: str, type_name: str, package: str) -> None:
        super().__init__(
            f"executor {executor!r} of type {type_name!r} needs the package {package!r}, which is not installed",
            hint=f'pip install "redun[{_EXTRAS[type_name]}]"',
        )
        self.executor = executor
        self.package = package


@overload
def register_executor(executor_name: str, executor_class_name: str) -> None: ...
@overload
def register_executor(executor_name: str, executor_class_name: None = None) -> Callable[[_Made], _Made]: ...
def register_executor(executor_name: str, executor_class_name: str | None = None) -> Callable[[_Made], _Made] | None:
    """Say what a type of executors is made by.  What is registered last counts.

    ``@register_executor("x")`` stands above a class ``(name, scheduler=None, config=None)`` or a function
    ``(name, section)``.  Given a dotted string that names one of these, nothing is imported until the type is used.
    """
    if executor_class_name is not None:
        _types[executor_name] = executor_class_name
        return None

    def register(factory: _Made) -> _Made:
        _types[executor_name] = factory
        return factory

    return register


def make_executor(name: str, options: Mapping[str, Any]) -> Executor:
    """Make an executor from its section of the config.

    Raises:
        ExecutorError: the type is unknown, its factory cannot be found, or the options do not fit it.
    """
    type_name = str(options.get("type", "local"))
    named = options.get("class")
    factory = _find_type(name, type_name) if named is None else str(named)
    made = _call(name, _load(name, type_name, factory), options)
    if not isinstance(made, Executor):
        raise BadFactory(f"{_words(factory)} made {type(made).__name__} for executor {name!r}, no Executor")
    return made


def get_executors_from_config(executors_config: Mapping[str, Any]) -> Iterator[Executor]:
    """Yield the executors of a config, given its sections by name.  A section with ``type`` and ``class`` says, for
    the other sections too, what makes that type.

    Raises:
        ExecutorError: as ``make_executor``.
    """
    for section in executors_config.values():
        if section.get("class") is not None and section.get("type") not in {None, *_types}:
            register_executor(str(section["type"]), str(section["class"]))
    for name, section in executors_config.items():
        yield make_executor(name, section)


def get_executor_from_config(executors_config: Mapping[str, Any], executor_name: str) -> Executor:
    """Make one of the executors of a config, given its sections by name.

    Raises:
        ExecutorError: there is no such section, or as ``make_executor``.
    """
    if executor_name not in executors_config:
        found = ", ".join(sorted(executors_config)) or "none"
        raise ExecutorError(f"expected a section [executors.{executor_name}], found executors: {found}")
    return make_executor(executor_name, executors_config[executor_name])


def load_task_module(module_name: str, task_name: str) -> None:
    """Import the module that defines a task.  Raises ModuleNotFoundError, with the task and the module in its text."""
    try:
        import_module(module_name)
    except ModuleNotFoundError as error:
        why = f"task {task_name} is defined in module {module_name}, which cannot be imported: {error}"
        raise ModuleNotFoundError(f"{why}; is it part of the code package?", name=error.name) from error


def contract_of(executor: Executor) -> Executor:
    """Return an executor under the contract: itself, or what speaks for one of the older shape, the same each time."""
    start = type(executor).start
    code = getattr(start, "__code__", None)
    if start is not Executor.start and (code is None or code.co_argcount > 2 or code.co_flags & _VARARGS):
        return executor
    from redun.executors.custom import CustomExecutor  # few projects have any

    made: CustomExecutor | None = executor.__dict__.get(_SPOKESMAN)
    if made is None:
        made = executor.__dict__[_SPOKESMAN] = CustomExecutor(executor)
    return made


_VARARGS = 0x04  # inspect.CO_VARARGS, without importing inspect
_SPOKESMAN = "_redun_contract"


def _find_type(name: str, type_name: str) -> Factory:
    factory = _types.get(type_name)
    if factory is not None:
        return factory
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if type_name not in found:
        raise UnknownExecutorType(name, type_name, sorted({*_types, *found}))
    entry = found[type_name]
    return f"{entry.module}.{entry.attr}"


def _load(name: str, type_name: str, factory: Factory) -> Callable[..., Any]:
    if not isinstance(factory, str):
        return factory
    module_name, _, attribute = factory.rpartition(".")
    try:
        found = getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        missing = getattr(error, "name", None)
        if type_name in _EXTRAS and isinstance(error, ModuleNotFoundError) and missing and _is_foreign(missing):
            raise MissingPackage(name, type_name, missing) from error
        raise BadFactory(f"executor {name!r}: expected {factory} to be package.module.name, found: {error}") from error
    if not callable(found):
        raise BadFactory(f"executor {name!r}: expected {factory} to be a class or a function, found {found!r}")
    made: Callable[..., Any] = found
    return made


def _call(name: str, factory: Callable[..., Any], section: Mapping[str, Any]) -> Any:
    """Call a class as users know it, ``(name, scheduler=None, config=None)``; anything else with name and section."""
    if isinstance(factory, type):
        from inspect import Parameter, signature

        parameters = signature(factory).parameters
        if "config" in parameters or any(one.kind is Parameter.VAR_KEYWORD for one in parameters.values()):
            return factory(name, config=section)
    return factory(name, section)


def _is_foreign(module_name: str) -> bool:
    return module_name.partition(".")[0] != "redun"


def _words(factory: Factory) -> str:
    return factory if isinstance(factory, str) else getattr(factory, "__qualname__", repr(factory))
