"""A Sphinx extension: tasks in the pages that autodoc makes.  ``extensions = ["redun.sphinx"]`` in ``conf.py``.

``automodule`` shows tasks among the functions of a module, ``autotask`` and ``autoschedulertask`` show one, ``:task:``
refers to one.  What stands in front of the name is set by ``redun_task_prefix`` and ``redun_scheduler_task_prefix``.
A scheduler task is shown as it is called, without the three arguments that the scheduler gives.

The invariant: importing a module to document it runs nothing of it, as with autodoc itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from docutils.nodes import Node
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.domains import ObjType
from sphinx.domains.python import PyFunction, PyXRefRole
from sphinx.ext.autodoc import FunctionDocumenter

from redun.task import SchedulerTask, Task
from redun.version import __version__

N_GIVEN_BY_SCHEDULER = 3  # the scheduler, the job, the expression
BEFORE_AUTODOC = 100


class TaskDocumenter(FunctionDocumenter):
    """Shows a task as the function that its users call."""

    objtype = "task"
    directivetype = "task"
    priority = FunctionDocumenter.priority + 10

    @classmethod
    def can_document_member(cls, member: Any, membername: str, isattr: bool, parent: Any) -> bool:  # noqa: ARG003
        """Tell whether a member of a module is a task and no scheduler task."""
        return isinstance(member, Task) and not isinstance(member, SchedulerTask)

    def import_object(self, raiseerror: bool = False) -> bool:
        """Import the task, and go on with its function."""
        is_found: bool = super().import_object(raiseerror)
        if is_found and isinstance(self.object, Task):
            self.object = function_of(self.object)
        return is_found


class SchedulerTaskDocumenter(TaskDocumenter):
    """Shows a scheduler task as the function that its users call."""

    objtype = "schedulertask"
    directivetype = "schedulertask"

    @classmethod
    def can_document_member(cls, member: Any, membername: str, isattr: bool, parent: Any) -> bool:  # noqa: ARG003
        """Tell whether a member of a module is a scheduler task."""
        return isinstance(member, SchedulerTask)


class TaskDirective(PyFunction):
    """``.. py:task:: name(arguments)``."""

    prefix_option = "redun_task_prefix"

    def get_signature_prefix(self, sig: str) -> Sequence[Node]:
        """Return what stands in front of the name."""
        text = getattr(self.env.config, self.prefix_option)
        words = [addnodes.desc_sig_keyword("", text), addnodes.desc_sig_space()] if text else []
        return [*words, *super().get_signature_prefix(sig)]


class SchedulerTaskDirective(TaskDirective):
    """``.. py:schedulertask:: name(arguments)``."""

    prefix_option = "redun_scheduler_task_prefix"


def function_of(task: Task[..., Any]) -> Callable[..., Any]:
    """Return a function with the name, the docstring and the signature that a task has for those who call it."""
    signature, func = task.signature, task.visible_func
    if isinstance(task, SchedulerTask):
        parameters = list(signature.parameters.values())[N_GIVEN_BY_SCHEDULER:]
        signature = signature.replace(parameters=parameters)

    def plain(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        return await func(*args, **kwargs)

    shown: Any = wraps(func)(coroutine if task.is_async() else plain)
    del shown.__wrapped__  # of a scheduler task, its signature is not what is shown
    shown.__signature__ = signature
    return shown  # type: ignore[no-any-return]


def skip_undocumented(_app: Sphinx, _what: str, _name: str, obj: Any, _skip: bool, options: Any) -> bool | None:
    """Leave out tasks without a docstring, as autodoc does with functions: that of their class is none of theirs."""
    if not isinstance(obj, Task):
        return None
    return not (obj.visible_func.__doc__ or options.get("undoc-members") or options.get("undoc_members"))


def use_documenters(_app: Sphinx, config: Config) -> None:
    """Have autodoc ask classes for what they document: since 9.0 it does so only when it is told to."""
    if hasattr(config, "autodoc_use_legacy_class_based"):
        config.autodoc_use_legacy_class_based = True


def setup(app: Sphinx) -> dict[str, Any]:
    """Add all this to a build of Sphinx, which calls it."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("config-inited", use_documenters, priority=BEFORE_AUTODOC)
    app.connect("autodoc-skip-member", skip_undocumented)
    app.add_config_value("redun_task_prefix", "(task)", "env")
    app.add_config_value("redun_scheduler_task_prefix", "(scheduler_task)", "env")
    kinds: list[tuple[str, type[TaskDirective]]] = [("task", TaskDirective), ("schedulertask", SchedulerTaskDirective)]
    for name, directive in kinds:
        app.add_directive_to_domain("py", name, directive)
        app.add_role_to_domain("py", name, PyXRefRole())
        # What a role refers to is found by this table; Sphinx offers no call for another domain than its own.
        types = app.registry.domain_object_types.setdefault("py", {})
        types[name] = ObjType(name, name, "func", "obj")
    app.add_autodocumenter(TaskDocumenter)
    app.add_autodocumenter(SchedulerTaskDocumenter)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
