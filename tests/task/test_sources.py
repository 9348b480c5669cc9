"""Texts of modules, and whether they stand for the code that was loaded."""

from __future__ import annotations

import linecache
import sys
from textwrap import dedent

from redun.task.sources import ModuleText, get_text, text_of_function


def indexed(text):
    return ModuleText("wf.py", dedent(text))


def test_definitions_are_found_by_name_and_line():
    """A function's first line is that of its first decorator; lambdas of one line are taken together."""
    text = indexed(
        """\
        @deco
        def f(): pass
        both = (lambda: 1), (lambda: 2)
        class A:
            class B:
                def m(self): pass
        def g():
            class C: pass
        """
    )
    codes = {code.co_name: code for code in compile(text.text, "wf.py", "exec").co_consts if hasattr(code, "co_name")}
    assert [node.lineno for node in text.find_functions(codes["f"])] == [2]
    assert [len(text.find_classes(name)) for name in ("A", "A.B", "g.<locals>.C", "C")] == [1, 1, 1, 0]


def test_lambdas_of_one_line_are_told_apart_by_their_code():
    """One inside another, too; that over several lines as well."""
    source = "a, b, c = (lambda: 1), (lambda x=(lambda: 2): lambda y: x + y), lambda: (\n  3)"
    namespace = {}
    exec(compile(source, "wf.py", "exec", dont_inherit=True), namespace)
    text = indexed(source)
    functions = [namespace["a"], namespace["b"], *namespace["b"].__defaults__, namespace["b"](1), namespace["c"]]
    found = [text.find_functions(func.__code__) for func in functions]
    assert [[node.col_offset for node in nodes] for nodes in found] == [[11], [24], [34], [46], [64]]


def test_lambdas_of_one_line_with_one_code_are_taken_together():
    """So are those whose code is not in the text, since any of them may be meant."""
    source = "def f():\n try: pass\n finally: a, b, c = (lambda x=1: x), (lambda x=2: x), lambda: 3\n return a, b, c"
    namespace = {}
    exec(compile(source, "wf.py", "exec", dont_inherit=True), namespace)
    text = indexed(source)
    found = [text.find_functions(func.__code__) for func in namespace["f"]()]
    assert [len(nodes) for nodes in found] == [2, 2, 1]
    stranger = eval(compile("\n\nlambda: 4", "wf.py", "eval"))
    assert len(text.find_functions(stranger.__code__)) == 3


def test_statements_that_bind_or_change_a_name_are_kept_in_order():
    """Blocks at module level are looked into; bodies of functions are not."""
    text = indexed(
        """\
        if True:
            a = 1
        else:
            a, (b, *c) = 2, (3, 4)
        a["x"] = 5
        a.y.append(6)
        def f():
            a = 7
        with f() as d: e: int = 8
        for i in a: j = i
        try: k = 1
        except ValueError: k = 2
        print(a)
        """
    )
    assert [node.lineno for node in text.statements["a"]] == [2, 4, 5, 6]
    assert set(text.statements) == text.bound == {"a", "b", "c", "d", "e", "f", "i", "j", "k"}
    assert len(text.statements["k"]) == 2


def test_imports_of_a_module_are_kept_as_written():
    """All of them, when branches differ."""
    text = indexed("try: import a.b as x\nexcept ImportError: from .c import d as x\nimport e.f\nfrom g import *")
    found = {name: [str(entry) for entry in entries] for name, entries in text.imports.items()}
    assert found == {"x": ["a.b", ".c.d"], "e": ["e"], "*": ["g.*"]}


def test_a_text_stands_for_its_functions_until_it_is_edited(project):
    """An edit of the file shows at the next look; another one that puts it back, too."""
    func = project.task("@task\ndef main(x): return x + 1").func
    path = sys.modules["wf"].__file__
    with open(path) as file:
        before = file.read()
    assert text_of_function(func) is text_of_function(func) is not None
    with open(path, "w") as file:
        file.write(before.replace("x + 1", "x + 22"))
    assert text_of_function(func) is None
    with open(path, "w") as file:
        file.write(before)
    assert text_of_function(func) is not None


def test_a_text_that_is_no_python_any_more_stands_for_nothing(project):
    """A file that is being edited may be anything."""
    func = project.task("@task\ndef main(x): return x + 1").func
    with open(sys.modules["wf"].__file__, "w") as file:
        file.write("def main(:")
    assert text_of_function(func) is None


def test_what_was_typed_into_a_notebook_has_a_text():
    """Front ends leave the text of a cell with linecache."""
    text = "def typed(x):\n    return x\n"
    linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(keepends=True), "<cell 1>")
    try:
        namespace = {"__name__": "__main__"}
        exec(compile(text, "<cell 1>", "exec", dont_inherit=True), namespace)
        found = text_of_function(namespace["typed"])
        assert found is get_text("<cell 1>", namespace)
        assert found is not None
        assert found.text_of(*found.find_functions(namespace["typed"].__code__)) == text
    finally:
        del linecache.cache["<cell 1>"]


def test_a_file_that_is_not_there_has_no_text():
    """Neither has code that names no file."""
    assert get_text("/nowhere/at/all.py", {}) is None
    assert get_text("<stdin>", {}) is None
