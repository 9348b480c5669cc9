"""`redun fs` as it is typed, and as scripts call it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from redun.cli.errors import ExitCode
from redun.cli.main import main
from redun.file import Dir, File


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a repository, and an empty memory file system."""
    import fsspec

    fsspec.filesystem("memory").store.clear()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_file_systems_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """One a line, by name."""
    assert main(["fs"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert names == sorted(names)
    assert {"local", "s3", "gs", "az", "ftp", "http", "https", "memory", "ssh"} <= set(names)


def test_a_file_is_copied_between_any_two_places() -> None:
    """Folders on the way are made."""
    Path("a").write_bytes(b"\0content")
    assert main(["fs", "cp", "a", "memory://bucket/d/a"]) == 0
    assert main(["fs", "cp", "memory://bucket/d/a", "new/d/b"]) == 0
    assert Path("new/d/b").read_bytes() == b"\0content"
    assert not Path(".redun").exists()


def test_a_folder_takes_a_file_in_under_its_own_name() -> None:
    """As ``cp`` does: one that is there, and one that a slash says is one."""
    Path("a").write_text("x")
    Path("d").mkdir()
    for target in ("d", "e/", "memory://bucket/d/"):
        assert main(["fs", "cp", "a", target]) == 0
    assert File("d/a").exists()
    assert File("e/a").exists()
    assert File("memory://bucket/d/a").exists()


def test_a_folder_is_copied_when_told() -> None:
    """With what lies in it at any depth."""
    for name in ("a", "sub/b"):
        File(f"d/{name}").write(name)
    assert main(["fs", "cp", "--recursive", "d", "memory://bucket/d"]) == 0
    assert main(["fs", "cp", "-r", "memory://bucket/d/", "back/"]) == 0
    assert [file.path for file in Dir("back")] == ["back/a", "back/sub/b"]


def test_standard_streams_are_dashes(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Bytes pass as they are, longer than any buffer."""
    content = os.urandom(300_000)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main(["fs", "cp", "-", "memory://bucket/a"]) == 0
    assert main(["fs", "cp", "memory://bucket/a", "-"]) == 0
    assert capfdbinary.readouterr().out == content


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none", "b"], ExitCode.FAILED, "none"),
        (["none", "-"], ExitCode.FAILED, "none"),
        (["memory://bucket/none", "b"], ExitCode.FAILED, "memory://bucket/none"),
        (["-r", "none", "b"], ExitCode.FAILED, "there is no folder none"),
        (["-r", "none", "-"], ExitCode.USAGE, "--recursive copies folders"),
        (["nosuch://a", "b"], ExitCode.USAGE, "nosuch"),
        (["a"], ExitCode.USAGE, "DST"),
    ],
)
def test_what_cannot_be_copied_is_told(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    """One line that names the path; nothing is left behind."""
    assert main(["fs", "cp", *arguments]) == code
    error = capsys.readouterr().err
    assert error.startswith("redun: error: ")
    assert message in error.splitlines()[0]
    assert not Path("b").exists()


def test_a_rendered_copy_runs_where_redun_is_installed(redun_environment: dict[str, str]) -> None:
    """The command that a script gets is one that a shell can run."""
    import http.server
    import threading

    Path("served.txt").write_text("content")
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/served.txt"
        search_path = f"{Path(sys.executable).parent}{os.pathsep}{redun_environment['PATH']}"
        command = File(url).stage("work/it is").render_stage()
        subprocess.run(command, shell=True, check=True, env={**redun_environment, "PATH": search_path}, timeout=60)
        server.shutdown()
    assert Path("work/it is").read_text() == "content"
