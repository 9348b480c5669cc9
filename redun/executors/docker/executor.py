"""The ``docker`` type of executor: from its section of the config to jobs in containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redun.executors.docker.arguments import Volume, read_volumes
from redun.executors.docker.command_line import ContainerCommand
from redun.executors.docker.options import DOCKER_OPTIONS
from redun.executors.docker.submitter import DockerSubmitter
from redun.executors.options import BadOption
from redun.executors.remote.cluster import ClusterExecutor


class DockerExecutor(ClusterExecutor):
    """Runs each job in a container of this machine.

    A scratch that is a folder is seen by the containers under its own path.
    """

    options_of_type = DOCKER_OPTIONS

    @classmethod
    def make_submitter(cls, name: str, values: dict[str, Any]) -> DockerSubmitter:
        read_volumes(name, values["volumes"])
        if values["max_workers"] < 1:
            raise BadOption(name, "max_workers", f"needs max_workers of at least 1, found {values['max_workers']}")
        if values["include_aws_env"] is None:
            values["include_aws_env"] = urlsplit(values["scratch"]).scheme == "s3"
        command, volumes = ContainerCommand(values["command"]), _volumes_of(values["scratch"])
        return DockerSubmitter(name, command, values["image"], volumes, max_running=values["max_workers"])

    def stop(self) -> None:
        super().stop()
        # Here too, where it takes 2 ms: the thread that closes it may not come to it before the process ends.
        self.submitter.close()


def _volumes_of(scratch: str) -> list[Volume]:
    url = urlsplit(scratch)
    if url.scheme not in {"", "file"}:
        return []
    folder = str(Path(url.path).expanduser().absolute())
    return [Volume(folder, folder)]
