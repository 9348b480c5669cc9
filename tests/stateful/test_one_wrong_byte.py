"""One wrong byte in any file of a repository, here or at a remote: found, named, and never taken for anything else.

Hypothesis picks the file, the place and the change.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.errors import RedunError
from redun.hashing import Oid, hash_blob, hash_node
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.kinds import Kind
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.base import ObjectCorrupt, ObjectMissing
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy, GcRefused
from redun.store.repository import Repository
from redun.store.tagging import write_tag_edit
from redun.testing.objects import MadeFile, build_execution, make_execution

UNCHECKED = ("redun.ini", "cache/")
"""What a user writes, and what is only a shortcut."""


class Sound:
    """A repository without damage."""

    def __init__(self, folder: Path, objects: dict[Oid, tuple[int, bytes]]) -> None:
        self.folder = folder
        self.objects = objects
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        self.files = [name for name in names if not name.startswith(UNCHECKED)]

    def damage(self, data):
        """Return a copy of the repository with one wrong byte, and the name of the file that has it."""
        folder = Path(tempfile.mkdtemp()) / ".redun"
        shutil.copytree(self.folder, folder)
        name = data.draw(st.sampled_from(self.files))
        content = bytearray((folder / name).read_bytes())
        at = data.draw(st.integers(0, len(content) - 1) | st.integers(0, min(200, len(content) - 1)))
        content[at] ^= data.draw(st.integers(1, 255))
        (folder / name).write_bytes(content)
        return folder, name


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A repository with each sort of file: packs, idxs, a content of its own, refs of runs and of tags."""
    folder = tmp_path_factory.mktemp("sound") / ".redun"
    with Repository.init(folder) as repository:
        for seed in range(2):
            blobs = [b"small part", bytes(range(256)) * 4096] if seed else []
            files = [MadeFile("out.txt", b"content")]
            make_execution(repository.store, repository.refs, 3, seed=seed, blobs=blobs, files=files)
        subject = RunSubject(build_execution(seed=1).record.execution_id, 0)
        write_tag_edit(repository, [TagRecord(subject, [], "checked", "true", is_deleted=False)])
        objects = {oid: (kind, repository.store.get(oid)) for oid, kind in repository.store.iter_oids()}
    return Sound(folder, objects)


@settings(max_examples=100)
@given(data=st.data())
def test_here_it_is_named_by_fsck_and_never_read(sound, data):
    """fsck names the file or what was in it, each object reads as it was or not at all, and gc touches nothing."""
    folder, name = sound.damage(data)
    try:
        repository = Repository.open(folder)
    except RedunError as error:
        assert name == "objects/format", error
        return
    with repository:
        if check_repository(repository).is_clean:  # a ref whose check is no check any more, and that is otherwise right
            original = LocalStorage(sound.folder).read(name)
            assert original[:-23] in repository.storage.read(name)
            assert name.startswith("refs/")
        for oid, (_, content) in sound.objects.items():
            try:
                assert repository.store.get(oid) == content
            except (ObjectCorrupt, ObjectMissing):
                continue
        for oid in sound.objects:
            repository.store.find_candidates(oid)
            repository.store.find_producers(oid)
        before = set(repository.storage.iter_entries("refs"))
        with suppress(GcRefused):
            collect(repository, GcPolicy(grace_seconds=0.0))
        assert set(repository.storage.iter_entries("refs")) == before
    shutil.rmtree(folder.parent)


@settings(max_examples=100)
@given(data=st.data())
def test_here_it_does_not_spread_by_a_push(sound, data):
    """What is not whole stays here and is named, and the remote is sound."""
    folder, name = sound.damage(data)
    if name == "objects/format":
        return
    with Repository.open(folder) as repository, Repository.init(folder.parent / "there") as there:
        with suppress(RedunError):
            push(repository, Remote("there", there.storage))
        there.store.refresh(force=True)
        assert check_repository(there, repair=True).is_clean
        assert check_repository(there).is_clean
    shutil.rmtree(folder.parent)


@settings(max_examples=100)
@given(data=st.data())
def test_at_a_remote_it_is_refused_or_passed_over(sound, data):
    """A pull fails with an error, or takes nothing but what is right."""
    folder, _ = sound.damage(data)
    with Repository.init(folder.parent / "here") as here:
        try:
            pull(here, Remote("there", LocalStorage(folder)))
        except RedunError as error:
            assert "there" in str(error)
        here.store.refresh(force=True)
        report = check_repository(here)
        assert report.is_clean, report.problems
        for oid, kind in here.store.iter_oids():
            content = here.store.get(oid)
            assert oid == (hash_blob(content) if kind == Kind.BLOB else hash_node(content))
    shutil.rmtree(folder.parent)


@settings(max_examples=50)
@given(data=st.data())
def test_here_it_is_mended_by_running_again(sound, data):
    """What runs again puts its objects again, over the damaged ones: then all of them read as they were."""
    folder, name = sound.damage(data)
    if name == "objects/format":
        return
    with Repository.open(folder) as repository:
        for oid, (kind, content) in sorted(sound.objects.items(), key=lambda item: item[1][0]):
            try:
                repository.store.get(oid)
            except (ObjectCorrupt, ObjectMissing):
                repository.store.put(oid, content, kind)
        repository.store.seal()
        repository.store.finish()
    with Repository.open(folder) as repository:
        assert all(repository.store.get(oid) == content for oid, (_, content) in sound.objects.items())
    shutil.rmtree(folder.parent)
