"""The cyclic collector during a command, and after one."""

from __future__ import annotations

import gc
import weakref

import pytest

from redun.cli.collector import collector_kept, tune_collector
from redun.cli.main import RedunClient, main


class Cycle:
    """Something that only the collector gets rid of."""

    def __init__(self):
        self.itself = self


@pytest.fixture
def thresholds():
    """What the collector was told before."""
    return gc.get_threshold()


def test_a_program_that_calls_commands_has_its_collector_back(thresholds, tmp_path, monkeypatch, capsys):
    """What a command froze is thawed: its garbage goes, and so do the files that it held open."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    held = weakref.ref(Cycle())
    for words, code in ((["redun", "init"], 0), (["redun", "show", "nothing"], 1)):
        assert RedunClient().execute(words) == code
        assert gc.get_threshold() == thresholds
        assert gc.get_freeze_count() == 0
    gc.collect()
    assert held() is None


def test_what_a_program_froze_itself_stays_frozen(thresholds):
    """Nobody can tell apart who froze what."""
    gc.freeze()
    try:
        with collector_kept():
            tune_collector()
            assert gc.get_threshold() != thresholds
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold() == thresholds
    finally:
        gc.unfreeze()


def test_the_program_itself_thaws_nothing_at_its_end(thresholds, monkeypatch, capsys):
    """Its process ends: looking at all that it has loaded once more would be for nothing."""
    monkeypatch.setattr("sys.argv", ["redun", "key", "--help"])
    try:
        assert main() == 0
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
