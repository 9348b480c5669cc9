"""What the pages on the language and on tasks show is what comes out."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from redun import Scheduler
from redun.expression import Expression, SchedulerExpression, SimpleExpression, ValueExpression
from redun.task.registry import get_task_registry

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
PAGE = GUIDE / "language.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RAISES = re.compile(r"raises (\w+)$")


def _statements(text):
    """Yield each statement of the page's blocks, with what its comment says comes out, if it has one."""
    lines = text.splitlines()
    for node in ast.parse(text).body:
        _, _, comment = lines[node.end_lineno - 1][node.end_col_offset :].partition("  # ")
        yield node, comment


@pytest.fixture(params=["language.md", "tasks.md"])
def page(request, tmp_path, monkeypatch):
    """A page's code as one module, whose file is there and which can be found by name."""
    path = tmp_path / "language_page.py"
    path.write_text("\n".join(BLOCK.findall((GUIDE / request.param).read_text())))
    module = ModuleType("language_page")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "language_page", module)
    scheduler = Scheduler()
    module.run = scheduler.run
    with get_task_registry().isolated():
        yield module


def test_the_page_tells_what_comes_out(page):
    """Each line with a comment comes to the value, or raises the error, that the comment says."""
    n_checked = 0
    try:
        for node, comment in _statements(Path(page.__file__).read_text()):
            if not comment:
                exec(compile(ast.Module([node], []), page.__file__, "exec"), page.__dict__)
                continue
            n_checked += 1
            code = compile(ast.Expression(node.value), page.__file__, "eval")
            raises = RAISES.match(comment)
            if raises:
                with pytest.raises(getattr(builtins, raises[1])):
                    eval(code, page.__dict__)
            else:
                assert eval(code, page.__dict__) == ast.literal_eval(comment), ast.unparse(node)
    finally:
        with suppress(AttributeError):
            del Expression.__mod__
    assert n_checked > 10


def test_the_page_lists_what_cannot_be_asked_lazily():
    """The attributes that expressions have themselves."""
    classes = (SchedulerExpression, SimpleExpression, ValueExpression)
    own = {name for cls in classes for name in dir(cls) if not name.startswith("_")}
    (listed,) = re.findall(r"attribute of every expression .*?:(.*?)\. Take it", PAGE.read_text(), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == own
