"""Tasks of other projects: called through a sub-run, asked of a server, begun by one."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from redun import Scheduler, federated_tasks, task
from redun.config import Config
from redun.errors import ExecutorError
from redun.federated_tasks import (
    FederatedError,
    federated_task,
    lambda_federated_task,
    launch_federated_task,
    rest_federated_task,
)
from redun.provenance.executions import load_execution
from redun.store.repository import Repository
from redun.task import get_task_registry

redun_namespace = "test_federated_tasks"

FLOW = """\
from redun import task
redun_namespace = "{name}"

@task(version="{version}")
def part(x):
    return x * {factor}

@task(version="1")
def main(x, y=0):
    return [part(x), y]
"""
INI = """\
[federated_tasks.{name}]
namespace = {name}
task_name = main
load_module = {name}
executor = near
config_dir = .redun

[executors.near]
type = local
"""


@task(version="1")
def caller(name, x):
    """Call a task of another project."""
    return federated_task(name, x, y=5)


def write_project(folder, name, factor=2, version="1"):
    """Write the project of an entrypoint and return its settings' folder."""
    config_dir = folder / ".redun"
    Repository.open_or_init(config_dir).close()
    (config_dir / "redun.ini").write_text(INI.format(name=name))
    (folder / f"{name}.py").write_text(FLOW.format(name=name, factor=factor, version=version))
    return config_dir


@pytest.fixture
def there(tmp_path, monkeypatch):
    """Another project, whose module can be imported."""
    folder = tmp_path / "there"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    with get_task_registry().isolated():
        yield write_project(folder, "federated_flow")
    sys.modules.pop("federated_flow", None)


@pytest.fixture
def here(tmp_path, there):
    """A repository, and settings that list those of the other project."""
    config = Config({"scheduler": {"federated_configs": str(there)}})
    with Repository.open_or_init(tmp_path / "here/.redun") as repository:
        yield config, repository


def jobs_of(repository):
    """Return the tasks of the newest execution."""
    (ref,) = repository.refs.iter_refs(1)
    return [row.task for row in load_execution(repository.store, repository.refs, ref.name).rows]


def test_a_task_of_another_project_is_called_by_name(here, there):
    """It is evaluated with that project's settings, as an execution of that project's repository."""
    config, repository = here
    assert Scheduler(config, repository).run(caller("federated_flow", 3)) == [6, 5]
    assert jobs_of(repository) == ["test_federated_tasks.caller", "redun.subrun_root_task"]
    with Repository.open(there) as other:
        assert jobs_of(other) == ["federated_flow.main", "federated_flow.part"]


def test_a_change_over_there_is_seen(here, there, monkeypatch):
    """Each run asks the other project anew; what is known there does not run."""
    config, repository = here
    scheduler = Scheduler(config, repository)
    scheduler.run(caller("federated_flow", 3))
    write_project(there.parent, "federated_flow", factor=10, version="2")
    del sys.modules["federated_flow"]
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for stale in there.parent.rglob("*.pyc"):
        stale.unlink()
    assert scheduler.run(caller("federated_flow", 3)) == [30, 5]


def test_one_repository_is_one_execution(there):
    """When the run above is kept where the entrypoint's project is, the calls belong to it."""
    config = Config({"scheduler": {"federated_configs": str(there)}})
    with Repository.open(there) as repository:
        assert Scheduler(config, repository).run(caller("federated_flow", 3)) == [6, 5]
        names = ["caller", "subrun_root_task", "main", "part"]
        assert [name.rpartition(".")[2] for name in jobs_of(repository)] == names


class FakeLambda:
    """Takes invocations as the client of AWS Lambda does."""

    def __init__(self, status=202):
        self.status = status
        self.calls = []

    def invoke(self, **given):
        """Note it."""
        self.calls.append(given)
        return {"StatusCode": self.status}


@pytest.fixture
def aws(monkeypatch):
    """A Lambda service."""
    client = FakeLambda()
    monkeypatch.setattr(federated_tasks, "make_lambda_client", lambda: client)
    return client


def test_lambda_is_invoked_and_not_waited_for(aws, tmp_path):
    """The event names the execution and where the arguments are."""
    call = lambda_federated_task("conf", "count", "the-function", f"{tmp_path}/", False, 1, cache=False, y=2)
    execution_id, data = Scheduler().run(call)
    (invoked,) = aws.calls
    assert (invoked["FunctionName"], invoked["InvocationType"]) == ("the-function", "Event")
    assert json.loads(invoked["Payload"]) == data
    assert data == {
        "config_name": "conf",
        "entrypoint": "count",
        "input_path": f"{tmp_path}/execution/{execution_id}/input",
        "execution_id": execution_id,
        "cache": False,
    }
    assert pickle.loads(Path(data["input_path"]).read_bytes()) == ((1,), {"y": 2})


def test_each_run_asks_again(aws, tmp_path):
    """To have asked is no result that could serve twice."""
    scheduler = Scheduler()
    ids = {scheduler.run(lambda_federated_task("c", "e", "f", str(tmp_path), False))[0] for _ in range(2)}
    assert len(ids) == len(aws.calls) == 2


def test_a_dry_request_sends_and_writes_nothing(aws, tmp_path):
    """It tells what it would send."""
    _, data = Scheduler().run(lambda_federated_task("c", "e", "f", str(tmp_path), True, 1))
    assert data["cache"] is True
    assert aws.calls == list(tmp_path.iterdir()) == []


def test_a_refused_invocation_is_an_error(aws, tmp_path):
    """It says which function and which status."""
    aws.status = 500
    with pytest.raises(FederatedError, match=r"the-function did not begin .*status 500"):
        Scheduler().run(lambda_federated_task("c", "e", "the-function", str(tmp_path), False))


def test_without_boto3_the_error_says_what_to_install(monkeypatch):
    """It is needed here only."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ExecutorError, match="boto3") as caught:
        federated_tasks.make_lambda_client()
    assert caught.value.hint == "pip install boto3"


@pytest.fixture
def server():
    """An HTTP server that keeps what is posted; POST to /refuse answers 403."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(403 if self.path == "/refuse" else 200)
            self.end_headers()
            self.wfile.write(b"who are you?")

        def log_message(self, *_):
            """Say nothing."""

    made = HTTPServer(("127.0.0.1", 0), Handler)
    made.posted = posted
    made.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_a_server_is_asked_by_a_post_of_json(server, tmp_path):
    """Arguments are in the scratch space, not in the request."""
    call = rest_federated_task("conf", "count", f"{server.url}/launch", str(tmp_path), False, [1, 2], y=2)
    execution_id, data = Scheduler().run(call)
    assert server.posted == [("/launch", "application/json", data)]
    assert data["execution_id"] == execution_id
    assert pickle.loads(Path(data["input_path"]).read_bytes()) == (([1, 2],), {"y": 2})


def test_a_server_that_refuses_or_is_away_is_an_error(server, tmp_path):
    """What it said is told."""
    with pytest.raises(FederatedError, match=r"status 403: who are you\?") as caught:
        Scheduler().run(rest_federated_task("c", "e", f"{server.url}/refuse", str(tmp_path), False))
    assert caught.value.status == 403
    with pytest.raises(ValueError, match="http or https"):
        Scheduler().run(rest_federated_task("c", "e", "file:///etc/passwd", str(tmp_path), False))
    with pytest.raises(FederatedError, match="no answer"):
        Scheduler().run(rest_federated_task("c", "e", "http://127.0.0.1:9", str(tmp_path), False))


class Started:
    """Stands in for the program that is started."""

    def __init__(self):
        self.commands = []

    pid = 1

    def __call__(self, command, **options):
        self.commands.append((command, options))
        return self


@pytest.fixture
def started(monkeypatch):
    """Notes what is started."""
    made = Started()
    monkeypatch.setattr(subprocess, "Popen", made)
    return made


def test_a_server_begins_an_execution_as_a_program_of_its_own(there, started):
    """Through the entrypoint's executor, in its project; the id is known before it begins."""
    chosen = launch_federated_task(str(there), "federated_flow", input_path="in", cache=False)
    ((command, options),) = started.commands
    assert command[1:] == [
        *["-m", "redun", "-c", str(there), "run", "--input", "in", "--execution-id", chosen, "--no-cache"],
        *["federated_flow", "federated_flow.main"],
    ]
    assert Path(options["cwd"]) == there.parent
    assert options["start_new_session"] is True


def test_arguments_that_are_given_are_handed_on(there, started):
    """By way of a file; an id that is given is kept."""
    given = "6c1d2f3e-1111-4222-8333-abcdefabcdef"
    assert launch_federated_task(str(there / "redun.ini"), "federated_flow", [3], {"y": 1}, execution_id=given) == given
    command = started.commands[0][0]
    assert pickle.loads(Path(command[command.index("--input") + 1]).read_bytes()) == ((3,), {"y": 1})
    with pytest.raises(ValueError, match="found both"):
        launch_federated_task(str(there), "federated_flow", [3], input_path="in")


def test_what_is_launched_runs(there, monkeypatch):
    """The program runs the task with its arguments under the id that was told."""
    programs = []
    start = subprocess.Popen

    def keep(*args, **options):
        programs.append(start(*args, **options))
        return programs[-1]

    monkeypatch.setattr(subprocess, "Popen", keep)
    chosen = launch_federated_task(str(there), "federated_flow", [3], {"y": 1})
    assert programs[0].wait(60) == 0
    with Repository.open(there) as repository:
        (ref,) = repository.refs.iter_refs()
        assert ref.execution_id == chosen
        assert jobs_of(repository) == ["federated_flow.main", "federated_flow.part"]


def test_the_executor_may_be_an_alias(there, started):
    """Of another section; one that leads nowhere is named."""
    path = there / "redun.ini"
    text = path.read_text().replace("type = local", "type = alias\ntarget = far")
    path.write_text(f"{text}\n[executors.far]\ntype = local\n")
    launch_federated_task(str(there), "federated_flow", input_path="in")
    assert len(started.commands) == 1
    path.write_text(text)
    with pytest.raises(ExecutorError, match=r"near -> far.*no section \[executors.far\]"):
        launch_federated_task(str(there), "federated_flow", input_path="in")


def test_an_executor_that_nobody_tells_of_is_named(there, started):
    """The settings are at fault, and nothing is started."""
    path = there / "redun.ini"
    path.write_text(path.read_text().replace("[executors.near]", "[executors.far]"))
    with pytest.raises(ExecutorError, match="'near'"):
        launch_federated_task(str(there), "federated_flow", input_path="in")
    assert started.commands == []
