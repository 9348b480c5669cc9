"""Opening remotes: by the name that a repository's settings give one, or by its URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from redun.remotes.gate import Gate
from redun.remotes.namespaces import NamespaceStorage
from redun.remotes.remote import Remote
from redun.remotes.settings import get_remote, read_signers
from redun.remotes.urls import inner_url
from redun.settings import StorageSettings
from redun.store.local_storage import LocalStorage
from redun.store.location import open_storage

if TYPE_CHECKING:
    from redun.store.repository import Repository


def connect(repository: Repository, name: str) -> Remote:
    """Return the remote that a repository's settings call ``name``.

    Raises:
        RemoteUnknown: the settings list none of this name.
        UnsupportedUrl: nothing here can reach its URL.
        ConfigError: the settings are malformed.
    """
    settings = get_remote(repository.config_path, name)
    base, cache_path = repository.path.parent, repository.cache_path
    remote = open_remote(
        settings.name, settings.url, base, cache_path, settings=settings.storage, namespace=settings.namespace
    )
    remote.is_data_only = settings.trust == "data"
    remote.gate = Gate(read_signers(repository.config_path, settings))
    return remote


def open_remote(
    name: str,
    url: str,
    base: Path,
    cache_path: Path | None,
    *,
    settings: StorageSettings | None = None,
    namespace: str | None = None,
) -> Remote:
    """Return the remote at a URL.

    Args:
        name: what to call it.
        url: a path (a relative one starts at ``base``) or a URL.
        base: the project directory.
        cache_path: the repository's cache; None keeps nothing.
        settings: how to reach a URL; None takes what the environment says.
        namespace: where to write there, apart from what others read.

    Raises:
        UnsupportedUrl: nothing here can reach the URL.
        BadNamespace: the namespace cannot be one.
    """
    cache = None if cache_path is None else LocalStorage(cache_path / "remotes" / name)
    storage, project = (open_storage(place, base, settings) for place in (url, inner_url(url)))
    if namespace is not None:
        storage, project = (NamespaceStorage(tree, namespace) for tree in (storage, project))
    return Remote(name, storage, cache, project=project)
