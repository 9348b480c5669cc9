"""Options that all clusters share."""

from __future__ import annotations

import pytest

from redun.executors.options import TEXT, BadOption, Option, OptionTable
from redun.executors.remote.settings import common_options

TABLE = OptionTable("cluster", [*common_options(scratch="s3_scratch"), Option("job_name_prefix", TEXT, "own", "mine")])


def test_the_scratch_has_the_name_that_a_type_gives_it():
    """It is required."""
    assert TABLE.read_section("x", {"s3_scratch": "s3://b/p"})["s3_scratch"] == "s3://b/p"
    with pytest.raises(BadOption, match="s3_scratch"):
        TABLE.read_section("x", {})
    assert "scratch" not in {option.name for option in common_options(scratch=None)}


def test_a_type_may_say_an_option_otherwise():
    """One that stands behind takes the place of the first."""
    assert TABLE.read_section("x", {"s3_scratch": "a"})["job_name_prefix"] == "mine"


@pytest.mark.parametrize(("text", "value"), [("false", False), ("yes", True), ("code.tar.gz", "code.tar.gz")])
def test_a_code_package_is_a_flag_or_a_path(text, value):
    """As it stands in a file, and as a task says it."""
    values = TABLE.read_section("x", {"s3_scratch": "a", "code_package": text})
    assert values["code_package"] == value
    assert TABLE.read_task("x", values, {"code_package": value})["code_package"] == value


@pytest.mark.parametrize(
    "name", ["job_monitor_interval", "job_stale_time", "min_array_size", "max_array_size", "timeout"]
)
def test_numbers_are_not_negative(name):
    """In a file or from Python."""
    for value in ("-1", -1, "x"):
        with pytest.raises(BadOption, match=name):
            TABLE.read_section("x", {"s3_scratch": "a", name: value})


def test_what_is_of_the_executor_no_task_says():
    """How often to poll is no matter of one job."""
    values = TABLE.read_section("x", {"s3_scratch": "a"})
    with pytest.raises(BadOption, match="cannot be said by a task"):
        TABLE.read_task("x", values, {"job_monitor_interval": 1.0})
