"""Remotes that mean harm: bombs, depths, lengths, names that lead elsewhere, objects under other names.

Each is refused with the one error for it, or passed over; nothing of it is taken, and nothing is written outside of the
repository.
"""

from __future__ import annotations

import resource
import struct
import zipfile

import msgpack
import pytest
import zstandard

from redun.errors import ObjectError, RedunError
from redun.hashing import hash_blob, hash_node
from redun.objects.codec import NotCanonical, decode_node
from redun.objects.kinds import Kind
from redun.remotes.bundle import apply_bundle
from redun.remotes.pull import pull
from redun.remotes.reach import RemoteDamaged
from redun.remotes.remote import Remote
from redun.remotes.zip_storage import NotABundle, ZipStorage
from redun.store.base import ObjectCorrupt
from redun.store.idx import IdxBuilder, PackShape
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import rebuild_idx, write_pack
from redun.store.pack_format import HEAD, MAGIC, TRAILER, idx_name, pack_name
from redun.store.ref_names import EXECUTIONS, TAGS, BadRefName
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.store.storage import BadName
from redun.testing.objects import build_execution, made_ref, make_execution

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GIB = 1 << 30


@pytest.fixture
def here(tmp_path):
    with Repository.init(tmp_path / "here" / ".redun") as repository:
        yield repository


@pytest.fixture
def there():
    """A sound repository with one execution."""
    return _publish(build_execution())


def _publish(made, change=lambda _content: None):
    """Return a storage with an execution; ``change`` may give other bytes for its pack, which get a name that fits."""
    from redun.store.format_file import write_format

    storage = MemoryStorage()
    write_format(storage)
    rows = sorted(((oid, kind, data) for oid, data, kind in made.objects), key=lambda row: row[1])
    sealed = write_pack(rows, storage)
    content, idx = storage.read(pack_name(sealed.name)), storage.read(idx_name(sealed.name))
    changed = change(content)
    if changed is not None:
        storage.delete(pack_name(sealed.name))
        storage.delete(idx_name(sealed.name))
        builder = IdxBuilder()
        for oid, kind, data in rows:
            builder.add(oid, kind, data)
        offset, size, _ = TRAILER.unpack(changed[-TRAILER.size :])
        name = hash_blob(changed)
        idx = b"".join(builder.build(PackShape(name, offset, size)))
        storage.write(pack_name(name), changed)
        storage.write(idx_name(name), idx)
    Refs(storage).write(made_ref(made))
    return storage


def _pack_of(frame, raw_size, count, kind):
    """Return a pack of one block, whatever that holds."""
    ends = [0] * kind + [count] * (14 - kind)
    directory = msgpack.packb([ends, [[len(HEAD), len(frame), raw_size, 0]]])
    return HEAD + frame + directory + TRAILER.pack(len(HEAD) + len(frame), len(directory), MAGIC)


def _refused(here, storage):
    """Pull, and return the error; nothing may have come."""
    with pytest.raises(RemoteDamaged) as caught:
        pull(here, Remote("origin", storage))
    here.store.refresh(force=True)
    assert list(here.store.iter_oids()) == []
    assert list(here.refs.iter_names()) == list(here.refs.iter_names(remote="origin")) == []
    return str(caught.value)


def test_a_sound_one_is_taken(here, there):
    """So that what follows is about what was changed."""
    assert pull(here, Remote("origin", there)).executions == 1
    assert check_repository(here).problems == ()


def test_a_block_that_declares_more_than_a_gibibyte_is_not_decompressed(here):
    """Nothing is allocated for it: the declaration is read first."""
    frame = ZSTD_MAGIC + bytes([0xE0]) + struct.pack("<Q", 1 << 40) + b"\x01\x00\x00"
    bomb = _pack_of(frame, 1 << 40, 1, int(Kind.VALUE))
    assert "declares" in _refused(here, _publish(build_execution(), lambda _content: bomb))


def test_a_block_that_grows_beyond_what_it_declares_is_refused(here):
    """A bomb of 256 MiB in a frame that says 100 bytes takes no more than these."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    packed = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(256 << 20))
    # The header is made anew: one that says a size has a field of one byte for it, and no window.
    frame = ZSTD_MAGIC + bytes([0x20, 100]) + packed[6:]
    bomb = _pack_of(frame, 100, 1, int(Kind.VALUE))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    _refused(here, _publish(build_execution(), lambda _content: bomb))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before - grown < 64 << 10  # KiB


@pytest.mark.parametrize(
    "raw",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdc\xff\xff" + b"\x90" * 10,
        b"\x91\x92\xdd\xff\xff\xff\xff",
        b"\x91\xc6\xff\xff\xff\xff",
        b"\x91\x92\x90\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000 + b"\xc0",
        b"\x91\x92\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xc4\x00",
        b"\x91\x92\x91\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xc4\x00",
        b"\x81\xc0\xc0",
    ],
    ids=["array", "short array", "links", "blob", "body", "depth", "link far back", "link far ahead", "map"],
)
def test_lengths_and_depths_that_lie_are_refused(here, raw):
    """A few bytes that claim four gigabytes, or a hundred thousand levels, cost what they are."""
    bomb = _pack_of(zstandard.ZstdCompressor(level=3).compress(raw), len(raw), 1, int(Kind.VALUE))
    with pytest.raises((ObjectCorrupt, NotCanonical)):
        rebuild_idx(bomb)
    _refused(here, _publish(build_execution(), lambda _content: bomb))


@pytest.mark.parametrize("depth", [1_100, 100_000])
def test_nodes_that_nest_too_deep_are_refused(depth):
    """However deep: no recursion is run into."""
    data = b"\x93\x05\x90" + b"\x91" * depth + b"\xc0"
    with pytest.raises(NotCanonical):
        decode_node(data)


def test_an_object_under_another_name_is_refused(here):
    """An idx that gives its names to other objects: each object is hashed again before anything is taken."""
    made, other = build_execution(seed=0), build_execution(seed=1)
    storage = MemoryStorage()
    rows = sorted(((oid, kind, data) for oid, data, kind in other.objects), key=lambda row: row[1])
    sealed = write_pack(rows, storage)
    forged = storage.read(pack_name(sealed.name))
    assert "origin" in _refused(here, _publish(made, lambda _content: forged))


def test_a_file_is_never_taken_for_a_node(here):
    """Bytes that read as a node, offered as a blob, get the name of a blob, and the node is still missing."""
    made = build_execution()
    node = next(data for _, data, kind in made.objects if kind == Kind.CALL)
    here.store.put(hash_blob(node), node, Kind.BLOB)
    here.store.seal()
    here.store.finish()
    assert hash_blob(node) != hash_node(node)
    assert not here.store.has(hash_node(node))


@pytest.mark.parametrize(
    "name",
    [
        "../../outside",
        "20250615T150640.000000Z-../../../../../../../../../../../outside",
        "..",
        "a/b",
        "x" * 300,
        "\u202ename",
    ],
)
def test_refs_of_other_names_are_passed_over(here, there, name):
    """A name that has not the one form is no ref, whatever it would lead to."""
    for folder in (EXECUTIONS, TAGS):
        _plant(there, f"{folder}/{name}", b"redun-ref 1\n")
    assert pull(here, Remote("origin", there)).executions == 1
    assert not list(here.path.parent.parent.glob("outside*"))
    with pytest.raises(BadRefName):
        here.refs.read(name)


def _plant(storage, name, content):
    """Put a name into a storage that its own verbs would refuse."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("redun.store.memory_storage.check_name", lambda planted: planted)
        storage.write(name, content)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"status done", b"status running"),
        lambda text: text.replace(b"start 1", b"start -1"),
        lambda text: text.replace(b"start 1", b"start 9999999999999999999999991"),
        lambda text: text.replace(b"execution ", b"execution x"),
        lambda text: text.replace(b"argv [", b"argv " + b"[" * 100_000),
        lambda text: text + b"object " + b"aa" * 32 + b"\n",
        lambda text: b"redun-ref 2\n" + text,
        lambda text: b"\xff" * 50,
        lambda _text: b"",
    ],
    ids=["running", "time", "far time", "id", "depth", "twice", "version", "bytes", "empty"],
)
def test_refs_that_say_something_else_are_refused(here, there, change):
    """As the word of one remote on one execution; a run that is said to go on is simply not taken."""
    name = next(entry.name for entry in there.iter_entries(EXECUTIONS))
    text = there.read(name)
    there.write(name, change(text[: text.rindex(b"check ")]))
    try:
        pull(here, Remote("origin", there))
    except RemoteDamaged as error:
        assert name in str(error)
    assert list(here.refs.iter_names()) == []


def test_a_bundle_cannot_write_outside(tmp_path, here):
    """Names of its entries are those of a storage, or it is no bundle."""
    path = tmp_path / "evil.bundle"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside", b"x")
    with pytest.raises(NotABundle):
        apply_bundle(here, path)
    with pytest.raises((BadName, RedunError)), ZipStorage(path) as storage:
        storage.read("../../outside")
    assert not (tmp_path.parent / "outside").exists()


def test_a_folder_cannot_lead_outside_by_a_name(tmp_path, here):
    """Whatever a remote lists: a pack, a content or a note is looked for under its own folder."""
    for name in ("objects/pack/../../../outside", "/etc/passwd", "objects\\pack", "objects/blob/./x"):
        with pytest.raises(BadName):
            LocalStorage(tmp_path).read(name)


def test_a_tag_of_a_tag_of_itself_is_no_trap(here):
    """An edit whose tags are not there is a damaged remote, and not an endless walk."""
    made = build_execution()
    storage = _publish(made)
    with Repository.init(here.path.parent.parent / "source" / ".redun") as source:
        make_execution(source.store, source.refs)
        from redun.store.ref_texts import TagRef

        Refs(storage).write_tags(TagRef(made_ref(made).name, (hash_blob(b"nowhere"),)))
    with pytest.raises(RemoteDamaged, match="lacks object"):
        pull(here, Remote("origin", storage))


def test_every_error_is_one_of_the_families():
    """So a program that pulls from anywhere has one thing to catch."""
    assert all(
        issubclass(kind, RedunError) for kind in (RemoteDamaged, ObjectCorrupt, NotCanonical, BadName, BadRefName)
    )
    assert issubclass(NotCanonical, ObjectError)
