"""Executors that are made from a section."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.executors.options import BadOption, OptionTable
from redun.executors.remote.cluster import ClusterExecutor
from redun.executors.remote.settings import common_options
from redun.testing.local_submitter import LocalSubmitter


class _Cluster(ClusterExecutor):
    options_of_type = OptionTable("lab", common_options())
    made = ()

    @classmethod
    def make_submitter(cls, name, values):
        values["max_array_size"] = 7
        cls.made = (name, values["scratch"])
        return LocalSubmitter(Path(values["scratch"]))


def test_it_is_made_as_users_make_executors():
    """By name, scheduler and section; its submitter is given every option, and may fill some in."""
    executor = _Cluster("lab", None, {"scratch": "here", "min_array_size": "3"})
    assert executor.name == "lab"
    assert _Cluster.made == ("lab", "here")
    assert executor.scratch_url == "here"
    assert executor.values["min_array_size"] == 3
    assert executor.values["max_array_size"] == 7


def test_an_option_that_does_not_exist_is_named():
    """With the executor whose section it stands in."""
    with pytest.raises(BadOption, match=r"lab.*scrtch"):
        _Cluster("lab", config={"scratch": "here", "scrtch": "there"})
