"""Repositories: made once by many, opened only in their own format, read-only where they must be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from redun.config import Config
from redun.errors import ConfigError
from redun.store.base import ReadOnlyStore
from redun.store.format_file import FORMAT_TEXT
from redun.store.location import UnsupportedUrl
from redun.store.repository import NotARepository, Repository, UnknownFormat
from redun.testing.objects import build_execution, make_execution

RACERS = 8


def test_init_makes_the_tree(tmp_path: Path) -> None:
    """Settings, format and folders are there, and the settings read as the defaults."""
    with Repository.init(tmp_path / ".redun") as repository:
        assert repository.is_writable
        assert repository.location == str(tmp_path / ".redun")
        assert repository.cache_path == tmp_path / ".redun" / "cache"
    assert (tmp_path / ".redun/objects/format").read_text() == FORMAT_TEXT
    config = Config()
    config.read_path(tmp_path / ".redun/redun.ini")
    assert config.scheduler == Config().scheduler
    assert config.remotes == {}
    names = {path.name for path in (tmp_path / ".redun").iterdir()}
    assert names == {"redun.ini", "objects", "refs"}


def test_init_is_idempotent_and_keeps_settings(tmp_path: Path) -> None:
    """What the user wrote and what is stored stays."""
    with Repository.init(tmp_path) as repository:
        make_execution(repository.store, repository.refs)
    (tmp_path / "redun.ini").write_text("# mine\n")
    with Repository.init(tmp_path) as repository:
        assert len(list(repository.refs.iter_refs())) == 1
    assert (tmp_path / "redun.ini").read_text() == "# mine\n"


def test_many_processes_may_init_at_once(tmp_path: Path) -> None:
    """Each of them ends well, and the settings are whole."""
    code = (
        "import sys; from pathlib import Path; from redun.store.repository import Repository;"
        "Repository.init(Path(sys.argv[1])).close()"
    )
    racers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "r")]) for _ in range(RACERS)]
    assert [racer.wait() for racer in racers] == [0] * RACERS
    with Repository.init(tmp_path / "other"):
        expected = (tmp_path / "other/redun.ini").read_text()
    assert (tmp_path / "r/redun.ini").read_text() == expected
    assert [path.name for path in (tmp_path / "r").iterdir() if path.name.startswith(".tmp")] == []


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        (FORMAT_TEXT.replace("objects 1", "objects 2"), "redun objects 1", "redun objects 2"),
        (FORMAT_TEXT.replace("blake3-256", "sha256"), "hash blake3-256", "hash sha256"),
        (FORMAT_TEXT.replace("7265", "0000"), "node-key 7265", "node-key 0000"),
        (FORMAT_TEXT + "more\n", "redun objects 1", "more"),
        ("", "redun objects 1", "found ''"),
    ],
)
def test_another_format_is_refused(tmp_path: Path, text: str, expected: str, found: str) -> None:
    """The message says what was expected and what was found, and nothing is changed."""
    Repository.init(tmp_path).close()
    (tmp_path / "objects/format").write_text(text)
    for opening in (Repository.open, Repository.init):
        with pytest.raises(UnknownFormat) as caught:
            opening(tmp_path)
        assert expected in str(caught.value)
        assert found in str(caught.value)
    assert (tmp_path / "objects/format").read_text() == text


def test_a_place_without_a_repository_is_refused(tmp_path: Path) -> None:
    """Opening makes nothing."""
    with pytest.raises(NotARepository, match="not a redun repository"):
        Repository.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("lost", ["objects/format", "objects", "redun.ini", "refs"])
def test_a_repository_whose_making_was_cut_off_is_made_whole(tmp_path: Path, lost: str) -> None:
    """A kill while a repository is made leaves nothing that stops the next run."""
    Repository.init(tmp_path / ".redun").close()
    subprocess.run(["rm", "-r", tmp_path / ".redun" / lost], check=True)
    with Repository.open_or_init(tmp_path / ".redun") as repository:
        made = make_execution(repository.store, repository.refs)
        assert made.oid is not None
        assert repository.store.has(made.oid)


def test_a_run_that_lost_its_repository_leaves_one_that_can_be_used(tmp_path: Path) -> None:
    """When the folder is removed under a writer, what it still wrote is found by the next one."""
    with Repository.init(tmp_path / ".redun") as repository:
        made = build_execution()
        for oid, data, kind in made.objects:
            repository.store.put(oid, data, kind)
        subprocess.run(["rm", "-r", tmp_path / ".redun"], check=True)
        repository.store.seal()
    assert made.oid is not None
    with Repository.open_or_init(tmp_path / ".redun") as repository:
        assert repository.store.has(made.oid)


def test_objects_and_refs_are_read_back(tmp_path: Path) -> None:
    """What one opening wrote, another reads."""
    with Repository.init(tmp_path) as repository:
        made = make_execution(repository.store, repository.refs)
    with Repository.open(tmp_path, writable=False) as repository:
        assert not repository.is_writable
        assert repository.cache_path is None
        assert next(repository.refs.iter_refs()) == made.ref
        assert all(repository.store.get(oid) == data for oid, data, _ in made.objects)
        with pytest.raises(ReadOnlyStore):
            repository.refs.write(made.ref)


def test_a_repository_that_cannot_be_written_opens_for_reading(tmp_path: Path, monkeypatch) -> None:
    """The system is asked, so a read-only file system says no to root as well."""
    with Repository.init(tmp_path) as repository:
        make_execution(repository.store, repository.refs)
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: real(path, mode) and not mode & os.W_OK)
    with Repository.open(tmp_path) as repository:
        assert not repository.is_writable
        assert len(list(repository.refs.iter_refs())) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_read_only_mount_opens_for_reading(tmp_path: Path) -> None:
    """A bind mount with -o ro: nothing is written, everything is read."""
    with Repository.init(tmp_path / "rw") as repository:
        made = make_execution(repository.store, repository.refs)
    (tmp_path / "ro").mkdir()
    command = ["mount", "--bind", "-o", "ro", tmp_path / "rw", tmp_path / "ro"]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mount: {mounted.stderr.decode().strip()}")
    try:
        if os.access(tmp_path / "ro", os.W_OK):
            pytest.skip("this kernel ignores -o ro on a bind mount")
        with Repository.open(tmp_path / "ro") as repository:
            assert not repository.is_writable
            assert repository.store.get(made.oid)
    finally:
        # Lazily: the packs that were read are still mapped.
        subprocess.run(["umount", "-l", tmp_path / "ro"], check=True)


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    """A repository cannot be made below a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ReadOnlyStore, match="cannot make a repository"):
        Repository.init(tmp_path / "file" / ".redun")


def test_settings_may_put_objects_elsewhere(tmp_path: Path) -> None:
    """[repository] url is a folder, from the project directory; settings and cache stay."""
    (tmp_path / "project/.redun").mkdir(parents=True)
    (tmp_path / "project/.redun/redun.ini").write_text("[repository]\nurl = ../disk\ndurability = off\n")
    with Repository.init(tmp_path / "project/.redun") as repository:
        assert repository.location == str(tmp_path / "disk")
        assert repository.cache_path == tmp_path / "project/.redun/cache"
        made = make_execution(repository.store, repository.refs)
    with Repository.open(tmp_path / "disk") as repository:
        assert made.oid is not None
        assert repository.store.has(made.oid)


def test_a_url_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    """The message names the URL."""
    (tmp_path / "redun.ini").write_text("[repository]\nurl = nonsense://bucket/x\n")
    with pytest.raises(UnsupportedUrl, match="nonsense://bucket/x"):
        Repository.init(tmp_path)


def test_malformed_settings_are_refused(tmp_path: Path) -> None:
    """A repository does not open on settings that it does not understand."""
    Repository.init(tmp_path).close()
    (tmp_path / "redun.ini").write_text("[repository]\ndurability = sometimes\n")
    with pytest.raises(ConfigError, match=r"redun\.ini:2"):
        Repository.open(tmp_path)
