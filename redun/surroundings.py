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


@dataclass(frozen=True, slots=True)
class GoogleSurroundings:
    """What the environment says to every client of Google's storage, beside where its credentials are."""

    emulator: str | None  # URL of a server that stands in for Google's, and takes unsigned requests


def google_surroundings(environ: Mapping[str, str] | None = None) -> GoogleSurroundings:
    """Return what the environment says to clients of Google's storage; of the process when None."""
    environ = os.environ if environ is None else environ
    emulator = environ.get("STORAGE_EMULATOR_HOST") or None
    return GoogleSurroundings(emulator if emulator is None or "://" in emulator else f"http://{emulator}")


@dataclass(frozen=True, slots=True)
class AzureSurroundings:
    """What the environment says to every client of Azure's storage, and to its command line tool."""

    account: str | None
    key: str | None
    sas_token: str | None
    endpoint: str | None  # URL of the service for blobs, where it is not the account's own


def azure_surroundings(environ: Mapping[str, str] | None = None) -> AzureSurroundings:
    """Return what the environment says to clients of Azure's storage; of the process when None."""
    environ = os.environ if environ is None else environ
    connection = environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
    said = {word: value for word, _, value in (part.partition("=") for part in connection.split(";"))}

    def find(word: str, *names: str) -> str | None:
        return said.get(word) or next((environ[name] for name in names if environ.get(name)), None)

    account = find("AccountName", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
    endpoint = find("BlobEndpoint", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    if account is None and endpoint is not None:
        # What the portal gives with a token names the account in the host alone.
        name, _, rest = endpoint.partition("://")[2].partition(".")
        account = name if rest.startswith("blob.") else None
    if endpoint is None and account and "EndpointSuffix" in said:
        endpoint = f"{said.get('DefaultEndpointsProtocol', 'https')}://{account}.blob.{said['EndpointSuffix']}"
    return AzureSurroundings(
        account,
        find("AccountKey", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY"),
        find("SharedAccessSignature", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"),
        None if endpoint is None else endpoint.rstrip("/"),
    )
