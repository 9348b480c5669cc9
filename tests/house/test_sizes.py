"""Nothing is too large to be held in one head."""

from __future__ import annotations

import ast

FILE_LINES = 600
TEST_FILE_LINES = 800
FUNCTION_LINES = 70
CLASS_LINES = 350
POSITIONAL_PARAMETERS = 6
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_files_are_short(modules, judge):
    """A source file has at most 600 lines, a test file at most 800."""
    offences = {}
    for module in modules:
        lines, most = module.text.count("\n"), TEST_FILE_LINES if module.in_tests else FILE_LINES
        if lines > most:
            offences[module.path] = f"{lines} lines, at most {most}"
    judge("file size", offences)


def test_functions_are_short(modules, places, judge):
    """A function has at most 70 lines, its docstring included."""
    judge("function size", _long_nodes(modules, places, FUNCTIONS, FUNCTION_LINES))


def test_classes_are_short(modules, places, judge):
    """A class has at most 350 lines."""
    judge("class size", _long_nodes(modules, places, (ast.ClassDef,), CLASS_LINES))


def test_functions_take_few_positional_parameters(library, places, judge):
    """A function can be given at most 6 arguments by position, self not counted."""
    offences = {}
    for module in library:
        for place in places(module):
            if isinstance(place.node, FUNCTIONS):
                names = [argument.arg for argument in place.node.args.posonlyargs + place.node.args.args]
                count = len(names) - (names[:1] in (["self"], ["cls"]))
                if count > POSITIONAL_PARAMETERS:
                    offences[_subject(module, place)] = f"{count} positional parameters"
    judge("parameters", offences)


def test_package_inits_only_re_export(library, judge):
    """An __init__.py holds a docstring, imports, tables of names, and the two hooks of lazy names."""
    offences = {}
    for module in library:
        if module.path.endswith("/__init__.py"):
            for node in module.tree.body:
                if not _re_exports(node):
                    name = getattr(node, "name", type(node).__name__)
                    offences[f"{module.path}:{name}"] = f"line {node.lineno}: {type(node).__name__} in an __init__.py"
    judge("package init", offences)


def test_no_module_is_a_drawer(modules, judge):
    """No module or package is called utils, helpers, common or misc."""
    judge(
        "module name",
        {
            module.path: "says nothing about what it holds"
            for module in modules
            if BANNED_NAMES & set(module.path.removesuffix(".py").split("/"))
        },
    )


def test_the_tree_has_nothing_else_at_its_top(texts):
    """Beside the five folders, the root holds pyproject.toml, README.md, LICENSE and dot files."""
    at_top = {path for path in texts if "/" not in path and not path.startswith(".")}
    assert at_top <= {"pyproject.toml", "README.md"}


def _long_nodes(modules, places, types, most):
    offences = {}
    for module in modules:
        for place in places(module):
            if isinstance(place.node, types):
                lines = place.node.end_lineno - place.node.lineno + 1
                if lines > most:
                    offences[_subject(module, place)] = f"{lines} lines, at most {most}"
    return offences


def _subject(module, place):
    return f"{module.path}:{f'{place.scope}.{place.node.name}'.lstrip('.')}"


def _re_exports(node):
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test) and all(map(_re_exports, node.body))
    if isinstance(node, ast.FunctionDef):
        return node.name in {"__getattr__", "__dir__"}
    if isinstance(node, ast.Assign | ast.AnnAssign):  # a table of names, or a name given to a name
        return not any(_computes(part) for part in ast.walk(node))
    return False


def _computes(node):
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) not in {"list", "sorted"}
    return isinstance(node, ast.Lambda)
