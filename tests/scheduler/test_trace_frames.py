"""What a traceback tells of frames, of variables, and of the errors behind an error."""

from __future__ import annotations

import json

import pytest

from redun.scheduler.trace_frames import (
    MASK,
    MAX_CAUSES,
    MAX_FRAMES_SHOWN,
    MAX_IN_GROUP,
    MAX_LOCAL_CHARS,
    MAX_LOCALS,
    cause_lines,
    frame_lines,
    frames_of,
    is_secret,
    mask_secrets,
    show_named,
)


def raise_with_locals(n):
    """Raise, with variables of many kinds at hand."""
    import os

    text = "x" * 10_000
    db_password = "hunter2"
    settings = {"host": "h", "api_key": "hunter2", "token": "hunter2"}
    helper = frames_of
    raise ValueError(n, len(text), os.sep, db_password is None, settings is None, helper is None)


def caught(func, *args):
    """Return what a call raises."""
    with pytest.raises(BaseException) as info:
        func(*args)
    return info.value


def test_variables_are_told_with_a_bound_and_without_secrets():
    """Modules, functions and classes tell nothing that the source does not."""
    frame = frames_of(caught(raise_with_locals, 7).__traceback__, has_locals=True)[-1]
    assert frame.name == "raise_with_locals"
    assert set(frame.locals) == {"n", "text", "db_password", "settings"}
    assert frame.locals["n"] == "7"
    assert len(frame.locals["text"]) <= MAX_LOCAL_CHARS
    assert frame.locals["db_password"] == MASK
    assert frame.locals["settings"] == f"{{'host': 'h', 'api_key': {MASK}, 'token': {MASK}}}"
    assert "hunter2" not in "\n".join(frame_lines([frame])).replace(frame.line, "")


def test_frames_tell_their_variables_only_when_asked():
    """An import that fails is shown without."""
    assert all(not frame.locals for frame in frames_of(caught(raise_with_locals, 7).__traceback__))


def test_frames_of_libraries_tell_no_variables():
    """What json had in its hands says nothing of the workflow."""
    frames = frames_of(caught(json.loads, "{").__traceback__, has_locals=True)
    assert frames[-1].name == "raw_decode" or "json" in frames[-1].filename
    assert not frames[-1].locals


def call_itself(n):
    """Call itself so often."""
    return 1 / 0 if n == 0 else call_itself(n - 1)


def test_of_many_frames_the_outermost_and_the_innermost_are_told():
    """The innermost with their variables."""
    frames = frames_of(caught(call_itself, 500).__traceback__, has_locals=True)
    assert len(frames) == MAX_FRAMES_SHOWN + 1
    assert frames[MAX_FRAMES_SHOWN // 2].name.endswith("more frames")
    assert frames[-1].locals == {"n": "0"}
    assert frames[3].locals == {}


def test_of_many_variables_some_are_told():
    """A function of a thousand variables is not written out."""
    source = "\n ".join(["def wide():", *(f"v{i} = {i}" for i in range(100)), "1 / 0"])
    space: dict = {}
    exec(source, space)
    assert len(frames_of(caught(space["wide"]).__traceback__, has_locals=True)[-1].locals) == MAX_LOCALS


@pytest.mark.parametrize(
    "name", ["password", "DB_PASSWORD", "passwd", "pwd", "secret", "client_secret", "token", "accessToken", "key"]
)
def test_names_of_secrets_are_known(name):
    """In any case, alone or within a longer name."""
    assert is_secret(name)
    assert show_named(name, "hunter2") == MASK


@pytest.mark.parametrize("name", ["monkey", "keyboard", "n", "path", "compass", "author"])
def test_names_that_only_look_alike_are_shown(name):
    """A word is looked for, not its letters."""
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Login(user='ann', password='hunter2')", f"Login(user='ann', password={MASK})"),
        ("{'api_key': 'hunter2', 'n': 'x'}", f"{{'api_key': {MASK}, 'n': 'x'}}"),
        ("{'token': b'hun\\'ter2'}", f"{{'token': {MASK}}}"),
        ("{'secret': 'hunter2 is cut", f"{{'secret': {MASK}"),
        ("monkey='george'", "monkey='george'"),
    ],
)
def test_a_secret_within_a_value_is_not_shown(text, masked):
    """Not in a dict, not in the text of an object, not when the text is cut."""
    assert mask_secrets(text) == masked


def chain(n):
    """Raise errors each from another."""
    try:
        if n:
            chain(n - 1)
        else:
            raise KeyError("first")
    except Exception as error:
        raise ValueError(f"step {n}") from error


def handle():
    """Fail while handling a failure."""
    try:
        raise KeyError("first")
    except KeyError:
        return 1 / 0


def hide():
    """Hide what was being handled."""
    try:
        raise KeyError("first")
    except KeyError:
        raise ValueError("shown") from None


def test_the_errors_behind_an_error_are_told():
    """What it was raised from, with the place."""
    lines = cause_lines(caught(chain, 1))
    assert lines[0] == "caused by ValueError: step 0"
    assert any("in chain" in line for line in lines)
    assert any("caused by KeyError: 'first'" in line for line in lines)


def test_what_was_being_handled_is_told_unless_it_is_hidden():
    """As Python does it."""
    assert cause_lines(caught(handle))[0] == "raised while handling KeyError: 'first'"
    assert cause_lines(caught(hide)) == []


def test_a_long_chain_is_cut():
    """Also one that leads back to itself."""
    assert len([line for line in cause_lines(caught(chain, 200)) if "caused by" in line]) <= MAX_CAUSES + MAX_IN_GROUP
    error = ValueError("x")
    error.__cause__ = KeyError("y")
    error.__cause__.__cause__ = error
    assert cause_lines(error) == ["caused by KeyError: 'y'"]


class Group(Exception):
    """What exception groups look like, also before Python 3.11."""

    def __init__(self, exceptions):
        super().__init__("several")
        self.exceptions = exceptions


def test_the_errors_in_a_group_are_told():
    """So many of them."""
    lines = cause_lines(Group([ValueError(str(n)) for n in range(MAX_IN_GROUP + 2)]))
    assert lines[0] == f"1 of {MAX_IN_GROUP + 2} in the group: ValueError: 0"
    assert lines[-1] == "... 2 more in the group ..."
    assert len(lines) == MAX_IN_GROUP + 1
