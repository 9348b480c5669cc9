"""redun: workflows as lazy expressions, on a git-style store.

Names are resolved on first use, so that importing redun costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from redun.version import __version__

if TYPE_CHECKING:
    from redun.executors.alias import AliasExecutor as AliasExecutor
    from redun.executors.aws_batch import AWSBatchExecutor as AWSBatchExecutor
    from redun.executors.aws_glue import AWSGlueExecutor as AWSGlueExecutor
    from redun.executors.docker import DockerExecutor as DockerExecutor
    from redun.executors.gcp_batch import GCPBatchExecutor as GCPBatchExecutor
    from redun.executors.k8s import K8SExecutor as K8SExecutor
    from redun.executors.local import LocalExecutor as LocalExecutor
    from redun.executors.registry import register_executor as register_executor
    from redun.expression import Expression as Expression
    from redun.file import Dir as Dir
    from redun.file import File as File
    from redun.file import FileSet as FileSet
    from redun.file import ShardedS3Dataset as ShardedS3Dataset
    from redun.handle import Handle as Handle
    from redun.namespace import get_current_namespace as get_current_namespace
    from redun.namespace import namespace as namespace
    from redun.scheduler import Scheduler as Scheduler
    from redun.scheduler.forms.catch import catch as catch
    from redun.scheduler.forms.control import cond as cond
    from redun.scheduler.forms.control import get_context as get_context
    from redun.scheduler.forms.control import throw as throw
    from redun.scheduler.forms.handles import merge_handles as merge_handles
    from redun.scheduler.forms.tagging import apply_tags as apply_tags
    from redun.scripting import script as script
    from redun.session import run as run
    from redun.task import Task as Task
    from redun.task import get_task_registry as get_task_registry
    from redun.task import task as task

_HOMES = {
    "AWSBatchExecutor": "redun.executors.aws_batch",
    "AWSGlueExecutor": "redun.executors.aws_glue",
    "AliasExecutor": "redun.executors.alias",
    "DockerExecutor": "redun.executors.docker",
    "GCPBatchExecutor": "redun.executors.gcp_batch",
    "K8SExecutor": "redun.executors.k8s",
    "LocalExecutor": "redun.executors.local",
    "apply_tags": "redun.scheduler.forms.tagging",
    "catch": "redun.scheduler.forms.catch",
    "cond": "redun.scheduler.forms.control",
    "Dir": "redun.file",
    "Expression": "redun.expression",
    "File": "redun.file",
    "FileSet": "redun.file",
    "Handle": "redun.handle",
    "PartialTask": "redun.task",
    "Scheduler": "redun.scheduler",
    "ShardedS3Dataset": "redun.file",
    "Task": "redun.task",
    "get_context": "redun.scheduler.forms.control",
    "get_current_namespace": "redun.namespace",
    "get_current_scheduler": "redun.scheduler",
    "get_task_registry": "redun.task",
    "merge_handles": "redun.scheduler.forms.handles",
    "register_executor": "redun.executors.registry",
    "namespace": "redun.namespace",
    "run": "redun.session",
    "script": "redun.scripting",
    "set_current_scheduler": "redun.scheduler",
    "task": "redun.task",
    "throw": "redun.scheduler.forms.control",
}

version = __version__

__all__ = ["__version__", "version", *_HOMES]  # noqa: PLE0604  (the names are strings, from one table)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'redun' has no attribute {name!r}")
    module = import_module(home)
    # `redun.task` and `redun.namespace` are modules and functions at once: importing a module binds it here, whatever
    # the name was bound to before, so the modules can be called.
    value = module if home == f"redun.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
