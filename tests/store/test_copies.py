"""Copies of what lies in a bucket: kept where that is possible, and dropped when they are of no use."""

from __future__ import annotations

import os
import time

from redun.hashing import hash_blob
from redun.store.copies import UNUSED_SECONDS, Copies, is_whole, key_of_ref
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.storage import Entry


def test_a_copy_is_found_by_name_and_size():
    """One of another size is none."""
    copies = Copies(MemoryStorage())
    assert copies.find("a") is None
    assert copies.keep("a", b"content") == b"content"
    assert copies.find("a") == copies.find("a", 7) == b"content"
    assert copies.find("a", 8) is None
    assert copies.has("a", 7)
    assert not copies.has("a", 8)


def test_where_nothing_can_be_kept_the_content_serves(tmp_path):
    """A folder that is only read costs a request each time, and no error."""
    copies = Copies(LocalStorage(tmp_path, read_only=True))
    assert copies.keep("a", b"content") == b"content"
    assert copies.find("a") is None
    copies.drop("a")


def test_old_copies_of_packs_that_are_gone_are_dropped(tmp_path):
    """Those of packs that are there stay, and so does what is new: somebody may just be writing it."""
    copies = Copies(LocalStorage(tmp_path))
    names = ["gone.pack", "gone.idx", "large.pack.parts/3", "kept.pack", "kept-large.pack.parts/0", "new.pack"]
    for name in names:
        copies.keep(f"objects/pack/{name}", b"x")
        age = 0 if name == "new.pack" else UNUSED_SECONDS + 60
        os.utime(tmp_path / "objects/pack" / name, (time.time() - age,) * 2)
    copies.prune(lambda name: "kept" in name)
    left = [entry.name.removeprefix("objects/pack/") for entry in copies.storage.iter_entries("")]
    assert left == ["kept-large.pack.parts/0", "kept.pack", "new.pack"]


def test_each_version_of_a_ref_is_a_copy_of_its_own():
    """Whatever of name, size, time and version differs."""
    entries = [
        Entry("a", 1, 2, "v"),
        Entry("b", 1, 2, "v"),
        Entry("a", 2, 2, "v"),
        Entry("a", 1, 3, "v"),
        Entry("a", 1, 2),
    ]
    assert len({key_of_ref(entry) for entry in entries}) == len(entries)


def test_only_whole_packs_are_worth_keeping():
    """A pack is compared with its name; an idx with its own checksum."""
    content = b"whatever"
    assert is_whole(f"objects/pack/{hash_blob(content).hex()}.pack", content)
    assert not is_whole(f"objects/pack/{hash_blob(b'else').hex()}.pack", content)
    assert not is_whole(f"objects/pack/{hash_blob(content).hex()}.idx", content)
    assert is_whole("refs/executions/x", content)
