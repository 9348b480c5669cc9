"""Jobs in containers of this machine."""

from __future__ import annotations

from redun.executors.docker.executor import DockerExecutor as DockerExecutor
