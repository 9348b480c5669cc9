"""Facts about closing streams."""

import gc
import io
import os
import weakref

import pytest

from redun.file import File, RedunOSError
from redun.file.streams import shadow_close, type_close_errors


class Refusing(io.BytesIO):
    """As fsspec's files do: not closed when closing fails, and then closed again by the destructor."""

    closed = False

    def close(self):
        raise PermissionError("Forbidden")

    def __del__(self):
        if not self.closed:
            self.close()


def test_a_stream_is_closed_once():
    """By what shadows its ``close``, however often it is asked to."""
    seen = []

    def run(close):
        seen.append(stream.closed)
        close()
        seen.append(stream.closed)

    stream = io.BytesIO()
    shadow_close(stream, run)
    with stream:
        pass
    stream.close()
    assert seen == [False, True]


def test_shadows_stack():
    """The last one put on runs around those before it."""
    order = []

    def around(name):
        def run(close):
            order.append(name)
            close()
            order.append(name)

        return run

    stream = io.TextIOWrapper(io.BytesIO())
    shadow_close(stream, around("inner"))
    shadow_close(stream, around("outer"))
    stream.close()
    assert order == ["outer", "inner", "inner", "outer"]
    assert stream.closed


def test_a_stream_is_not_kept_alive():
    """It goes as soon as nobody holds it, without waiting for the garbage collector."""
    stream = io.BytesIO()
    shadow_close(stream, lambda close: close())
    type_close_errors(stream, "path")
    seen = weakref.ref(stream)
    gc.disable()
    try:
        del stream
        assert seen() is None
    finally:
        gc.enable()


def test_an_error_of_closing_is_typed_and_told_once():
    """The destructor is silent about what was raised already."""
    stream = Refusing()
    type_close_errors(stream, "s3://b/k")
    with pytest.raises(RedunOSError, match="cannot write s3://b/k: Forbidden") as caught:
        stream.close()
    assert caught.value.path == "s3://b/k"
    assert isinstance(caught.value, PermissionError)
    assert stream.closed
    del stream
    gc.collect()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_a_typed_error():
    """Whenever it is noticed: a buffer is written when the stream is closed."""
    for data in ("text", b"bytes", "x" * 100_000):
        with pytest.raises(RedunOSError, match="cannot write /dev/full") as caught:
            File("/dev/full").write(data)
        assert caught.value.path == "/dev/full"
