"""What every command is handed: the global options, and the repository they name.

The invariant: which settings a command works with follows from ``-c``, ``$REDUN_CONFIG`` and the working directory, in
that order, and which repository from ``-r`` and these settings, in this one place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from redun import config_dir
from redun.cli import ui
from redun.config_dir import CONFIG_FILE, CONFIG_FOLDER
from redun.errors import ConfigError

if TYPE_CHECKING:
    from redun.settings import RemoteSettings, RepositorySettings
    from redun.store.repository import Repository

DEFAULT_REPO = "default"
"""What ``-r`` says to mean the repository of the settings."""


@dataclass(frozen=True, slots=True)
class Globals:
    """The options that stand before the command's name; a command finds them at ``ctx.obj``."""

    config_dir: str | None = None
    """What ``-c`` said."""
    log_level: str = "INFO"
    is_quiet: bool = False
    setup: Mapping[str, str] = field(default_factory=dict)
    """What ``-s`` said: texts by parameter of the function that makes the scheduler."""
    repo: str | None = None
    """What ``-r`` said."""


class NoConfig(ConfigError):
    """The folder given with ``-c`` holds no redun.ini."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"expected {CONFIG_FILE} in the folder given with -c, found none: {path}",
            hint=f"`redun init` makes {CONFIG_FOLDER}/{CONFIG_FILE}; -c takes the {CONFIG_FOLDER} folder itself",
        )
        self.path = path


def find_config_dir(explicit: str | None, cwd: Path, environ: Mapping[str, str], *, is_init: bool = False) -> Path:
    """Return the ``.redun`` folder to use; it need not exist.

    ``explicit`` (from ``-c``) comes before ``$REDUN_CONFIG``, then the nearest ``.redun`` in ``cwd`` or a folder above
    it, then ``cwd/.redun``.  Relative paths start at ``cwd``.

    Args:
        explicit: what the user gave, None when nothing.
        cwd: the working directory, absolute.
        environ: the environment.
        is_init: the folder is about to be made, so an explicit one need not hold a redun.ini.

    Raises:
        NoConfig: ``explicit`` is given and holds no redun.ini.
    """
    if explicit is not None:
        path = cwd / Path(explicit).expanduser()
        # A remote at a path is a repository without settings.
        if not is_init and not any((path / name).is_file() for name in (CONFIG_FILE, "objects/format")):
            raise NoConfig(path)
        return path
    return config_dir.find_config_dir(cwd, environ)


class RemoteGuarded(ConfigError):
    """A remote from which not everything is taken was named as the repository itself."""

    def __init__(self, name: str, setting: str) -> None:
        super().__init__(
            f"expected a remote that is trusted in full to work in, found [remotes.{name}] {setting}",
            hint=f"`redun pull {name}` and `redun run --remote {name}` take from it what the settings allow",
        )
        self.name = name


def find_place(options: Globals, config_dir: Path, *, is_run: bool = False) -> RepositorySettings | None:
    """Return what ``-r`` says in place of ``[repository]``: a remote of the settings, a path or a URL.

    None when it says nothing, or "default".  ``is_run``: what is there will be used, and not only looked at.

    Raises:
        RemoteUnknown: it is none of these.
        RemoteGuarded: it is a remote that this cannot be done in, as its settings say.
        ConfigError: the settings are malformed.
    """
    if options.repo in (None, DEFAULT_REPO):
        return None
    from redun.config import Config
    from redun.remotes.settings import RemoteUnknown
    from redun.store.location import is_local, locate

    config = Config()
    if (config_dir / CONFIG_FILE).is_file():
        config.read_path(config_dir / CONFIG_FILE)
    repo, remotes = str(options.repo), config.remotes
    if repo in remotes:
        _refuse_guarded(remotes[repo], is_run=is_run)
        config.set_repository(remotes[repo].url, remotes[repo].storage)
        return config.repository
    is_path = repo.startswith((".", "~", "/")) or "/" in repo or Path(repo).is_dir()
    if is_local(repo) and not is_path:
        raise RemoteUnknown(repo, list(remotes))
    config.set_repository(locate(repo, Path.cwd()), config.repository.storage)
    return config.repository


def _refuse_guarded(remote: RemoteSettings, *, is_run: bool) -> None:
    if remote.namespace is not None:
        raise RemoteGuarded(remote.name, f"namespace = {remote.namespace}")
    if is_run and remote.trust != "full":
        raise RemoteGuarded(remote.name, f"trust = {remote.trust}")
    if is_run and remote.require_signatures:
        raise RemoteGuarded(remote.name, f"require_signatures = {' '.join(remote.require_signatures)}")


def at_remote(options: Globals, remote: str | None) -> Globals:
    """Return options for the repository at a remote of the settings; the same ones when none is named."""
    return options if remote is None else replace(options, repo=remote)


def open_repository(options: Globals, *, writable: bool = False) -> Repository:
    """Open the repository that the options, the environment and the working directory name.

    Raises:
        NoConfig, RemoteUnknown: as ``find_config_dir`` and ``find_place`` do.
        ReadOnlyStore: there are settings alone, and no repository can be made beside them.
        StoreError: there is none, or it is of another format.
    """
    from redun.store.repository import Repository

    path = find_config_dir(options.config_dir, Path.cwd(), os.environ)
    place = find_place(options, path)
    if writable and place is None and (path / CONFIG_FILE).is_file() and not (path / "objects").exists():
        # A checkout whose settings are under version control, and nothing else of its repository.
        return Repository.open_or_init(path, on_warning=ui.warn)
    return Repository.open(path, writable=writable, settings=place, on_warning=ui.warn)
