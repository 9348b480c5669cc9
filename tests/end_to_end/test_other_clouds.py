"""Repositories and remotes at Google and at Azure, as users work with them: the command line, counted at the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from redun.testing.faulty_proxy import FaultyProxy


class Cloud(NamedTuple):
    url: str  # of an empty place
    proxy: FaultyProxy
    environment: dict[str, str]


@pytest.fixture
def google(xml_server, xml_bucket: str) -> Iterator[Cloud]:
    with FaultyProxy(xml_server.url) as proxy:
        yield Cloud(f"{xml_bucket}/team/project", proxy, {"STORAGE_EMULATOR_HOST": proxy.url})


@pytest.fixture
def azure(azure_server, azure_container: str) -> Iterator[Cloud]:
    with FaultyProxy(azure_server.url) as proxy:
        yield Cloud(f"{azure_container}/team/project", proxy, dict(azure_server.environment_at(proxy.url)))


@pytest.fixture(params=["google", "azure"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    return request.getfixturevalue(request.param)


@pytest.fixture
def redun(redun_command, cloud: Cloud, flow: str, tmp_path: Path):
    """Run a command in a checkout; return it, and the number of requests that it made."""

    def run(folder: str, *words: str, code: int = 0):
        checkout = tmp_path / folder
        if not checkout.exists():
            (checkout / ".redun").mkdir(parents=True)
            (checkout / ".redun/redun.ini").write_text(f"[remotes.origin]\nurl = {cloud.url}\n")
            (checkout / "flow.py").write_text(flow.replace("n: int = 3", "n: int = 300"))
        cloud.proxy.requests.clear()
        done = redun_command(*words, cwd=checkout, code=code, **cloud.environment)
        return done, len(cloud.proxy.requests)

    return run


def test_a_repository_lies_there(redun, cloud: Cloud, tmp_path: Path) -> None:
    """What one machine ran another has, with its files, in requests that do not grow with the jobs."""
    first, n_first = redun("one", "-r", cloud.url, "run", "flow.py", "main")
    assert first.stderr.count("Run    Job") == 302
    second, n_second = redun("two", "-r", cloud.url, "run", "flow.py", "main")
    assert "Run    Job" not in second.stderr
    assert second.stdout == first.stdout
    assert (tmp_path / "two/big.txt").stat().st_size == 2_000_000
    log, n_log = redun("three", "-r", cloud.url, "log", "--json")
    assert len(json.loads(log.stdout)) == 2
    assert n_first <= 24
    assert max(n_second, n_log) <= 12
    assert redun("three", "-r", cloud.url, "fsck")[0].stdout.endswith("Clean.\n")


def test_it_is_a_remote(redun, cloud: Cloud, tmp_path: Path) -> None:
    """push, pull, status, a second of each, clone and garbage collection; the bounds on requests are those of S3."""
    redun("one", "run", "flow.py", "main")
    counts = {"push": redun("one", "push")[1], "push again": redun("one", "push")[1]}
    counts |= {"pull": redun("two", "pull")[1], "pull again": redun("two", "pull")[1]}
    assert "Run    Job" not in redun("two", "run", "flow.py", "main")[0].stderr
    assert (tmp_path / "two/big.txt").stat().st_size == 2_000_000
    bounds = {"push": 10, "push again": 2, "pull": 8, "pull again": 2}
    assert all(counts[verb] <= bound for verb, bound in bounds.items()), counts
    redun("three", "clone", "--lazy", cloud.url, "copy")
    redun("one", "gc", "--remote", "origin", "--keep-executions", "0", "--grace", "0", "--apply")
    assert "0 executions" in redun("two", "remote", "status")[0].stdout
