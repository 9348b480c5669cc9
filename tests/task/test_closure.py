"""What a task's hash covers, beyond the edits of test_mutations.py."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import pytest

from redun.task import get_task_registry, set_code_hash_mode, task
from redun.task.closure import collect_closure, digest_callable, get_code_hash_mode
from redun.value.encoding import encode_value


@pytest.fixture
def function_mode():
    set_code_hash_mode("function")
    yield
    set_code_hash_mode("closure")


def test_units_are_named_after_what_leads_to_them(project):
    """A function goes by its module, a closure and a constant by the global that holds them."""
    text = """
        import helpers

        LIMIT = 3

        def make(n):
            def add(x):
                return x + n
            return add

        add1 = make(1)

        @task
        def main():
            return helpers.scale(add1(LIMIT))
    """
    assert project.units(text, helpers="def scale(x): return x") == {
        "helpers.scale": "function",
        "wf.LIMIT": "constant",
        "wf.add1:add": "function",
        "wf.add1:add.n": "constant",
    }


def test_another_task_is_no_unit(project):
    """Tasks are judged on their own; what names one says only which."""
    text = """
        def helper(): return 1

        @task
        def other(): return helper()

        big = other.options(memory=8)

        @task
        def main(): return other(), big()
    """
    assert project.units(text) == {"wf.big": "constant"}
    assert project.hash(text) != project.hash(text.replace("memory=8", "memory=9"))
    assert project.hash(text) == project.hash(text.replace("return 1", "return 2"))


def test_a_partial_task_counts_by_its_arguments(project):
    """A partial task held by a global is the inner task's name and the arguments."""
    text = """
        @task
        def other(x, y): return x + y

        half = other.partial(1)

        @task
        def main(): return half(2)
    """
    assert project.hash(text) != project.hash(text.replace("partial(1)", "partial(2)"))
    assert project.hash(text) == project.hash(text.replace("x + y", "x - y"))


def test_installed_packages_and_the_standard_library_are_no_units(project):
    """What the project did not write is covered by the name that it is imported under, and by no more."""
    text = """
        import json, os.path, msgpack
        from collections import OrderedDict
        from redun.objects.oid import short

        @task
        def main(x): return json.dumps(x), os.path.join("a"), msgpack.packb(x), OrderedDict(), short(x)
    """
    assert project.units(text) == {}


def test_hashes_do_not_depend_on_the_hash_seed_or_on_other_imports(project, redun_environment):
    """A fresh process with another seed, in which other tasks were hashed before, comes to the same hash."""
    text = """
        from redun import task
        import helpers

        NAMES = {"a", "b", "c", "d"}
        CODE = {helpers.f, helpers.g, helpers.h}
        def pick(x): return x in {"p", "q", "r"} and NAMES and CODE

        @task
        def first(): return pick("p"), helpers.f

        @task
        def second(): return helpers.k(1), helpers.g
    """
    helpers = "def f(): 1\ndef g(): 2\ndef h(): f()\nk = lambda x: h() or k2(x)\nk2 = lambda x: k(x)\n"
    folder = project.write({"wf.py": text, "helpers.py": helpers})
    found = set()
    for seed, names in (("1", "first second"), ("2", "second first"), ("3", "second first")):
        code = f"import wf; hashes = [getattr(wf, n).hash for n in {names.split()}]; print(*sorted(hashes))"
        env = {**redun_environment, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
        found.add(
            subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        )
    assert len(found) == 1


def test_a_script_and_a_module_have_one_hash(project, redun_environment):
    """A file goes by its own name, whether it is run or imported."""
    text = "from redun import task\nX = 1\ndef h(): return X\n@task\ndef main(): return h()\nprint(main.hash)\n"
    folder = project.write({"wf.py": text})
    env = {**redun_environment, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    runs = ([str(folder / "wf.py")], ["-m", "wf"], ["-c", "import wf"])
    outputs = set()
    for run in runs:
        done = subprocess.run([sys.executable, *run], env=env, capture_output=True, text=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(outputs.pop()) == 65


def test_a_path_worked_out_from_the_file_is_portable(project):
    """A constant that differs from checkout to checkout counts by how it is made."""
    text = """
        import os.path
        from pathlib import Path
        HERE = os.path.dirname(os.path.abspath(__file__))
        ROOT = Path(HERE).parent
        TABLE = {"data": ROOT / "data"}
        SETTINGS = (len(__file__) > 0, "relative")

        @task
        def main(): return HERE, TABLE, SETTINGS
    """
    assert project.units(text) == {
        "wf.HERE": "assignment",
        "wf.TABLE": "assignment",
        "wf.ROOT": "assignment",
        "wf.SETTINGS": "constant",
    }
    assert project.hash(text) == project.hash(text)


def test_a_constant_without_a_structural_form_counts_by_the_statements_that_made_it(project):
    """All statements that bind or change the name count, followed into the module that holds them."""
    text = """
        from helpers import parser, lock

        @task
        def main(): return parser, lock
    """
    helpers = (
        "import argparse, threading\nlock = threading.Lock()\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('a')"
    )
    assert project.units(text, helpers=helpers) == {"helpers.lock": "assignment", "helpers.parser": "assignment"}
    before = project.hash(text, helpers=helpers)
    assert before != project.hash(text, helpers=helpers.replace("'a'", "'b'"))
    assert before != project.hash(text, helpers=helpers.replace("Lock()", "RLock()"))
    assert before == project.hash(text, helpers=helpers + "\nother = argparse.ArgumentParser()")


def test_star_imports_are_followed(project):
    """A constant and a function that came by a star import count like any other."""
    text = "from helpers import *\n@task\ndef main(): return scale(pattern)"
    helpers = "import re\npattern = re.compile('a')\ndef scale(x): return x\n"
    assert project.units(text, helpers=helpers) == {"helpers.pattern": "assignment", "helpers.scale": "function"}
    assert project.hash(text, helpers=helpers) != project.hash(text, helpers=helpers.replace("'a'", "'b'"))


def test_a_fallback_defined_after_a_failed_import_is_followed(project):
    """``except ImportError: def f()`` makes f the project's own."""
    text = """
        try:
            from notthere import fast
        except ImportError:
            def fast(x): return x + 1

        @task
        def main(): return fast(1)
    """
    assert project.units(text) == {"wf.fast": "function"}
    assert project.hash(text) != project.hash(text.replace("x + 1", "x + 2"))


def test_an_alias_of_foreign_code_counts_by_its_assignment(project):
    """``sin = math.sin`` is a statement of the project's."""
    text = "import math\nsin = math.sin\n@task\ndef main(): return sin(1)"
    assert project.units(text) == {"wf.sin": "assignment"}
    assert project.hash(text) != project.hash(text.replace("math.sin", "math.cos"))


def test_a_module_that_cannot_be_imported_here_counts_as_a_whole(project):
    """A task may import inside its body what only a worker can; then all of that module's text stands for it."""
    text = "@task\ndef main():\n    from far import go\n    return go()"
    far = "import notthere\nimport near\ndef go():\n    return 1"
    assert project.units(text, far=far, near="X = 1") == {"far": "module", "near": "module"}
    assert project.hash(text, far=far, near="X = 1") != project.hash(text, far=far, near="X = 2")


def test_relative_imports_inside_a_task_are_followed(project):
    """A package's own modules are found by the dots before their names."""
    text = "from redun import task\n@task\ndef main():\n    from . import util\n    return util.go()\n"
    files = {"pkg/__init__.py": "", "pkg/flow.py": text, "pkg/util.py": "def go(): return 1"}
    main = project.load(files, "pkg.flow").main
    assert [unit.record.name for unit in main.units()] == ["pkg.util.go"]


def test_a_file_edited_after_its_import_does_not_stand_for_the_old_code(project):
    """While a run goes on its files may be edited; the code that runs is then hashed by its bytecode."""
    text = """
        def helper(x): return x + 1

        class Model:
            size = 3
            def run(self): return self.size

        @task
        def main(): return helper(1), Model().run()
    """
    edited = project.task(text)
    path = sys.modules["wf"].__file__
    with open(path) as file:
        before = file.read()
    with open(path, "w") as file:
        file.write(before.replace("x + 1", "x + 2").replace("return self.size", "return self.size * 2"))
    kinds = {unit.record.name: unit.record.unit_kind for unit in edited.units()}
    assert kinds == {"wf.helper": "bytecode", "wf.Model": "bytecode"}
    assert edited.hash != project.hash(text.replace("x + 1", "x + 2").replace("self.size", "self.size * 2"))


def test_functions_without_source_count_by_their_bytecode():
    """What was typed in has no text; what it calls counts all the same."""

    def make(body):
        namespace = {"__name__": "typed_in", "task": task}
        exec(dedent(body), namespace)
        return namespace["main"]

    text = (
        "LIMIT = 3\ndef helper(x):\n    return x + LIMIT\nclass A:\n    n = 1\n    def f(self): pass\n"
        "@task\ndef main():\n    return helper(1), A.n"
    )
    first = make(text)
    assert {unit.record.name: unit.record.unit_kind for unit in first.units()} == {
        "typed_in.A": "bytecode",
        "typed_in.LIMIT": "constant",
        "typed_in.helper": "bytecode",
    }
    hashes = {first.hash, make(text.replace("x +", "x -")).hash, make(text.replace("n = 1", "n = 2")).hash}
    assert len(hashes | {make(text.replace("LIMIT = 3", "LIMIT = 4")).hash}) == 4
    assert make("\n\n" + text).hash == first.hash


def test_wrappers_around_a_task_count(project):
    """A decorator under ``@task`` counts with its cells, with or without functools.wraps."""
    text = """
        import functools

        def traced(label):
            def decorate(func):
                WRAPS
                def main(*args):
                    return label, func(*args)
                return main
            return decorate

        @task
        @traced("a")
        def main(x): return x + 1
    """
    for wraps in ("@functools.wraps(func)", "pass"):
        base = text.replace("WRAPS", wraps)
        hashes = [project.hash(base)]
        for old, new in (
            ('"a"', '"b"'),
            ("x + 1", "x + 2"),
            ("label, func", "func"),
        ):
            hashes.append(project.hash(base.replace(old, new)))
        assert len(set(hashes)) == 4


def test_single_dispatch_is_followed(project):
    """Implementations that only a decorator names count."""
    text = """
        import functools

        @functools.singledispatch
        def show(x): return "any"

        @show.register
        def _(x: int): return "int"

        @task
        def main(x): return show(x)
    """
    assert project.hash(text) != project.hash(text.replace('"int"', '"integer"'))
    assert project.hash(text) != project.hash(text.replace('"any"', '"thing"'))


def test_mutual_recursion_of_closures_ends(project):
    """Closures that call each other are each one unit."""
    text = """
        def make(limit):
            def ping(n): return n > limit or pong(n)
            def pong(n): return ping(n + 1)
            return ping

        ping = make(3)

        @task
        def main(): return ping(0)
    """
    assert set(project.units(text).values()) == {"function", "constant"}
    assert project.hash(text) != project.hash(text.replace("n + 1", "n + 2"))
    assert project.hash(text) != project.hash(text.replace("make(3)", "make(4)"))


def test_defaults_of_a_closure_count_by_value(project):
    """A default of an inner function was evaluated when the function was made."""
    text = "def make(n):\n    def f(x, n=n): return x\n    return f\nf = make(2)\n@task\ndef main(): return f(1)"
    assert project.hash(text) != project.hash(text.replace("make(2)", "make(3)"))


def test_what_a_module_does_to_a_class_or_function_afterwards_counts(project):
    """Statements at module level that change an attribute, or bind the name anew."""
    text = """
        class Model:
            size = 1

        Model.size = 2

        def traced(f): return f

        def helper(): return 1

        helper.flag = 3
        helper = traced(helper)

        @task
        def main(): return Model.size, helper()
    """
    assert (
        len({project.hash(text), project.hash(text.replace("= 2", "= 5")), project.hash(text.replace("= 3", "= 6"))})
        == 3
    )
    assert project.hash(text) != project.hash(text.replace("f): return f", "f): return f()"))


def test_a_module_used_as_a_whole_counts_as_a_whole(project):
    """What is asked of it by a name worked out cannot be told, so all of it counts, and what it imports."""
    text = """
        import first, second
        BACKENDS = {"a": first}

        @task
        def main(x): return getattr(second, x), BACKENDS
    """
    files = {"first": "import deeper\ndef f(): return 1", "second": "X = 1", "deeper": "Y = 1"}
    assert project.units(text, **files) == {
        "wf.BACKENDS": "assignment",
        "first": "module",
        "second": "module",
        "deeper": "module",
    }
    hashes = {project.hash(text, **{**files, name: files[name].replace("1", "2")}) for name in files}
    assert len(hashes | {project.hash(text, **files)}) == 4


def test_code_held_by_a_constant_that_it_uses_ends(project):
    """A function and a task that stand in a table they read are each followed once."""
    text = """
        from dataclasses import dataclass
        from redun.value import Value

        @dataclass
        class Step:
            run: object

        class Plan(Value):
            def __init__(self, *steps): self.steps = steps

        def helper(): return STEPS, PLAN

        @task
        def main(): return helper(), STEPS, PLAN

        STEPS = [Step(helper), Step(main)]
        PLAN = Plan(helper, main)
    """
    assert project.units(text) == {
        "wf.PLAN": "constant",
        "wf.Plan": "class",
        "wf.STEPS": "constant",
        "wf.Step": "class",
        "wf.helper": "function",
    }
    assert project.hash(text) != project.hash(
        text.replace("helper(), STEPS", "STEPS").replace("STEPS, PLAN\n", "PLAN\n", 1)
    )
    assert project.hash(text) != project.hash(text.replace("Plan(helper, main)", "Plan(main, helper)"))


def test_a_constant_is_looked_at_again_when_hashes_are_forgotten(project):
    """As in a notebook, where a global is bound anew between two runs."""
    main = project.task("LIMIT = 3\ndef helper(): return LIMIT\n@task\ndef main(): return helper()")
    before = main.hash
    sys.modules["wf"].LIMIT = 4
    assert main.hash == before
    get_task_registry().forget_hashes()
    assert main.hash != before


def test_function_mode_covers_the_own_text_alone(project, function_mode):
    """``code_hash = function`` leaves out what the function uses."""
    text = "LIMIT = 3\ndef helper(): return LIMIT\n@task\ndef main(): return helper()"
    assert get_code_hash_mode() == "function"
    assert project.units(text) == {}
    assert project.hash(text) == project.hash(
        text.replace("LIMIT = 3", "LIMIT = 4").replace("return LIMIT", "return 1")
    )
    assert project.hash(text) != project.hash(text.replace("return helper()", "return helper() + 1"))


def test_an_unknown_mode_is_refused():
    """The message names the modes."""
    with pytest.raises(ValueError, match="closure, function"):
        set_code_hash_mode("text")


def test_a_function_passed_as_a_value_counts_by_its_source(project):
    """The value hash of a project's function changes with its code, and with that of what it uses."""
    text = "LIMIT = 1\ndef helper(x): return x + LIMIT\n@task\ndef main(f): return f"

    def value_hash(edited):
        project.task(edited)
        return encode_value(sys.modules["wf"].helper).oid

    assert value_hash(text) == value_hash(text.replace("(x): return", "(x):\n    # why\n    return"))
    assert value_hash(text) != value_hash(text.replace("LIMIT = 1", "LIMIT = 2"))
    assert digest_callable(os.path.join) is None


def test_something_callable_that_is_no_function_can_be_a_task(project):
    """A partial and an instance with ``__call__`` count by what they are made of."""
    text = """
        import functools

        def scale(x, by): return x * by

        class Adder:
            def __init__(self, n): self.n = n
            def __call__(self, x): return x + self.n

        main = task(name="main", source=None)(functools.partial(scale, by=2))
        add = task(name="add")(Adder(1))
    """
    assert project.hash(text) != project.hash(text.replace("by=2", "by=3"))
    assert project.hash(text) != project.hash(text.replace("x * by", "by * x"))
    assert project.hash(text, "add") != project.hash(text.replace("x + self.n", "x - self.n"), "add")


def test_the_closure_has_texts_with_their_places(project):
    """Each piece comes with its text as written, its module and its first line."""
    main = project.task("\n\ndef helper():\n    # why\n    return 1\n@task\ndef main():\n    return helper()")
    closure = collect_closure(main.func)
    assert (closure.text, closure.module, closure.line) == ("@task\ndef main():\n    return helper()\n", "wf", 7)
    (unit,) = closure.units
    assert (unit.text, unit.module, unit.line) == ("def helper():\n    # why\n    return 1\n", "wf", 4)
    assert unit.hash == unit.record.encode()[0].hex()
