"""Executors are found by the type or the class that their section names."""

from __future__ import annotations

import sys
import types
from importlib.metadata import DistributionFinder, PathDistribution

import pytest

import redun
from redun import Scheduler
from redun.errors import ConfigError, ExecutorError
from redun.executors import base, registry
from redun.executors.base import (
    Executor,
    get_executor_from_config,
    get_executors_from_config,
    load_task_module,
    register_executor,
)
from redun.executors.registry import MissingPackage, UnknownExecutorType, make_executor
from redun.executors.thread import ThreadExecutor


class Wide(Executor):
    """As users write one."""

    def __init__(self, name, scheduler=None, config=None):
        super().__init__(name, scheduler, config)
        self.config = config


class Bare(Executor):
    """One whose constructor is called as a factory is."""

    def __init__(self, name, options):
        super().__init__(name)
        self.options = options


def make_pool(name, options):
    """Make what a factory makes."""
    return ThreadExecutor(name, max_workers=int(options["width"]))


def make_nothing(_name, _options):
    """Make what is no executor."""
    return "a text"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """Let this module be imported by a name, as a user's is; forget what a test registers."""
    module = types.ModuleType("users_executors")
    for thing in (Wide, Bare, make_pool, make_nothing):
        setattr(module, thing.__name__, thing)
    module.text = "a text"
    monkeypatch.setitem(sys.modules, "users_executors", module)
    monkeypatch.setattr(registry, "_types", dict(registry._types))


def test_a_class_can_be_registered_by_a_decorator():
    """It is called with the name and the section as ``config``, and stays the class that it is."""

    @register_executor("wide")
    class Mine(Wide):
        pass

    executor = make_executor("x", {"type": "wide", "width": "7"})
    assert (type(executor), executor.name, executor.config["width"]) == (Mine, "x", "7")


def test_a_factory_can_be_registered_too():
    """It is called with name and section."""
    register_executor("pool")(make_pool)
    assert make_executor("x", {"type": "pool", "width": "7"}).max_workers == 7


def test_a_class_can_be_registered_by_its_dotted_name():
    """Nothing is imported before the type is used."""
    assert register_executor("later", "no.such.module.Class") is None
    register_executor("wide", "users_executors.Wide")
    assert type(make_executor("x", {"type": "wide"})) is Wide
    with pytest.raises(ExecutorError, match=r"'x': expected no.such.module.Class to be"):
        make_executor("x", {"type": "later"})


def test_a_class_may_take_name_and_section():
    """One without a parameter ``config`` is called as a factory is."""
    assert make_executor("x", {"class": "users_executors.Bare", "a": "1"}).options["a"] == "1"


def test_what_is_registered_last_counts():
    """As when a notebook's cell is run again."""
    register_executor("wide", "users_executors.Bare")
    register_executor("wide", "users_executors.Wide")
    assert type(make_executor("x", {"type": "wide"})) is Wide


def test_a_class_in_a_section_makes_its_type_known():
    """Other sections may name that type, also those that stand before it."""
    sections = {"a": {"type": "wide"}, "b": {"type": "wide", "class": "users_executors.Wide"}, "c": {}}
    made = list(get_executors_from_config(sections))
    assert [(one.name, type(one)) for one in made] == [("a", Wide), ("b", Wide), ("c", type(make_executor("c", {})))]
    scheduler = Scheduler({"executors": sections})
    assert type(scheduler.executors["a"]) is Wide


def test_a_class_in_a_section_goes_before_a_type_that_is_known():
    """Of this section alone."""
    a, b = get_executors_from_config({"a": {"type": "local"}, "b": {"type": "local", "class": "users_executors.Wide"}})
    assert (type(a) is Wide, type(b) is Wide) == (False, True)


def test_one_executor_of_a_config_can_be_made():
    """By its name; the others are not made."""
    sections = {"a": {"class": "users_executors.Wide"}, "b": {"type": "nonsense"}}
    assert type(get_executor_from_config(sections, "a")) is Wide
    with pytest.raises(ExecutorError, match=r"expected a section \[executors.c\], found executors: a, b"):
        get_executor_from_config(sections, "c")


def test_an_unknown_type_is_refused_with_the_known_ones():
    """And with the one that was meant, if one is like it."""
    with pytest.raises(UnknownExecutorType, match=r"'x' has unknown type 'loccal'; known types: .*local") as caught:
        make_executor("x", {"type": "loccal"})
    assert caught.value.hint == "did you mean local?"
    with pytest.raises(UnknownExecutorType) as caught:
        make_executor("x", {"type": "moon"})
    assert caught.value.hint == "name its class in the section: class = package.module.Class"


def test_a_package_may_bring_a_type_by_an_entry_point(monkeypatch, tmp_path):
    """It is looked for when nobody else knows the type, and told among the known ones."""
    folder = tmp_path / "users-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: users\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[redun.executors]\nbrought = users_executors:Wide\n")

    class Finder(DistributionFinder):
        def find_distributions(self, context=None):
            return [PathDistribution(folder)]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert type(make_executor("x", {"type": "brought"})) is Wide
    with pytest.raises(UnknownExecutorType, match=r"known types: .*brought"):
        make_executor("x", {"type": "bought"})


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    """What is missing of redun's own is another error."""
    module = types.ModuleType("needs_boto")
    monkeypatch.setitem(sys.modules, "needs_boto", module)
    monkeypatch.setitem(sys.modules, "boto_of_tests", None)
    register_executor("aws_batch", "boto_of_tests.Class")
    with pytest.raises(MissingPackage, match="'x' of type 'aws_batch' needs the package 'boto_of_tests'") as caught:
        make_executor("x", {"type": "aws_batch"})
    assert caught.value.hint == 'pip install "redun[aws]"'
    register_executor("aws_batch", "redun.executors.no_such_thing.Class")
    with pytest.raises(ExecutorError, match=r"expected redun.executors.no_such_thing.Class to be"):
        make_executor("x", {"type": "aws_batch"})


@pytest.mark.parametrize(
    "section",
    [{"type": "moon"}, {"class": "no.such.Class"}, {"class": "users_executors.make_nothing"}, {"max_workers": "many"}],
    ids=str,
)
def test_a_section_that_is_wrong_is_an_error_of_the_settings(section):
    """So the command line exits with the code for those."""
    with pytest.raises(ConfigError) as caught:
        make_executor("x", section)
    assert isinstance(caught.value, ExecutorError)


def test_a_factory_that_makes_no_executor_is_refused():
    """The error names the factory and what it made."""
    with pytest.raises(ExecutorError, match=r"users_executors\.make_nothing made str for executor 'x'"):
        make_executor("x", {"class": "users_executors.make_nothing"})
    register_executor("nothing")(make_nothing)
    with pytest.raises(ExecutorError, match="make_nothing made str for executor 'x'"):
        make_executor("x", {"type": "nothing"})


@pytest.mark.parametrize("name", ["nothing", "users_executors.nothing", "users_executors.text", "no.module", ".", ""])
def test_a_class_that_cannot_be_found_is_refused(name):
    """Whether the module or its member is missing, it cannot be called, or the name is no dotted one."""
    with pytest.raises(ExecutorError, match="executor 'x': expected"):
        make_executor("x", {"class": name, "type": "custom?"})


def test_a_tasks_module_can_be_loaded_by_name(monkeypatch, tmp_path):
    """A missing one is named together with the task that it should define."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "loaded_by_name.py").write_text("value = 1\n")
    load_task_module("loaded_by_name", "ns.f")
    assert sys.modules.pop("loaded_by_name").value == 1
    with pytest.raises(ModuleNotFoundError, match=r"task ns\.f is defined in module no_such_module"):
        load_task_module("no_such_module", "ns.f")


@pytest.mark.parametrize("home", [redun, base, sys.modules["redun.executors"]])
def test_register_executor_is_where_users_look_for_it(home):
    """One function under three names."""
    assert home.register_executor is registry.register_executor


def test_the_base_module_has_no_other_names():
    """A typing error is an AttributeError, as with any module."""
    with pytest.raises(AttributeError, match="has no attribute 'registr_executor'"):
        base.registr_executor  # noqa: B018


SECTIONS = {
    "alias": {"target": "default"},
    "aws_batch": {"image": "i", "queue": "q", "s3_scratch": "s3://bucket/scratch"},
    "aws_glue": {"s3_scratch": "s3://bucket/scratch"},
    "docker": {"image": "i", "scratch": "scratch"},
    "gcp_batch": {"project": "p", "region": "r", "gcs_scratch": "gs://bucket/scratch", "image": "i"},
    "k8s": {"image": "i", "scratch": "scratch"},
    "local": {},
    "slurm": {"scratch": "scratch"},
    "spark": {},
}
"""What the sections of each type must say."""


TYPES = sorted(name for name, factory in registry._types.items() if str(factory).startswith("redun."))


@pytest.mark.parametrize("type_name", TYPES)
def test_a_type_of_redun_is_made_from_its_section(type_name):
    """It has the name, speaks the contract, and refuses an option that there is not; nothing is asked of a cluster."""
    section = {"type": type_name, **SECTIONS[type_name]}
    executor = make_executor("x", section)
    assert executor.name == "x"
    assert registry.contract_of(executor) is executor
    with pytest.raises(ExecutorError, match=r"'x'.* has no option 'no_such_option'"):
        make_executor("x", {**section, "no_such_option": "1"})


@pytest.mark.parametrize("type_name", [name for name in TYPES if name != "alias"])
def test_an_option_of_both_sides_is_seen_to_by_one(type_name):
    """An executor that reads ``retries`` or ``timeout`` of a task takes them from the scheduler."""
    executor = make_executor("x", {"type": type_name, **SECTIONS[type_name]})
    of_section_alone = {"retries"} if type_name == "aws_batch" else set()  # AWS counts the first time too
    assert executor.option_names & {"retries", "timeout"} == executor.handles | of_section_alone
