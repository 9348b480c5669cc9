"""Tasks in the pages that Sphinx makes: real builds of a small project."""

from __future__ import annotations

import re
import sys
from html import unescape
from io import StringIO

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from redun.task import get_task_registry

FLOW = '''\
"""A flow."""
from redun import task
from redun.scheduler import scheduler_task
from redun.task import wraps_task

redun_namespace = "flow"


@task(version="1", memory=4)
def align(reads: list[str], gap: int = 2) -> str:
    """Align reads.

    See :task:`count` and :py:func:`plain`.
    """


@task(cache=False)
async def count(path: str) -> int:
    """Count lines."""


@task()
def silent(x: int) -> int:
    return x


@scheduler_task()
def either(scheduler, parent_job, sexpr, first: int, second: int = 0) -> int:
    """Take one of two."""


@wraps_task()
def doubled(inner):
    def around(*args, **kwargs):
        return inner.func(*args, **kwargs)
    return around


@doubled
@task()
def wrapped(name: str) -> str:
    """Greet twice."""
    return name


def plain(y):
    """Do something; see :task:`flow_of_docs.align`."""
'''
INDEX = """\
Flow
====

.. automodule:: flow_of_docs
   :members:

Elsewhere: :task:`align <flow_of_docs.align>`, :schedulertask:`flow_of_docs.either`.
"""
SINGLE = """\
One
===

.. autotask:: flow_of_docs.align
   :no-index:
.. autoschedulertask:: flow_of_docs.either
   :no-index:
"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return a function that builds a page and returns its text, and its warnings."""
    (tmp_path / "flow_of_docs.py").write_text(FLOW)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(index, **settings):
        (tmp_path / "index.rst").write_text(index)
        warnings = StringIO()
        settings = {"extensions": ["redun.sphinx"], "html_theme": "basic", **settings}
        with docutils_namespace():
            app = Sphinx(
                *(str(tmp_path), None, str(tmp_path / "out"), str(tmp_path / "doctrees"), "html", settings),
                status=None,
                warning=warnings,
                freshenv=True,
            )
            app.build()
        page = (tmp_path / "out/index.html").read_text()
        return page, warnings.getvalue()

    with get_task_registry().isolated():
        yield run
    sys.modules.pop("flow_of_docs", None)


def signatures(page):
    """Return the texts of what the page describes."""
    found = re.findall(r'<dt class="sig sig-object py"[^>]*>(.*?)</dt>', page, re.DOTALL)
    texts = [unescape(re.sub(r"<[^>]+>", "", one)).replace("¶", "") for one in found]
    return [" ".join(text.split()) for text in texts]


def test_tasks_of_a_module_are_shown_as_they_are_called(build):
    """With prefix, arguments, types and docstrings; a task without a docstring is left out, as functions are."""
    page, warnings = build(INDEX)
    assert warnings == ""
    assert signatures(page) == [
        "(task) flow_of_docs.align(reads: list[str], gap: int = 2) → str",
        "(task) async flow_of_docs.count(path: str) → int",
        "(scheduler_task) flow_of_docs.either(first: int, second: int = 0) → int",
        "flow_of_docs.plain(y)",
        "(task) flow_of_docs.wrapped(name: str) → str",
    ]
    assert all(text in page for text in ("Align reads.", "Count lines.", "Take one of two.", "Greet twice."))


def test_references_lead_to_tasks(build):
    """By name within the module, by the full name from elsewhere."""
    page, _ = build(INDEX)
    assert {"align", "count", "either", "plain"} <= set(re.findall(r'href="#flow_of_docs\.(\w+)" title=', page))


def test_a_single_task_can_be_shown(build):
    """By directives of their own."""
    page, warnings = build(SINGLE)
    assert warnings == ""
    assert [text.partition("(flow")[0].split("(")[1] for text in signatures(page)] == [
        "task) flow_of_docs.align",
        "scheduler_task) flow_of_docs.either",
    ]


def test_prefixes_are_settings(build):
    """An empty one is none."""
    page, _ = build(INDEX, redun_task_prefix="job", redun_scheduler_task_prefix="")
    texts = signatures(page)
    assert texts[0].startswith("job flow_of_docs.align(")
    assert texts[2].startswith("flow_of_docs.either(first")


def test_tasks_without_a_docstring_are_shown_when_asked_for(build):
    """By ``undoc-members``."""
    page, _ = build(INDEX + "\n", autodoc_default_options={"undoc-members": True})
    assert "(task) flow_of_docs.silent(x: int) → int" in signatures(page)
