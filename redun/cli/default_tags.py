"""Tags that every execution started from the command line gets: version, commit, origin, user.

The invariant: whatever cannot be told is left out, and a run never fails for its tags.  Only the AWS user costs a
question over the network, once for each access key (``aws_user.py``).  ``$REDUN_GIT_COMMIT``, ``$REDUN_GIT_ORIGIN_URL``
and ``$REDUN_USER`` come before what is found, as in a container that has no checkout.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from redun.cli.aws_user import find_aws_user, name_of
from redun.cli.git_info import Checkout, find_checkout
from redun.tags import DOC_KEY, PROJECT_KEY, USER_KEY, VERSION_KEY, Tag
from redun.version import __version__

CLOUDS = ("aws", "gcp")


def default_tags(
    cwd: Path, environ: Mapping[str, str], cache: Path, *, now: float, excluded: Collection[str] = ()
) -> list[Tag]:
    """Return the tags of an execution that nobody asked for.

    Args:
        cwd: the folder that the workflow is run in.
        environ: the environment.
        cache: the repository's folder for what can be found out again; it may be missing.
        now: seconds since 1970.
        excluded: clouds of ``CLOUDS`` whose user is not to be named.
    """
    commit, origin = environ.get("REDUN_GIT_COMMIT"), environ.get("REDUN_GIT_ORIGIN_URL")
    checkout = Checkout(commit, origin) if commit and origin else find_checkout(cwd)
    arn = None if "aws" in excluded else find_aws_user(environ, cache, now)
    named = {
        VERSION_KEY: __version__,
        "git_commit": commit or checkout.commit,
        "git_origin_url": origin or checkout.origin_url,
        USER_KEY: environ.get("REDUN_USER") or _local_user(),
        "user_aws_arn": arn,
        "user_aws": arn and name_of(arn),
        "user_gcp": None if "gcp" in excluded else find_gcp_user(environ),
    }
    return [(key, value) for key, value in named.items() if value]


def given_tags(*, project: str | None, user: str | None, doc: str | None) -> list[Tag]:
    """Return the tags that have options of their own."""
    named = {PROJECT_KEY: project, USER_KEY: user, DOC_KEY: doc}
    return [(key, value) for key, value in named.items() if value is not None]


def find_gcp_user(environ: Mapping[str, str]) -> str | None:
    """Return the account that gcloud works as, by its own files; None where there is none."""
    key_file = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if key_file:
        import json

        try:
            email = json.loads(Path(key_file).read_text(encoding="utf-8"))["client_email"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return email if isinstance(email, str) else None
    if account := environ.get("CLOUDSDK_CORE_ACCOUNT"):
        return account
    home = environ.get("HOME")
    folder = Path(environ.get("CLOUDSDK_CONFIG") or Path(home or "/nonexistent", ".config", "gcloud"))
    try:
        name = environ.get("CLOUDSDK_ACTIVE_CONFIG_NAME") or (folder / "active_config").read_text().strip()
        return _read_account(folder / "configurations" / f"config_{name}")
    except (OSError, UnicodeDecodeError):
        return None


def _read_account(path: Path) -> str | None:
    from configparser import ConfigParser, Error  # 5 ms, and few have this file

    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except Error:
        return None
    return parser.get("core", "account", fallback=None)


def _local_user() -> str | None:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user that has no name
        return None
