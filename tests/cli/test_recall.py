"""Arguments from elsewhere: a pickle of them."""

from __future__ import annotations

import pickle

import pytest

from redun.cli.recall import BadInput, read_input


def test_a_pickle_holds_positional_and_named_arguments(tmp_path):
    """As a pair."""
    path = tmp_path / "in.pickle"
    path.write_bytes(pickle.dumps(((1, [2]), {"x": 3})))
    assert read_input(str(path)) == ((1, [2]), {"x": 3})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: .*NotFound"),
        (b"", "cannot be read: EOFError"),
        (pickle.dumps({"x": 1}), r"expected a pickle of \(args, kwargs\), found dict"),
        (pickle.dumps((1, 2)), ".*found tuple"),
        (pickle.dumps(((1,), {}, 3)), ".*found tuple"),
    ],
    ids=["absent", "empty", "dict", "numbers", "triple"],
)
def test_what_is_no_pickle_of_arguments_is_refused(tmp_path, content, why):
    """The message names the file."""
    path = tmp_path / "in.pickle"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=f"--input .*in.pickle: {why}"):
        read_input(str(path))
