"""A value with everything it needs in one byte string."""

from __future__ import annotations

import msgpack
import pytest

from redun.value import InvalidValueError, Value, encode_value
from redun.value.portable import dump_value, load_value


class Item(Value):
    type_name = "portable.Item"

    def __init__(self, content: object) -> None:
        self.content = content


def test_a_value_travels_with_its_parts():
    """Nested Values and large contents come along."""
    again = load_value(dump_value([Item(b"x" * 100_000), 5]))
    assert again[0].content == b"x" * 100_000
    assert again[1] == 5


@pytest.mark.parametrize("dumped", [b"", b"garbage", msgpack.packb([]), msgpack.packb([5, "text"]), msgpack.packb(5)])
def test_other_bytes_are_refused(dumped):
    """Anything but what dump_value wrote is an invalid value."""
    with pytest.raises(InvalidValueError):
        load_value(dumped)


def test_a_missing_part_is_refused():
    """A value without what it links to is invalid."""
    encoded = encode_value([Item(1)])
    with pytest.raises(InvalidValueError, match="lacks an object"):
        load_value(msgpack.packb([encoded.kind, encoded.data]))
