"""What each may do who may not do everything, at a real server that holds the policies of docs/guide/trust.md."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from redun.testing.s3_server import PEOPLE, S3Server, principal

PAGE = Path(__file__).parents[2] / "docs/guide/trust.md"
READS = 2  # so many of a policy's statements let its role read

Do = Callable[..., "CompletedProcess[str]"]


def policies(bucket: str) -> dict[str, list[dict[str, Any]]]:
    """Return the statements that the page gives each role, for a bucket."""
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    contributor, main = (json.loads(block.replace("my-bucket", bucket))["Statement"] for block in blocks)
    everything = f"arn:aws:s3:::{bucket}/results/*"
    collector = [*main, {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": everything}]
    return {"reader": contributor[:READS], "contributor": contributor, "main": main, "collector": collector}


@pytest.fixture
def bucket(s3_server: S3Server, s3_bucket: str) -> str:
    """The URL of a repository in a bucket where each role may do what the page says, and no more."""
    client = _client(s3_server.environment)
    name = s3_bucket.removeprefix("s3://")
    roles = policies(name)
    assert set(roles) == set(PEOPLE)
    statements = [{**each, "Principal": principal(role)} for role in roles for each in roles[role]]
    policy = {"Version": "2012-10-17", "Statement": statements}
    client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    return f"{s3_bucket}/results"


def _client(environment: Any) -> Any:
    from botocore.session import Session

    key, secret = environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
    at = environment["AWS_ENDPOINT_URL"]
    return Session().create_client(
        "s3", "us-east-1", endpoint_url=at, aws_access_key_id=key, aws_secret_access_key=secret
    )


@pytest.fixture
def do(s3_server: S3Server, redun_command: Do, flow: str, tmp_path: Path, bucket: str) -> Do:
    """Run a command in the checkout of one of the roles, with its keys."""

    def run(role: str, *words: str, code: int = 0, section: str = "", client: str = "obstore") -> CompletedProcess[str]:
        checkout = tmp_path / role
        if not checkout.exists():
            (checkout / ".redun").mkdir(parents=True)
            (checkout / "flow.py").write_text(flow)
            (checkout / ".redun/redun.ini").write_text(section or f"[remotes.origin]\nurl = {bucket}\n")
        environment = s3_server.environment_of(role)
        if client == "botocore":
            # The keys of this process come before those of a profile, so they must not be there.
            gone = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
            environment = {**s3_server.through_botocore(environment, tmp_path / f"keys of {role}"), **gone}
        return redun_command(*words, cwd=checkout, code=code, **environment)

    return run


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory, flow: str, redun_environment: dict[str, str]) -> Path:
    """A folder to which somebody has pushed a run."""
    folder = tmp_path_factory.mktemp("pushed")
    (folder / "flow.py").write_text(flow)
    program = str(Path(sys.executable).with_name("redun"))
    for words in (("run", "flow.py", "main"), ("remote", "add", "origin", "remote"), ("push",)):
        subprocess.run([program, *words], cwd=folder, env=redun_environment, check=True, capture_output=True)
    return folder / "remote"


@pytest.fixture
def shared(pushed: Path, bucket: str, s3_server: S3Server) -> None:
    """Main has put this run into the bucket."""
    client = _client(s3_server.environment_of("main"))
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    for path in pushed.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(pushed).as_posix()}"
            client.put_object(Bucket=name, Key=key, Body=path.read_bytes())


def only_error(done: CompletedProcess[str]) -> str:
    """Return the one line of error that a command ended with."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("redun: error:")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return errors[0]


@pytest.mark.usefixtures("shared")
def test_a_reader_has_all_that_is_there(do: Do, bucket: str, tmp_path: Path) -> None:
    """It pulls, clones, lists and checks in place."""
    assert "1 execution" in do("reader", "pull").stdout
    done = do("reader", "run", "flow.py", "main")
    assert "Run    Job" not in done.stderr
    assert (tmp_path / "reader/big.txt").stat().st_size == 2_000_000
    do("reader", "clone", "--lazy", bucket, "copy")
    do("reader", "remote", "status")
    assert len(json.loads(do("reader", "-r", bucket, "log", "--json").stdout)) == 1
    assert do("reader", "-r", "origin", "fsck").stdout.endswith("Clean.\n")


@pytest.mark.usefixtures("shared")
def test_a_reader_runs_with_what_is_there(do: Do, bucket: str, tmp_path: Path) -> None:
    """A remote that each run asks, and an alternate, need no right to write."""
    ini = f"[remotes.origin]\nurl = {bucket}\nauto_pull = yes\n"
    assert "Run    Job" not in do("reader", "run", "flow.py", "main", section=ini).stderr
    for place in (tmp_path / "reader/.redun").iterdir():
        if place.name != "redun.ini":
            place.rename(tmp_path / place.name)
    (tmp_path / "reader/.redun/redun.ini").write_text(f"[repository]\nalternates = {bucket}\n")
    (tmp_path / "reader/big.txt").unlink()
    assert "Run    Job" not in do("reader", "run", "flow.py", "main").stderr
    assert (tmp_path / "reader/big.txt").stat().st_size == 2_000_000


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("client", ["obstore", pytest.param("botocore", marks=pytest.mark.stress)])
def test_a_reader_is_told_that_it_cannot_write(do: Do, bucket: str, client: str) -> None:
    """Each command that would write there ends with one line; a run's own results are not lost by it."""
    do_it = partial(do, "reader", client=client)
    ini = f"[remotes.origin]\nurl = {bucket}\nauto_push = yes\n"
    done = do_it("run", "flow.py", "main", "--n", "5", section=ini)
    warnings = [line for line in done.stderr.splitlines() if "this run was not pushed" in line]
    assert len(warnings) == 1
    assert "AccessDenied" in warnings[0]
    assert only_error(do_it("push", code=1)).startswith("redun: error: cannot write to remote 'origin'")
    do_it("gc", "--remote", "origin")  # what would go
    gone = do_it("gc", "--remote", "origin", "--keep-executions", "0", "--apply", code=1)
    assert "AccessDenied" in only_error(gone)
    assert "AccessDenied" in only_error(do_it("-r", bucket, "run", "flow.py", "main", "--n", "6", code=1))
    done = do_it("run", "flow.py", "main", "--n", "5")
    assert "Run    Job" not in done.stderr


@pytest.mark.usefixtures("shared")
def test_a_pull_request_reads_main_and_cannot_feed_it(do: Do, bucket: str, s3_server: S3Server, tmp_path: Path) -> None:
    """With its namespace it pushes and pulls; without, or by hand, it writes nothing that main would read."""
    ini = f"[remotes.origin]\nurl = {bucket}\nnamespace = pr-17\n"
    do("contributor", "pull", section=ini)
    done = do("contributor", "run", "flow.py", "main", "--n", "4")
    assert done.stderr.count("Run    Job") == 2  # main itself, and double(3)
    do("contributor", "push")
    log = do("main", "-r", bucket, "log", "--all", "--json").stdout
    assert len(json.loads(log)) == 1
    settings = tmp_path / "contributor/.redun/redun.ini"
    for other in ("", "namespace = main-2\n"):
        settings.write_text(f"[remotes.origin]\nurl = {bucket}\n{other}")
        assert "AccessDenied" in only_error(do("contributor", "push", code=1))
    settings.write_text(f"[remotes.origin]\nurl = {bucket}\nnamespace = pr-18\n")
    do("contributor", "push")  # the page says so: they share pr-*
    client = _client(s3_server.environment_of("contributor"))
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=name, Prefix=f"{prefix}/")["Contents"]]
    for key in keys:
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            client.delete_object(Bucket=name, Key=key)
        if not key.startswith(f"{prefix}/namespaces/"):
            with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
                client.put_object(Bucket=name, Key=key, Body=b"")


@pytest.mark.stress
@pytest.mark.usefixtures("shared")
def test_only_the_collector_deletes(do: Do, bucket: str) -> None:
    """Main's jobs add and merge nothing away; whoever collects may do that, and drop a namespace."""
    do("contributor", "run", "flow.py", "main", section=f"[remotes.origin]\nurl = {bucket}\nnamespace = pr-17\n")
    do("contributor", "push")
    do("main", "run", "flow.py", "main", "--n", "6")
    do("main", "push")
    words = ("gc", "--remote", "origin", "--keep-executions", "1", "--apply")
    assert re.search("results cannot be written: .*AccessDenied", only_error(do("main", *words, code=1)))
    do("collector", *words)
    do("collector", "gc", "--remote", "origin", "--drop-namespace", "pr-17", "--apply")
    do("collector", "-r", "origin", "repack")
    assert do("reader", "-r", bucket, "fsck").stdout.endswith("Clean.\n")
