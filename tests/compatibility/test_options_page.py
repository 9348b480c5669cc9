"""The page of the options of executors is what their tables say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from redun.executors import registry

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def options():
    """The module that makes the page; it is no package's, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location("compatibility_options", HERE / "options.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_options_is_up_to_date(options):
    """It is what the tables make of it today."""
    assert options.PAGE.read_text() == options.render(), "write it: python tests/compatibility/options.py"


def test_the_page_has_all_types_of_redun(options):
    """Each type that a section may name has its options there."""
    types = {name for name, factory in registry._types.items() if str(factory).startswith("redun.")}
    assert {table.type_name for table in options.TABLES} == types
