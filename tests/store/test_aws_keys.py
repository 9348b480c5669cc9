"""Credentials in files: what they say, and what only AWS could say."""

from __future__ import annotations

import pytest

from redun.store.aws_keys import AwsKeys, KeysElsewhere, find_keys
from redun.store.location import open_storage
from redun.store.obstore_storage import ObstoreStorage
from redun.surroundings import aws_surroundings

CREDENTIALS = """
[default]
aws_access_key_id = A
aws_secret_access_key = B
[team]
aws_access_key_id = C
aws_secret_access_key = D%
aws_session_token = E
"""
CONFIG = """
[default]
region = eu-west-1
[profile team]
region = eu-west-2
[profile assumed]
role_arn = arn:aws:iam::1:role/x
source_profile = team
[profile bare]
output = json
"""


@pytest.fixture
def environ(tmp_path):
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "config").write_text(CONFIG)
    files = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}
    return {name: str(tmp_path / file) for name, file in files.items()}


def keys(environ, profile=None, **more):
    return find_keys(aws_surroundings({**environ, **more}), profile)


def test_the_default_profile_is_read(environ):
    """Without anything else, the files of the user count, the region among them."""
    assert keys(environ) == AwsKeys("A", "B", None, "eu-west-1")


@pytest.mark.parametrize("how", [{"profile": "team"}, {"AWS_PROFILE": "team"}, {"AWS_DEFAULT_PROFILE": "team"}])
def test_a_profile_is_named_by_settings_or_environment(environ, how):
    """Its keys and its region come from two files, in which it is called two names."""
    assert keys(environ, **how) == AwsKeys("C", "D%", "E", "eu-west-2")


def test_settings_come_before_the_environment(environ):
    """A profile of the settings counts more than one, or than keys, of the environment."""
    found = keys(environ, "team", AWS_PROFILE="bare", AWS_ACCESS_KEY_ID="X")
    assert found.access_key_id == "C"


def test_keys_of_the_environment_come_before_files(environ):
    """Then nothing is read, as every client has it."""
    assert keys(environ, AWS_ACCESS_KEY_ID="X") is None


def test_a_region_of_the_environment_counts(environ):
    """It comes before that of the profile."""
    assert keys(environ, "team", AWS_REGION="us-west-1").region == "us-west-1"


@pytest.mark.parametrize("profile", ["assumed", "absent"])
def test_what_only_aws_could_say_is_told(environ, profile):
    """A role is not in the files; nor is what is nowhere."""
    with pytest.raises(KeysElsewhere):
        keys(environ, profile)


def test_a_profile_without_keys_leaves_them_to_the_machine(environ):
    """It may say a region alone."""
    assert keys(environ, "bare") == AwsKeys()


def test_without_files_nothing_is_said(tmp_path):
    """Then the role of the machine is what is left."""
    assert keys({"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "a"), "AWS_CONFIG_FILE": str(tmp_path / "b")}) is None


def test_a_profile_that_must_be_asked_for_goes_to_the_other_client(environ, monkeypatch):
    """botocore knows how to assume a role; obstore does not."""
    for name, value in {**environ, "AWS_PROFILE": "assumed"}.items():
        monkeypatch.setenv(name, value)
    assert not isinstance(open_storage("s3://bucket/x"), ObstoreStorage)
    monkeypatch.setenv("AWS_PROFILE", "team")
    assert isinstance(open_storage("s3://bucket/x"), ObstoreStorage)
