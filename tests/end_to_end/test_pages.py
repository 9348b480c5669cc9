"""What the guide's pages show is what redun says: their commands are run, and their outputs compared.

A block that starts with ``# name.py`` is a file.  A block with lines that start with ``$ `` is a terminal: the
lines under a command are its output, ``...`` stands for any lines.  Ids, hashes, times, sizes and seconds are not
compared, nor is the order of lines: jobs end in the order they end.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")
CHANGING = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{64}\b|\b(?=[0-9a-f]*\d)[0-9a-f]{8}\b"
    r"|\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d|\d+\.\d+ seconds|\d:\d\d:\d\d\.\d\d|\d+(\.\d+)? (B|KiB)\b|config dir: .*"
    r"|redun\.version=[\w.]+"
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


def _plain(lines):
    return Counter(CHANGING.sub("*", line).rstrip() for line in lines)


def _check(command, expected, said):
    """Compare what a page shows with what was said: lines left out may tell of no job, once it shows one."""
    shown, real = _plain(line for line in expected if line != "..."), _plain(said)
    if "..." not in expected:
        real = _plain(line for line in said if not QUIET.match(line))
        shown = _plain(line for line in expected if not QUIET.match(line))
    missing, more = shown - real, real - shown
    shows_jobs = any(" Job " in line for line in shown)
    untold = [line for line in more if "..." not in expected or (shows_jobs and " Job " in line)]
    told = "\n".join(said)
    assert not missing, f"$ {command}\nsays no {list(missing)}, but\n{told}"
    assert not untold, f"$ {command}\nsays also {untold}, in\n{told}"


@pytest.mark.parametrize("name", ["quickstart.md", "caching.md", "running.md"])
def test_the_commands_of_a_page_say_what_it_shows(name, tmp_path, redun_environment):
    """Files and commands of a page, taken in order, give the outputs that stand under the commands."""
    environment = {
        **redun_environment,
        "REDUN_USER": "ada",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for what, expected in _commands((GUIDE / name).read_text()):
        if isinstance(expected, str):
            (tmp_path / what).write_text(expected)
            continue
        done = subprocess.run(
            what,
            shell=True,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        _check(what, expected, done.stdout.splitlines())
