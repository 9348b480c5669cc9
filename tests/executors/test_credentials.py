"""Credentials of AWS as jobs get them."""

from __future__ import annotations

import sys

import pytest

from redun.executors.credentials import AwsEnvironment
from redun.executors.remote.submitter import SubmitterError


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch, tmp_path):
    """Hide those of this machine."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_those_of_the_environment_are_found(monkeypatch):
    """With the region, and a session's token if there is one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    assert AwsEnvironment().read() == {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hidden"}
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert {"AWS_SESSION_TOKEN": "token", "AWS_DEFAULT_REGION": "eu-west-1"}.items() <= AwsEnvironment().read().items()


def test_those_of_a_profile_are_found(monkeypatch, tmp_path):
    """In the file of AWS's command line."""
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text("[lab]\naws_access_key_id=k\naws_secret_access_key=s\n")
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert AwsEnvironment().read() == {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}


def test_none_are_told_with_what_to_do():
    """A profile that is not there is told too."""
    with pytest.raises(SubmitterError, match="expected credentials of AWS on this machine, found none") as got:
        AwsEnvironment().read()
    assert "aws configure" in got.value.hint


def test_a_profile_that_is_missing_is_named(monkeypatch):
    """In botocore's words."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SubmitterError, match=r"cannot get credentials of AWS: .*nobody"):
        AwsEnvironment().read()


def test_without_botocore_it_is_told_what_to_install(monkeypatch):
    """Nothing else needs it."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(SubmitterError, match="needs botocore") as got:
        AwsEnvironment().read()
    assert got.value.hint == "pip install 'redun[aws]'"
