"""Credentials of AWS in files, for clients that do not read these themselves.

The invariant: what cannot be read without asking AWS (a role to assume, single sign-on, a program that gives keys) is
told as such, and left to the client that can.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

from redun.surroundings import AwsSurroundings

_ELSEWHERE = ("role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file")


class KeysElsewhere(Exception):
    """A profile does not have its keys in the files."""


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """What a profile says; None: nothing."""

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    region: str | None = None


def find_keys(surroundings: AwsSurroundings, profile: str | None) -> AwsKeys | None:
    """Return what the files of AWS say, None where the environment says it, or nothing does.

    Args:
        surroundings: what the environment says.
        profile: the one that settings name; it comes before what the environment says.

    Raises:
        KeysElsewhere: only asking AWS would tell, or there is no such profile.
    """
    name = profile or surroundings.profile
    if name is None and surroundings.has_keys:
        return None
    found = {**_read(surroundings.config_file, name, "profile "), **_read(surroundings.credentials_file, name, "")}
    if name is not None and not found:
        raise KeysElsewhere(f"there is no profile {name!r}")
    if any(key in found for key in _ELSEWHERE) and "aws_access_key_id" not in found:
        raise KeysElsewhere(f"profile {name or 'default'!r} has its keys elsewhere")
    if not found:
        return None
    return AwsKeys(
        found.get("aws_access_key_id"),
        found.get("aws_secret_access_key"),
        found.get("aws_session_token"),
        surroundings.region or found.get("region"),
    )


def _read(path: Path, name: str | None, prefix: str) -> dict[str, str]:
    """Return the settings of a profile in one of the two files; only in the first the name has a prefix."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return {}  # whoever reads it for AWS says what is wrong with it
    section = "default" if name in (None, "default") else f"{prefix}{name}"
    return dict(parser[section]) if parser.has_section(section) else {}
