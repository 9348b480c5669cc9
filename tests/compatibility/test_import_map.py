"""Names are where users look for them."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import redun

TOP = """
    task Task PartialTask Scheduler File Dir ShardedS3Dataset Handle script cond catch throw apply_tags run namespace
    merge_handles version
    get_current_namespace get_current_scheduler set_current_scheduler get_task_registry get_context __version__
    register_executor AliasExecutor LocalExecutor DockerExecutor AWSBatchExecutor AWSGlueExecutor
    GCPBatchExecutor K8SExecutor
"""

HOMES = {
    "redun.scheduler": """
        catch_all Execution subrun fork_thread join_thread JobInfo scheduler_task with_export_options Job Traceback
        Frame ErrorValue SchedulerError DryRunResult NoCurrentScheduler root_task
    """,
    "redun.task": """
        scheduler_task SchedulerTask wraps_task CacheScope CacheCheckValid CacheResult TaskRegistry hash_args_eval
        split_task_fullname
    """,
    "redun.functools": """
        seq map_ starmap flat_map flatten zip_ compose compose_apply delay force identity const apply_func as_task
        eval_ no_prov
    """,
    "redun.expression": """
        Expression TaskExpression SchedulerExpression SimpleExpression ValueExpression ApplyExpression
        QuotedExpression quote lazy_operation get_lazy_operation
    """,
    "redun.value": """
        Value ProxyValue Bool Set EnumType DatetimeType Function FileCache InvalidValueError TypeRegistry
        get_type_registry
    """,
    "redun.file": """
        File FileSet Dir StagingFile StagingDir IFile IFileSet IDir IStagingFile IStagingDir ContentFile
        ContentFileSet ContentDir ContentStagingFile ContentStagingDir ShardedS3Dataset register_filesystem
        get_filesystem list_filesystems open_file copy_file glob_file FileSystem RedunFileNotFoundError
        RedunPermissionError RedunOSError
    """,
    "redun.scripting": """
        script script_task prepare_command get_task_command exec_script get_wrapped_command get_command_eof ScriptError
    """,
    "redun.handle": "Handle",
    "redun.executors.base": """
        Executor ExecutorError register_executor get_executors_from_config get_executor_from_config load_task_module
    """,
    "redun.executors.alias": "AliasExecutor",
    "redun.executors.aws_batch": "AWSBatchExecutor",
    "redun.executors.aws_glue": "AWSGlueExecutor",
    "redun.executors.docker": "DockerExecutor",
    "redun.executors.gcp_batch": "GCPBatchExecutor",
    "redun.executors.k8s": "K8SExecutor",
    "redun.executors.local": "LocalExecutor",
    "redun.federated_tasks": "federated_task lambda_federated_task rest_federated_task launch_federated_task",
    "redun.glue": """
        get_spark_context get_spark_session get_glue_context udf sql_query load_datacatalog_spark_dataset
        clean_datacatalog_table get_num_workers setup_glue_job
    """,
    "redun.tools": "debug_task copy_file copy_files copy_dir render_template",
    "redun.config": "Config",
    "redun.promise": "Promise wait_promises",
    "redun.pytest": "scheduler",
    "redun.utils": """
        map_nested_value iter_nested_value merge_dicts pickle_dumps pickle_preview MultiMap format_table trim_string
        add_import_path
    """,
    "redun.tags": "parse_tag_value parse_tag_key_value format_tag_value format_tag_key_value",
}


@pytest.mark.parametrize("name", TOP.split())
def test_the_package_has_its_names(name):
    """``from redun import NAME`` works, and ``import *`` and completion know the name."""
    assert getattr(redun, name) is not None
    assert name in redun.__all__


@pytest.mark.parametrize(("home", "name"), [(home, name) for home, names in HOMES.items() for name in names.split()])
def test_modules_have_their_names(home, name):
    """``from HOME import NAME`` works."""
    assert getattr(import_module(home), name) is not None


def test_the_version_is_a_text_under_both_names():
    """``version`` and ``__version__`` are one text that begins with a number."""
    assert redun.version == redun.__version__
    assert redun.version.partition(".")[0].isdigit()


def test_one_name_is_one_thing_wherever_it_is_imported_from():
    """The package's names and those of the modules are the same objects."""
    assert redun.File is import_module("redun.file").File
    assert redun.Scheduler is import_module("redun.scheduler").Scheduler
    assert import_module("redun.scheduler").scheduler_task is import_module("redun.task").scheduler_task


def test_the_decorator_survives_the_import_of_its_module():
    """``redun.task`` is the decorator and the module ``redun.task``, whichever is imported first."""
    code = (
        "import redun.task; from redun import task; from redun.task import CacheScope; import redun\n"
        "@redun.task(namespace='n')\ndef f(): return 1\n"
        "@task\ndef g(): return 2\n"
        "print(f.fullname, g.fullname, CacheScope.CSE.value)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["n.f", "g", "CSE"]
