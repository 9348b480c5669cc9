"""Who a run works as at AWS, for the tags ``user_aws_arn`` and ``user_aws``.

Only AWS itself can tell whose an access key is, and a key never changes hands.  So it is asked once for each key, and
the answer is kept in the repository's cache under a hash of the key's id.  The invariant: a run waits a few seconds for
it at most, once, and fails in no case.  Keys that only botocore can find (those of an instance's role, of SSO) are not
looked for: that would cost every run a start of botocore.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from redun.hashing import hash_blob

CACHE_NAME = "aws_users.json"
RETRY_SECONDS = 3600.0
"""After a failure AWS is not asked again for so long: a machine without a network would wait at each run."""
_TIMEOUT_SECONDS = 2

Ask = Callable[[Mapping[str, str]], str | None]


def find_aws_user(environ: Mapping[str, str], cache: Path, now: float, ask: Ask | None = None) -> str | None:
    """Return the ARN of the user or role whose access key is in use; None when that cannot be told.

    Args:
        environ: the environment.
        cache: the folder where answers are kept; it may be missing.
        now: seconds since 1970.
        ask: asks AWS; None asks it through botocore, when that is installed.
    """
    key = _access_key(environ)
    if key is None:
        return None
    name = hash_blob(key.encode()).hex()[:32]
    answers = _read_answers(cache / CACHE_NAME)
    arn, asked_at = answers.get(name, ("", float("-inf")))
    if not arn and now - asked_at > RETRY_SECONDS:
        arn = (ask or ask_sts)(environ) or ""
        _keep_answers(cache / CACHE_NAME, {**answers, name: (arn, now)})
    return arn or None


def ask_sts(environ: Mapping[str, str]) -> str | None:
    """Ask AWS whose credentials these are; None without botocore, network or permission."""
    try:
        from botocore.config import Config
        from botocore.session import get_session

        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        limits = Config(
            connect_timeout=_TIMEOUT_SECONDS, read_timeout=_TIMEOUT_SECONDS, retries={"total_max_attempts": 1}
        )
        client = get_session().create_client("sts", region_name=region, config=limits)
        return str(client.get_caller_identity()["Arn"])
    except Exception:  # whatever is wrong with credentials, network or botocore is no reason not to run
        return None


def name_of(arn: str) -> str:
    """Return the user's name, or that of a role's session: the last part of an ARN."""
    return arn.rpartition("/")[2].rpartition(":")[2]


def _access_key(environ: Mapping[str, str]) -> str | None:
    if key := environ.get("AWS_ACCESS_KEY_ID"):
        return key
    home = environ.get("HOME", "/nonexistent")
    path = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path(home, ".aws", "credentials"))
    if not path.is_file():
        return None
    from configparser import ConfigParser, Error  # 5 ms, and few have this file

    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, Error):
        return None
    return parser.get(environ.get("AWS_PROFILE") or "default", "aws_access_key_id", fallback=None)


def _read_answers(path: Path) -> dict[str, tuple[str, float]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): (str(arn), float(asked_at)) for name, (arn, asked_at) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _keep_answers(path: Path, answers: Mapping[str, tuple[str, float]]) -> None:
    # A torn file reads as none, so it need not be replaced in one step.
    with suppress(OSError):
        path.write_text(json.dumps(answers), encoding="utf-8")
