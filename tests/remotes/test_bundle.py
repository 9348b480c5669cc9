"""Bundles: executions in one file, whole and checked."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from redun.errors import RemoteError
from redun.remotes.bundle import BaseMissing, BundleMissing, BundleUnwritable, apply_bundle, create_bundle, open_bundle
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.remotes.zip_storage import NotABundle
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.repository import Repository
from redun.testing.objects import MadeFile, make_execution

LARGE = b"large " * 200_000


@pytest.fixture
def open_repository(tmp_path):
    """Makes and opens repositories by name."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(Repository.init(tmp_path / name / ".redun"))


@pytest.fixture
def here(open_repository):
    return open_repository("here")


@pytest.fixture
def there(open_repository):
    return open_repository("there")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "results.bundle"


def _check_has(repository, made):
    assert all(repository.store.get(oid) == data for oid, data, _ in made.objects)
    assert repository.refs.read(made.ref.name).object == made.oid
    assert check_repository(repository).problems == ()


def test_what_goes_in_comes_out(here, there, file):
    """Executions with files and large contents are the same in another repository, and nothing is remembered of it."""
    made = [
        make_execution(here.store, here.refs, seed=seed, files=[MadeFile("x", b"c")], blobs=[LARGE]) for seed in (0, 1)
    ]
    report = create_bundle(here, file)
    assert report.executions == 2
    done = apply_bundle(there, file)
    assert (done.executions, done.objects) == (2, report.objects)
    for one in made:
        _check_has(there, one)
    for repository in (here, there):
        assert list(repository.refs.iter_remotes()) == []


def test_applying_again_does_nothing(here, there, file):
    """What is here already is not taken again."""
    make_execution(here.store, here.refs)
    create_bundle(here, file)
    apply_bundle(there, file)
    assert apply_bundle(there, file).is_up_to_date


def test_some_executions_can_be_chosen_on_both_sides(here, there, file):
    """A bundle may hold a part, and a part of it may be taken."""
    made = [make_execution(here.store, here.refs, seed=seed) for seed in range(3)]
    assert create_bundle(here, file, [made[0].ref.name, made[1].ref.name]).executions == 2
    assert apply_bundle(there, file, [made[1].ref.execution_id[:8]]).executions == 1
    _check_has(there, made[1])
    assert [ref.name for ref in there.refs.iter_refs()] == [made[1].ref.name]


@pytest.mark.parametrize("kind", ["bundle", "remote"])
def test_a_thin_bundle_leaves_out_what_its_base_has(here, there, file, tmp_path, kind):
    """It is smaller, and enough for whoever has the base."""
    first = make_execution(here.store, here.refs, 200, blobs=[LARGE])
    if kind == "bundle":
        create_bundle(here, tmp_path / "base.bundle")
        base = open_bundle(tmp_path / "base.bundle")[1]
    else:
        base = Remote("origin", LocalStorage(tmp_path / "remote"))
        push(here, base)
    second = make_execution(here.store, here.refs, 200, seed=1, blobs=[LARGE])
    whole = create_bundle(here, tmp_path / "whole.bundle")
    thin = create_bundle(here, file, bases=[base])
    assert (thin.executions, whole.executions) == (1, 2)
    assert file.stat().st_size < (tmp_path / "whole.bundle").stat().st_size / 2
    with pytest.raises(BaseMissing, match="leaves out what"):
        apply_bundle(there, file)
    assert list(there.refs.iter_refs()) == []
    create_bundle(here, tmp_path / "first.bundle", [first.ref.name])
    apply_bundle(there, tmp_path / "first.bundle")
    assert apply_bundle(there, file).executions == 1
    _check_has(there, second)


def test_a_dry_run_writes_nothing(here, there, file):
    """Only what would be done is told, on both sides."""
    make_execution(here.store, here.refs)
    planned = create_bundle(here, file, is_dry_run=True)
    assert not file.exists()
    assert create_bundle(here, file).objects == planned.objects
    assert apply_bundle(there, file, is_dry_run=True).executions == 1
    assert list(there.refs.iter_refs()) == []


def test_equal_executions_make_equal_bundles(here, file, tmp_path):
    """A bundle depends on nothing but what is in it: a cache that compares files finds them equal."""
    make_execution(here.store, here.refs, 20)
    create_bundle(here, file)
    create_bundle(here, tmp_path / "again")
    assert file.read_bytes() == (tmp_path / "again").read_bytes()


def test_a_bundle_appears_whole_or_not_at_all(here, file, monkeypatch):
    """When the disk fills up, the bundle that was there stays, and nothing is left beside it."""
    make_execution(here.store, here.refs)
    create_bundle(here, file)
    before = file.read_bytes()
    make_execution(here.store, here.refs, seed=1)

    def fail(*_arguments, **_options):
        raise OSError(28, "no space")

    monkeypatch.setattr("redun.remotes.remote.write_pack", fail)
    with pytest.raises(RemoteError, match="no space"):
        create_bundle(here, file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == [file.name]


@pytest.mark.parametrize("place", ["gone/new.bundle", "folder"])
def test_a_place_that_cannot_be_written_is_named(here, tmp_path, place):
    """A folder that is not there, or a folder where the file should be: the error names the bundle, no draft of it."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(BundleUnwritable, match="cannot write the bundle") as raised:
        create_bundle(here, tmp_path / place)
    assert raised.value.path == tmp_path / place
    assert ".tmp" not in str(raised.value)


def test_a_wrong_byte_anywhere_is_refused_or_changes_nothing(here, open_repository, file):
    """Whatever byte of a bundle is changed: it is refused, or what comes out of it is right."""
    made = make_execution(here.store, here.refs, 3)
    create_bundle(here, file)
    content = file.read_bytes()
    n_refused = 0
    for place in range(0, len(content), 97):
        changed = bytearray(content)
        changed[place] ^= 0x41
        file.write_bytes(changed)
        there = open_repository(f"there-{place}")
        try:
            apply_bundle(there, file)
        except RemoteError:
            n_refused += 1
            assert list(there.refs.iter_refs()) == []
            assert check_repository(there).problems == ()
        else:
            _check_has(there, made)
    assert n_refused > len(content) / 97 / 2


def test_other_files_are_told(there, file):
    """No file, another kind of file and an archive of something else each say so."""
    with pytest.raises(BundleMissing):
        apply_bundle(there, file)
    file.write_bytes(b"something else")
    with pytest.raises(NotABundle):
        apply_bundle(there, file)


def test_an_empty_repository_makes_an_empty_bundle(here, there, file):
    """There is nothing in it, and it can be applied."""
    assert create_bundle(here, file).executions == 0
    assert apply_bundle(there, file).is_up_to_date
