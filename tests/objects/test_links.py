"""Walking links: everything reachable once, soft links apart, broken ones told."""

from __future__ import annotations

import pytest

from redun.hashing import Oid, hash_blob
from redun.objects.codec import encode_node
from redun.objects.kinds import Kind
from redun.objects.links import BrokenLink, walk
from redun.objects.value_records import CONTENT_SCHEME, FileRecord

ABSENT = Oid(b"a" * 32)


class Objects(dict):
    """Objects by oid, and a reader of them."""

    def add(self, *links, number=0, kind=Kind.VALUE):
        oid, data = encode_node(kind, links, [number])
        self[oid] = (int(kind), data)
        return oid

    def add_blob(self, content):
        oid = hash_blob(content)
        self[oid] = (int(Kind.BLOB), content)
        return oid

    def add_file(self, content_oid):
        oid, data = FileRecord("path", CONTENT_SCHEME, content_oid, 1).encode()
        self[oid] = (int(Kind.FILE), data)
        return oid

    def walk(self, *roots, skip=None):
        return [reached.oid for reached in walk(roots, self.get, skip=skip)]


@pytest.fixture
def objects():
    return Objects()


def test_everything_reachable_comes_once_depth_first(objects):
    """Shared objects come once; the first link is followed before the second."""
    blob = objects.add_blob(b"x")
    shared = objects.add(blob, number=1)
    left, right = objects.add(shared, number=2), objects.add(shared, blob, number=3)
    root = objects.add(left, right, number=4)
    objects.add(number=5)
    assert objects.walk(root) == [root, left, shared, blob, right]
    assert objects.walk(root, left, root) == [root, left, shared, blob, right]
    assert objects.walk() == []


def test_kind_and_bytes_come_along(objects):
    """What was read need not be read again."""
    oid = objects.add(number=7)
    (reached,) = walk([oid], objects.get)
    assert (reached.kind, reached.data) == objects[oid]


def test_what_is_skipped_hides_what_only_it_reaches(objects):
    """The walk does not go below a name that is passed over, and goes there by another way."""
    below, shared = objects.add(number=1), objects.add(number=2)
    known, fresh = objects.add(below, shared, number=3), objects.add(shared, number=4)
    root = objects.add(known, fresh, number=5)
    assert objects.walk(root, skip={known}.__contains__) == [root, fresh, shared]


def test_a_broken_hard_link_is_told(objects):
    """The missing name and whoever links to it are named; a missing root has nobody."""
    root = objects.add(ABSENT)
    with pytest.raises(BrokenLink) as caught:
        objects.walk(root)
    assert (caught.value.oid, caught.value.source) == (ABSENT, root)
    with pytest.raises(BrokenLink) as caught:
        objects.walk(ABSENT)
    assert caught.value.source is None


def test_a_file_may_lack_its_content(objects):
    """The link of a file is soft: the content comes without bytes when it is not kept."""
    file = objects.add_file(ABSENT)
    root = objects.add(file)
    assert [(reached.oid, reached.data is None) for reached in walk([root], objects.get)] == [
        (root, False),
        (file, False),
        (ABSENT, True),
    ]


@pytest.mark.parametrize("hard_first", [True, False])
def test_a_hard_link_to_the_same_missing_content_is_broken(objects, hard_first):
    """That a file may lack its content excuses nobody else."""
    file, hard = objects.add_file(ABSENT), objects.add(ABSENT)
    root = objects.add(*((hard, file) if hard_first else (file, hard)), number=9)
    with pytest.raises(BrokenLink):
        objects.walk(root)


def test_a_long_chain_needs_no_stack(objects):
    """A chain of 50 000 links is walked."""
    oid = objects.add()
    for number in range(50_000):
        oid = objects.add(oid, number=number)
    assert len(objects.walk(oid)) == 50_001
