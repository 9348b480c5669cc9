"""AWS for tests: moto's server in a thread of this process, on a free port, its jobs run as processes.

It counts requests by service, can be slow, and can refuse: so throttling, expired credentials and lost answers happen
when a test says so.  ``moto[server]`` brings it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redun.testing.started import Started

REGION = "us-east-1"
KEY, SECRET = "test", "testtest"
ACCOUNT = "123456789012"

_WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(slots=True)
class Fault:
    """An answer in place of the right one."""

    verb: str
    """``batch:submitjob``; one that ends in ``*`` is a prefix."""
    code: str = "ThrottlingException"
    status: int = 400
    message: str = "as the test says"
    times: int = 1
    skip: int = 0
    """How many requests pass before."""
    is_done: bool = False
    """Whether the request is carried out all the same: its answer is lost."""

    def meets(self, verb: str) -> bool:
        """Tell whether a request is to fail, and count it."""
        is_meant = verb.startswith(self.verb[:-1]) if self.verb.endswith("*") else verb == self.verb
        if not is_meant or self.times <= 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class _Gate:
    """Counts requests, and makes them slow or fail, on their way to moto."""

    app: _WsgiApp
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    delay_seconds: float = 0.0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        verb = _verb_of(environ)
        self.counts[verb] += 1
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        fault = next((fault for fault in self.faults if fault.meets(verb)), None)
        if fault is None:
            return self.app(environ, start_response)
        if fault.is_done:
            b"".join(self.app(environ, lambda *_: None))
        body = json.dumps({"__type": fault.code, "message": fault.message}).encode()
        headers = [("Content-Type", "application/json"), ("x-amzn-errortype", fault.code)]
        start_response(f"{fault.status} Fault", [*headers, ("Content-Length", str(len(body)))])
        return [body]


def _verb_of(environ: Mapping[str, Any]) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        service, _, operation = target.rpartition(".")
        return f"{_SERVICES.get(service, service)}:{operation.lower()}"
    path = str(environ.get("PATH_INFO", ""))
    if path.startswith("/v1/"):
        return f"batch:{path[len('/v1/') :].partition('/')[0]}"
    method = str(environ.get("REQUEST_METHOD", "")).lower()
    return "query:post" if (method, path) == ("post", "/") else f"s3:{method}"  # IAM and STS ask so


_SERVICES = {"Logs_20140328": "logs", "AWSGlue": "glue"}


class AwsServer(Started):
    """The server, from ``start`` (or ``with``) to ``stop``.  One at a time in a process.

    Args:
        folder: where the jobs' commands run; empty.
        path: where programs are looked for by jobs, after those of this Python.
    """

    def __init__(self, folder: Path, path: str = os.defpath) -> None:
        self.folder = folder
        self._path = path
        self.url = ""
        self._stack = ExitStack()
        self._gate: _Gate | None = None

    def start(self) -> None:
        """Start it, with one queue named ``queue`` and a role."""
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        from redun.testing import moto_batch, moto_glue

        self.folder.mkdir(parents=True, exist_ok=True)
        self._gate = _Gate(DomainDispatcherApplication(create_backend_app))
        server = make_server("127.0.0.1", 0, self._gate, threaded=True, request_handler=_quiet(MotoRequestHandler))
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.runner = moto_batch.JobRunner(self.folder, self._job_environment())
        self._stack.enter_context(moto_batch.installed(self.runner))
        self._stack.enter_context(moto_glue.installed(self.runner, self._fetch))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(server.shutdown)
        self._share_loader()
        self._make_queue()

    def stop(self) -> None:
        """End it; what it held is gone."""
        self._stack.close()
        from moto.core.model_instances import reset_model_data

        reset_model_data()

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables by which every client of AWS finds it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # What the user of this machine has set up must not count.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def counts(self) -> Counter[str]:
        """How many requests were made, by ``service:operation``."""
        return self._open_gate.counts

    @property
    def faults(self) -> list[Fault]:
        """What is to fail; those that have failed their number of times are passed over."""
        return self._open_gate.faults

    def set_delay(self, seconds: float) -> None:
        """Let each request take so much longer."""
        self._open_gate.delay_seconds = seconds

    def calm(self) -> None:
        """Forget counts, faults and delay, drop jobs that wait, and let those that come begin.

        Raises what went wrong in running them.
        """
        gate = self._open_gate
        gate.counts.clear()
        gate.faults.clear()
        gate.delay_seconds = 0.0
        self.runner.drop_waiting()
        self.runner.is_open.set()
        if self.runner.errors:
            raise self.runner.errors.pop()

    def client(self, service: str) -> Any:
        """Return a client of boto3, whatever the environment says."""
        from boto3.session import Session

        session = Session(aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name=REGION)
        return session.client(service, endpoint_url=self.url)

    @property
    def _open_gate(self) -> _Gate:
        assert self._gate is not None, "the server is not started"
        return self._gate

    def _job_environment(self) -> dict[str, str]:
        programs = os.pathsep.join((str(Path(sys.executable).parent), self._path))
        home = {"HOME": str(self.folder), "PATH": programs, "PYTHONUNBUFFERED": "1"}
        return {**self.environment, **home}

    def _fetch(self, url: str) -> bytes:
        """Return what a job is to find beside it."""
        if not url.startswith("s3://"):
            return Path(url).read_bytes()
        bucket, _, key = url.removeprefix("s3://").partition("/")
        content: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def _share_loader(self) -> None:
        """Let all sessions of boto3 share what they read from disk: else each new client reads it for 50 ms."""
        from botocore import session

        plain, shared = session.create_loader, session.create_loader()
        session.create_loader = lambda *_: shared
        self._stack.callback(setattr, session, "create_loader", plain)

    def _make_queue(self) -> None:
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = self.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        batch = self.client("batch")
        machines = batch.create_compute_environment(
            computeEnvironmentName="machines", type="UNMANAGED", state="ENABLED", serviceRole=role
        )["computeEnvironmentArn"]
        order = [{"order": 1, "computeEnvironment": machines}]
        for name, state in (("queue", "ENABLED"), ("closed", "DISABLED")):
            batch.create_job_queue(jobQueueName=name, state=state, priority=1, computeEnvironmentOrder=order)


def _quiet(handler: type[Any]) -> type[Any]:
    """Return a handler of requests that writes no log."""
    return type("QuietHandler", (handler,), {"log": lambda *_: None, "log_request": lambda *_: None})
