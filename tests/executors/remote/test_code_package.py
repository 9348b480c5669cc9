"""Code packages: what goes in, what stays out, what is refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.executors.remote import code_package
from redun.executors.remote.code_package import BadCodePackage, pack_code, read_code, unpack_code

ALL = ["**/*.py"]


@pytest.fixture
def project(tmp_path):
    """A folder to be filled with files: a text by relative path."""
    base = tmp_path / "project"
    base.mkdir()

    def fill(*names, **texts):
        for name in names:
            path = base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts.get(name, f"# {name}\n"))
        return base

    return fill


def names_in(package):
    with tarfile.open(fileobj=io.BytesIO(package.data)) as tar:
        return tar.getnames()


def tar_of(*members):
    """A tar.gz of (name, type, link) each."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            tar.addfile(info, io.BytesIO(b""))
    return packed.getvalue()


def test_patterns_choose_files(project):
    """By default all Python files at any depth."""
    base = project("wf.py", "lib/a.py", "lib/deep/b.py", "data.csv", "lib/c.txt")
    assert names_in(pack_code(base, ALL)) == ["lib/a.py", "lib/deep/b.py", "wf.py"]
    assert names_in(pack_code(base, ["*.py", "data.*"])) == ["data.csv", "wf.py"]
    assert names_in(pack_code(base, ["lib/**"])) == ["lib/a.py", "lib/c.txt", "lib/deep/b.py"]
    assert names_in(pack_code(base, ["lib/?.[!t]*"])) == ["lib/a.py"]


def test_what_is_excluded_stays_out(project):
    """A file, or a folder with all below it."""
    base = project("wf.py", "tests/a.py", "tests/deep/b.py", "lib/c.py")
    assert names_in(pack_code(base, ALL, ["tests", "**/c.py"])) == ["wf.py"]


def test_machinery_stays_out(project):
    """Folders of git, redun and caches, and any virtual environment."""
    base = project("wf.py", ".git/a.py", ".redun/b.py", "env/lib/c.py", "env/pyvenv.cfg", "pkg/__pycache__/d.py")
    assert names_in(pack_code(base, ALL)) == ["wf.py"]


def test_the_same_files_make_the_same_bytes(project, monkeypatch):
    """At another time, with other times, and in any order that a disk lists them."""
    base = project("b.py", "a.py", "c/d.py")
    first = pack_code(base, ALL)
    os.utime(base / "a.py", (1, 1))
    later = time.time() + 10_000
    monkeypatch.setattr(time, "time", lambda: later)
    assert pack_code(base, ALL) == first


def test_another_byte_is_another_package(project):
    """So is another right to run, or another name."""
    base = project("a.py")
    seen = {pack_code(base, ALL).digits}
    (base / "a.py").chmod(0o755)
    seen.add(pack_code(base, ALL).digits)
    (base / "a.py").write_text("1")
    seen.add(pack_code(base, ALL).digits)
    (base / "a.py").rename(base / "b.py")
    seen.add(pack_code(base, ALL).digits)
    assert len(seen) == 4


def test_what_was_packed_is_unpacked(project, tmp_path):
    """With its content and its right to run."""
    base = project("wf.py", "lib/tool.py")
    (base / "lib/tool.py").chmod(0o755)
    unpack_code(pack_code(base, ALL).data, tmp_path / "there")
    assert (tmp_path / "there/wf.py").read_text() == "# wf.py\n"
    assert os.access(tmp_path / "there/lib/tool.py", os.X_OK)
    assert not os.access(tmp_path / "there/wf.py", os.X_OK)


def test_links_inside_are_followed(project):
    """What they lead to goes in as a file; a loop has an end."""
    base = project("src/pkg/a.py")
    (base / "pkg").symlink_to("src/pkg")
    (base / "b.py").symlink_to("src/pkg/a.py")
    (base / "src/pkg/up").symlink_to("../..")
    assert names_in(pack_code(base, ALL)) == ["b.py", "pkg/a.py", "src/pkg/a.py"]


def test_a_link_that_leads_nowhere_is_passed_over(project):
    """Editors leave such."""
    base = project("a.py")
    (base / ".#a.py").symlink_to("someone@somewhere")
    assert names_in(pack_code(base, ALL)) == ["a.py"]


def test_a_file_from_outside_is_refused(project, tmp_path):
    """It is named; a folder outside is not entered."""
    base = project("a.py")
    (tmp_path / "secret.py").touch()
    (base / "folder").symlink_to(tmp_path)
    assert names_in(pack_code(base, ALL)) == ["a.py"]
    (base / "link.py").symlink_to(tmp_path / "secret.py")
    with pytest.raises(BadCodePackage, match=r"link\.py"):
        pack_code(base, ALL)
    assert names_in(pack_code(base, ALL, ["link.py"])) == ["a.py"]


@pytest.mark.parametrize("pattern", ["../**/*.py", "/etc/*", "a/../../b", ""])
def test_a_pattern_that_leads_outside_is_refused(project, pattern):
    """Whether it would find anything or not."""
    with pytest.raises(BadCodePackage, match="inside the project"):
        pack_code(project("a.py"), [pattern])


def test_no_code_is_told(project):
    """A package of nothing would fail on every worker."""
    with pytest.raises(BadCodePackage, match=r"\*\*/\*\.py"):
        pack_code(project("a.txt"), ALL)


def test_too_much_is_refused(project, monkeypatch):
    """Before it is all in memory."""
    monkeypatch.setattr(code_package, "MAX_CODE_BYTES", 10)
    with pytest.raises(BadCodePackage, match="10 bytes"):
        pack_code(project("a.py", "b.py"), ALL)


def test_a_folder_that_is_no_project_is_refused(project, monkeypatch):
    """A whole disk, say: looking through it would take minutes."""
    monkeypatch.setattr(code_package, "MAX_CODE_ENTRIES", 3)
    with pytest.raises(BadCodePackage, match="expected a project"):
        pack_code(project("a.txt", "b.txt", "c.txt", "d.py"), ALL)


def test_code_that_cannot_be_read_is_told(tmp_path):
    """With the path."""
    with pytest.raises(BadCodePackage, match="absent"):
        pack_code(tmp_path / "absent", ALL)


def test_a_package_of_the_users_own_is_read(project, tmp_path):
    """It is named by its content too."""
    made = pack_code(project("a.py"), ALL)
    (tmp_path / "mine.tar.gz").write_bytes(made.data)
    assert read_code(tmp_path / "mine.tar.gz") == made


def test_what_is_no_package_is_refused(tmp_path):
    """Nothing, no archive, half of one."""
    with pytest.raises(BadCodePackage, match="cannot be read"):
        read_code(tmp_path / "absent.tar.gz")
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(BadCodePackage, match=r"no whole tar\.gz"):
        read_code(tmp_path / "text")


@pytest.mark.parametrize(
    "member",
    [
        ("../out.py", tarfile.REGTYPE, ""),
        ("/abs.py", tarfile.REGTYPE, ""),
        ("a/../../out.py", tarfile.REGTYPE, ""),
        ("link.py", tarfile.SYMTYPE, "/etc/passwd"),
        ("hard.py", tarfile.LNKTYPE, "/etc/passwd"),
        ("pipe", tarfile.FIFOTYPE, ""),
    ],
    ids=lambda member: member[0],
)
def test_nothing_gets_out_of_the_folder(tmp_path, member):
    """Paths that lead out, links and devices are refused."""
    folder = tmp_path / "in" / "there"
    folder.mkdir(parents=True)
    with pytest.raises(BadCodePackage):
        unpack_code(tar_of(member), folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "there"]


@given(cut=st.integers(0, 10_000), noise=st.binary(min_size=1, max_size=4))
def test_a_damaged_package_is_refused_or_whole(tmp_path_factory, cut, noise):
    """Cut or changed anywhere, it is refused, or what comes out is a package still."""
    packed = bytearray(gzip.compress(b"\0" * 10_240, mtime=0) if cut % 2 else tar_of(("a.py", tarfile.REGTYPE, "")))
    place = cut % len(packed)
    packed[place : place + len(noise)] = noise
    folder = tmp_path_factory.mktemp("there")
    try:
        unpack_code(bytes(packed), folder)
    except (BadCodePackage, FileExistsError, IsADirectoryError):
        return
    assert all(path.is_relative_to(folder) for path in folder.rglob("*"))
