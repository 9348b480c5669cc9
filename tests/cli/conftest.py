"""What tests of commands share."""

from __future__ import annotations

import time
from functools import partial

import pytest

from redun.cli.main import main
from redun.store.repository import Repository
from redun.testing.compile_workflow import make_compile_runs


@pytest.fixture
def redun(capsys, monkeypatch):
    """Runs a command here, expects its exit code, and returns what it printed: its errors when it fails."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)

    def run(*words, code=0):
        capsys.readouterr()
        found = main(list(words))
        printed = capsys.readouterr()
        assert found == code, printed.err
        return printed.out if not code else printed.err

    return run


@pytest.fixture
def utc(monkeypatch):
    """Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """A folder with a repository that holds two runs of a small build; it is the working directory."""
    with Repository.init(tmp_path / ".redun") as repository:
        make_compile_runs(repository.store, repository.refs)
        repository.store.seal()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def log(compiled, redun):
    """Runs `redun log ARGUMENTS` there, which must succeed, and returns what it printed."""
    return partial(redun, "log")


@pytest.fixture
def show(compiled, redun):
    """Runs `redun show ARGUMENTS` there, which must succeed, and returns what it printed."""
    return partial(redun, "show")
