"""Calling tasks of other projects by a name: here through a sub-run, or elsewhere through a server.

``federated_task`` evaluates the task with the settings of its project and gives its value.  ``lambda_federated_task``
and ``rest_federated_task`` only ask another machine to begin an execution, and answer with its id at once; over there,
``launch_federated_task`` begins it.  The invariant: what is sent names the execution, so that who asked can find it.
"""

from __future__ import annotations

import json
import pickle
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redun.config import Config
from redun.config_dir import CONFIG_FILE
from redun.errors import ExecutorError, RedunError
from redun.executors.alias import resolve_section
from redun.executors.launch import launch_script
from redun.executors.registry import make_executor
from redun.expression import TaskExpression
from redun.file import File
from redun.promise import Promise
from redun.scheduler.federation import Entrypoint, executors_of, get_entrypoint
from redun.scheduler.forms.subrun import subrun
from redun.task import CacheScope, scheduler_task, task

if TYPE_CHECKING:
    from redun.expression import SchedulerExpression
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler

REPLY_SECONDS = 60.0
"""How long a server may take to say that it has begun."""
MAX_REPLY_CHARS = 500


class FederatedError(RedunError):
    """A server did not take a request for a federated task."""

    def __init__(self, where: str, status: int | None, reply: str) -> None:
        said = f"status {status}" if status is not None else "no answer"
        super().__init__(f"{where} did not begin the federated task: {said}: {reply[:MAX_REPLY_CHARS]}")
        self.where = where
        self.status = status
        self.reply = reply


@scheduler_task(namespace="redun", version="1")
def federated_task(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    /,
    entrypoint: Any,
    *args: Any,
    **kwargs: Any,
) -> Promise[Any]:
    """Return the value of a task of another project, called by the name of its entrypoint in the settings.

    It runs as ``subrun`` does, with the settings of its project.  Its calls belong to this execution when both have one
    repository, else they make an execution of their own there, unless the entrypoint says ``new_execution``.
    The job is shared within an execution and asked anew in the next.

    Raises:
        UnknownEntrypoint, BadEntrypoint, DuplicateEntrypoint: the settings do not tell of it, or not well.
    """

    def call(name: str) -> Promise[Any]:
        found = get_entrypoint(scheduler.config, name)
        is_new = found.new_execution
        made = subrun(
            TaskExpression(found.fullname, args, kwargs),
            executor=found.executor,
            config_dir=str(found.config_dir),
            new_execution=not scheduler.home.is_at(found.config_dir) if is_new is None else is_new,
            load_modules=[found.load_module],
            **{"cache_scope": CacheScope.CSE, **found.options},
        )
        expression.upstreams = [made]
        return scheduler.evaluate(made, parent_job)

    return scheduler.evaluate(entrypoint, parent_job).then(call)


@task(namespace="redun", version="1", cache=False)
def lambda_federated_task(
    config_name: str,
    entrypoint: str,
    lambda_function_name: str,
    scratch_prefix: str,
    dryrun: bool,
    *args: Any,
    cache: bool = True,
    **kwargs: Any,
) -> tuple[str, dict[str, Any]]:
    """Ask an AWS Lambda function to begin a federated task; return the id of its execution, and what was sent.

    Args:
        config_name: which settings the function shall use; it knows them by this name.
        entrypoint: the name of the entrypoint there.
        lambda_function_name: the function, which calls ``launch_federated_task``.
        scratch_prefix: where arguments are put, a path or URL that both sides can reach.
        dryrun: whether to send nothing.
        *args: arguments of the task.
        cache: whether results of earlier executions may serve there.
        **kwargs: arguments of the task.

    Raises:
        FederatedError: the function could not be invoked.
    """
    data = _request(config_name, entrypoint, scratch_prefix, cache=cache)
    if not dryrun:
        _put_input(data["input_path"], args, kwargs)
        client = make_lambda_client()
        reply = client.invoke(
            FunctionName=lambda_function_name, InvocationType="Event", Payload=json.dumps(data).encode()
        )
        status = int(reply["StatusCode"])
        if not 200 <= status < 300:
            raise FederatedError(lambda_function_name, status, str(reply.get("FunctionError", "")))
    return data["execution_id"], data


@task(namespace="redun", version="1", cache=False)
def rest_federated_task(
    config_name: str,
    entrypoint: str,
    url: str,
    scratch_prefix: str,
    dryrun: bool,
    *args: Any,
    cache: bool = True,
    **kwargs: Any,
) -> tuple[str, dict[str, Any]]:
    """Ask a server to begin a federated task, by a POST of JSON; return the id of its execution, and what was sent.

    Arguments are those of ``lambda_federated_task``, with the server's ``url`` in the place of the function.

    Raises:
        FederatedError: the server cannot be reached or refuses.
    """
    data = _request(config_name, entrypoint, scratch_prefix, cache=cache)
    if not dryrun:
        _put_input(data["input_path"], args, kwargs)
        _post(url, data)
    return data["execution_id"], data


def launch_federated_task(
    federated_config_path: str,
    entrypoint: str,
    task_args: Sequence[Any] | None = None,
    task_kwargs: Mapping[str, Any] | None = None,
    input_path: str | None = None,
    execution_id: str | None = None,
    cache: bool = True,
) -> str:
    """Begin an execution of an entrypoint's task, as a program of its own, and return its id; for servers.

    Args:
        federated_config_path: settings that tell of the entrypoint: a ``.redun`` folder or a file.
        entrypoint: its name.
        task_args: arguments of the task.
        task_kwargs: arguments of the task.
        input_path: a pickle of (args, kwargs), instead of the two.
        execution_id: the UUID to run under; a new one when not given.
        cache: whether results of earlier executions may serve.

    Raises:
        ValueError: arguments are given twice.
        ConfigError: the settings do not tell of the entrypoint.
        ExecutorError: its executor cannot start programs.
    """
    if input_path is not None and (task_args is not None or task_kwargs is not None):
        raise ValueError("expected arguments or an input_path, found both")
    path = Path(federated_config_path)
    config = Config()
    config.read_path((path / CONFIG_FILE if path.is_dir() else path).absolute())
    found = get_entrypoint(config, entrypoint)
    chosen = str(uuid.UUID(execution_id)) if execution_id else str(uuid.uuid4())
    if input_path is None:
        input_path = str(Path(tempfile.mkdtemp(prefix="redun-input-")) / "input")
        _put_input(input_path, task_args or (), task_kwargs or {})
    _submit(config, found, _command(found, input_path, chosen, cache=cache))
    return chosen


def make_lambda_client() -> Any:
    """Return the client that invokes Lambda functions.

    Raises:
        ExecutorError: boto3 is not installed.
    """
    try:
        import boto3
    except ImportError as error:
        raise ExecutorError("AWS Lambda needs boto3, which is not installed", hint="pip install boto3") from error
    return boto3.client("lambda")


def _submit(config: Config, found: Entrypoint, command: list[str]) -> None:
    sections: dict[str, Mapping[str, Any]] = {"default": {}, **executors_of(config)}
    if found.executor not in sections:
        raise ExecutorError(f"entrypoint {found.name!r} runs on executor {found.executor!r}, which no settings tell of")
    executor = make_executor(*resolve_section(sections, found.executor))
    launch_script(config, command, executor, task_options=found.options, folder=found.config_dir.parent)


def _command(found: Entrypoint, input_path: str, execution_id: str, *, cache: bool) -> list[str]:
    flags = ["--input", input_path, "--execution-id", execution_id, *([] if cache else ["--no-cache"])]
    run = ["run", *flags, found.load_module, found.fullname]
    return ["redun", "-c", str(found.config_dir), *run]


def _request(config_name: str, entrypoint: str, scratch_prefix: str, *, cache: bool) -> dict[str, Any]:
    execution_id = str(uuid.uuid4())
    return {
        "config_name": config_name,
        "entrypoint": entrypoint,
        "input_path": f"{scratch_prefix.rstrip('/')}/execution/{execution_id}/input",
        "execution_id": execution_id,
        "cache": cache,
    }


def _put_input(path: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    with File(path).open("wb") as stream:
        pickle.dump((tuple(args), dict(kwargs)), stream)


def _post(url: str, data: Mapping[str, Any]) -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"expected an http or https URL of a server, found {url!r}")
    body, headers = json.dumps(data).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - the scheme was looked at
    try:
        with urllib.request.urlopen(request, timeout=REPLY_SECONDS) as reply:  # noqa: S310 - as above
            reply.read()
    except urllib.error.HTTPError as error:
        raise FederatedError(url, error.code, error.read().decode(errors="replace")) from error
    except OSError as error:
        raise FederatedError(url, None, str(error)) from error
