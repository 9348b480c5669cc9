import ast

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from redun.task.normalize import normalize

SAMPLE = '''\
"""Module."""
from __future__ import annotations
import a.b as c
from ..d import e, f as g

X: int = 0x10 + 1_000 - 2.5e3 * 3j // ~4
BIG = 12345678901234567890123456789012345678901234567890
TEXT = "a" 'b' + b"\\x00".decode() + f"{X!r:>{c}} {{}} {X:%H:%M} {X=}" f"" + rf"\\n{X:\\d}"

@g.h(1, *X, k=..., **TEXT)
class A(c.B, metaclass=M):
    """Class."""
    x = None

    async def run(self, a, /, b: "int" = 1, *args: str, c=(), d, **kw) -> None:
        """Method."""
        async with a as b, c: pass
        async for i in x: yield (await i)
        return

def f(x):
    global Z
    nonlocal_ = [i for i in x if i for j in i]
    d = {**x, 1: 2, 'k': {3, 4}, **{k: v for k, v in x}}
    try:
        del x[1:2, ::3], x.y
    except (E, F) as error:
        raise G(error) from None
    except H: ...
    else: assert x, "m"
    finally: pass
    while x < 1 <= 2 is not None not in y:
        break
    else:
        continue_ = lambda *, a=1: (a := a or b and not c)
    match x:
        case [1, *rest] if rest: return 1
        case {"k": v, **others} | A(x=1) as q: return -1
        case None | True | _: return "\\ud800"
    with (open(x) as h): h @= 1 if x else 2
    print(*x, sep='')
'''


def bytes_of(text):
    return normalize(ast.parse(text))


def test_the_bytes_of_a_sample_never_change():
    """The canonical bytes are part of every task's key: they are the same on each Python, for ever."""
    digest = blake3(bytes_of(SAMPLE)).hexdigest()
    assert digest == "17ed504eb17755e6bc27af27ee8380fe97dd0d18697e186960d2c6ad321ef4b4"


def test_small_bytes_are_as_documented():
    """The example of the page on task hashes holds."""
    assert bytes_of("x = f(1, 'a')") == (
        b"(Module body=[(Assign targets=[(Name id=s1:x)] value=(Call func=(Name id=s1:f) "
        b"args=[(Constant i0x1;)(Constant s1:a)]))])"
    )


def test_docstrings_leave_no_trace():
    """A docstring of a module, class or function is left out; any other text is not."""
    assert bytes_of('"""D."""\ndef f():\n    "d"\n    return 1') == bytes_of("def f(): return 1")
    assert bytes_of("def f():\n    return 1\n    'text'") != bytes_of("def f(): return 1")


def test_spelling_of_literals_leaves_no_trace():
    """Two spellings of one value are one."""
    assert bytes_of("x = 'a' \"b\"; y = 0x10; z = 1e3; w = u'q'") == bytes_of("x = 'ab'; y = 16; z = 1000.0; w = 'q'")


def test_types_of_constants_are_told_apart():
    """Constants that compare equal but differ in type have other bytes."""
    texts = ["1", "1.0", "True", "'1'", "b'1'", "1j", "None", "'None'", "...", "0.0", "-0.0"]
    assert len({bytes_of(f"x = {text}") for text in texts}) == len(texts)


def test_empty_parts_of_an_f_string_leave_no_trace():
    """Pythons differ in how they split the constants of an f-string."""
    assert bytes_of("f'a' f'{x}' 'b' f''") == bytes_of("f'a{x}b'")
    assert bytes_of("f'{x:}'") == bytes_of("f'{x}'")


def test_texts_cannot_imitate_structure():
    """Lengths stand before texts, so no text can be taken for the end of one."""
    assert bytes_of("f('a', 'b')") != bytes_of("f('a)(Constant s1:b')")


def test_deep_trees_are_no_problem():
    """A chain of two thousand operators is normalized without recursion."""
    tree = ast.parse("x")
    for _ in range(2000):
        tree.body[0].value = ast.BinOp(tree.body[0].value, ast.Add(), ast.Constant(1))
    assert normalize(tree).count(b"BinOp") == 2000


@given(
    st.lists(st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.booleans()), max_size=5)
)
def test_equal_bytes_mean_equal_constants(values):
    """The bytes of a list of constants tell the list and its types apart from a changed one."""
    one = normalize(ast.List([ast.Constant(value) for value in values], ast.Load()))
    other = normalize(ast.List([ast.Constant(value) for value in [*values, 0]], ast.Load()))
    assert one != other
