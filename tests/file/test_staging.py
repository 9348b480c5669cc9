"""Facts about staging."""

import subprocess

import pytest

from redun.file import Dir, File, StagingDir, StagingFile
from redun.value.encoding import encode_value


@pytest.fixture
def base():
    import fsspec

    fsspec.filesystem("memory").store.clear()
    return "memory://staging"


def test_a_file_is_staged_and_unstaged(base):
    """``stage`` brings it here, ``unstage`` takes it back; each returns what it wrote."""
    remote = File(f"{base}/in.txt")
    remote.write("content")
    staging = remote.stage("work/in.txt")
    assert isinstance(staging, StagingFile)
    assert staging.stage() is staging.local
    assert File("work/in.txt").read() == "content"
    staging.local.write("edited")
    assert staging.unstage() is staging.remote
    assert File(f"{base}/in.txt").read() == "edited"


def test_a_folder_is_staged_and_unstaged(base):
    """All its files come along, at any depth."""
    remote = Dir(f"{base}/d")
    remote.file("a").write("1")
    remote.file("sub/b").write("2")
    staging = remote.stage("work")
    assert isinstance(staging, StagingDir)
    assert staging.stage() is staging.local
    assert File("work/sub/b").read() == "2"
    staging.local.file("new").write("3")
    assert staging.unstage() is staging.remote
    assert File(f"{base}/d/new").read() == "3"


def test_the_local_name_is_the_remotes_own():
    """Where nothing else is said, scripts know a file by its last part."""
    assert File("s3://bucket/dir/in.txt").stage().local.path == "in.txt"
    assert Dir("s3://bucket/dir/").stage().local.path == "dir"


def test_places_are_given_as_paths_or_files(base):
    """Both ways mean the same."""
    assert StagingFile("a", f"{base}/a") == StagingFile(File("a"), File(f"{base}/a"))
    assert StagingDir("d", f"{base}/d") == StagingDir(Dir("d"), Dir(f"{base}/d"))
    assert StagingFile("a", f"{base}/a") != StagingFile("b", f"{base}/a")
    assert StagingFile("a", f"{base}/a") != StagingFile("a", f"{base}/b")
    assert repr(StagingFile("a", "b")).startswith("StagingFile(local=a, remote=File(path=b, hash=")


def test_the_same_place_is_left_alone(own_folder):
    """There is nothing to copy, and no command that copies it."""
    for local, remote in (("a", "a"), ("./a", "a"), ("d/../a", "a"), ("a", str(own_folder / "a")), ("a", "file://a")):
        staging = StagingFile(local, remote)
        assert staging.stage() is staging.local
        assert staging.unstage() is staging.remote
        assert (staging.render_stage(), staging.render_unstage()) == ("", "")
    assert not File("a").exists()
    assert StagingDir("d", "d/").render_unstage() == ""
    assert StagingFile("a", "b").render_stage() == "cp b a"


def test_commands_for_scripts():
    """What a script runs before and after the user's command."""
    staging = File("s3://b/k").stage("in")
    assert (staging.render_stage(), staging.render_unstage()) == ("redun fs cp s3://b/k in", "redun fs cp in s3://b/k")
    assert staging.render_stage(as_mount=True) == "cp /mnt/disks/b/k in"
    assert staging.render_unstage(as_mount=True) == "mkdir -p /mnt/disks/b && cp in /mnt/disks/b/k"
    folder = Dir("s3://b/d").stage("in")
    assert folder.render_stage() == "redun fs cp --recursive s3://b/d in"
    assert folder.render_unstage(as_mount=True) == "mkdir -p /mnt/disks/b/d && cp -r in/. /mnt/disks/b/d"


def test_rendered_commands_do_what_the_methods_do():
    """Here, where the shell alone can do it."""
    File("far/a b").write("content")
    subprocess.run(File("far/a b").stage("near/x y").render_stage(), shell=True, check=True)
    assert File("near/x y").read() == "content"
    subprocess.run(Dir("near").stage("far").render_unstage(), shell=True, check=True)
    assert File("near/a b").read() == "content"


def test_the_remote_alone_is_identified_by_content():
    """The local place is scratch: what lies there by chance is no part of the value."""
    File("remote").write("1")
    staging = File("remote").stage("local")
    before = staging.get_hash()
    File("local").write("left over")
    assert File("remote").stage("local").get_hash() == before
    assert encode_value(staging).externals == (File("remote").encode_node()[1],)
    File("remote").write("2")
    assert File("remote").stage("local").get_hash() != before
