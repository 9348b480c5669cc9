"""Processes that were started: how they end, and what they do not inherit."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

from redun.executors.pool.children import close_end, keep_from_children, reap, signal_group
from redun.executors.pool.errors import describe_exit
from redun.testing.executor import WAIT_SECONDS, is_alive, wait_until

LEADER = "import os, subprocess, sys; os.setpgid(0, 0); child = subprocess.Popen(['sleep', '60']); print(child.pid); "


def _start(code):
    """Start a process that leads a group, with a child in it; return it and the child's number."""
    process = subprocess.Popen([sys.executable, "-c", LEADER + code], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def _reap(process):
    """Wait for the exit code."""
    codes = []

    def has_ended():
        codes.append(reap(process.pid))
        return codes[-1] is not None

    assert wait_until(has_ended, WAIT_SECONDS)
    process.returncode = codes[-1]
    process.stdout.close()
    return codes[-1]


def test_a_process_that_ends_badly_takes_its_group_along():
    """Nothing that it had started goes on."""
    process, child = _start("sys.stdout.flush(); os._exit(3)")
    assert _reap(process) == 3
    assert wait_until(lambda: not is_alive(child), WAIT_SECONDS)


def test_a_process_that_ends_well_leaves_what_it_started():
    """A task may have begun a program that is to stay."""
    process, child = _start("sys.stdout.flush(); os._exit(0)")
    assert _reap(process) == 0
    assert is_alive(child)
    os.kill(child, signal.SIGKILL)


def test_a_signal_reaches_the_whole_group():
    """And is told by the exit code."""
    process, child = _start("sys.stdout.flush(); import time; time.sleep(60)")
    signal_group(process.pid, signal.SIGTERM)
    assert _reap(process) == -signal.SIGTERM
    assert wait_until(lambda: not is_alive(child), WAIT_SECONDS)


def test_a_signal_to_nobody_does_nothing():
    """The process has gone meanwhile."""
    process = subprocess.Popen(["true"])
    process.wait()
    signal_group(process.pid, signal.SIGTERM)
    assert process.returncode == 0


def test_a_kept_end_is_closed_in_forked_children():
    """So its other end notices when this process is gone, whoever else was forked."""
    ours, its = socket.socketpair()
    keep_from_children(ours)
    child = os.fork()
    if child == 0:
        time.sleep(WAIT_SECONDS)
        os._exit(0)
    close_end(ours)
    its.settimeout(WAIT_SECONDS / 2)
    assert its.recv(1) == b""
    its.close()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_how_a_process_ended_is_told_in_words():
    """By a signal's name where it has one."""
    assert describe_exit(None) == "ended, and nobody saw how"
    assert describe_exit(7) == "ended with exit code 7"
    assert describe_exit(-9) == "was killed by SIGKILL (signal 9)"
    assert describe_exit(-40) == "was killed by a real-time signal (signal 40)"
