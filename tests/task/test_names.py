import ast

import pytest

from redun.task.names import find_references


def refs(text):
    return [str(ref) for ref in find_references(*ast.parse(text).body)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x): return x + y", ["y"]),
        ("def f(x): return a.b.c(x).d", ["a.b.c"]),
        ("def f(x=d, *a: t, k=e, **w: u) -> r: return x, a, k, w", ["d", "e", "r", "t", "u"]),
        ("@deco(arg)\ndef f(): pass", ["arg", "deco"]),
        ("def f():\n    x = 1\n    def g(): return x, y\n    return g", ["y"]),
        ("def f(): return [i for i in items if i in x for j in i]", ["items", "x"]),
        ("def f(): return {k: v for k, v in p}, {i for i in q}, (i for i in r)", ["p", "q", "r"]),
        ("def f(): return (lambda a, b=c: a + b + d)", ["c", "d"]),
        ("def f():\n    global g\n    g = 1\n    return g", ["g"]),
        ("def f():\n    try: pass\n    except E as e: return e", ["E"]),
        ("def f():\n    with a as b: return b", ["a"]),
        ("def f():\n    for i in a: print(i)", ["a", "print"]),
        ("def f(v):\n    match v:\n        case A(x=[1, *r]) as q: return r, q\n        case {**m}: return m", ["A"]),
        ("def f(x):\n    if (y := x): return y", []),
        ("def f(xs): return [y for x in xs if (y := x)], y", []),
        ("class A(B, metaclass=M):\n    x = y\n    def m(self): return A, z", ["A", "B", "M", "y", "z"]),
        ("class A:\n    x = 1\n    def m(self): return x", ["x"]),
        ("def f(n): return f(n - 1)", ["f"]),
        ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    return x", []),
        ("TABLE[k] = v", ["TABLE", "k", "v"]),
    ],
)
def test_names_taken_from_outside(text, expected):
    """Exactly the names that Python would look up outside of the piece, with the attributes read of them."""
    assert refs(text) == expected


def test_a_name_imported_inside_says_where_from():
    """An import inside a function makes a reference to the imported thing, not to a global of that name."""
    text = "def f():\n    from .m import a as b\n    import p.q, r.s as t\n    return b.c(p.q.x, t.y)"
    found = find_references(*ast.parse(text).body)
    assert [(str(ref), str(ref.imported)) for ref in found] == [("b.c", ".m.a"), ("p.q.x", "p"), ("t.y", "r.s")]


def test_branches_may_import_a_name_from_two_places():
    """Both may be what is called."""
    text = "def f():\n    try: from a import g\n    except ImportError: from b import g\n    return g()"
    found = find_references(*ast.parse(text).body)
    assert [str(ref.imported) for ref in found if ref.root == "g"] == ["a.g", "b.g"]


def test_an_import_inside_that_is_not_used_is_no_reference():
    """Only what is read counts."""
    assert refs("def f():\n    import m\n    return 1") == []


def test_trees_deeper_than_pythons_stack_are_read():
    """Generated code nests deeper than Python calls."""
    tree = ast.parse("x").body[0]
    for _ in range(5000):
        tree.value = ast.BinOp(tree.value, ast.Add(), ast.Name("y", ast.Load()))
    assert [str(ref) for ref in find_references(tree)] == ["x", "y"]
