"""Where the objects and refs of a repository lie: beside its settings, in another folder, or at a URL.

The invariant: one place has one spool and one folder of copies in a ``.redun`` folder, named by its URL alone, so that
whoever opens the same place from there finds what an earlier process has left.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from redun.errors import StoreError
from redun.hashing import hash_blob
from redun.store.format_file import FORMAT_NAME, has_format, write_format
from redun.store.journal import FOLDER as JOURNALS
from redun.store.local_storage import LocalStorage
from redun.store.location import is_local, locate, open_storage
from redun.store.ref_names import EXECUTIONS

if TYPE_CHECKING:
    from redun.settings import RepositorySettings
    from redun.store.spooled_storage import SpooledStorage

INNER_FOLDER = ".redun"
_FOLDERS = (JOURNALS, "objects/pack", "objects/blob", EXECUTIONS)
_MAX_READABLE = 40


class PlaceTaken(StoreError):
    """There is something else where a repository was to be made."""

    def __init__(self, location: str, found: str) -> None:
        super().__init__(
            f"expected a repository or nothing at {location}, found {found}", hint="name a folder of its own for it"
        )
        self.location = location
        self.found = found


class Place(NamedTuple):
    """The tree of a repository."""

    storage: LocalStorage | SpooledStorage
    is_shared: bool  # at a URL: other machines write there, whose journals cannot be seen from here

    @property
    def journals(self) -> Path:
        """The local folder of journals."""
        return self.storage.path / JOURNALS

    def can_write(self) -> bool:
        """Tell whether what must be written on this machine can be, without leaving a trace.

        A file system mounted read-only says no, to root too.  A bucket says so when it is written to.
        """
        for folder in (JOURNALS,) if self.is_shared else _FOLDERS:
            path = self.storage.path / folder
            with suppress(OSError):
                path.mkdir(parents=True, exist_ok=True)
            if not os.access(path, os.W_OK | os.X_OK):
                return False
        return True

    def make(self) -> None:
        """Make what is missing of a repository here.  Idempotent.

        Raises:
            PlaceTaken: the URL has something else.
            OSError, StoreError: the place cannot be written.
        """
        for folder in (JOURNALS,) if self.is_shared else _FOLDERS:
            (self.storage.path / folder).mkdir(parents=True, exist_ok=True)
        if has_format(self.storage):
            return
        if self.is_shared:
            # Objects without a format are of a first push that was cut off: each says its own version.
            found = self.storage.find_any()
            if found is not None and found.partition("/")[0] != FORMAT_NAME.partition("/")[0]:
                raise PlaceTaken(self.storage.location, found)
        write_format(self.storage)  # last: it is what makes the tree a repository


def find_place(path: Path, settings: RepositorySettings) -> Place:
    """Return the place of a repository.

    Args:
        path: the ``.redun`` folder.
        settings: its ``[repository]``; a relative path in them starts at the project directory.

    Raises:
        UnsupportedUrl: nothing here can reach its URL.
        RepositoryUnreachable: the URL cannot be read.
    """
    if settings.url is None:
        return Place(LocalStorage(path), is_shared=False)
    url = locate(settings.url, path.parent)
    if is_local(url):
        return Place(LocalStorage(_find_folder(Path(url))), is_shared=False)
    storage = _open_spooled(path, url, settings)
    storage.look()
    if not has_format(storage):
        inner = _open_spooled(path, f"{url}/{INNER_FOLDER}", settings)
        if has_format(inner):
            inner.look()
            return Place(inner, is_shared=True)
    return Place(storage, is_shared=True)


def _find_folder(path: Path) -> Path:
    """Return a folder, or the repository in it where it is a project."""
    inner = path / INNER_FOLDER
    return inner if (inner / FORMAT_NAME).is_file() and not (path / FORMAT_NAME).is_file() else path


def _open_spooled(path: Path, url: str, settings: RepositorySettings) -> SpooledStorage:
    from redun.store.spooled_storage import SpooledStorage

    name = spool_name(url)
    copies = LocalStorage(path / "cache" / "at" / name) if path.is_dir() else None
    return SpooledStorage(open_storage(url, settings=settings.storage), LocalStorage(path / "spool" / name), copies)


def spool_name(url: str) -> str:
    """Return what to call the folders of what lies at a URL: its end for people, a hash for the program."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", url.partition("://")[2]).strip("-.")[-_MAX_READABLE:].lstrip("-.")
    return f"{readable}-{hash_blob(url.encode()).hex()[:12]}"
