"""From the options of a job to the words of ``docker run``.  Pure.

Volumes go by ``--mount``, not ``-v``: a folder that is not there is then an error, where ``-v`` lets docker make an
empty one, owned by root, and the job finds no data.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from redun.executors.options import BadOption

GIB = 1 << 30
_MODES = {"ro": True, "rw": False}


class Volume(NamedTuple):
    """Something of this machine that a container sees."""

    source: str  # absolute path, or the name of a volume of the engine
    target: str
    is_read_only: bool = False

    @property
    def is_named(self) -> bool:
        """Whether it is a volume of the engine's own, not a folder."""
        return not self.source.startswith("/")

    def render(self) -> str:
        """Return the value of ``--mount``, which is a line of CSV."""
        fields = [f"type={'volume' if self.is_named else 'bind'}", f"source={self.source}", f"target={self.target}"]
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(fields + ["readonly"] * self.is_read_only)
        return line.getvalue()


def read_volumes(executor: str, rows: Iterable[Any]) -> list[Volume]:
    """Return the volumes that option ``volumes`` names: ``"source:target[:ro]"`` or ``[source, target(, "ro")]``.

    Raises:
        BadOption: one is neither.
    """
    return [_read_volume(executor, row) for row in rows]


def _read_volume(executor: str, row: Any) -> Volume:
    parts = row.split(":") if isinstance(row, str) else list(row) if isinstance(row, Sequence) else []
    source, target, mode = (*parts, "rw")[:3] if 2 <= len(parts) <= 3 else ("", "", "")
    texts = all(isinstance(part, str) and part for part in (source, target, mode))
    if not texts or not target.startswith("/") or mode not in _MODES:
        why = f"expected each of option 'volumes' to be source:target or source:target:ro, found {row!r}"
        raise BadOption(executor, "volumes", why, hint="target is an absolute path in the container")
    if source.startswith(("/", ".", "~")):
        source = os.path.abspath(os.path.expanduser(source))  # noqa: PTH100, PTH111 - "a//b" and "./a" are texts here
    return Volume(source, target, _MODES[mode])


def run_arguments(options: Mapping[str, Any], volumes: Iterable[Volume], *, is_podman: bool) -> list[str]:
    """Return what stands between ``run`` and the image: limits, devices and volumes."""
    words = ["--cpus", f"{options['vcpus']:g}", "--memory", _bytes(options["memory"])]
    if options["shared_memory"] is not None:
        words += ["--shm-size", _bytes(options["shared_memory"])]
    if options["gpus"]:
        words += _gpu_arguments(options["gpus"], is_podman=is_podman)
    for volume in volumes:
        words += ["--mount", volume.render()]
    return words


def _gpu_arguments(count: int, *, is_podman: bool) -> list[str]:
    if not is_podman:
        return ["--gpus", str(count)]
    # Podman up to version 4 takes --gpus and gives none; the devices of nvidia-ctk are an error where there are none.
    return [word for number in range(count) for word in ("--device", f"nvidia.com/gpu={number}")]


def _bytes(gibibytes: float) -> str:
    return str(int(gibibytes * GIB))


def environment_arguments(environment: Mapping[str, str]) -> list[str]:
    """Return the words that set variables in the container."""
    return [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
