"""What the URL of a remote says beside where it is."""

from __future__ import annotations

import pytest

from redun.remotes.urls import folder_name
from redun.store.location import UnsupportedUrl


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/data/proj", "proj"),
        ("/data/proj/.redun", "proj"),
        ("/data/proj.redun/", "proj"),
        ("s3://bucket/team/wf", "wf"),
        ("s3://bucket", "bucket"),
        ("../x", "x"),
    ],
)
def test_a_clone_is_called_as_its_origin(url: str, name: str) -> None:
    """The last part of the URL, without .redun."""
    assert folder_name(url) == name


@pytest.mark.parametrize("url", ["/", "..", ".redun", "s3://"])
def test_a_url_without_a_name_is_refused(url: str) -> None:
    """The hint tells to name the folder."""
    with pytest.raises(UnsupportedUrl):
        folder_name(url)
