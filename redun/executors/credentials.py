"""Finds credentials of AWS on this machine, for jobs that run where there are none."""

from __future__ import annotations

from redun.executors.remote.submitter import SubmitterError


def find_aws_environment() -> dict[str, str]:
    """Return the credentials in force here, as the variables by which every client of AWS finds them.

    They come from where botocore finds them: the environment, the files of AWS's command line, SSO, a role.  The region
    is with them when one is set.

    Raises:
        SubmitterError: there are none, they have expired, or botocore is not installed.
    """
    try:
        import botocore.exceptions
        import botocore.session
    except ImportError as error:
        hint = "pip install 'redun[aws]'"
        raise SubmitterError(
            "looking for credentials of AWS needs botocore, which is not installed", hint=hint
        ) from error
    session = botocore.session.get_session()
    hint = "run `aws configure` or `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    try:
        found = session.get_credentials()
        frozen = found.get_frozen_credentials() if found is not None else None
        region = session.get_config_variable("region")
    except botocore.exceptions.BotoCoreError as error:
        raise SubmitterError(f"cannot get credentials of AWS: {error}", hint=hint) from error
    if frozen is None or not frozen.access_key or not frozen.secret_key:
        raise SubmitterError("expected credentials of AWS on this machine, found none", hint=hint)
    variables = {
        "AWS_ACCESS_KEY_ID": frozen.access_key,
        "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
        "AWS_SESSION_TOKEN": frozen.token,
        "AWS_DEFAULT_REGION": region,
    }
    return {name: str(value) for name, value in variables.items() if value}
