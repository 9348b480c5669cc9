"""Facts about FileSet and Dir."""

import os
import pickle
import subprocess

import pytest

from redun.file import Dir, File, FileSet
from redun.objects.kinds import Kind
from redun.value.encoding import decode_value, encode_value


def put(path, text="x"):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as stream:
        stream.write(text)


def round_trip(value):
    encoded = encode_value(value)
    nodes = {oid: data for oid, data, _kind in encoded.parts} | {encoded.oid: encoded.data}
    return decode_value(encoded.oid, nodes.__getitem__)


def paths(files):
    return [file.path for file in files]


@pytest.fixture
def tree():
    for path in ("d/b.txt", "d/a.txt", "d/sub/c.txt", "d/.hidden", "d/.git/e.txt", "other.txt"):
        put(path, path)


def test_a_set_yields_the_files_that_match_in_order(tree):
    """Folders do not count, nor does what a wildcard leaves out as a shell does."""
    assert paths(FileSet("d/*")) == ["d/a.txt", "d/b.txt"]
    assert paths(FileSet("d/**")) == ["d/a.txt", "d/b.txt", "d/sub/c.txt"]
    assert paths(FileSet("d/.h*")) == ["d/.hidden"]
    assert paths(FileSet("[do]*.txt")) == ["other.txt"]
    assert paths(FileSet("nothing*")) == []


def test_a_folder_yields_the_files_below_it(tree):
    """At any depth, in order of path, the path as its user began it."""
    assert paths(Dir("d")) == paths(Dir("d/")) == ["d/a.txt", "d/b.txt", "d/sub/c.txt"]
    assert paths(Dir("./d")) == ["./d/a.txt", "./d/b.txt", "./d/sub/c.txt"]
    assert paths(Dir(os.path.abspath("d")))[0] == os.path.abspath("d/a.txt")
    assert paths(Dir("none")) == []


def test_wildcards_in_a_folders_name_are_letters():
    """A folder is taken by name and not as a pattern."""
    put("d[1]*/a")
    put("d1x/b")
    assert paths(Dir("d[1]*")) == ["d[1]*/a"]


def test_links_are_followed_and_loops_are_not():
    """A linked folder's files count; a link back up is not entered."""
    put("d/a")
    put("far/b")
    os.symlink("../far", "d/link")
    os.symlink("..", "d/up")
    os.symlink(".", "d/self")
    os.symlink("../far", "d/link2")
    put("far/up/c")
    assert paths(Dir("far")) == ["far/b", "far/up/c"]
    found = paths(Dir("d"))
    assert {"d/a", "d/link/b", "d/link2/b"} <= set(found)
    assert not [path for path in found if "self" in path]


def test_the_hash_covers_pattern_and_members(tree):
    """Another pattern, a changed, added or removed member: another hash; a touch: the same."""
    before = FileSet("d/*").hash
    assert FileSet("./d/*").hash != before
    os.utime("d/a.txt", (5, 5))
    assert FileSet("d/*").hash == before
    put("d/z.txt")
    added = FileSet("d/*").hash
    os.remove("d/z.txt")
    assert FileSet("d/*").hash == before
    put("d/a.txt", "edited")
    assert len({before, added, FileSet("d/*").hash}) == 3


def test_a_set_and_a_folder_of_the_same_files_differ(tree):
    """They are values of two classes."""
    assert FileSet("d").hash != Dir("d").hash
    assert FileSet("d") != Dir("d")


def test_the_hash_stands_until_it_is_updated(tree):
    """As with a File; iterating looks at what is there now."""
    folder = Dir("d")
    before = folder.hash
    assert folder.is_valid()
    put("d/new")
    assert folder.hash == before
    assert not folder.is_valid()
    assert "d/new" in paths(folder)
    assert "d/new" not in paths(folder.files)
    folder.update_hash()
    assert folder.hash != before
    assert folder.is_valid()


@pytest.mark.parametrize("change", ["edit", "remove", "add", "nothing"])
def test_validity_sees_each_change(tree, change):
    """A set is valid while its members are what they were, all of them and no others."""
    folder = Dir("d")
    assert folder.hash
    {
        "edit": lambda: put("d/a.txt", "edited"),
        "remove": lambda: os.remove("d/a.txt"),
        "add": lambda: put("d/sub/new"),
        "nothing": lambda: put("elsewhere"),
    }[change]()
    assert folder.is_valid() is (change == "nothing")
    assert round_trip(folder).is_valid() is (change == "nothing")


def test_members_and_listing_are_externals(tree):
    """Whoever checks the files of a result checks each member, and whether one was added."""
    folder = Dir("d")
    encoded = encode_value([folder])
    kinds = {oid: kind for oid, _data, kind in encoded.parts}
    assert len(encoded.externals) == 4
    assert all(kinds[oid] == Kind.FILE for oid in encoded.externals)
    assert {file.hash for file in folder.files} <= {oid.hex() for oid in encoded.externals}


@pytest.mark.parametrize("make", [lambda: FileSet("d/*"), lambda: Dir("d"), lambda: Dir("none")])
def test_a_decoded_set_has_the_recorded_hash(tree, make):
    """Decoding and unpickling do not look at the disk."""
    value = make()
    expected = value.hash
    put("d/new")
    for again in (round_trip(value), round_trip([value])[0], pickle.loads(pickle.dumps(value))):
        assert type(again) is type(value)
        assert again == value
        assert again.hash == expected
        assert paths(again.files) == paths(value.files)


def test_the_hash_is_the_value_hash(tree):
    """What the store calls the value."""
    folder = Dir("d")
    assert folder.hash == encode_value(folder).oid.hex() == folder.get_hash()
    assert repr(folder) == f"Dir(path=d, hash={folder.hash[:8]})"
    assert repr(FileSet("d/*")).startswith("FileSet(pattern=d/*, hash=")
    assert hash(folder) == hash(Dir("d"))


def test_subvalues_are_the_members(tree):
    """The files are part of the set's validity."""
    assert paths(Dir("d").iter_subvalues()) == ["d/a.txt", "d/b.txt", "d/sub/c.txt"]


def test_files_of_a_folder_by_relative_path(tree):
    """``file`` and ``rel_path`` are each other's inverse."""
    folder = Dir("d/")
    assert folder.path == "d"
    assert folder.file("sub/c.txt") == File("d/sub/c.txt")
    assert folder.rel_path("d/sub/c.txt") == "sub/c.txt"
    assert Dir("/").file("a").path == "/a"
    assert Dir("/").rel_path("/a/b") == "a/b"
    with pytest.raises(ValueError, match="below d/"):
        folder.rel_path("dd/c.txt")


def test_folders_are_made_and_removed():
    """Making is idempotent; a full folder is removed only when told."""
    folder = Dir("x/y")
    assert not folder.exists()
    folder.mkdir()
    folder.mkdir()
    assert folder.exists()
    folder.file("a").write("x")
    with pytest.raises(OSError, match="not empty"):
        folder.rmdir()
    folder.rmdir(recursive=True)
    assert not folder.exists()
    assert folder.filesystem.name == "local"


def test_copying_a_folder(tree):
    """Every file comes along, to any protocol and back; existing ones are left alone if told."""
    remote = Dir("memory://fileset-copy/d")
    assert Dir("d").copy_to(remote) is remote
    assert [remote.rel_path(path) for path in paths(remote)] == ["a.txt", "b.txt", "sub/c.txt"]
    put("back/a.txt", "mine")
    back = remote.copy_to(Dir("back"), skip_if_exists=True)
    assert back.file("a.txt").read() == "mine"
    assert back.file("sub/c.txt").read() == "d/sub/c.txt"


def test_the_shell_command_copies_a_folder(tree):
    """A script can do the same."""
    command = Dir("d").shell_copy_to("new/-x y")
    subprocess.run(command, shell=True, check=True)
    assert paths(Dir("new/-x y")) == ["new/-x y/a.txt", "new/-x y/b.txt", "new/-x y/sub/c.txt"]
