"""What the guide and the examples show is what redun says: their commands are run, and their outputs compared.

A block that starts with ``# name.py`` or ``# folder/name.ini`` is a file.  A block with lines that start with ``$ `` is
a terminal: the lines under a command are its output, ``...`` stands for any lines.  Ids, hashes, times, sizes, seconds
and folders are not compared, nor is the order of lines: jobs end in the order they end.  An id that a page shows, and
has in a later command, stands for the one that was shown in its place.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
GUIDE = PROJECT / "docs" / "guide"
EXAMPLES = sorted(page.parent for page in (PROJECT / "examples").glob("*/README.md"))
LEFT_BEHIND = shutil.ignore_patterns(".redun", "__pycache__", "README.md")
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py|[\w./]+\.ini)\n")
ID = (
    r"\b(?=[0-9a-f]*\d)[0-9a-f]{8}\b"
    r"|(?:(?<=[=:<])|(?<=\bJob )|(?<=\bExec )|(?<=\bFile )|(?<=\bTask )|(?<=\bValue ))[0-9a-f]{8}\b"  # all letters
)
CHANGING = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{64}\b"
    rf"|{ID}"
    r"|\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d|\d+\.\d+ seconds|\d:\d\d:\d\d\.\d\d|\d+(\.\d+)? (B|KiB)\b|config dir: .*"
    r"|redun\.version=[\w.]+|redun :: version .*|File \"[^\"]*/(?=[^\"]*\", line)|line \d+|in \d+\.\d+s"
)
QUIET = re.compile(r"\[redun\] *(redun :: version|config dir:|Start Execution|\||Execution duration|$)")
"""What each run says alike, which pages leave out."""


def _commands(page):
    """Yield each file of a page as (name, text), and each command as (command, lines of output)."""
    for block in BLOCK.findall(page):
        named = FILE.match(block)
        if named:
            yield named[1], block
        elif block.startswith("$ "):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, *output = part.rstrip("\n").split("\n")
                yield command, output


REASON = re.compile(r"(?<= on default) \(.*\)$")


def _plain(lines):
    return Counter(CHANGING.sub("*", line).rstrip() for line in lines)


def _check(command, expected, said):
    """Compare what a page shows with what was said: lines left out may tell of no job, once it shows one."""
    shown, real = _plain(line for line in expected if line != "..."), _plain(said)
    if "..." not in expected and not any(map(QUIET.match, expected)):
        real = _plain(line for line in said if not QUIET.match(line))
    missing, more = shown - real, real - shown
    untold = Counter(REASON.sub("", line) for line in missing) & more  # redun looks for a reason as long as it is cheap
    missing = Counter(line for line in missing.elements() if REASON.sub("", line) not in untold)
    more -= untold
    shows_jobs = any(" Job " in line for line in shown)
    left_out = [line for line in more if "..." not in expected or (shows_jobs and " Job " in line)]
    told = "\n".join(said)
    assert not missing, f"$ {command}\nsays no {list(missing)}, but\n{told}"
    assert not left_out, f"$ {command}\nsays also {left_out}, in\n{told}"


def _match_ids(expected, said):
    """Return what the ids of a page are in this run: those of lines that are alike but for what changes."""
    real = {}
    for line in said:
        real.setdefault(CHANGING.sub("*", line).rstrip(), line)
    pairs = [(line, real[plain]) for line in expected if (plain := CHANGING.sub("*", line).rstrip()) in real]
    return {there: here for line, match in pairs for there, here in zip(re.findall(ID, line), re.findall(ID, match))}


def _follow(page, folder, environment, seconds=60):
    """Do in a folder what a page shows, in order: write its files, run its commands, compare what they say."""
    environment = {
        **environment,
        "REDUN_USER": "ada",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    ids: dict[str, str] = {}
    for what, expected in _commands(page.read_text()):
        if isinstance(expected, str):
            (folder / what).parent.mkdir(exist_ok=True)
            (folder / what).write_text(expected)
            continue
        done = subprocess.run(
            re.sub(r"\b[0-9a-f]{8}\b", lambda match: ids.get(match[0], match[0]), what),
            shell=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        _check(what, expected, done.stdout.splitlines())
        ids.update(_match_ids(expected, done.stdout.splitlines()))


@pytest.mark.parametrize(
    "name",
    ["quickstart.md", "caching.md", "running.md", "executors.md", "executors-local.md", "tags.md", "values.md"],
)
def test_the_commands_of_a_page_say_what_it_shows(name, tmp_path, redun_environment):
    """Files and commands of a page, taken in order, give the outputs that stand under the commands."""
    _follow(GUIDE / name, tmp_path, redun_environment)
    assert list(tmp_path.iterdir())


@pytest.mark.cluster
def test_the_commands_of_the_page_on_spark_say_what_it_shows(spark_home, tmp_path, redun_environment):
    """On a Spark of this machine."""
    _follow(GUIDE / "executors-spark.md", tmp_path, {**redun_environment, "SPARK_LOCAL_IP": "127.0.0.1"}, seconds=200)
    assert list(tmp_path.glob("readings/*.parquet"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_commands_of_an_example_say_what_its_page_shows(example, tmp_path, redun_environment):
    """In a fresh copy of an example, the commands of its page give the outputs that stand under them."""
    folder = tmp_path / example.name
    shutil.copytree(example, folder, ignore=LEFT_BEHIND)
    _follow(example / "README.md", folder, redun_environment)
    assert (folder / ".redun").exists()


def test_the_list_of_examples_names_each_of_them():
    """There are fifteen examples at least, no number is taken twice, and the page in front of them leads to each."""
    listed = re.findall(r"\]\((\w+)/README\.md\)", (PROJECT / "examples" / "README.md").read_text())
    assert listed == [example.name for example in EXAMPLES]
    assert len({name[:2] for name in listed}) == len(listed) >= 15
