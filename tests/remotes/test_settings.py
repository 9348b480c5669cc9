"""Remotes in redun.ini: added, changed and removed without touching anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.errors import RefError
from redun.remotes.settings import (
    RemoteExists,
    RemoteUnknown,
    add_remote,
    get_remote,
    load_remotes,
    remove_remote,
    set_remote_url,
)
from redun.settings import RemoteSettings

TEXT = "# our project\n[scheduler]\n# quiet\njob_status_interval = 0\n"


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    """A redun.ini with comments."""
    path = tmp_path / "redun.ini"
    path.write_text(TEXT)
    return path


def test_a_remote_is_added_below_everything_else(config_path: Path) -> None:
    """Comments stay byte for byte."""
    add_remote(config_path, "origin", "../shared")
    assert config_path.read_text() == TEXT + "\n[remotes.origin]\nurl = ../shared\n"
    assert load_remotes(config_path) == {"origin": RemoteSettings("origin", "../shared")}


def test_a_removed_remote_leaves_the_file_as_it_was(config_path: Path) -> None:
    """Add and remove cancel out."""
    add_remote(config_path, "origin", "../shared")
    remove_remote(config_path, "origin")
    assert config_path.read_text() == TEXT


def test_a_url_changes_in_place(config_path: Path) -> None:
    """Only the url's line changes, and ${ in a URL is no variable."""
    add_remote(config_path, "origin", "../shared")
    set_remote_url(config_path, "origin", "s3://bucket/${x}")
    assert get_remote(config_path, "origin").url == "s3://bucket/${x}"
    assert config_path.read_text().startswith(TEXT)


def test_a_settings_file_is_made_when_there_is_none(tmp_path: Path) -> None:
    """A repository without redun.ini gets one."""
    assert load_remotes(tmp_path / "redun.ini") == {}
    add_remote(tmp_path / "redun.ini", "origin", "x")
    assert (tmp_path / "redun.ini").read_text() == "[remotes.origin]\nurl = x\n"


def test_a_link_to_the_settings_stays_a_link(tmp_path: Path, config_path: Path) -> None:
    """What the link points at changes."""
    link = tmp_path / "link.ini"
    link.symlink_to(config_path)
    add_remote(link, "origin", "x")
    assert link.is_symlink()
    assert "origin" in load_remotes(config_path)


def test_a_name_is_taken_once(config_path: Path) -> None:
    """The message shows where the other one leads."""
    add_remote(config_path, "origin", "one")
    with pytest.raises(RemoteExists, match="one"):
        add_remote(config_path, "origin", "two")


def test_an_unknown_remote_is_refused_with_the_known_ones(config_path: Path) -> None:
    """Every verb that needs one says so."""
    add_remote(config_path, "origin", "one")
    for verb in (
        lambda: get_remote(config_path, "other"),
        lambda: remove_remote(config_path, "other"),
        lambda: set_remote_url(config_path, "other", "x"),
    ):
        with pytest.raises(RemoteUnknown, match="there are origin"):
            verb()


@pytest.mark.parametrize("name", ["a.b", "../x", "", "a b", "-x"])
def test_a_name_that_is_no_name_is_refused(config_path: Path, name: str) -> None:
    """Names become folders and sections, so they are plain."""
    with pytest.raises(RefError):
        add_remote(config_path, name, "x")
    assert config_path.read_text() == TEXT
