"""A container engine for tests: ``python fake_engine.py FOLDER run ...`` takes the words of docker and knows no others.

A container is a folder with its labels, its log and its exit code, and its command runs as a process of this machine.
What the engine has is named in FOLDER: ``images``, ``volumes``; a file ``down`` there makes it unreachable, ``no-init``
leaves it without an init process.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

CONTAINER = 'command >"$0/log" 2>&1; echo $? >"$0/code.new"; mv "$0/code.new" "$0/code"'


class Refused(Exception):
    """What docker says with exit code 125 or 1."""


def run(home: Path, words: list[str], *, is_started: bool) -> None:
    known = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    known.add_argument("--detach", action="store_true")
    known.add_argument("--init", action="store_true", required=True)
    for name in ("--name", "--cpus", "--memory", "--shm-size", "--gpus", "--env-file"):
        known.add_argument(name)
    known.add_argument("--pull", choices=["never"], required=True)
    for name in ("--label", "--env", "--mount", "--device"):
        known.add_argument(name, action="append", default=[])
    known.add_argument("image")
    known.add_argument("command", nargs=argparse.REMAINDER)
    given = known.parse_args(words)
    if given.image not in (home / "images").read_text().split():
        raise Refused(f"No such image: {given.image}")
    if (home / "no-init").exists():
        raise Refused("container-init binary not found on the host: stat catatonit: no such file or directory")
    if given.gpus or given.device:
        raise Refused('could not select device driver "" with capabilities: [[gpu]]')
    for mount in given.mount:
        fields = dict(field.partition("=")[::2] for field in mount.split(","))
        if fields["type"] == "bind" and not Path(fields["source"]).exists():
            raise Refused(f"invalid mount config for type bind: bind source path does not exist: {fields['source']}")
    if (home / "names" / given.name).exists():
        raise Refused(f'The container name "/{given.name}" is already in use by container ...')
    folder = home / "containers" / (uuid.uuid4().hex * 2)
    (home / "names").mkdir(exist_ok=True)
    (home / "names" / given.name).write_text(folder.name)
    folder.mkdir(parents=True)
    secrets = sys.stdin.read() if given.env_file == "/dev/stdin" else ""
    settings = [*secrets.splitlines(), *(each for each in given.env if "=" in each)]
    about = {"words": words, "labels": given.label, "secrets": secrets, "settings": settings, "command": given.command}
    (folder / "about.json").write_text(json.dumps(about))
    (folder / "memory").write_text(given.memory or "0")
    if is_started:
        start(folder)
    print(folder.name)


def start(folder: Path) -> None:
    about = json.loads((folder / "about.json").read_text())
    if about["command"] == ["unstartable"]:
        raise Refused("runc create failed: unable to start container process")
    process = subprocess.Popen(
        ["/bin/sh", "-c", CONTAINER.replace("command", '"$@"'), str(folder), *about["command"]],
        env={**os.environ, **dict(each.partition("=")[::2] for each in about["settings"])},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (folder / "pid").write_text(str(process.pid))


def find(home: Path, ids: list[str]) -> list[Path]:
    missing = [each for each in ids if not (home / "containers" / each).is_dir()]
    for each in missing:
        print(f"Error: No such container: {each}", file=sys.stderr)
    if missing and len(missing) == len(ids):
        sys.exit(1)
    return [home / "containers" / each for each in ids if each not in missing]


def code_of(folder: Path) -> int | None:
    return int((folder / "code").read_text()) if (folder / "code").exists() else None


def inspect(home: Path, words: list[str]) -> None:
    template, ids = words[words.index("--format") + 1], words[4:]
    ids = [(home / "names" / each).read_text() if (home / "names" / each).exists() else each for each in ids]
    for folder in find(home, ids):
        if template == "{{.Id}}":
            print(folder.name)
            continue
        if ".Config.Labels" in template:
            print(label_of(folder), folder.name)
            continue
        code = code_of(folder)
        state = {"Status": status_of(folder), "ExitCode": code or 0, "OOMKilled": False}
        print(folder.name, (folder / "memory").read_text(), json.dumps({**state, "Error": ""}))
    if len(find(home, ids)) < len(ids):
        sys.exit(1)


def status_of(folder: Path) -> str:
    if not (folder / "pid").exists():
        return "created"
    return "running" if code_of(folder) is None else "exited"


def label_of(folder: Path) -> str:
    labels = dict(each.partition("=")[::2] for each in json.loads((folder / "about.json").read_text())["labels"])
    return labels["redun.job"]


def kill(home: Path, ids: list[str]) -> None:
    for folder in find(home, ids):
        if status_of(folder) == "running":
            os.killpg(int((folder / "pid").read_text()), signal.SIGKILL)
            (folder / "code").write_text("137")


def remove(home: Path, words: list[str]) -> None:
    for each in words[1:]:
        if (home / "containers" / each).is_dir():
            (home / "containers" / each).rename(home / f"removed-{each}")


def main(home: Path, words: list[str]) -> None:
    with (home / "calls").open("a") as calls:
        print(*words[:2], file=calls)
    if (home / "down").exists():
        sys.exit("Cannot connect to the Docker daemon at unix:///fake.sock. Is the docker daemon running?")
    match words:
        case ["version"]:
            print("fake")
        case ["image", "inspect", "--format", "{{.Id}}", image]:
            sys.exit(image not in (home / "images").read_text().split())
        case ["volume", "inspect", volume]:
            sys.exit(volume not in (home / "volumes").read_text().split())
        case ["pull", image]:
            raise Refused(f"pull access denied for {image}, repository does not exist")
        case ["run" | "create" as verb, *rest]:
            run(home, rest, is_started=verb == "run")
        case ["start", container]:
            start(find(home, [container])[0])
        case ["inspect", *rest]:
            inspect(home, rest[0:])
        case ["ps", "--all", "--quiet", "--no-trunc", "--filter", "label=redun.job", *rest]:
            statuses = [word.removeprefix("status=") for word in rest if word != "--filter"]
            folders = (home / "containers").iterdir() if (home / "containers").exists() else ()
            print(*(each.name for each in folders if status_of(each) in statuses), sep="\n")
        case ["logs", "--tail", count, container]:
            for folder in find(home, [container]):
                print(*(folder / "log").read_text().splitlines()[-int(count) :], sep="\n")
        case ["kill", *ids]:
            kill(home, ids)
        case ["rm", "--force", *_]:
            remove(home, words[1:])
        case _:
            raise Refused(f"unknown command: {words}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    except Refused as refused:
        print(f"docker: Error response from daemon: {refused}", file=sys.stderr)
        print("\nRun 'docker run --help' for more information", file=sys.stderr)
        sys.exit(125)
