"""Alternates: repositories that another one reads, and never writes.  Settings: docs/guide/alternates.md.

The invariant: an alternate that is not there, cannot be read or is of another format is passed over, with one warning
that says why; what only it had counts as missing.  An alternate's own alternates are consulted too, each place once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from redun.config import Config
from redun.config_dir import CONFIG_FILE, CONFIG_FOLDER
from redun.errors import ConfigError, StoreError
from redun.store.beyond import Beyond
from redun.store.format_file import FORMAT_NAME, NotARepository, check_format
from redun.store.local_storage import LocalStorage
from redun.store.objectdb import ObjectDb

_JOURNALS = "objects/journal"
_FILE_SCHEME = "file://"


class GoneAlternate(NamedTuple):
    """An alternate that the settings name and that cannot be used."""

    place: str  # as the settings have it
    why: str


class OpenAlternates(NamedTuple):
    """What the settings of a repository and of its alternates name, in the order in which they are asked."""

    stores: list[ObjectDb]
    gone: list[GoneAlternate]


def attach_alternates(
    store: ObjectDb, folder: Path, config: Config, on_warning: Callable[[str], None] | None = None
) -> None:
    """Let a store read the alternates that its settings name.  Takes and raises what ``open_alternates`` does."""
    opened = open_alternates(folder, config, on_warning or _ignore)
    store.beyond = Beyond(opened.stores, opened.gone)


def open_alternates(folder: Path, config: Config, warn: Callable[[str], None]) -> OpenAlternates:
    """Open the alternates that a repository's settings name, and theirs.

    Args:
        folder: the ``.redun`` folder; a relative path in its settings starts at the folder above it.
        config: its settings.
        warn: told of each alternate that cannot be used, and of what is damaged in the others.

    Raises:
        ConfigError: an alternate is no folder but a URL.
    """
    found = OpenAlternates([], [])
    seen = {_find_root(folder, config)}
    places = [(folder, place) for place in _places(folder, config)]
    for source, place in places:  # grows on the way
        try:
            inner = _find_folder(source.parent, place)
            settings = _load(inner)
            root = _find_root(inner, settings)
            if root in seen:
                continue
            seen.add(root)
            check_format(LocalStorage(root, read_only=True))
            journals = root / _JOURNALS
            store = ObjectDb(
                LocalStorage(root, read_only=True), journals=journals, is_writable=False, on_warning=_told(warn, place)
            )
            places += [(inner, below) for below in _places(inner, settings)]
        except (OSError, StoreError, ConfigError) as error:
            found.gone.append(GoneAlternate(place, str(error)))
            warn(f"the alternate {place} cannot be read, so what only it has is missing: {error}")
            continue
        found.stores.append(store)
    return found


def _places(folder: Path, config: Config) -> Sequence[str]:
    places = config.repository.alternates
    for place in places:
        if "://" in place.removeprefix(_FILE_SCHEME):
            raise ConfigError(
                f"{folder / CONFIG_FILE}: [repository] alternates: expected folders of this machine or of a mounted "
                f"disk, found {place}",
                hint="what is at a URL is had by `redun remote add` and `redun pull`",
            )
    return places


def _find_folder(base: Path, place: str) -> Path:
    """Return the folder that holds an alternate: the one named, or ``.redun`` in it."""
    path = (base / Path(place.removeprefix(_FILE_SCHEME)).expanduser()).resolve()
    for folder in (path, path / CONFIG_FOLDER):
        if (folder / FORMAT_NAME).is_file() or (folder.name == CONFIG_FOLDER and (folder / CONFIG_FILE).is_file()):
            return folder
    raise NotARepository(str(path))


def _load(folder: Path) -> Config:
    config = Config()
    if (folder / CONFIG_FILE).is_file():
        config.read_path(folder / CONFIG_FILE)
    return config


def _find_root(folder: Path, config: Config) -> Path:
    """Return where the objects of a repository are.

    Raises:
        ConfigError: they are at a URL.
    """
    url = config.repository.url
    if url is None:
        return folder.resolve()
    if "://" in url.removeprefix(_FILE_SCHEME):
        raise ConfigError(f"its objects are at {url}, and an alternate is a folder")
    return (folder.parent / Path(url.removeprefix(_FILE_SCHEME)).expanduser()).resolve()


def _ignore(_message: str) -> None:
    """Tell nobody."""


def _told(warn: Callable[[str], None], place: str) -> Callable[[str], None]:
    return lambda message: warn(f"alternate {place}: {message}")
