"""Entrypoints of other projects, as the settings tell them: ``[federated_tasks.NAME]``.

They stand in this project's settings, or in those that ``[scheduler] federated_configs`` lists, one ``.redun`` folder
or settings file a line; from there come also the executors that the entrypoints name.  The invariant: a name means one
entrypoint, and a path means the same whatever directory this runs in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redun.config import Config
from redun.config_dir import CONFIG_FILE
from redun.errors import ConfigError
from redun.section import Section

_REQUIRED = ("namespace", "task_name", "load_module", "executor", "config_dir")
_OTHERS = ("new_execution", "description", "task_signature")


class UnknownEntrypoint(ConfigError):
    """No settings tell of an entrypoint of this name."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            f"there is no [federated_tasks.{name}]", hint=f"there are {', '.join(sorted(known)) or 'none'}"
        )
        self.name = name


class BadEntrypoint(ConfigError):
    """An entrypoint lacks something."""

    def __init__(self, name: str, missing: list[str]) -> None:
        super().__init__(f"[federated_tasks.{name}]: expected {', '.join(missing)}, found nothing")
        self.name = name
        self.missing = missing


class DuplicateEntrypoint(ConfigError, AssertionError):
    """Two settings tell of one entrypoint."""

    def __init__(self, name: str, places: list[str]) -> None:
        super().__init__(f"expected one [federated_tasks.{name}], found it in {' and '.join(places)}")
        self.name = name
        self.places = places


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """A task of some project that others may call by a name."""

    name: str
    fullname: str  # of the task
    load_module: str  # defines it
    executor: str
    config_dir: Path  # of its project
    new_execution: bool | None  # None: as far as it must
    description: str
    task_signature: str
    options: dict[str, Any]  # of the job that evaluates it


def iter_configs(config: Config) -> list[Config]:
    """Return the settings, and those that they list.

    Raises:
        ConfigError: one of them cannot be read.
    """
    listed = (config.find_text(("scheduler",), "federated_configs") or "").split()
    found = [config]
    for name in listed:
        path = config.find_project_file(name)
        path = path / CONFIG_FILE if path.is_dir() else path
        other = Config()
        try:
            other.read_path(path.absolute())
        except OSError as error:
            raise ConfigError(f"[scheduler] federated_configs: {path} cannot be read: {error}") from error
        found.append(other)
    return found


def find_entrypoints(config: Config) -> dict[str, Entrypoint]:
    """Return all entrypoints by name.

    Raises:
        BadEntrypoint: one lacks a required setting.
        DuplicateEntrypoint: two have one name.
    """
    found: dict[str, Entrypoint] = {}
    places: dict[str, str] = {}
    for one in iter_configs(config):
        for name, section in (one.get("federated_tasks") or {}).items():
            if name in found:
                raise DuplicateEntrypoint(name, [places[name], _place(one)])
            found[name], places[name] = _read(one, name, section), _place(one)
    return found


def get_entrypoint(config: Config, name: str) -> Entrypoint:
    """Return an entrypoint.  Raises UnknownEntrypoint, and as ``find_entrypoints`` does."""
    found = find_entrypoints(config)
    if name not in found:
        raise UnknownEntrypoint(name, list(found))
    return found[name]


def executors_of(config: Config) -> dict[str, Section]:
    """Return the sections of executors by name; the project's own go before those of the settings that it lists."""
    found: dict[str, Section] = {}
    for one in iter_configs(config):
        for name, section in one.executors.items():
            found.setdefault(name, section)
    return found


def _read(config: Config, name: str, section: Section) -> Entrypoint:
    missing = [key for key in _REQUIRED if not section.get(key)]
    if missing:
        raise BadEntrypoint(name, missing)
    namespace, task_name = str(section["namespace"]), str(section["task_name"])
    options = {key: _value(str(section[key])) for key in section if key not in (*_REQUIRED, *_OTHERS)}
    return Entrypoint(
        name=name,
        fullname=f"{namespace}.{task_name}",
        load_module=str(section["load_module"]),
        executor=str(section["executor"]),
        config_dir=config.find_project_file(str(section["config_dir"])).absolute(),
        new_execution=section.getboolean("new_execution") if "new_execution" in section else None,
        description=str(section.get("description", "")),
        task_signature=str(section.get("task_signature", "")),
        options=options,
    )


def _value(text: str) -> Any:
    """Return JSON as its value, any other text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _place(config: Config) -> str:
    return config.repository.config_dir or "the settings"
