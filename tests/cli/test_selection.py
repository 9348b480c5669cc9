"""Which executions `push`, `fetch`, `pull` and `bundle create` are about."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from redun.cli.errors import ExitCode
from redun.cli.main import main
from redun.cli.selection import Selection, parse_when, select_remote
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.objects import EPOCH_US, execution_id, make_execution
from redun.testing.probed import ProbedStorage

NOW = datetime(2026, 5, 2, 12, 0, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, the working directory, with three executions, started a minute apart, and a remote."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    monkeypatch.chdir(folder)
    with Repository.init(folder / ".redun") as repository:
        for seed in range(3):
            make_execution(repository.store, repository.refs, seed=seed)
    assert main(["remote", "add", "origin", "../shared"]) == 0
    return folder


def _redun(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    found = main(list(words))
    printed = capsys.readouterr()
    assert found == code, printed.err
    return printed.out if not code else printed.err


def _count(capsys: pytest.CaptureFixture[str], *words: str) -> int:
    record = json.loads(_redun(capsys, *words, "--dry-run", "--json"))
    assert record["dry_run"]
    count: int = record["executions"]
    return count


def _moment(seed: int, seconds: int = 0) -> str:
    return datetime.fromtimestamp(EPOCH_US / 1e6 + 60 * seed + seconds, tz=timezone.utc).isoformat()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=NOW.tzinfo)),
        ("2026-05-01T08:30", datetime(2026, 5, 1, 8, 30, tzinfo=NOW.tzinfo)),
        ("2026-05-01 08:30:10", datetime(2026, 5, 1, 8, 30, 10, tzinfo=NOW.tzinfo)),
        ("2026-05-01T08:30:00Z", datetime(2026, 5, 1, 8, 30, tzinfo=timezone.utc)),
        ("2026-05-01T08:30:00-05:00", datetime(2026, 5, 1, 13, 30, tzinfo=timezone.utc)),
        ("90m", NOW - timedelta(minutes=90)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
        ("1w", NOW - timedelta(days=7)),
    ],
)
def test_a_moment_is_a_date_a_time_or_an_age(text: str, expected: datetime) -> None:
    """A time without a zone is of this machine's."""
    assert parse_when(text, NOW) == int(expected.timestamp() * 1e6)


@pytest.mark.parametrize("text", ["", "yesterday", "3", "3y", "2026-13-01", "-2h", "2h ago"])
def test_what_is_no_moment_is_told(text: str) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match="such as 2026-05-01 or 3d"):
        parse_when(text, NOW)


def test_push_sends_what_is_chosen(project: Path, capsys) -> None:
    """By time of start, by tag, by both and an id: all of it must hold."""
    assert _count(capsys, "push", "--since", _moment(1)) == 2
    assert _count(capsys, "push", "--since", _moment(1, 1)) == 1
    assert _count(capsys, "push", "--since", "1w") == 0
    _redun(capsys, "tag", "add", execution_id(0), "kind=small")
    _redun(capsys, "tag", "add", execution_id(2), "kind=large")
    assert _count(capsys, "push", "--tag", "project=made") == 3
    assert _count(capsys, "push", "-t", "kind") == 2
    assert _count(capsys, "push", "-t", "kind=large") == 1
    assert _count(capsys, "push", "-t", "kind=large", "-t", "project=other") == 0
    assert _count(capsys, "push", "origin", execution_id(0), "--since", _moment(1)) == 0
    assert _count(capsys, "bundle", "create", "x.bundle", "-t", "kind") == 2
    assert _redun(capsys, "push", "--since", "1w") == "There is no execution that all of this holds for.\n"
    assert "Pushed 1 execution and 1 tag edit" in _redun(capsys, "push", "-t", "kind=large")


def test_fetch_and_pull_take_what_is_chosen(project: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    """By what the remote's own names and tags say, tags that were put later among them."""
    _redun(capsys, "tag", "add", execution_id(2), "kind=large")
    _redun(capsys, "push")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    _redun(capsys, "remote", "add", "origin", "../shared")
    assert _count(capsys, "fetch", "--since", _moment(1)) == 2
    assert _count(capsys, "pull", "-t", "project=made") == 3
    assert _count(capsys, "pull", "-t", "project=made", "-t", "kind") == 1
    assert _count(capsys, "pull", "-t", "kind=small") == 0
    assert _count(capsys, "pull", "origin", execution_id(0)[:6], "-t", "kind") == 0
    assert _count(capsys, "pull", "origin", "-") == 1
    assert "no execution that all" in _redun(capsys, "pull", "-t", "kind=small")
    assert "at remote 'origin'" in _redun(capsys, "pull", "origin", "ffff", code=ExitCode.FAILED)
    assert "Pulled 1 execution and 1 tag edit" in _redun(capsys, "pull", "--tag", "kind=large")
    with Repository.open(tmp_path / "other/.redun") as other:
        assert [name[-36:] for name in other.refs.iter_names()] == [execution_id(2)]


def test_what_cannot_be_read_is_a_mistake_of_the_command_line(project: Path, capsys) -> None:
    """The message says what would do."""
    assert "expected a date" in _redun(capsys, "push", "--since", "soon", code=ExitCode.USAGE)
    assert "--tag" in _redun(capsys, "pull", "--tag", "=x", code=ExitCode.USAGE)


def test_tags_at_a_remote_cost_two_requests_a_pack(project: Path) -> None:
    """The packs themselves are not brought: a directory and a range of each."""
    place = ProbedStorage(MemoryStorage())
    with Repository.open(project / ".redun") as repository:
        push(repository, Remote("origin", place))
        remote = Remote("origin", place)
        listed = remote.look()
        place.forget()
        assert len(select_remote(remote, Selection((), None, (("project", "made"),)), listed.executions) or ()) == 3
    assert [verb for verb, _ in place.calls] == ["list", "read", "read", "read"]  # packs; idx, directory, tags
