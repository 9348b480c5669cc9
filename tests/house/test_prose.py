"""What is written for people is finished, true of any machine, and its links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK|W" r"IP)\b")
UNFINISHED_ERROR = "NotImplemented" + "Error"
MACHINE_PATH = re.compile(r"(?<![\w.$}*/~-])/(?:tmp|root|work|home/(?!ada\b)\w+|Users/\w+)(?:/[\w.-]+)*")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)


def test_nothing_is_marked_unfinished(texts, judge):
    """No text of the project carries a mark of unfinished work."""
    offences = {
        f"{path}:{number}": match[0]
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        for match in UNFINISHED.finditer(line)
    }
    judge("unfinished", offences)


def test_nothing_raises_the_error_of_unfinished_code(modules, places, judge):
    """Abstract methods are marked as such, and everything else does something."""
    offences = {}
    for module in modules:
        for place in places(module):
            if isinstance(place.node, ast.Raise) and UNFINISHED_ERROR in ast.unparse(place.node):
                offences[f"{module.path}:{place.scope}"] = f"line {place.node.lineno} raises {UNFINISHED_ERROR}"
    judge("unfinished", offences)


def test_nothing_names_one_machine(texts, judge):
    """No absolute path of somebody's machine stands in the project."""
    offences = {}
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            for match in MACHINE_PATH.finditer(line):
                offences[f"{path}:{match[0]}"] = f"line {number} names a path of one machine"
    judge("machine path", offences)


def test_links_resolve(texts, judge):
    """Each relative link and image of a page leads to a file, and each #anchor to a heading of it."""
    pages = {path: FENCE.sub("", text) for path, text in texts.items() if path.endswith(".md")}
    everything = set(texts) | {str(parent) for path in texts for parent in PurePosixPath(path).parents}
    broken = {}
    for path, text in pages.items():
        for target in LINK.findall(text) + IMAGE.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            there = _join(PurePosixPath(path).parent, name) if name else path
            if there not in everything and not there.endswith((".svg", ".png")):
                broken[f"{path}:{target}"] = "leads nowhere"
            elif anchor and there in pages and anchor not in map(_slug, HEADING.findall(pages[there])):
                broken[f"{path}:{target}"] = "no such heading"
    judge("link", broken)


def test_pages_begin_with_their_title(texts):
    """Each page of docs/ begins with one heading of the first level."""
    wrong = [path for path, text in texts.items() if path.startswith("docs/") and path.endswith(".md")]
    wrong = [path for path in wrong if not texts[path].startswith("# ")]
    assert not wrong, wrong


def test_public_names_have_docstrings(library, judge):
    """Each module, public class and public function of the library says what it is.

    A method's contract stands on its base class, so methods are asked only by review.
    """
    bare = {}
    for module in library:
        if not ast.get_docstring(module.tree) and module.tree.body:
            bare[module.path] = "has no docstring"
        for node in module.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                is_public = not node.name.startswith("_")
                is_overload = any("overload" in ast.unparse(mark) for mark in node.decorator_list)
                if is_public and not is_overload and not ast.get_docstring(node):
                    bare[f"{module.path}:{node.name}"] = "has no docstring"
    judge("docstring", bare)


def _slug(heading):
    """Name a heading as GitHub does."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def _join(folder, name):
    """Apply a relative link to the folder of its page."""
    parts = []
    for part in (folder / name).parts:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/".join(parts) or "."
