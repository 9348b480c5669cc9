"""Options of executors: what a section, a task and a call may say, and what is refused."""

from __future__ import annotations

import pytest

from redun import Scheduler
from redun.config import Config
from redun.executors.options import (
    ANY,
    FLAG,
    NUMBER,
    ROWS,
    TABLE,
    TEXT,
    WHOLE,
    WORDS,
    BadOption,
    Option,
    OptionTable,
    choice,
)

OPTIONS = OptionTable(
    "moon",
    [
        Option("image", TEXT, "what runs", is_required=True),
        Option("gpus", WHOLE, "how many", 0),
        Option("memory", NUMBER, "GiB", 4),
        Option("debug", FLAG, "whether it runs here", False),
        Option("paths", WORDS, "folders", ["src"]),
        Option("labels", TABLE, "texts by name", {}),
        Option("mounts", ROWS, "what is mounted", []),
        Option("extra", ANY, "anything"),
        Option("size", choice("small", "large"), "how large", "small"),
        Option("interval", NUMBER, "seconds between looks", 5.0, of_task=False),
    ],
)
DEFAULTS = OPTIONS.read_section("m", {"image": "i"})


def test_what_nobody_says_is_the_default():
    """Each option has a value; type, class and the folder of the settings are no options."""
    read = OPTIONS.read_section("m", {"image": "i", "type": "moon", "class": "a.B", "config_dir": "/x", "gpus": None})
    assert read == DEFAULTS
    assert (read["memory"], read["size"], read["extra"]) == (4, "small", None)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("image", "ubuntu:24.04", "ubuntu:24.04"),
        ("gpus", "2", 2),
        ("memory", "1.5", 1.5),
        ("debug", "Yes", True),
        ("debug", "off", False),
        ("paths", "src  tests\nlib", ["src", "tests", "lib"]),
        ("paths", '["a b", "c"]', ["a b", "c"]),
        ("labels", '{"a": "b"}', {"a": "b"}),
        ("mounts", '[["/a", "/b"]]', [["/a", "/b"]]),
        ("extra", "[1, null]", [1, None]),
        ("size", "large", "large"),
    ],
)
def test_texts_of_a_file_are_read_as_what_they_stand_for(name, text, value):
    """A config file holds texts alone."""
    section = Config({"executors": {"m": {"image": "i", name: text}}}).executors["m"]
    assert OPTIONS.read_section("m", section)[name] == value


@pytest.mark.parametrize(
    ("name", "found", "words"),
    [
        ("gpus", "2.5", "a whole number"),
        ("gpus", 2.5, "a whole number"),
        ("gpus", True, "a whole number"),
        ("memory", "lots", "a number"),
        ("memory", "nan", "a number"),
        ("memory", float("inf"), "a number"),
        ("memory", True, "a number"),
        ("debug", "maybe", "true or false"),
        ("debug", 1, "true or false"),
        ("paths", "[1]", "a list of texts"),
        ("paths", ["a", 1], "a list of texts"),
        ("paths", 7, "a list of texts"),
        ("labels", "[]", "a JSON object"),
        ("labels", "{", "a JSON object"),
        ("labels", [], "a JSON object"),
        ("mounts", "{}", "a JSON list"),
        ("extra", "{", "a JSON value"),
        ("size", "huge", "one of small, large"),
        ("size", 3, "one of small, large"),
        ("image", 3, "a text"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name, found, words):
    """With the executor, the option, what was expected and what was found."""
    with pytest.raises(BadOption) as caught:
        OPTIONS.read_section("m", {"image": "i", name: found})
    assert str(caught.value) == f"executor 'm': expected option {name!r} to be {words}, found {found!r}"
    assert (caught.value.executor, caught.value.option) == ("m", name)
    assert caught.value.hint == OPTIONS.options[name].about


def test_a_long_value_is_cut_in_the_message():
    """A whole file given by mistake does not fill the terminal."""
    with pytest.raises(BadOption) as caught:
        OPTIONS.read_section("m", {"image": "i", "gpus": "x" * 10_000})
    assert len(str(caught.value)) < 300


def test_an_unknown_option_of_a_section_is_refused():
    """With the one that is near, or with all."""
    with pytest.raises(BadOption, match="executor 'm': moon has no option 'imgae'") as caught:
        OPTIONS.read_section("m", {"imgae": "i"})
    assert caught.value.hint == "did you mean image?"
    with pytest.raises(BadOption) as caught:
        OPTIONS.read_section("m", {"qqq": "i"})
    assert caught.value.hint.startswith("its options: debug, extra, gpus")


def test_options_of_another_program_are_handed_on_as_texts():
    """Where the table says what they begin with."""
    table = OptionTable("spark", [], open_prefix="spark.")
    section = {"spark.a": "1", "spark.b": True, "spark.c": 2}
    assert table.read_section("m", section) == {"spark.a": "1", "spark.b": "true", "spark.c": "2"}
    with pytest.raises(BadOption, match="no option 'sparkle'"):
        table.read_section("m", {"sparkle": "1"})


def test_a_required_option_is_asked_for():
    """The hint is the line to write."""
    with pytest.raises(BadOption, match="executor 'm': needs option 'image', found none") as caught:
        OPTIONS.read_section("m", {})
    assert caught.value.hint == "[executors.m] image = ...: what runs"


def test_a_task_goes_before_its_executor():
    """What belongs to others is passed over, and None says nothing."""
    said = {"memory": 8, "image": None, "executor": "m", "colour": "red", "limits": {"db": 1}, "paths": "a b"}
    assert OPTIONS.read_task("m", DEFAULTS, said) == {**DEFAULTS, "memory": 8, "paths": ["a", "b"]}
    assert DEFAULTS["memory"] == 4


def test_a_task_says_values_and_no_texts_for_them():
    """``memory="8"`` is a mistake that is told."""
    with pytest.raises(BadOption, match="executor 'm': expected option 'memory' to be a number, found '8'"):
        OPTIONS.read_task("m", DEFAULTS, {"memory": "8"})


def test_some_options_are_the_executors_alone():
    """A task that says one is told where it belongs."""
    with pytest.raises(BadOption, match="'interval' cannot be said by a task") as caught:
        OPTIONS.read_task("m", DEFAULTS, {"interval": 1})
    assert caught.value.hint == "write it in [executors.m]"


def test_a_scheduler_is_not_made_with_a_section_that_is_wrong():
    """Before anything runs."""
    with pytest.raises(BadOption, match="'there': alias has no option 'targt'"):
        Scheduler({"executors": {"there": {"type": "alias", "targt": "default"}}})
