"""Alternates: repositories that another one reads, and never writes.  Settings: docs/guide/alternates.md.

The invariant: an alternate that is not there, cannot be read or is of another format is passed over, with one warning
that says why; what only it had counts as missing.  An alternate's own alternates are consulted too, each place once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from redun.config import Config
from redun.config_dir import CONFIG_FILE, CONFIG_FOLDER
from redun.errors import RedunError
from redun.store.base import ObjectStore
from redun.store.beyond import Beyond
from redun.store.format_file import FORMAT_NAME, NotARepository, check_format
from redun.store.local_storage import LocalStorage
from redun.store.location import is_local, locate
from redun.store.memory import MemoryStore
from redun.store.objectdb import ObjectDb
from redun.store.overlay import OverlayStore
from redun.store.place import Place, find_place


class GoneAlternate(NamedTuple):
    """An alternate that the settings name and that cannot be used."""

    place: str  # as the settings have it
    why: str


def attach_alternates(
    store: ObjectDb, folder: Path, config: Config, on_warning: Callable[[str], None] | None = None
) -> None:
    """Let a store read the alternates that its settings name, and theirs.

    Args:
        store: what reads them.
        folder: the ``.redun`` folder; a relative path in its settings starts at the folder above it.
        config: its settings.
        on_warning: told of each alternate that cannot be used, and of what is damaged in the others.
    """
    store.beyond = _open(folder, config, on_warning or _ignore)


def read_alternates(folder: Path, config: Config, on_warning: Callable[[str], None]) -> ObjectStore | None:
    """Return a store that reads the alternates of settings beside which no repository can be made.

    What is put stays in memory.  None when the settings name no alternate.
    """
    if not config.repository.alternates:
        return None
    store = ObjectDb(LocalStorage(folder, read_only=True), journals=None)
    attach_alternates(store, folder, config, on_warning)
    return OverlayStore(MemoryStore(), store)


def _open(folder: Path, config: Config, warn: Callable[[str], None]) -> Beyond:
    opened: list[ObjectDb] = []
    gone: list[GoneAlternate] = []
    seen = {_own_location(folder, config)}
    queue = [(folder, config, place) for place in config.repository.alternates]
    for source, settings, place in queue:  # grows on the way
        try:
            inner, inner_settings, tree = _find(folder, source, settings, place)
            if tree.storage.location in seen:
                continue
            seen.add(tree.storage.location)
            check_format(tree.storage)
            tree.storage.is_read_only = True
            journals = None if tree.is_shared else tree.journals
            store = ObjectDb(tree.storage, journals=journals, is_writable=False, on_warning=_told(warn, place))
        except (OSError, RedunError) as error:
            gone.append(GoneAlternate(place, str(error)))
            warn(f"the alternate {place} cannot be read, so what only it has is missing: {error}")
            continue
        opened.append(store)
        queue += [(inner, inner_settings, below) for below in inner_settings.repository.alternates]
    return Beyond(opened, gone)


def _find(folder: Path, source: Path, settings: Config, place: str) -> tuple[Path, Config, Place]:
    """Return the folder of an alternate's settings, these settings, and where its objects are.

    Args:
        folder: the ``.redun`` folder of the repository that reads it: it keeps copies of what is known of a URL.
        source: the ``.redun`` folder whose settings name the alternate; a relative path starts above it.
        settings: those settings: they also say how to reach a URL.
        place: as they name it.
    """
    if not is_local(place):
        return source, Config(), find_place(folder, replace(settings.repository, url=place))
    path = Path(locate(place, source.parent))
    inner = next((one for one in (path, path / CONFIG_FOLDER) if _is_repository(one)), None)
    if inner is None:
        raise NotARepository(str(path))
    inner_settings = Config()
    if (inner / CONFIG_FILE).is_file():
        inner_settings.read_path(inner / CONFIG_FILE)
    return inner, inner_settings, find_place(inner, inner_settings.repository)


def _is_repository(folder: Path) -> bool:
    """Tell whether a folder holds a repository, or the settings of one that lies elsewhere."""
    return (folder / FORMAT_NAME).is_file() or (folder.name == CONFIG_FOLDER and (folder / CONFIG_FILE).is_file())


def _own_location(folder: Path, config: Config) -> str:
    url = config.repository.url
    return str(folder.resolve()) if url is None else locate(url, folder.parent)


def _ignore(_message: str) -> None:
    """Tell nobody."""


def _told(warn: Callable[[str], None], place: str) -> Callable[[str], None]:
    return lambda message: warn(f"alternate {place}: {message}")
