"""Remotes as ``redun.ini`` lists them: ``[remotes.NAME]``, with its url and whom it is trusted with what.

The invariant: changing one leaves every other line of the file as it was, comments included, and a reader sees the old
file or the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from redun.config import Config
from redun.errors import RemoteError
from redun.ini import remove_section, set_value
from redun.settings import RemoteSettings
from redun.store.local_storage import LocalStorage
from redun.store.ref_names import check_remote_name, is_remote_name

DEFAULT_REMOTE = "origin"


class RemoteUnknown(RemoteError):
    """No remote of this name is in the settings."""

    def __init__(self, name: str, known: list[str]) -> None:
        others = f"; there are {', '.join(known)}" if known else ""
        hint = f"`redun remote add {name} URL` adds it" if is_remote_name(name) else "`redun remote` lists them"
        super().__init__(f"there is no remote {name!r}{others}", hint=hint)
        self.name = name


class RemoteExists(RemoteError):
    """A remote of this name is in the settings already."""

    def __init__(self, name: str, url: str) -> None:
        super().__init__(
            f"there is a remote {name!r} already: {url}", hint=f"`redun remote set-url {name} URL` changes it"
        )
        self.name = name


def load_remotes(config_path: Path) -> dict[str, RemoteSettings]:
    """Return the remotes that a ``redun.ini`` lists, in its order; none when there is no file.

    Raises:
        ConfigError: the file is malformed.
    """
    config = Config()
    if config_path.is_file():
        config.read_path(config_path)
    return config.remotes


def get_remote(config_path: Path, name: str) -> RemoteSettings:
    """Return one remote.

    Raises:
        RemoteUnknown: there is none of this name.
        ConfigError: the file is malformed.
    """
    remotes = load_remotes(config_path)
    if name not in remotes:
        raise RemoteUnknown(name, list(remotes))
    return remotes[name]


def read_signers(config_path: Path, settings: RemoteSettings) -> frozenset[bytes] | None:
    """Return the public keys of which one must vouch for each ref of a remote; None where nobody needs to.

    Raises:
        BadKey: what the setting names is no key, and no file of keys.
    """
    if not settings.require_signatures:
        return None
    from redun.store.signing import read_public_keys

    config = Config()
    config.read_path(config_path)
    return read_public_keys(
        settings.require_signatures, lambda word: config.find_project_file(str(Path(word).expanduser()))
    )


def add_remote(config_path: Path, name: str, url: str, more: Mapping[str, str] | None = None) -> None:
    """List a new remote; ``more`` are further settings of its section.

    Raises:
        RemoteExists: the name is taken.
        BadRefName: it cannot be a remote's name.
        ConfigError: the file is malformed.
    """
    check_remote_name(name)
    known = load_remotes(config_path)
    if name in known:
        raise RemoteExists(name, known[name].url)
    text = _set(_read(config_path), config_path, name, "url", url)
    for key, value in (more or {}).items():
        text = _set(text, config_path, name, key, value)
    _write(config_path, text)


def set_remote_url(config_path: Path, name: str, url: str) -> None:
    """Give a remote another URL.  Raises as ``get_remote`` does."""
    get_remote(config_path, name)
    _write(config_path, _set(_read(config_path), config_path, name, "url", url))


def remove_remote(config_path: Path, name: str) -> None:
    """List a remote no more.  What was fetched from it stays.  Raises as ``get_remote`` does."""
    get_remote(config_path, name)
    _write(config_path, remove_section(_read(config_path), _section(name), str(config_path)))


def _set(text: str, config_path: Path, name: str, key: str, value: str) -> str:
    # A URL is no template: `${` in it is what the user typed.
    return set_value(text, _section(name), key, value.replace("${", "$${"), str(config_path))


def _section(name: str) -> str:
    return f"remotes.{name}"


def _read(config_path: Path) -> str:
    if not config_path.is_file():
        return ""
    with config_path.open(encoding="utf-8", newline="") as stream:
        return stream.read()


def _write(config_path: Path, text: str) -> None:
    target = config_path.resolve()
    LocalStorage(target.parent).write(target.name, text.encode())
