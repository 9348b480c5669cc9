"""Finds credentials of AWS on this machine, for jobs that run where there are none."""

from __future__ import annotations

from typing import Any

from redun.executors.remote.submitter import SubmitterError

_HINT = "run `aws configure` or `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


class AwsEnvironment:
    """The credentials in force here, as the variables by which every client of AWS finds them.

    They come from where botocore finds them: the environment, the files of AWS's command line, SSO, a role.  The region
    is with them when one is set.  Those that expire are renewed by whoever gave them.
    """

    def __init__(self) -> None:
        self._session: Any = None

    def read(self) -> dict[str, str]:
        """Return the variables, with credentials that are valid now.

        Raises:
            SubmitterError: there are none, they have expired, or botocore is not installed.
        """
        try:
            import botocore.exceptions
            import botocore.session
        except ImportError as error:
            why = "looking for credentials of AWS needs botocore, which is not installed"
            raise SubmitterError(why, hint="pip install 'redun[aws]'") from error
        if self._session is None:
            self._session = botocore.session.get_session()
        try:
            found = self._session.get_credentials()
            frozen = found.get_frozen_credentials() if found is not None else None
            region = self._session.get_config_variable("region")
        except botocore.exceptions.BotoCoreError as error:
            raise SubmitterError(f"cannot get credentials of AWS: {error}", hint=_HINT) from error
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise SubmitterError("expected credentials of AWS on this machine, found none", hint=_HINT)
        variables = {
            "AWS_ACCESS_KEY_ID": frozen.access_key,
            "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
            "AWS_SESSION_TOKEN": frozen.token,
            "AWS_DEFAULT_REGION": region,
        }
        return {name: str(value) for name, value in variables.items() if value}
