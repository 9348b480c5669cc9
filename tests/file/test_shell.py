"""Facts about rendered copies."""

import subprocess

import pytest

from redun.file import File
from redun.file.shell import render_copy, render_copy_folder


@pytest.mark.parametrize(
    ("source", "target", "command"),
    [
        ("a", "b", "cp a b"),
        ("a", "d/e/b", "mkdir -p d/e && cp a d/e/b"),
        ("a b", "c'd", "cp 'a b' 'c'\"'\"'d'"),
        ("a", None, "cat a"),
        ("-a", "-b", "cp ./-a ./-b"),
        ("file:///x/a", "b", "cp /x/a b"),
        ("s3://b/k", "a", "redun fs cp s3://b/k a"),
        ("a", "s3://b/k", "redun fs cp a s3://b/k"),
        ("-", "s3://b/k", "redun fs cp ./- s3://b/k"),
        ("s3://b/k", None, "redun fs cp s3://b/k -"),
        ("gs://b/k x", "a", "redun fs cp 'gs://b/k x' a"),
        ("s3://b/k", "gs://c/k", "redun fs cp s3://b/k gs://c/k"),
        ("https://h/a?b=1&c", "a", "redun fs cp 'https://h/a?b=1&c' a"),
    ],
)
def test_each_pair_of_places_has_a_command(source, target, command):
    """Here it is ``cp``; wherever a remote takes part it is redun's own."""
    assert render_copy(source, target) == command
    if target is not None:
        assert File(source).shell_copy_to(target) == command


@pytest.mark.parametrize(
    ("source", "target", "command"),
    [
        ("d/", "e/", "mkdir -p e && cp -r d/. e"),
        ("s3://b/d/", "d", "redun fs cp --recursive s3://b/d d"),
        ("d", "s3://b/d", "redun fs cp --recursive d s3://b/d"),
        ("s3://b/d", "gs://b/d", "redun fs cp --recursive s3://b/d gs://b/d"),
    ],
)
def test_each_pair_of_folders_has_a_command(source, target, command):
    """The same for folders."""
    assert render_copy_folder(source, target) == command


def test_mounted_buckets_are_folders():
    """With ``as_mount`` a bucket is reached under the folder it is mounted at."""
    assert render_copy("gs://b/k", "a", as_mount=True) == "cp /mnt/disks/b/k a"
    assert render_copy("a", "gs://b/d/k", as_mount=True) == "mkdir -p /mnt/disks/b/d && cp a /mnt/disks/b/d/k"
    assert render_copy_folder("d", "gs://b/d", as_mount=True) == "mkdir -p /mnt/disks/b/d && cp -r d/. /mnt/disks/b/d"
    assert render_copy("gs://b/k", None, as_mount=True) == "cat /mnt/disks/b/k"


def test_a_rendered_copy_copies():
    """The shell agrees, for a name that it would like to misread."""
    File("-n $(touch pwned) 'x'").write("content")
    subprocess.run(render_copy("-n $(touch pwned) 'x'", "new/$x/b"), shell=True, check=True)
    assert File("new/$x/b").read() == "content"
    assert not File("pwned").exists()
