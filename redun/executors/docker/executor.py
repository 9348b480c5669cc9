"""The ``docker`` type of executor: from its section of the config to jobs in containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redun.executors.base import Executor
from redun.executors.docker.arguments import Volume, read_volumes
from redun.executors.docker.command_line import ContainerCommand
from redun.executors.docker.options import DOCKER_OPTIONS
from redun.executors.docker.submitter import DockerSubmitter
from redun.executors.options import BadOption
from redun.executors.remote.executor import RemoteExecutor


class DockerExecutor(RemoteExecutor):
    """Runs each job in a container of this machine.

    A scratch that is a folder is seen by the containers under its own path.
    """

    def __init__(
        self,
        name: str,
        scheduler: object = None,  # noqa: ARG002 - users of other executors give one
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """Make it; the engine is not asked before there is work.

        Args:
            name: as tasks name it.
            scheduler: not used.
            config: its section, texts or Python values.

        Raises:
            BadOption: an option is unknown, missing, or not what it must be.
        """
        values = DOCKER_OPTIONS.read_section(name, config or {})
        read_volumes(name, values["volumes"])
        if values["max_workers"] < 1:
            raise BadOption(name, "max_workers", f"needs max_workers of at least 1, found {values['max_workers']}")
        if values["include_aws_env"] is None:
            values["include_aws_env"] = urlsplit(values["scratch"]).scheme == "s3"
        submitter = DockerSubmitter(
            name,
            ContainerCommand(values["command"]),
            values["image"],
            _volumes_of(values["scratch"]),
            max_running=values["max_workers"],
        )
        super().__init__(name, values, submitter, table=DOCKER_OPTIONS, scratch=values["scratch"])

    def stop(self) -> None:
        super().stop()
        # Here too, where it takes 2 ms: the thread that closes it may not come to it before the process ends.
        self.submitter.close()


def make_executor(name: str, section: Mapping[str, Any]) -> Executor:
    """Make an executor of type ``docker``."""
    return DockerExecutor(name, config=section)


def _volumes_of(scratch: str) -> list[Volume]:
    url = urlsplit(scratch)
    if url.scheme not in {"", "file"}:
        return []
    folder = str(Path(url.path).expanduser().absolute())
    return [Volume(folder, folder)]
