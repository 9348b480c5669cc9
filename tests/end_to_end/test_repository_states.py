"""Repositories that are damaged, of another version, read-only or shared by several runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

WORKFLOW = """
from redun import task

redun_namespace = "demo"


@task()
def leaf(n):
    with open("ran.txt", "a") as out:
        out.write(f"{n}\\n")
    return [n, "x" * 50]


@task()
def main(size: int = 30, base: int = 0):
    return [leaf(base + n) for n in range(size)]
"""


@pytest.fixture
def project(tmp_path, redun_command):
    """A project after one run."""
    (tmp_path / "wf.py").write_text(WORKFLOW)
    redun_command("run", "wf.py", "main")
    return tmp_path


def n_ran(folder: Path) -> int:
    """How many leaves have run so far."""
    return len((folder / "ran.txt").read_text().splitlines())


@pytest.mark.parametrize("suffix", ["pack", "idx"])
@pytest.mark.parametrize("keep", [0, 10, 0.5, -1])
def test_a_truncated_pack_or_idx_costs_a_rerun_at_most(redun_command, project, suffix, keep):
    """A run goes on, says what is damaged, and gives the right result; fsck finds it."""
    for path in (project / ".redun" / "objects" / "pack").glob(f"*.{suffix}"):
        size = path.stat().st_size
        os.truncate(path, int(size * keep) if isinstance(keep, float) else keep % size if keep < 0 else keep)
    assert redun_command("fsck", code=1).stdout
    done = redun_command("run", "wf.py", "main")
    assert "[29, 'x" in done.stdout
    assert n_ran(project) in (30, 60)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_a_truncated_journal_keeps_its_whole_records(redun_command, project, keep):
    """The journal of a killed writer is sealed up to the last whole record."""
    code = (
        "import os\nfrom redun.store.repository import Repository\nfrom redun.value.encoding import encode_value\n"
        "repository = Repository.open('.redun')\n"
        "repository.store.writer\n"
        "for n in range(1000):\n"
        "    encoded = encode_value(f'value {n}')\n"
        "    repository.store.put(encoded.oid, encoded.data, encoded.kind)\n"
        "repository.store.flush()\nos._exit(9)\n"
    )
    path = Path(project / ".redun").resolve()
    code = code.replace("'.redun'", f"__import__('pathlib').Path({str(path)!r})")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    (journal,) = (project / ".redun" / "objects" / "journal").glob("*.journal")
    os.truncate(journal, int(journal.stat().st_size * keep))
    done = redun_command("run", "wf.py", "main")
    assert n_ran(project) == 30
    assert "Traceback" not in done.stderr
    redun_command("fsck")
    assert not list((project / ".redun" / "objects" / "journal").glob("*.journal"))


def test_an_unknown_format_version_is_refused(redun_command, project):
    """Nothing is read or changed in a repository of another version."""
    path = project / ".redun" / "objects" / "format"
    path.write_text(path.read_text().replace("objects 1", "objects 2"))
    for words in (["run", "wf.py", "main"], ["log"], ["show", "abcd"]):
        done = redun_command(*words, code=1)
        assert "another format" in done.stderr
        assert "redun objects 2" in done.stderr
    assert n_ran(project) == 30


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a read-only view needs root")
def test_a_read_only_repository_serves_and_records_nothing(redun_command, project):
    """Runs work with a warning, hits are hits, log and show work, and nothing is written."""
    folder = project / ".redun"
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        done = redun_command("run", "wf.py", "main")
        assert "cannot be written" in done.stderr
        assert n_ran(project) == 30
        done = redun_command("run", "wf.py", "main", "--size", "31")
        assert "[30, 'x" in done.stdout
        assert n_ran(project) == 31
        assert redun_command("log").stdout.count("Exec ") == 1
        oid = next((folder / "objects" / "pack").glob("*.pack")).stem
        assert oid
        execution = re.search(r"Exec ([0-9a-f]{8})", redun_command("log").stdout)
        assert execution is not None
        assert "demo.main" in redun_command("log", execution.group(1)).stdout
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a read-only view needs root")
def test_a_read_only_project_runs_in_memory(redun_command, tmp_path):
    """Where no .redun can be made a run still gives its result."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "wf.py").write_text(
        WORKFLOW.replace('    with open("ran.txt", "a") as out:\n        out.write(f"{n}\\n")\n', "")
    )
    subprocess.run(["mount", "--bind", project, project], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", project], check=True)
        done = redun_command("run", "wf.py", "main", cwd=project)
        assert "cannot be made" in done.stderr
        assert "[29, 'x" in done.stdout
    finally:
        subprocess.run(["umount", project], check=True)


def test_eight_runs_at_once_in_one_repository_all_succeed(redun_environment, redun_command, tmp_path):
    """Eight processes with 200 jobs each, from an empty folder: nothing is lost and nothing is damaged."""
    (tmp_path / "wf.py").write_text(WORKFLOW)
    command = [str(Path(sys.executable).with_name("redun")), "run", "wf.py", "main", "--size", "200", "--base"]
    processes = [
        subprocess.Popen(
            [*command, str(100 * number)],
            cwd=tmp_path,
            env=redun_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for number, process in enumerate(processes):
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        assert out.count(", 'x") == 200
        assert f"[{100 * number + 199}, 'x" in out
    assert redun_command("log").stdout.count("DONE") == 8
    redun_command("fsck")
    before = n_ran(tmp_path)
    for number in range(8):
        redun_command("run", "wf.py", "main", "--size", "200", "--base", str(100 * number))
    assert n_ran(tmp_path) == before


@pytest.mark.parametrize("prefix", ["ffffffffff", "zzzz", "abc"])
def test_an_unknown_id_is_an_error_that_says_so(redun_command, project, prefix):
    """log and show name what was asked for."""
    for command in ("log", "show"):
        done = redun_command(command, prefix, code=1)
        assert prefix in done.stderr
        assert "Traceback" not in done.stderr


def test_an_ambiguous_prefix_lists_the_candidates(redun_command, project):
    """With enough objects some four digits are shared; both owners are listed."""
    redun_command("run", "wf.py", "main", "--size", "400")
    from redun.store.repository import Repository

    repository = Repository.open(project / ".redun", writable=False)
    prefixes = sorted(oid.hex()[:4] for oid, _ in repository.store.iter_oids())
    shared = next(a for a, b in pairwise(prefixes) if a == b)
    owners = repository.store.find_prefix(shared)
    assert len(owners) == 2
    repository.close()
    done = redun_command("show", shared, code=1)
    assert f"{shared} fits 2 ids" in done.stderr
    assert all(oid.hex()[:8] in done.stderr for oid, _ in owners)
