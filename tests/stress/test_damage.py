"""One damaged byte, or a file cut short, anywhere in a repository: work goes on or one clear line says why not.

Each case is a child process that is forked after everything was imported, so that thousands of cases are affordable.
What must hold: a run gives the right result; the other commands work or fail with a typed error; fsck finds what any
checksum covers.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from redun.cli.main import main
from redun.store.repository import Repository

pytestmark = [pytest.mark.stress, pytest.mark.timeout(0)]

SIZE = 6
JOURNAL = 4000  # bytes: as much of a journal is to be written before its writer is killed
LARGE = 1_200_000  # bytes: a content that is a file of its own
TELLS = re.compile(r"redun: error: |warning: ")
BROKEN = re.compile(r"Traceback|this was not expected|Error: .*Error")
COMMANDS = (
    ("log",),
    ("log", "-"),
    ("log", "--file"),
    ("log", "--job", "--json"),
    ("log", "demo.leaf"),
    ("log", "out/1.txt"),
    ("push",),
    ("pull",),
    ("fsck", "--quick"),
)
COVERED = re.compile(r"objects/(pack|blob)/")
"""Files each byte of which a checksum covers, and fsck looks at."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said in a child."""

    words: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


@pytest.fixture
def original(project, tmp_path):
    """A project with two executions, a large content, what was seen at a remote, and the journal of a dead writer."""
    source = (project.folder / "wf.py").read_text()
    big = f"\n\n@task()\ndef keep(n: int):\n    return [n, bytes(range(256)) * {LARGE // 256}]\n"
    (project.folder / "wf.py").write_text(source + big)
    project.redun("-q", *project.run_words(SIZE, 0, 0.0))
    project.redun("-q", "run", "wf.py", "keep", "--n", "1")
    project.redun("remote", "add", "origin", "../remote")
    project.redun("push")
    project.redun("fetch")
    journals = project.store / "objects" / "journal"

    def is_begun():
        return any(path.stat().st_size > JOURNAL for path in journals.glob("*.journal"))

    project.kill_when(is_begun, *project.run_words(60, 1000, 0.2))
    assert is_begun()
    return project


def kinds_of_files(store: Path) -> list[str]:
    """Return the names of all files of a repository, relative to it."""
    return sorted(str(path.relative_to(store)) for path in store.rglob("*") if path.is_file())


def iter_damages(name: str, content: bytes, chance, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield (what was done, damaged content): cuts, one wrong bit, and zeroes as a power cut leaves them."""
    size = len(content)
    yield "empty", b""
    yield "gone to zeroes", bytes(size)
    for at in sorted({chance.randrange(size) for _ in range(count // 4)}) if size else ():
        yield f"cut at {at}", content[:at]
    for at in sorted({chance.randrange(size) for _ in range(count)} | {0, size - 1}) if size else ():
        bit = 1 << chance.randrange(8)
        yield f"bit {bit} at {at}", content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]
    yield "too long", content + b"\0\1\2"


def in_child(folder: Path, words: tuple[str, ...]) -> Said:
    """Run a command line in a forked child, in a folder."""
    files = [folder / "child.out", folder / "child.err"]
    child = os.fork()
    if not child:
        code = 99
        try:
            os.chdir(folder)
            for number, path in enumerate(files, 1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - until the child ends
            sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
            sys.argv = ["redun", *words]
            code = main(list(words))
            sys.stdout.flush()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    stdout, stderr = (path.read_text(errors="replace") for path in files)
    return Said(words, os.waitstatus_to_exitcode(status), stdout, stderr)


def problems_of(folder: Path, name: str, shown: list[str]) -> Iterator[str]:
    """Run every command over a damaged repository and yield what was wrong with what they said."""
    is_setting = name in ("redun.ini", "objects/format")
    said = [in_child(folder, ("fsck",))]
    if said[0].code == 0 and COVERED.match(name):
        yield "fsck found nothing"
    said += [in_child(folder, words) for words in (*COMMANDS, *(("show", oid) for oid in shown))]
    run = in_child(folder, ("run", "wf.py", "main", "--size", str(SIZE)))
    said.append(run)
    if run.code == 0 and run.stdout.strip() != str(sum(range(SIZE))):
        yield f"the run gave {run.stdout!r}"
    if run.code and not is_setting:
        yield f"the run failed: {run.stderr}"
    said += [in_child(folder, ("push",)), in_child(folder, ("-c", "../remote", "fsck"))]
    if said[-1].code:
        yield f"the remote is damaged: {said[-1].stdout}"
    for each in said:
        if each.code not in (0, 1, 2) or BROKEN.search(each.stderr):
            yield f"{' '.join(each.words)}: exit code {each.code}\n{each.stderr}"
        if each.code and not TELLS.search(each.stderr) and "fsck" not in each.words:
            yield f"{' '.join(each.words)}: exit code {each.code} and no error"


def some_oids(store: Path, chance) -> list[str]:
    """Return the names of a few objects, one of each kind."""
    with Repository.open(store, writable=False) as repository:
        by_kind = {kind: oid.hex() for oid, kind in repository.store.iter_oids()}
    return chance.sample(sorted(by_kind.values()), 3)


def test_a_damaged_file_never_gives_a_wrong_result(original, tmp_path, rounds, chance):
    """Damage anywhere is passed over, or told in one line."""
    found: list[str] = []
    work = tmp_path / "case" / "project"
    names = kinds_of_files(original.store)
    for name in names:
        content = (original.store / name).read_bytes()
        for what, damaged in iter_damages(name, content, chance, max(2, rounds // 10)):
            shutil.rmtree(work.parent, ignore_errors=True)
            shutil.copytree(tmp_path / "remote", work.parent / "remote")
            shutil.copytree(original.folder, work)
            (work / ".redun" / name).write_bytes(damaged)
            shown = some_oids(original.store, chance)
            found += [f"{name}, {what}: {problem}" for problem in problems_of(work, name, shown)]
    assert not found, f"{len(found)} problems:\n" + "\n\n".join(found[:20])
