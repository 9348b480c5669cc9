"""What the URL of a remote says beside where it is: the repository inside a project, the name of a clone."""

from __future__ import annotations

from redun.store.location import UnsupportedUrl

REPOSITORY_FOLDER = ".redun"


def inner_url(url: str) -> str:
    """Return the URL of the ``.redun`` folder in the project at a URL."""
    return f"{url.rstrip('/')}/{REPOSITORY_FOLDER}"


def folder_name(url: str) -> str:
    """Return what to call a clone of a URL: its last part, without ``.redun``.

    Raises:
        UnsupportedUrl: the URL has no part that could be a folder's name.
    """
    parts = [part for part in url.partition("://")[2 if "://" in url else 0].rstrip("/").split("/") if part]
    while parts and parts[-1] == REPOSITORY_FOLDER:
        parts.pop()
    name = parts[-1].removesuffix(REPOSITORY_FOLDER) if parts else ""
    if name in ("", ".", ".."):
        raise UnsupportedUrl(url, "it has no name for the new folder", "name the folder: `redun clone URL DIR`")
    return name
