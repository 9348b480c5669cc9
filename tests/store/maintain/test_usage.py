"""How much room is taken: what the files say, and what an execution has alone."""

from __future__ import annotations

import pytest

from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.maintain.usage import measure, measure_executions
from redun.store.repository import Repository
from redun.testing.objects import make_execution

LARGE = b"large " * 200_000


@pytest.fixture
def repository(tmp_path):
    with Repository.init(tmp_path / ".redun") as opened:
        yield opened


def test_every_byte_is_counted_once(repository):
    """Packs, tables, contents, journals and refs together are the files below objects and refs."""
    for seed in range(3):
        make_execution(repository.store, repository.refs, seed=seed, blobs=[LARGE])
    usage = measure(repository)
    files = [path for path in repository.path.rglob("*") if path.is_file()]
    counted = [path for path in files if path.name not in {"redun.ini", "format"}]
    assert usage.total_bytes == sum(path.stat().st_size for path in counted)
    assert usage.sizes["large contents"] == len(LARGE)
    assert usage.counts["packs"] == usage.counts["lookup tables"] == 3
    assert usage.counts["refs"] == 3
    assert usage.objects["execution"] == 3
    assert usage.condemned_bytes == 0


def test_an_empty_repository_takes_nothing(repository):
    """There are no objects, and nothing divides by their number."""
    usage = measure(repository)
    assert usage.total_bytes == 0
    assert usage.objects == {}


def test_what_an_execution_has_alone(repository):
    """A content that two share is needed by both and is neither's own."""
    one = make_execution(repository.store, repository.refs, 40, seed=0, blobs=[LARGE])
    two = make_execution(repository.store, repository.refs, 40, seed=1, blobs=[LARGE, LARGE + b"2"])
    share = measure_executions(repository, [two.ref.name])
    assert 2 * len(LARGE) < share.needed_bytes < 3 * len(LARGE)
    assert len(LARGE) < share.own_bytes < 1.5 * len(LARGE)
    both = measure_executions(repository, [one.ref.name, two.ref.name])
    assert both.own_bytes == both.needed_bytes


def test_a_strange_file_beside_contents_is_no_content(repository):
    """Whatever it is called: an execution needs nothing of it."""
    made = make_execution(repository.store, repository.refs, blobs=[LARGE])
    before = measure_executions(repository, [made.ref.name])
    (repository.path / "objects/blob/zz").mkdir(parents=True)
    (repository.path / "objects/blob/zz" / ("z" * 64)).write_text("")
    assert measure_executions(repository, [made.ref.name]) == before


def test_condemned_packs_are_told(repository):
    """What waits for the end of the grace period still takes room."""
    make_execution(repository.store, repository.refs, 40, seed=0)
    make_execution(repository.store, repository.refs, 2, seed=1)
    collect(repository, GcPolicy(keep_executions=1))
    assert measure(repository).condemned_bytes > 0
