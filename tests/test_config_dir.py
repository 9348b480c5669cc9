"""Where a project's folder is."""

from __future__ import annotations

from redun.config_dir import find_config_dir


def test_the_variable_comes_first(tmp_path):
    """``$REDUN_CONFIG`` names the folder itself, relative to the working directory."""
    (tmp_path / ".redun").mkdir()
    assert find_config_dir(tmp_path, {"REDUN_CONFIG": "other"}) == tmp_path / "other"


def test_the_nearest_folder_above_is_found(tmp_path):
    """As git finds its own, so that commands work in subfolders."""
    (tmp_path / ".redun").mkdir()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_config_dir(below, {}) == tmp_path / ".redun"
    (tmp_path / "a" / ".redun").mkdir()
    assert find_config_dir(below, {}) == tmp_path / "a" / ".redun"


def test_a_new_one_is_here(tmp_path):
    """Where there is none yet, it is to be made in the working directory."""
    assert find_config_dir(tmp_path, {}) == tmp_path / ".redun"


def test_a_file_of_that_name_is_no_folder(tmp_path):
    """Only a folder counts."""
    (tmp_path / ".redun").write_text("")
    below = tmp_path / "a"
    below.mkdir()
    assert find_config_dir(below, {}) == below / ".redun"
