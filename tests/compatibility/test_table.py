"""The page on compatibility is what features.toml says, and each test that it names is there and is run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]


@pytest.fixture(scope="module")
def table():
    """The module that makes the page; it is no package's, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location("compatibility_table", HERE / "table.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(table):
    """The page is what a run of its tests would write, all of them passing."""
    assert (PROJECT / "docs/reference/compatibility.md").read_text() == table.render(table.load_features())


def test_every_test_that_is_named_is_run_by_default(table):
    """pytest finds each of them, with the options that everybody's run has."""
    names = sorted({f"tests/{test}" for feature in table.load_features() for test in feature.tests})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", "-n0", *names]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    found = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}
    assert set(names) <= found


def test_no_row_stands_twice(table):
    """A feature has one row."""
    rows = [(feature.section, feature.name) for feature in table.load_features()]
    assert len(set(rows)) == len(rows)


def test_each_proof_stands_once_in_its_row(table):
    """No row names a test twice."""
    assert all(len(set(feature.tests)) == len(feature.tests) for feature in table.load_features())


def test_what_is_not_there_is_told_as_a_shortcoming(table):
    """Each name in a row without tests stands in the page on shortcomings."""
    told = (PROJECT / "docs/shortcomings.md").read_text()
    missing = [feature.name for feature in table.load_features() if not feature.tests]
    assert all("`" in name for name in missing)
    untold = [name for row in missing for name in row.split("`")[1::2] if name not in told]
    assert not untold


def test_a_failing_test_shows_in_its_row(table):
    """A row whose test did not pass says so; a row without tests says that it is not there."""
    text = '[[section]]\ntitle = "S"\n'
    text += '[[section.feature]]\nname = "a"\ndoes = "A."\ntests = ["x/test_y.py::test_z"]\n'
    text += '[[section.feature]]\nname = "b"\ntests = []\n'
    features = table.load_features(text)
    assert "| a | A. | [test_z](../../tests/x/test_y.py) |" in table.render(features)
    assert "**fails: test_z**" in table.render(features, frozenset({"x/test_y.py::test_z"}))
    assert "| b |   | not yet |" in table.render(features)


def test_outcomes_are_read_off_the_report(table, tmp_path):
    """A test counts as failed when one of its parameters failed or was skipped."""
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.a.test_b" name="test_c[1]"/>'
        '<testcase classname="tests.a.test_b" name="test_c[2]"><failure/></testcase>'
        '<testcase classname="tests.a.test_b.TestD" name="test_e"/></testsuite></testsuites>'
    )
    passed, failed = table._outcomes(report)
    assert failed == {"tests.a.test_b.test_c"}
    assert table._key("a/test_b.py::TestD::test_e") in passed
