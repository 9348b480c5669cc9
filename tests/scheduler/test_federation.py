"""Entrypoints of other projects as the settings tell them."""

from __future__ import annotations

import pytest

from redun.config import Config
from redun.errors import ConfigError
from redun.scheduler import Scheduler
from redun.scheduler.federation import (
    BadEntrypoint,
    DuplicateEntrypoint,
    UnknownEntrypoint,
    executors_of,
    find_entrypoints,
    get_entrypoint,
)

THERE = """\
[federated_tasks.count]
namespace = words
task_name = main
load_module = words.flow
executor = near
config_dir = .redun
description = counts
memory = 4
label = big

[executors.near]
type = local
max_workers = 3

[executors.default]
type = local
max_workers = 1
"""


@pytest.fixture
def project(tmp_path):
    """A project whose settings list those of another."""
    (tmp_path / "there/.redun").mkdir(parents=True)
    (tmp_path / "there/.redun/redun.ini").write_text(THERE)
    (tmp_path / "here/.redun").mkdir(parents=True)
    (tmp_path / "here/.redun/redun.ini").write_text("[scheduler]\nfederated_configs =\n    ../there/.redun\n")
    return tmp_path / "here/.redun/redun.ini"


def read(path):
    """Return the settings of a file."""
    config = Config()
    config.read_path(path)
    return config


def test_settings_that_are_listed_tell_of_entrypoints(project):
    """Their paths start at their own project; what is no setting of the entrypoint is an option of the job."""
    entrypoint = get_entrypoint(read(project), "count")
    assert (entrypoint.fullname, entrypoint.load_module, entrypoint.executor) == ("words.main", "words.flow", "near")
    assert entrypoint.config_dir.resolve() == project.parents[2] / "there/.redun"
    assert (entrypoint.new_execution, entrypoint.description) == (None, "counts")
    assert entrypoint.options == {"memory": 4, "label": "big"}


def test_settings_may_tell_of_their_own(project):
    """Without any list."""
    config = Config({"federated_tasks.a": dict.fromkeys(["namespace", "task_name", "load_module", "executor"], "x")})
    config.read_dict({"federated_tasks.a": {"config_dir": "/d", "new_execution": "yes"}})
    (entrypoint,) = find_entrypoints(config).values()
    assert (entrypoint.name, entrypoint.new_execution) == ("a", True)


def test_executors_come_along_and_go_behind_the_own(project):
    """A scheduler can run the entrypoint; its own executors are not replaced."""
    own = "\n[executors.default]\ntype = local\nmax_workers = 7\n"
    project.write_text(project.read_text() + own)
    config = read(project)
    assert {name: section["max_workers"] for name, section in executors_of(config).items()} == {
        "near": "3",
        "default": "7",
    }
    assert set(Scheduler(config).executors) >= {"near", "default"}


def test_two_of_one_name_are_refused(project):
    """Whichever of them is meant."""
    project.write_text(project.read_text() + "\n" + THERE)
    with pytest.raises(DuplicateEntrypoint, match="count") as caught:
        find_entrypoints(read(project))
    assert isinstance(caught.value, AssertionError)
    assert len(caught.value.places) == 2


def test_an_unknown_name_is_told_with_the_known_ones(project):
    """A slip of the pen is the likely cause."""
    with pytest.raises(UnknownEntrypoint, match=r"federated_tasks.cuont") as caught:
        get_entrypoint(read(project), "cuont")
    assert "count" in caught.value.hint


def test_what_is_missing_is_named(project):
    """All of it at once."""
    config = Config({"federated_tasks.a": {"namespace": "x", "executor": "y"}})
    with pytest.raises(BadEntrypoint) as caught:
        find_entrypoints(config)
    assert caught.value.missing == ["task_name", "load_module", "config_dir"]


def test_settings_that_cannot_be_read_are_named(project):
    """They were listed, so they are meant."""
    project.write_text("[scheduler]\nfederated_configs = ../gone/.redun\n")
    with pytest.raises(ConfigError, match="gone"):
        find_entrypoints(read(project))
