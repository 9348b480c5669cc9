"""A repository in a bucket whose server refuses, is down, or goes down in a run: nothing is lost, and it is told."""

from __future__ import annotations

import json
import os

import pytest

from redun.testing.faulty_proxy import EVER_AFTER, Fault, FaultyProxy

WORKFLOW = """
import os
from redun import File, task

redun_namespace = "shop"

@task()
def double(x: int) -> int:
    with open(os.environ["RUNS"], "a") as stream:
        stream.write(f"double {x}\\n")
    return 2 * x

@task()
def write(size: int) -> File:
    file = File("big.txt")
    file.write("x" * size)
    return file

@task()
def main(n: int = 3):
    return [[double(x) for x in range(n)], write(2_000_000)]
"""


class Shop:
    """A project whose repository is in a bucket behind a proxy."""

    def __init__(self, folder, redun_command, url, proxy, environment):
        self.folder, self.url, self.proxy = folder, url, proxy
        self.runs = folder / "runs"
        self._redun = redun_command
        self._environment = {**environment, "AWS_ENDPOINT_URL": proxy.url, "AWS_MAX_ATTEMPTS": "2"}
        (folder / ".redun").mkdir(parents=True)
        self.settings(f"url = {url}")
        (folder / "shop.py").write_text(WORKFLOW)

    def elsewhere(self):
        """Return the project on another machine."""
        return Shop(self.folder.with_name("elsewhere"), self._redun, self.url, self.proxy, self._environment)

    def settings(self, text):
        (self.folder / ".redun/redun.ini").write_text(f"[repository]\n{text}\n")

    def redun(self, *words, code=0, **environment):
        given = {**self._environment, "RUNS": str(self.runs), **environment}
        return self._redun(*words, cwd=self.folder, code=code, **given)

    def statuses(self):
        return [one["status"] for one in json.loads(self.redun("log", "--json").stdout)]

    def requests(self, *words):
        """Return the methods of the requests to the bucket that a command makes."""
        before = len(self.proxy.requests)
        self.redun(*words)
        bucket = self.url.removeprefix("s3://").partition("/")[0]
        return [method for method, target in self.proxy.requests[before:] if target.startswith(f"/{bucket}")]

    @property
    def n_runs(self):
        return len(self.runs.read_text().splitlines()) if self.runs.exists() else 0


@pytest.fixture
def shop(tmp_path, s3_bucket, s3_server, redun_command):
    found = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    with FaultyProxy(s3_server.url) as proxy:
        yield Shop(tmp_path / "shop", redun_command, f"{s3_bucket}/team", proxy, found)


def test_what_commands_cost_in_requests(shop):
    """A run, one that finds all in the cache, log, and the same from another machine: counted at the server."""
    shop.redun("init")
    cold = shop.requests("run", "shop.py", "main")
    # format, packs, refs, contents; the ref of a running run, the content, the pack, its idx, the ref of one that ended
    assert sorted(cold) == ["GET"] * 4 + ["PUT"] * 5
    warm = shop.requests("run", "shop.py", "main")
    # format, packs, refs, the ref that came since
    assert sorted(warm) == ["GET"] * 4 + ["PUT"] * 4
    assert sorted(shop.requests("run", "shop.py", "main", "--n", "40")) == sorted(warm)
    assert shop.requests("log") == ["GET"] * 4
    assert shop.requests("log") == ["GET"] * 3
    other = shop.elsewhere()
    # each pack and its idx, and each ref; the content, which a file is restored from
    assert sorted(other.requests("run", "shop.py", "main")) == sorted([*warm, *["GET"] * 8])
    assert other.n_runs == 0
    assert shop.n_runs == 40


def test_a_server_that_goes_down_during_a_run(shop):
    """The run ends with its result and a warning; the next command that writes sends what it did."""
    shop.redun("run", "shop.py", "main", "--n", "1")
    shop.proxy.inject(Fault.RESET, "PUT", "objects/", times=EVER_AFTER)
    done = shop.redun("run", "shop.py", "main")
    assert "[0, 2, 4]" in done.stdout
    assert f"cannot reach the repository at {shop.url}" in done.stderr
    assert "the next redun command" in done.stderr
    assert shop.n_runs == 3
    shop.proxy.calm()
    assert shop.statuses() == ["RUNNING", "DONE"] or shop.statuses() == ["INTERRUPTED", "DONE"]
    assert "[0, 2, 4]" in shop.redun("run", "shop.py", "main").stdout
    assert shop.n_runs == 3
    assert shop.statuses() == ["DONE", "DONE", "DONE"]
    assert "Clean." in shop.redun("fsck").stdout


def test_a_server_that_loses_the_last_word(shop):
    """All but the ref got through: the next command that writes makes it say that the run is done."""
    shop.redun("init")
    shop.proxy.inject(Fault.RESET, "PUT", "refs/", skip=1, times=EVER_AFTER)
    assert "cannot reach" in shop.redun("run", "shop.py", "main").stderr
    shop.proxy.calm()
    assert "Clean." in shop.redun("fsck", "--repair").stdout
    assert shop.statuses() == ["DONE"]
    shop.redun("run", "shop.py", "double", "--x", "0")
    assert shop.n_runs == 3


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.FORBIDDEN])
def test_a_server_that_is_down_or_refuses_at_once(shop, fault):
    """Nothing runs, and the message names the place."""
    shop.proxy.inject(fault, times=EVER_AFTER)
    for words in (("run", "shop.py", "main"), ("log",)):
        assert f"cannot reach the repository at {shop.url}" in shop.redun(*words, code=1).stderr
    assert shop.n_runs == 0


def test_who_may_only_read_is_told_so(shop):
    """Reading works; a run says what it needs, and with read_only uses the results and records nothing."""
    shop.redun("run", "shop.py", "main")
    shop.proxy.inject(Fault.FORBIDDEN, "PUT", times=EVER_AFTER)
    assert shop.statuses() == ["DONE"]
    failed = shop.redun("run", "shop.py", "main", code=1)
    assert f"{shop.url} cannot be written" in failed.stderr
    assert "read_only" in failed.stderr
    shop.settings(f"url = {shop.url}\nread_only = yes")
    done = shop.redun("run", "shop.py", "main")
    assert "[0, 2, 4]" in done.stdout
    assert "nothing of this run is recorded" in done.stderr
    assert shop.n_runs == 3
    assert shop.statuses() == ["DONE"]


def test_a_damaged_pack_in_the_bucket_is_told_and_not_used(shop, s3_bucket):
    """fsck looks at the bucket, not at the copies here; a run elsewhere runs again what it cannot read."""
    import s3fs

    shop.redun("run", "shop.py", "main")
    files = s3fs.S3FileSystem()
    (pack,) = (path for path in files.find(shop.url) if path.endswith(".pack"))
    whole = files.cat_file(pack)
    files.pipe_file(pack, whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    assert "pack" in shop.redun("fsck", code=1).stdout
    shop.redun("run", "shop.py", "main")
    files.pipe_file(pack, whole)
    assert "Clean." in shop.redun("fsck").stdout


def test_commands_that_write_look_once(shop):
    """A tag and a push from a repository at a URL cost what they write beside the three requests to look."""
    shop.redun("run", "shop.py", "main")
    shop.redun("log")
    # the tag's pack and idx, and the ref of the edit
    assert shop.requests("tag", "add", "-", "good=true") == ["GET"] * 3 + ["PUT"] * 3
    shop.redun("remote", "add", "disk", "../disk")
    assert shop.requests("push", "disk").count("PUT") == 0
