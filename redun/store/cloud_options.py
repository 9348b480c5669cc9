"""How clients of clouds are made: what settings and surroundings say, in the words of obstore and of fsspec.

The invariant: both clients of one URL reach the same place in the same name, and a setting that the place has no use
for is refused.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from redun.settings import StorageSettings
from redun.store.location import AZURE_SCHEMES, GOOGLE_SCHEMES, S3_SCHEMES, UnsupportedUrl
from redun.surroundings import azure_surroundings, google_surroundings

if TYPE_CHECKING:
    from redun.store.aws_keys import AwsKeys

_KEYS = {
    **dict.fromkeys(S3_SCHEMES, frozenset({"endpoint", "region", "profile", "anonymous", "requester_pays"})),
    **dict.fromkeys(GOOGLE_SCHEMES, frozenset({"endpoint", "anonymous"})),
    **dict.fromkeys(AZURE_SCHEMES, frozenset({"endpoint", "anonymous", "account"})),
}
_EXTRAS = {
    **dict.fromkeys(S3_SCHEMES, "fast]` or `redun[s3"),
    **dict.fromkeys(GOOGLE_SCHEMES, "fast]` or `redun[gs"),
    **dict.fromkeys(AZURE_SCHEMES, "fast]` or `redun[az"),
    "http": "http",
    "https": "http",
    "sftp": "ssh",
    "ssh": "ssh",
}

WRONG_CLOCK = "RequestTimeTooSkewed"
"""How S3 refuses somebody whose clock is off by a quarter of an hour: nothing that rights would change."""


def check_settings(url: str, settings: StorageSettings) -> None:
    """Raise UnsupportedUrl when settings say what means nothing for a URL."""
    scheme = url.partition("://")[0]
    given = [field.name for field in fields(settings) if getattr(settings, field.name) not in (None, False)]
    odd = sorted(set(given) - _KEYS.get(scheme, frozenset()))
    if odd:
        known = f"it has {', '.join(sorted(_KEYS[scheme]))}" if scheme in _KEYS else "it has none"
        raise UnsupportedUrl(url, f"{scheme}:// has no setting {', '.join(odd)}", f"{known}: remove the others")


def install_hint(scheme: str) -> str:
    """Return what to install to reach URLs of a scheme."""
    return f"`pip install redun[{_EXTRAS[scheme]}]`" if scheme in _EXTRAS else "install the package that it names"


def s3_config(settings: StorageSettings, keys: AwsKeys | None) -> dict[str, Any]:
    """Return what obstore's ``S3Store`` takes; what the environment says it reads by itself."""
    config: dict[str, Any] = {
        "endpoint": settings.endpoint,
        "region": settings.region or (None if keys is None else keys.region),
        "skip_signature": settings.anonymous or None,
        "request_payer": settings.requester_pays or None,
    }
    if keys is not None and keys.access_key_id is not None and not settings.anonymous:
        config |= {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
        config["session_token"] = keys.session_token
    return _only_said(config)


def google_config(settings: StorageSettings) -> dict[str, Any]:
    """Return what obstore's ``GCSStore`` takes; credentials it finds by itself, as Google's own tools do."""
    server, is_unsigned = _find_google(settings)
    config: dict[str, Any] = {"base_url": server, "skip_signature": is_unsigned or None}
    if server is not None and is_unsigned:
        # Without signatures it reads; only with these words in the place of a key it writes without asking for a token.
        words = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
        config["service_account_key"] = json.dumps({**words, "gcs_base_url": server, "disable_oauth": True})
    return _only_said(config)


def azure_config(url: str, container: str, settings: StorageSettings) -> tuple[str, dict[str, Any]]:
    """Return the container's name, and what obstore's ``AzureStore`` takes beside it.

    Args:
        url: for the message.
        container: as the URL has it: ``NAME``, or ``NAME@ACCOUNT.dfs.core.windows.net``.
        settings: what the settings say.

    Raises:
        UnsupportedUrl: nothing names the account that the container is in.
    """
    name, _, host = container.partition("@")
    around = azure_surroundings()
    account = host.partition(".")[0] or settings.account or around.account
    if account is None:
        hint = "`account = NAME` in the settings, or AZURE_STORAGE_ACCOUNT_NAME in the environment"
        raise UnsupportedUrl(url, "nothing names the storage account that the container is in", hint)
    config: dict[str, Any] = {"account_name": account, "endpoint": settings.endpoint or around.endpoint}
    if settings.anonymous:
        config["skip_signature"] = True
    elif around.key is not None:
        config["account_key"] = around.key
    elif around.sas_token is not None:
        config["sas_key"] = around.sas_token
    return name, _only_said(config)


def fsspec_options(url: str, settings: StorageSettings) -> dict[str, Any]:
    """Return what fsspec's file system of a URL takes; raises as ``azure_config`` does."""
    scheme = url.partition("://")[0]
    if scheme in GOOGLE_SCHEMES:
        server, is_unsigned = _find_google(settings)
        return _only_said({"endpoint_url": server, "token": "anon" if is_unsigned else None})
    if scheme in AZURE_SCHEMES:
        return _fsspec_azure(url, settings)
    return {}


def _find_google(settings: StorageSettings) -> tuple[str | None, bool]:
    """Return the URL of a server other than Google's, and whether requests go unsigned."""
    if settings.endpoint is not None:
        return settings.endpoint, settings.anonymous
    emulator = google_surroundings().emulator
    return emulator, settings.anonymous or emulator is not None


def _fsspec_azure(url: str, settings: StorageSettings) -> dict[str, Any]:
    config = azure_config(url, url.partition("://")[2].partition("/")[0], settings)[1]
    options: dict[str, Any] = {"account_name": config["account_name"], "anon": settings.anonymous}
    if "endpoint" in config:
        # adlfs takes another place by this text alone.
        words = {"BlobEndpoint": "endpoint", "AccountName": "account_name", "AccountKey": "account_key"}
        words["SharedAccessSignature"] = "sas_key"
        said = [f"{word}={config[key]}" for word, key in words.items() if key in config]
        return {**options, "connection_string": ";".join(said)}
    return options | _only_said({"account_key": config.get("account_key"), "sas_token": config.get("sas_key")})


def _only_said(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}
