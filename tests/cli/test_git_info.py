"""Commit and origin of a checkout, as git itself tells them."""

from __future__ import annotations

import subprocess

import pytest

from redun.cli.git_info import Checkout, find_checkout


def git(folder, *words):
    """Run git, and return what it says."""
    options = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *options, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one commit."""
    folder = tmp_path / "main"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


def test_a_folder_below_a_checkout_is_in_it(checkout):
    """Also without an origin."""
    below = checkout / "a" / "b"
    below.mkdir(parents=True)
    assert find_checkout(below) == Checkout(git(checkout, "rev-parse", "HEAD"), None)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("git@host:team/flow.git", "git@host:team/flow.git"),
        ("https://host/flow.git", "https://host/flow.git"),
        ("https://token@host/flow.git", "https://host/flow.git"),
        ("https://me:secret@host:8080/flow.git", "https://host:8080/flow.git"),
    ],
)
def test_the_origin_is_told_without_secrets(checkout, url, told):
    """Tags are pushed: no user and password may be in them."""
    git(checkout, "remote", "add", "other", "https://elsewhere/x.git")
    git(checkout, "remote", "add", "origin", url)
    assert find_checkout(checkout).origin_url == told


def test_packed_refs_detached_heads_and_worktrees_are_read(checkout, tmp_path):
    """Each as git says."""
    git(checkout, "remote", "add", "origin", "https://host/flow.git")
    git(checkout, "pack-refs", "--all")
    commit = git(checkout, "rev-parse", "HEAD")
    assert find_checkout(checkout).commit == commit
    git(checkout, "worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    git(tmp_path / "tree", "commit", "-q", "--allow-empty", "-m", "two")
    found = find_checkout(tmp_path / "tree")
    assert found == Checkout(git(tmp_path / "tree", "rev-parse", "HEAD"), "https://host/flow.git")
    assert found.commit != commit
    git(checkout, "checkout", "-q", "--detach", found.commit)
    assert find_checkout(checkout).commit == found.commit


def test_no_checkout_and_no_commit_tell_nothing(tmp_path):
    """A file that is not git's is no checkout either."""
    assert find_checkout(tmp_path) == Checkout(None, None)
    (tmp_path / ".git").write_text("something else")
    assert find_checkout(tmp_path) == Checkout(None, None)
    (tmp_path / ".git").unlink()
    git(tmp_path, "init", "-q")
    assert find_checkout(tmp_path) == Checkout(None, None)
