"""Who a run works as at AWS."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from redun.cli.aws_user import CACHE_NAME, RETRY_SECONDS, ask_sts, find_aws_user, name_of

ARN = "arn:aws:sts::123456789012:assumed-role/Team/ada"
ANSWER = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>{ARN}</Arn><UserId>X</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


class Asked:
    """Answers in place of AWS, and counts."""

    def __init__(self, answer):
        self.answer = answer
        self.count = 0

    def __call__(self, _environ):
        self.count += 1
        return self.answer


def test_each_key_is_asked_for_once(tmp_path):
    """Its id is not in the cache; another key is asked for on its own."""
    ask = Asked(ARN)
    environ = {"AWS_ACCESS_KEY_ID": "AKIASECRET"}
    assert [find_aws_user(environ, tmp_path, now, ask) for now in (0.0, 1e9)] == [ARN, ARN]
    assert ask.count == 1
    assert "AKIASECRET" not in (tmp_path / CACHE_NAME).read_text()
    find_aws_user({"AWS_ACCESS_KEY_ID": "OTHER"}, tmp_path, 0.0, ask)
    assert ask.count == 2


def test_a_failure_is_not_tried_again_at_once(tmp_path):
    """A machine without a network waits once an hour at most."""
    ask = Asked(None)
    environ = {"AWS_ACCESS_KEY_ID": "AKIA1"}
    for now in (0.0, RETRY_SECONDS, RETRY_SECONDS + 1):
        assert find_aws_user(environ, tmp_path, now, ask) is None
    assert ask.count == 2


def test_without_a_key_nobody_is_asked(tmp_path):
    """Nor with a file of credentials that has none for the profile."""
    ask = Asked(ARN)
    file = tmp_path / ".aws" / "credentials"
    environ = {"HOME": str(tmp_path)}
    assert find_aws_user(environ, tmp_path, 0.0, ask) is None
    file.parent.mkdir()
    file.write_text("no ini")
    assert find_aws_user(environ, tmp_path, 0.0, ask) is None
    file.write_text("[work]\naws_access_key_id = AKIA1\n")
    assert find_aws_user(environ, tmp_path, 0.0, ask) is None
    assert ask.count == 0
    assert find_aws_user({**environ, "AWS_PROFILE": "work"}, tmp_path, 0.0, ask) == ARN


@pytest.mark.parametrize("cache", ["missing", "torn"])
def test_a_cache_that_cannot_be_used_costs_a_question(tmp_path, cache):
    """A repository that is not made yet, a file cut short."""
    folder = tmp_path / cache
    if cache == "torn":
        folder.mkdir()
        (folder / CACHE_NAME).write_text('{"a": [')
    assert find_aws_user({"AWS_ACCESS_KEY_ID": "AKIA1"}, folder, 0.0, Asked(ARN)) == ARN


@pytest.mark.parametrize(
    ("arn", "name"), [(ARN, "ada"), ("arn:aws:iam::1:user/eve", "eve"), ("arn:aws:iam::1:root", "root")]
)
def test_the_name_is_the_last_part(arn, name):
    """Of users, of sessions of roles, and of the account itself."""
    assert name_of(arn) == name


class Sts(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if "AKIA1" in self.headers["Authorization"] else 403)
        self.end_headers()
        self.wfile.write(ANSWER.encode())

    def log_message(self, *_):
        pass


def test_aws_is_asked_through_botocore(monkeypatch):
    """A server of its protocol answers; a key that it refuses, or no server, is no answer."""
    server = HTTPServer(("127.0.0.1", 0), Sts)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA1")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        assert ask_sts({}) == ARN
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA2")
        assert ask_sts({}) is None
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert ask_sts({}) is None
