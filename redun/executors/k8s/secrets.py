"""What jobs find in their environment and nobody else is to read: the entries of a Secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from redun.executors.credentials import AwsEnvironment
from redun.executors.remote.submitter import SubmitterError

DEFAULT_SECRET = "redun-secret"  # noqa: S105 - the name of one


def secret_of(values: Mapping[str, Any]) -> str | None:
    """Return the name of the Secret that pods are given; None when there is none."""
    if values["secret_name"]:
        return str(values["secret_name"])
    return DEFAULT_SECRET if values["import_aws_secrets"] or values["secret_env_vars"] else None


def collect_entries(executor: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Return what the options say is to be put into the Secret, from this process and this machine.

    Where ``import_aws_secrets`` is not said, credentials are put into a Secret that is, if there are any.

    Raises:
        SubmitterError: there are no credentials of AWS, or a variable is not set.
    """
    entries: dict[str, str] = {}
    is_said = values["import_aws_secrets"]
    if is_said or (is_said is None and values["secret_name"]):
        try:
            entries = AwsEnvironment().read()
        except SubmitterError:
            if is_said:
                raise
    for name in values["secret_env_vars"]:
        if name not in os.environ:
            hint = f"set it, or take it out of secret_env_vars in [executors.{executor}]"
            raise SubmitterError(f"executor {executor!r}: variable {name} of secret_env_vars is not set", hint=hint)
        entries[name] = os.environ[name]
    return entries
