"""The function of a project that makes its scheduler."""

from __future__ import annotations

import sys

import pytest

from redun.config import Config
from redun.scheduler_setup import BadSetup, SchedulerSetup, find_setup

TEXT = """
from redun import Scheduler

CALLS = []

def make(config, profile: str = "dev", count: "int" = 1):
    CALLS.append((config, profile, count))
    return Scheduler({"limits": {profile: count}})

def strict(config, profile: str):
    return Scheduler()

def wrong(config):
    return 1

def bare():
    return Scheduler()
"""


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """Gives the settings that name a function; what is imported is forgotten."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    folder = tmp_path / ".redun"
    folder.mkdir()
    (tmp_path / "my_setup.py").write_text(TEXT)

    def configure(name):
        (folder / "redun.ini").write_text(f"[scheduler]\nsetup_scheduler = {name}\n")
        config = Config()
        config.read_path(folder / "redun.ini")
        return config

    return configure


def test_the_function_gets_the_settings_and_what_was_typed(setting):
    """Texts are read by annotation; a file is looked for in the project."""
    config = setting("my_setup.py::make")
    found = find_setup(config)
    assert found.make(config, {}).limits == {"dev": 1}
    assert found.make(config, {"profile": "prod", "count": "3"}).limits == {"prod": 3}
    assert [name for name, *_ in found.func.__globals__["CALLS"]] == [config, config]


def test_a_module_is_imported_by_name(setting, tmp_path, monkeypatch):
    """One that is imported already is not read twice."""
    monkeypatch.syspath_prepend(tmp_path)
    by_name = find_setup(setting("my_setup::make"))
    by_file = find_setup(setting("my_setup.py::make"))
    assert by_name.func is by_file.func


def test_nothing_named_is_no_function():
    """The usual case."""
    assert find_setup(Config()) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("my_setup.py", "expected file_or_module::function, found 'my_setup.py'"),
        ("no_setup.py::make", "there is no file .*no_setup.py"),
        ("no_such_module::make", "importing no_such_module failed"),
        ("my_setup.py::nothing", "has no function 'nothing'"),
        ("my_setup.py::bare", "takes no parameter, expected one for the settings"),
    ],
)
def test_a_function_that_cannot_be_found_is_refused(setting, name, why):
    """The message says what is missing."""
    with pytest.raises(BadSetup, match=why):
        find_setup(setting(name))


@pytest.mark.parametrize(
    ("name", "texts", "why"),
    [
        ("make", {"color": "red"}, "has no parameter 'color'"),
        ("make", {"count": "red"}, "--setup count=red: expected a value of type int"),
        ("strict", {}, "strict needs profile"),
        ("wrong", {}, "to return a Scheduler, found int"),
    ],
)
def test_what_does_not_fit_the_function_is_refused(setting, name, texts, why):
    """Before it is called, or when it has returned something else."""
    config = setting(f"my_setup.py::{name}")
    with pytest.raises(BadSetup, match=why):
        find_setup(config).make(config, texts)


def test_parameters_are_known_without_a_call():
    """For the help."""

    def make(config, /, profile: str = "dev", *rest, **more):
        return config, profile, rest, more

    (parameter,) = SchedulerSetup("x::make", make).parameters
    assert (parameter.name, parameter.annotation, parameter.default) == ("profile", str, "dev")
