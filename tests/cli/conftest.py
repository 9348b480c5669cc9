"""What tests of commands share."""

from __future__ import annotations

import pytest

from redun.cli.main import main


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
