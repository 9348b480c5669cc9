"""From what a user calls a place to where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.store.local_storage import LocalStorage
from redun.store.location import UnsupportedUrl, is_local, locate, open_storage


def test_a_relative_path_starts_at_the_base(tmp_path: Path) -> None:
    """The working directory plays no part."""
    assert locate("../shared", tmp_path / "project") == str(tmp_path / "shared")
    assert locate("file:///data/x", tmp_path) == "/data/x"
    assert locate("s3://bucket/x/", tmp_path) == "s3://bucket/x"


def test_paths_and_file_urls_are_local() -> None:
    """Anything else with a scheme is not."""
    assert is_local("../x")
    assert is_local("file:///x")
    assert not is_local("s3://bucket")


def test_a_path_gives_local_storage(tmp_path: Path) -> None:
    """A plain path and file:// lead to the same folder."""
    for url in ("shared", f"file://{tmp_path}/shared"):
        storage = open_storage(url, tmp_path)
        assert isinstance(storage, LocalStorage)
        assert storage.location == str(tmp_path / "shared")


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    """The message names the URL and what is missing."""
    with pytest.raises(UnsupportedUrl, match="nonsense://x"):
        open_storage("nonsense://x/y")
