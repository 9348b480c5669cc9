"""What a section of type ``spark`` may say."""

from __future__ import annotations

import pytest

from redun.executors.options import BadOption
from redun.executors.registry import make_executor
from redun.executors.spark import SparkExecutor
from redun.executors.spark.settings import read_settings


def test_spark_s_own_settings_are_handed_on_as_texts():
    """All that begin with ``spark.``, in the case in which they are written."""
    settings = read_settings(
        "s", {"type": "spark", "spark.executor.memory": "4g", "spark.ui.showConsoleProgress": True}
    )
    assert settings.conf == {"spark.executor.memory": "4g", "spark.ui.showConsoleProgress": "true"}
    assert "spark.executor.memory" not in settings.values


def test_options_have_their_defaults():
    """As the guide says."""
    values = read_settings("s", {}).values
    assert (values["master"], values["connect"], values["app_name"]) == (None, None, "redun")
    assert (values["mode"], values["max_batch_size"], values["cluster_timeout"]) == ("worker", 1000, 120.0)
    assert values["code_includes"] == ["**/*.py"]


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"mastre": "local"}, "no option 'mastre'"),
        ({"max_batch_size": "many"}, "'max_batch_size' to be a whole number, found 'many'"),
        ({"max_batch_size": "0"}, "'max_batch_size' to be at least 1, found 0"),
        ({"gather_seconds": -1}, "'gather_seconds' to be at least 0, found -1"),
        ({"mode": "cluster"}, "'mode' to be one of worker, driver, found 'cluster'"),
        ({"master": "local", "connect": "sc://host"}, "one of master and connect, found both"),
        ({"connect": "spark://host:7077"}, "'connect' to be sc://host:port, found 'spark://host:7077'"),
    ],
    ids=str,
)
def test_an_option_that_does_not_fit_is_named(section, told):
    """With what was expected and what was found."""
    with pytest.raises(BadOption, match=told):
        read_settings("s", section)


def test_the_type_is_known_to_configs():
    """A section makes the executor, without starting or importing Spark."""
    made = make_executor("big", {"type": "spark", "master": "spark://host:7077"})
    assert isinstance(made, SparkExecutor)
    assert made.name == "big"
    assert made.settings.values["master"] == "spark://host:7077"
