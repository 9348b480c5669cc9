"""Errors on their way between processes."""

from __future__ import annotations

import pickle

import pytest

from redun.errors import ExecutorError
from redun.executors.options import BadOption
from redun.file import RedunFileNotFoundError
from redun.ini import BadIni
from redun.scheduler.errors import NotSerializable, TimedOut
from redun.scripting import ScriptError
from redun.value.errors import ValueNotEncodable

ERRORS = [
    ExecutorError("it stopped", hint="start it"),
    BadOption("batch", "memory", "expected option 'memory' to be a number, found 'x'", hint="GB"),
    BadIni("redun.ini", 3, "no section", hint="write one"),
    NotSerializable("result", ValueNotEncodable("[1].conn", "socket", "it has no form")),
    TimedOut("ns.task", 2.5),
    ScriptError(b"line 1\nline 2", 3),
    RedunFileNotFoundError("there is no a.txt", "a.txt"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_the_way_from_another_process(error):
    """Class, message, hint and fields are the same on the other side, whatever the constructor takes."""
    read = pickle.loads(pickle.dumps(error))
    assert type(read) is type(error)
    assert str(read) == str(error)
    assert read.hint == error.hint
    fields = {name: value for name, value in vars(error).items() if not isinstance(value, Exception)}
    assert fields.items() <= vars(read).items()
    assert pickle.dumps(read) == pickle.dumps(error)
