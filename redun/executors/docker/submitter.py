"""Starts jobs as containers of this machine: one detached container for each, found again by its labels.

Containers of work that succeeded are removed when the run ends, and before, when there are many.  Those of work that
failed stay, to be looked into; docs/guide/executors-docker.md tells how to clear them away.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from redun.executors.credentials import AwsEnvironment
from redun.executors.docker.arguments import Volume, environment_arguments, read_volumes, run_arguments
from redun.executors.docker.command_line import (
    PULL_SECONDS,
    ContainerCommand,
    EngineRefused,
    EngineUnreachable,
    last_words,
)
from redun.executors.docker.states import STATE_TEMPLATE, read_states
from redun.executors.remote.submitter import RemoteState, RemoteStatus, Submission, Submitter, SubmitterError
from redun.executors.thread import DEFAULT_MAX_WORKERS

NAME_LABEL, TASK_LABEL = "redun.job", "redun.task"
KEEP_SUCCEEDED = 100
"""How many containers of work that succeeded may be left while a run goes on; none when it ends."""
_N_TOKEN = 12
_N_IDS_A_CALL = 300
"""Ids of 64 digits on one command line; the kernel allows 2 MiB of them."""
_PASSED_ON = ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE")
"""What belongs to credentials when it is set; the engine's command line reads it from its own environment."""


class DockerSubmitter(Submitter):
    """Talks to one container engine by its command line.

    Args:
        name: of the executor, for messages.
        command: of the engine.
        image: what jobs run in when they do not say; looked for, and pulled if need be, by ``check``.
        volumes: folders that every job sees beside its own volumes: the scratch.  ``check`` makes them.
        max_running: how many containers run at once; further ones are made, and started by ``poll`` when others have
            ended, whoever made them.
        make_token: gives tokens to submissions that have none.
    """

    def __init__(
        self,
        name: str,
        command: ContainerCommand,
        image: str,
        volumes: Iterable[Volume] = (),
        *,
        max_running: int = DEFAULT_MAX_WORKERS,
        make_token: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._name = name
        self._command = command
        self._image = image
        self._volumes = tuple(volumes)
        self._max_running = max_running
        self._make_token = make_token
        self._aws = AwsEnvironment()
        self._n_running = 0  # as of the last poll, and what was started since
        self._terminals: list[subprocess.Popen[bytes]] = []
        self._known: set[tuple[str, str]] = set()  # images and volumes that are there, by kind
        self._succeeded: deque[str] = deque()

    def check(self) -> None:
        try:
            self._command.run("version")
        except (EngineUnreachable, EngineRefused) as error:
            program = self._command.words[0]
            hint = f"start the engine (sudo systemctl start {program}) and see that `{program} version` works"
            raise SubmitterError(f"executor {self._name!r}: no container engine answers: {error}", hint=hint) from error
        self._need_image(self._image)
        for volume in self._volumes:
            try:
                Path(volume.source).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                why = f"folder {volume.source} cannot be made: {error.strerror}"
                raise SubmitterError(f"executor {self._name!r}: {why}", hint="name another scratch") from error

    def submit(self, submission: Submission) -> list[str]:
        options = submission.options
        volumes = [*self._volumes, *read_volumes(self._name, options["volumes"])]
        self._need_image(options["image"])
        for volume in volumes:
            if volume.is_named:
                self._need_volume(volume.source)
        name = f"{submission.name}-{(submission.token or self._make_token())[:_N_TOKEN]}"
        words = ["--name", name, "--label", f"{NAME_LABEL}={submission.name}", "--label"]
        # With an init process the worker is no process 1: signals end it, and what it leaves behind is collected.
        words += [f"{TASK_LABEL}={submission.task_name}", "--init", "--pull", "never"]
        words += environment_arguments(submission.environment)
        words += run_arguments(options, volumes, is_podman=self._command.is_podman)
        secrets = None
        if options["include_aws_env"]:
            # Not on the command line, where everybody on this machine could read it.
            secrets = "".join(f"{name}={value}\n" for name, value in self._aws.read().items())
            words += ["--env-file", "/dev/stdin", *(word for name in _PASSED_ON for word in ("--env", name))]
        words += [options["image"], *submission.command]
        if options["interactive"]:
            return [self._start_in_terminal(name, words, secrets)]
        if self._n_running >= self._max_running:
            return [self._make(name, ["create", *words], secrets)]
        self._n_running += 1
        return [self._make(name, ["run", "--detach", *words], secrets)]

    def poll(self, ids: Sequence[str]) -> dict[str, RemoteState]:
        states = self._find_states(ids)
        self._start_next(states)
        for job_id in ids:
            state = states.setdefault(job_id, RemoteState(RemoteStatus.GONE, "there is no such container any more"))
            if state.status is RemoteStatus.SUCCEEDED and job_id not in self._succeeded:
                self._succeeded.append(job_id)
        if len(self._succeeded) > KEEP_SUCCEEDED:
            self._forget(len(self._succeeded) - KEEP_SUCCEEDED // 2)
        self._terminals = [process for process in self._terminals if process.poll() is None]
        return states

    def cancel(self, ids: Sequence[str], reason: str) -> None:  # noqa: ARG002 - an engine takes no reason
        for asked in _groups(ids):
            self._command.ask(["kill", *asked])
        unstarted = [job_id for job_id, state in self._find_states(ids).items() if state.status is RemoteStatus.WAITING]
        for asked in _groups(unstarted):
            self._command.ask(["rm", "--force", *asked])

    def fetch_log(self, job_id: str, max_lines: int) -> list[str]:
        done = self._command.ask(["logs", "--tail", str(max_lines), job_id], is_joined=True)
        return done.stdout.splitlines()[-max_lines:] if done.returncode == 0 else []

    def find_live(self, prefix: str) -> dict[str, str]:
        chosen = [f"label={NAME_LABEL}", "status=created", "status=running", "status=paused"]
        filters = [word for each in chosen for word in ("--filter", each)]
        listed = self._command.run("ps", "--all", "--quiet", "--no-trunc", *filters).split()
        template = f'{{{{index .Config.Labels "{NAME_LABEL}"}}}} {{{{.Id}}}}'
        live: dict[str, str] = {}
        for asked in _groups(listed):
            pairs = (line.split() for line in self._inspect(template, asked).splitlines())
            live.update((pair[0], pair[1]) for pair in pairs if len(pair) == 2 and pair[0].startswith(prefix))
        return live

    def close(self) -> None:
        gone: list[str] = []
        with suppress(IndexError):  # two threads may close it
            while True:
                gone.append(self._succeeded.popleft())
        for asked in _groups(gone):
            self._command.leave("rm", "--force", *asked)  # the run ends, and nobody waits for this

    def _inspect(self, template: str, ids: Sequence[str]) -> str:
        """Return what ``template`` makes of containers; those that are not there any more are left out."""
        arguments = ["inspect", "--type", "container", "--format", template, *ids]
        done = self._command.ask(arguments)
        # It ends with an error when one is unknown, and prints the others all the same.
        if done.returncode and not all("no such" in line.lower() for line in done.stderr.splitlines() if line):
            raise EngineRefused(f"{self._command.words[0]} inspect: {last_words(done.stderr)}", last_words(done.stderr))
        return done.stdout

    def _find_states(self, ids: Sequence[str]) -> dict[str, RemoteState]:
        states: dict[str, RemoteState] = {}
        for asked in _groups(ids):
            states.update(read_states(self._inspect(STATE_TEMPLATE, asked)))
        return states

    def _start_next(self, states: dict[str, RemoteState]) -> None:
        """Start as many of the containers that wait as may run; note of what cannot be started that it has failed."""
        self._n_running = sum(state.status is RemoteStatus.RUNNING for state in states.values())
        waiting = [job_id for job_id, state in states.items() if state.status is RemoteStatus.WAITING]
        for job_id in waiting[: max(0, self._max_running - self._n_running)]:
            try:
                self._command.run("start", job_id)
                self._n_running += 1
            except EngineRefused as error:
                states[job_id] = RemoteState(RemoteStatus.FAILED, error.words, states[job_id].tags)
                self._command.ask(["rm", "--force", job_id])

    def _start_in_terminal(self, name: str, words: Sequence[str], secrets: str | None) -> str:
        is_terminal = sys.stdin is not None and sys.stdin.isatty()
        terminal = ["--interactive", "--tty"] if is_terminal else ["--interactive"]
        container = self._make(name, ["create", *terminal, *words], secrets)
        self._terminals.append(self._command.start_in_terminal("start", "--attach", "--interactive", container))
        return container

    def _make(self, name: str, words: Sequence[str], secrets: str | None) -> str:
        try:
            return self._command.run(*words, given=secrets).split()[-1]
        except EngineRefused as error:
            if "already in use" in error.words:
                # The name is of this submission alone: an answer was lost, and this is its repetition.
                return self._inspect("{{.Id}}", [name]).strip()
            self._command.ask(["rm", "--force", name])  # made, and not to be started: it would be in the way
            raise _refused_start(self._name, error) from error

    def _need_image(self, image: str) -> None:
        if ("image", image) in self._known:
            return
        if self._command.ask(["image", "inspect", "--format", "{{.Id}}", image]).returncode:
            try:
                self._command.run("pull", image, seconds=PULL_SECONDS)
            except (EngineRefused, EngineUnreachable) as error:
                program = self._command.words[0]
                hint = f"build it ({program} build -t {image} .), or correct option image of [executors.{self._name}]"
                raise SubmitterError(
                    f"executor {self._name!r}: image {image!r} is not on this machine and cannot be pulled: {error}",
                    hint=hint,
                ) from error
        self._known.add(("image", image))

    def _need_volume(self, volume: str) -> None:
        """Refuse a name that the engine does not know: it would make an empty volume of that name."""
        if ("volume", volume) in self._known:
            return
        if self._command.ask(["volume", "inspect", volume]).returncode:
            program = self._command.words[0]
            hint = f"make it ({program} volume create {volume}); a folder is written /with/its/path or ./so"
            raise SubmitterError(f"executor {self._name!r}: there is no volume {volume!r}", hint=hint)
        self._known.add(("volume", volume))

    def _forget(self, count: int) -> None:
        gone = [self._succeeded.popleft() for _ in range(count)]
        for asked in _groups(gone):
            self._command.ask(["rm", "--force", *asked])


def _groups(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + _N_IDS_A_CALL] for at in range(0, len(ids), _N_IDS_A_CALL))


def _refused_start(executor: str, error: EngineRefused) -> SubmitterError:
    words = error.words.lower()
    hint = ""
    if "-init" in words:
        hint = "the engine starts containers with an init process: install catatonit for podman, tini for docker"
    elif "no such file" in words or "bind source path does not exist" in words:
        hint = f"see that each folder of option volumes of [executors.{executor}] is there"
    elif "gpu" in words or "device driver" in words:
        hint = "the engine has no GPUs to give: see nvidia-container-toolkit"
    return SubmitterError(f"executor {executor!r}: {error.words}", hint=hint)
