"""Makes docs/reference/compatibility.md: runs the tests that features.toml names, and writes the page.

``python tests/compatibility/table.py`` runs them all; a row is on the page as proved only when its tests passed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
PAGE = PROJECT / "docs" / "reference" / "compatibility.md"

HEAD = """\
# What of the language works

One row for each feature that users of the language rely on, and the tests that prove it: each fails when the feature is
broken. `python tests/compatibility/table.py` runs them and writes this page from
[features.toml](../../tests/compatibility/features.toml). What is *not yet* there is told under
[shortcomings](../shortcomings.md).
"""


class Feature(NamedTuple):
    """One row: a name, what it does, and the ids of its tests below ``tests/``."""

    section: str
    name: str
    does: str
    tests: tuple[str, ...]


def load_features(text: str | None = None) -> list[Feature]:
    """Return the rows of features.toml in order."""
    table: dict[str, Any] = tomllib.loads(text if text is not None else (HERE / "features.toml").read_text())
    return [
        Feature(section["title"], row["name"], row.get("does", ""), tuple(row["tests"]))
        for section in table["section"]
        for row in section["feature"]
    ]


def render(features: Iterable[Feature], failed: frozenset[str] = frozenset()) -> str:
    """Return the page; ``failed`` has the ids of tests that did not pass."""
    lines, section = [HEAD], ""
    for feature in features:
        if feature.section != section:
            section = feature.section
            lines += [f"\n## {section}\n", "| feature | what it does | proved by |", "| --- | --- | --- |"]
        lines.append(f"| {feature.name} | {feature.does or ' '} | {_proofs(feature.tests, failed)} |")
    return "\n".join(lines) + "\n"


def _proofs(tests: tuple[str, ...], failed: frozenset[str]) -> str:
    if not tests:
        return "not yet"
    links = [f"[{test.rpartition('::')[2]}](../../tests/{test.partition('::')[0]})" for test in tests]
    broken = [test.rpartition("::")[2] for test in tests if test in failed]
    return ", ".join(links) + (f" **fails: {', '.join(broken)}**" if broken else "")


def run_tests(features: Iterable[Feature]) -> frozenset[str]:
    """Run the tests of all rows; return the ids of those that did not pass."""
    ids = sorted({test for feature in features for test in feature.tests})
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        names = [f"tests/{test}" for test in ids]
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *names]
        done = subprocess.run(command, cwd=PROJECT, check=False)
        passed, failed = _outcomes(report)
    missing = [test for test in ids if _key(test) not in passed | failed]
    if missing:
        raise SystemExit(f"pytest did not run {missing[:5]}: exit code {done.returncode}")
    return frozenset(test for test in ids if _key(test) in failed)


def _outcomes(report: Path) -> tuple[set[str], set[str]]:
    """Return the keys of the tests that passed, and of those that did not, of any of their parameters."""
    passed, failed = set(), set()
    for case in ET.parse(report).iter("testcase"):
        key = f"{case.get('classname')}.{(case.get('name') or '').partition('[')[0]}"
        (failed if len(case.findall("failure") + case.findall("error") + case.findall("skipped")) else passed).add(key)
    return passed, failed


def _key(test: str) -> str:
    """Return the id of a test as JUnit's reports write it."""
    path, _, name = test.partition("::")
    return f"tests.{path.removesuffix('.py').replace('/', '.')}.{name.replace('::', '.')}"


def main() -> int:
    """Write the page; return 1 when a test failed."""
    features = load_features()
    failed = run_tests(features)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(features, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
