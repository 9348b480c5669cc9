"""Digests of code: what a function does counts, where it stands does not."""

from __future__ import annotations

from redun.task.bytecode import digest_code, iter_codes


def digest(text):
    """Return the digest of the first function in a text."""
    module = compile(text, "any.py", "exec", dont_inherit=True)
    return digest_code(next(code for code in iter_codes(module) if code is not module))


def test_lines_and_files_take_no_part():
    """The same function further down is the same."""
    assert digest("def f(x):\n    return x + 1") == digest("\n\n\ndef f(x):\n\n    return x + 1")


def test_what_the_code_does_counts():
    """Constants with their types, names, parameters, and functions within."""
    texts = [
        "def f(x): return x + 1",
        "def f(x): return x + 1.0",
        "def f(x): return x + True",
        "def f(x): return x - 1",
        "def f(y): return y + 1",
        "def f(x, /): return x + 1",
        "def f(x): return lambda: x + 1",
        "def f(x): return lambda: x + 2",
        "def f(x): return x in (1, 2)",
        "def f(x): return x in (1, (2,))",
        "def f(x): return x in {1, 2}",
        "def f(x): return x in {1, 3}",
        "def f(x): return '\\ud800'",
        "async def f(x): return x + 1",
    ]
    assert len({digest(text) for text in texts}) == len(texts)


def test_the_order_of_a_set_takes_no_part():
    """It follows the hash seed, and differs from process to process."""
    assert digest("def f(x): return x in {'a', 'b', 'c'}") == digest("def f(x): return x in {'c', 'b', 'a'}")
