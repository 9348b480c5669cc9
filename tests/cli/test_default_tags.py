"""Tags that every execution gets."""

from __future__ import annotations

import json

from redun.cli.aws_user import find_aws_user
from redun.cli.default_tags import default_tags, find_gcp_user, given_tags
from redun.version import __version__

BARE = {"HOME": "/nonexistent", "REDUN_USER": "ada"}


def tags_of(folder, environ, **options):
    """Return the tags of a run in a folder."""
    return default_tags(folder, environ, folder, now=0.0, **options)


def test_what_cannot_be_told_is_left_out(tmp_path):
    """Version and user are always there."""
    assert tags_of(tmp_path, BARE) == [("redun.version", __version__), ("user", "ada")]
    tags = dict(tags_of(tmp_path, {"HOME": "/nonexistent"}))
    assert set(tags) == {"redun.version", "user"}


def test_the_environment_comes_before_what_is_found(tmp_path):
    """As in a container without a checkout."""
    environ = {**BARE, "REDUN_GIT_COMMIT": "abc", "REDUN_GIT_ORIGIN_URL": "https://host/x"}
    tags = dict(tags_of(tmp_path, environ))
    assert (tags["git_commit"], tags["git_origin_url"]) == ("abc", "https://host/x")


def test_options_of_their_own_make_tags():
    """Those that are not given make none."""
    assert given_tags(project="p", user=None, doc="why not") == [("project", "p"), ("doc", "why not")]


def test_the_user_at_aws_is_told_as_its_key_was_asked_for(tmp_path):
    """By the answer that is kept for the key; --exclude-user leaves it out."""
    environ = {**BARE, "AWS_ACCESS_KEY_ID": "AKIA1"}
    find_aws_user(environ, tmp_path, 0.0, lambda _: "arn:aws:iam::123456789012:user/team/ada")
    tags = dict(tags_of(tmp_path, environ))
    assert tags["user_aws_arn"] == "arn:aws:iam::123456789012:user/team/ada"
    assert tags["user_aws"] == "ada"
    assert not {"user_aws_arn", "user_aws"} & set(dict(tags_of(tmp_path, environ, excluded=["aws"])))


def test_the_account_of_gcloud_is_read_from_its_files(tmp_path):
    """A key file comes first, then what the environment says, then the active configuration."""
    folder = tmp_path / ".config" / "gcloud"
    (folder / "configurations").mkdir(parents=True)
    environ = {**BARE, "HOME": str(tmp_path)}
    assert find_gcp_user(environ) is None
    (folder / "active_config").write_text("work\n")
    (folder / "configurations" / "config_work").write_text("[core]\naccount = ada@host\n")
    assert find_gcp_user(environ) == "ada@host"
    assert ("user_gcp", "ada@host") in tags_of(tmp_path, environ)
    assert "user_gcp" not in dict(tags_of(tmp_path, environ, excluded=["gcp"]))
    assert find_gcp_user({**environ, "CLOUDSDK_CORE_ACCOUNT": "other@host"}) == "other@host"
    key = tmp_path / "key.json"
    key.write_text(json.dumps({"client_email": "robot@host"}))
    assert find_gcp_user({**environ, "GOOGLE_APPLICATION_CREDENTIALS": str(key)}) == "robot@host"
    key.write_text("{")
    assert find_gcp_user({**environ, "GOOGLE_APPLICATION_CREDENTIALS": str(key)}) is None
    (folder / "configurations" / "config_work").write_text("no ini")
    assert find_gcp_user(environ) is None
