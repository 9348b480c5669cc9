"""What the environment says to the clients of clouds.

The invariant: the names are those that the clouds' own tools read, so whoever can use these can use a bucket here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class AwsSurroundings:
    """What the environment says to every client of AWS."""

    has_keys: bool
    profile: str | None
    region: str | None
    config_file: Path
    credentials_file: Path
    max_attempts: int | None


def aws_surroundings(environ: Mapping[str, str] | None = None) -> AwsSurroundings:
    """Return what the environment says to clients of AWS; of the process when None."""
    environ = os.environ if environ is None else environ
    home = Path.home() / ".aws"
    return AwsSurroundings(
        "AWS_ACCESS_KEY_ID" in environ,
        environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE"),
        environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
        Path(environ.get("AWS_CONFIG_FILE") or home / "config").expanduser(),
        Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials").expanduser(),
        int(attempts) if (attempts := environ.get("AWS_MAX_ATTEMPTS", "")).isdecimal() and int(attempts) else None,
    )
