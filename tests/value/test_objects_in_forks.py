"""Codecs of foreign types in copies of a process."""

from __future__ import annotations

import functools
import importlib
import os
import threading

from redun.value import objects


def test_a_fork_waits_until_codecs_are_registered(monkeypatch):
    """A copy made while another thread loads a package's codecs would wait for ever for that thread's lock."""
    inside, may_end = threading.Event(), threading.Event()

    def load_slowly(name):
        inside.set()
        assert may_end.wait(60)
        return importlib.import_module(name)

    monkeypatch.setitem(objects._rooms, "functools", "redun.value.callables")
    monkeypatch.setattr(objects, "load_module", load_slowly)
    loading = threading.Thread(target=objects.find_codec, args=(functools.partial,))
    ending = threading.Timer(0.05, may_end.set)
    monkeypatch.delitem(objects._codecs_by_type, "functools:partial", raising=False)
    loading.start()
    assert inside.wait(60)
    ending.start()
    process_id = os.fork()
    if process_id == 0:
        os._exit(0 if objects.find_codec(functools.partial) is not None else 1)
    loading.join()
    assert os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1]) == 0
