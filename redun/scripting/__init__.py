"""Shell scripts as tasks: ``script``, ``@task(script=True)``, and the parts they are made of."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.scripting.outputs import MissingOutput as MissingOutput
    from redun.scripting.outputs import Output as Output
    from redun.scripting.plan import Script as Script
    from redun.scripting.plan import exec_script as exec_script
    from redun.scripting.plan import get_task_command as get_task_command
    from redun.scripting.plan import run_script as run_script
    from redun.scripting.process import ScriptCancelled as ScriptCancelled
    from redun.scripting.process import ScriptError as ScriptError
    from redun.scripting.tasks import script as script
    from redun.scripting.tasks import script_task as script_task
    from redun.scripting.text import get_command_eof as get_command_eof
    from redun.scripting.text import get_wrapped_command as get_wrapped_command
    from redun.scripting.text import prepare_command as prepare_command

_HOMES = {
    "MissingOutput": "redun.scripting.outputs",
    "Output": "redun.scripting.outputs",
    "Script": "redun.scripting.plan",
    "ScriptCancelled": "redun.scripting.process",
    "ScriptError": "redun.scripting.process",
    "exec_script": "redun.scripting.plan",
    "get_command_eof": "redun.scripting.text",
    "get_task_command": "redun.scripting.plan",
    "get_wrapped_command": "redun.scripting.text",
    "prepare_command": "redun.scripting.text",
    "run_script": "redun.scripting.plan",
    "script": "redun.scripting.tasks",
    "script_task": "redun.scripting.tasks",
}

__all__ = [*_HOMES]  # noqa: PLE0604  (the names are strings, from one table)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'redun.scripting' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
