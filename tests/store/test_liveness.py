"""Liveness: who is declared dead, and who is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from redun.store import liveness
from redun.store.liveness import BadHeader, JournalHeader, describe_writer, is_writer_alive

NOW_US = 1_750_000_000_000_000
HOUR_US = 3_600_000_000


def _header(**changes):
    return describe_writer(NOW_US, token=b"\1\2\3\4")._replace(**changes)


def test_this_process_is_alive():
    """The writer that this process is lives, however old its journal."""
    assert is_writer_alive(_header(), 0, NOW_US)


def test_a_name_holds_only_plain_characters(monkeypatch):
    """Whatever the host is called, the writer's name is a file name."""
    monkeypatch.setattr(socket, "gethostname", lambda: "höst/of mine")
    header = describe_writer(NOW_US, token=b"\xab\xcd\xef\x01")
    assert header.writer == f"20250615T150640Z-h_st_of_mine-{os.getpid()}-abcdef01"
    assert header.host == "höst/of mine"


def test_headers_survive_encoding():
    """A header decodes to what was encoded."""
    assert JournalHeader.decode(_header().encode()) == _header()


@pytest.mark.parametrize("payload", [b"", b"\x90", b"\xc0", b"\x96" + b"\x01" * 6, b"\xff\xff", b"\x96"])
def test_other_payloads_are_no_headers(payload):
    """Anything but an array of the six fields of their types is refused."""
    with pytest.raises(BadHeader):
        JournalHeader.decode(payload)


def test_a_process_that_ended_is_dead():
    """A pid that no process has is dead, and so is one whose process only waits to be collected."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        header = _header(pid=child.pid, process_start=liveness._read_process_start(child.pid))
        assert is_writer_alive(header, NOW_US, NOW_US)
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not collected yet
        assert not is_writer_alive(header, NOW_US, NOW_US)
    assert not is_writer_alive(header, NOW_US, NOW_US)


def test_a_pid_used_again_is_another_process():
    """The same pid with another start time is not the writer; where the start is unknown, the pid decides."""
    assert not is_writer_alive(_header(process_start="1"), NOW_US, NOW_US)
    assert is_writer_alive(_header(process_start=""), NOW_US, NOW_US)


@pytest.mark.parametrize("changes", [{"host": "elsewhere"}, {"pid_namespace": "pid:[1]"}])
def test_a_writer_out_of_sight_is_judged_by_age(changes):
    """On another host or in another pid namespace a writer is alive for an hour after its last sign."""
    header = _header(**changes)
    assert is_writer_alive(header, NOW_US - HOUR_US + 1, NOW_US)
    assert not is_writer_alive(header, NOW_US - HOUR_US, NOW_US)


def test_without_proc_the_pid_decides(monkeypatch):
    """On a system without /proc a process is asked for by the null signal."""
    monkeypatch.setattr(liveness, "_PROC", "/nowhere")
    header = _header()
    assert (header.process_start, header.pid_namespace) == ("", "")
    assert is_writer_alive(header, NOW_US, NOW_US)
    assert not is_writer_alive(header._replace(pid=2**22 + 1), NOW_US, NOW_US)
    assert not is_writer_alive(header._replace(pid=2**70), NOW_US, NOW_US)
    assert not is_writer_alive(header._replace(pid=0), NOW_US, NOW_US)


def test_a_process_of_another_user_is_alive(monkeypatch):
    """Not being allowed to signal a process means that it is there, also where /proc hides it."""

    def refuse(_pid, _signal):
        raise PermissionError

    monkeypatch.setattr(liveness, "_read_process_start", lambda _pid: "")
    monkeypatch.setattr(os, "kill", refuse)
    assert is_writer_alive(_header(), NOW_US, NOW_US)


def test_a_program_with_a_strange_name(monkeypatch, tmp_path):
    """The program's name in /proc/PID/stat may hold spaces and parentheses."""
    fields = " ".join(str(number) for number in range(4, 53))
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(f"7 (a) b (c) S {fields}\n")
    monkeypatch.setattr(liveness, "_PROC", str(tmp_path))
    assert liveness._read_process_start(7) == "22"
