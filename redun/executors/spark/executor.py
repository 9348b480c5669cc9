"""The executor of type ``spark``: calls of tasks as Spark jobs, and tasks that use Spark themselves.

A task with ``mode="driver"`` runs in a thread of this process, beside the Spark session: its DataFrames are computed by
the cluster.  Any other goes to a Python worker of the cluster, many at a time (``dispatch.py``).
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from redun.errors import ExecutorError
from redun.executors.base import Executor, PortableWork, Report, Work
from redun.executors.spark.cluster import Cluster
from redun.executors.spark.dispatch import Dispatcher, Ground, Limits
from redun.executors.spark.driver import DriverThreads
from redun.executors.spark.pace import Pace
from redun.executors.spark.part import Place
from redun.executors.spark.settings import DRIVER, TABLE, SparkSettings, read_settings
from redun.executors.spark.startup import open_cluster
from redun.store.blobs import Blobs

OpenCluster = Callable[[SparkSettings], Cluster]


class SparkExecutor(Executor):
    """Runs work on Apache Spark."""

    option_names = frozenset(option.name for option in TABLE.options.values() if option.of_task)

    def __init__(
        self,
        name: str,
        scheduler: Any = None,
        config: Mapping[str, Any] | None = None,
        *,
        open_cluster: OpenCluster = open_cluster,
    ) -> None:
        """Make an executor; Spark starts with the first piece of work.

        Raises:
            BadOption: an option is unknown, or not what it must be.
        """
        super().__init__(name, scheduler, config)
        self.settings = read_settings(name, config or {})
        self._open_cluster = open_cluster
        self._cluster: Cluster | None = None
        self._report: Report | None = None
        self._local_contents: Blobs | None = None
        values = self.settings.values
        self._pace = Pace(values["result_seconds"])
        self._driver = DriverThreads(name, values["max_driver_threads"], self._open)
        self._dispatcher: Dispatcher | None = None

    def use_contents(self, contents: Blobs | None) -> None:
        self._local_contents = contents

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        self._report = report
        self._driver.start(report, thread_setup)

    def submit(self, work: Work) -> None:
        if self._report is None:
            raise ExecutorError(f"executor {self.name!r} was given work before it was started")
        if not hasattr(work, "pack"):
            self._driver.submit(work)
            return
        portable = cast("PortableWork", work)
        options = portable.get_options()
        try:
            mode = TABLE.read_task(self.name, self.settings.values, options)["mode"]
        except ExecutorError as error:
            portable.fail(error)
            self._report(portable)
            return
        if mode == DRIVER:
            self._driver.submit(work)
            return
        if self._dispatcher is None:
            self._dispatcher = self._make_dispatcher(self._report)
        self._dispatcher.submit(portable, has_time_limit=options.get("timeout") is not None)

    def cancel_waiting(self) -> int:
        n_dropped = self._driver.cancel_waiting()
        return n_dropped + (0 if self._dispatcher is None else self._dispatcher.cancel_waiting())

    def cancel_running(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.cancel_running()
        self._driver.cancel_running()

    def abandon(self, work: Work) -> None:
        self._driver.abandon(work)
        if self._dispatcher is not None:
            self._dispatcher.abandon(work)

    def stop(self) -> None:
        self._driver.stop()
        if self._dispatcher is not None:
            self._dispatcher.stop()
        self._dispatcher = None

    def scratch_root(self) -> str:
        scratch: str | None = self.settings.values["scratch"]
        return super().scratch_root() if scratch is None else scratch

    def _make_dispatcher(self, report: Report) -> Dispatcher:
        values = self.settings.values
        limits = Limits(values["max_batch_size"], values["gather_seconds"], values["cluster_timeout"])
        return Dispatcher(self.name, limits, self._pace, self._open_ground, report)

    def _open(self) -> Cluster:
        """Return the cluster; a new one when the last one is gone for good."""
        fault = None if self._cluster is None else self._cluster.find_fault()
        if self._cluster is None or (fault is not None and fault[1]):
            self._cluster = self._open_cluster(self.settings)
        return self._cluster

    def _open_ground(self) -> Ground:
        values = self.settings.values
        cluster = self._open()
        contents = self._contents(cluster)
        place = Place(
            run=uuid.uuid4().hex,
            folder=str(Path.cwd()) if cluster.is_local else None,
            code=None if cluster.is_local or not values["code_package"] else self._send_code(cluster),
            scratch=None if contents is None else contents.location,
            result_seconds=values["result_seconds"],
        )
        return Ground(cluster, place, contents)

    def _contents(self, cluster: Cluster) -> Blobs | None:
        from redun.store.location import locate, open_storage

        scratch = self.settings.values["scratch"]
        if scratch is not None:
            return Blobs(open_storage(locate(scratch, Path.cwd())))
        return self._local_contents if cluster.is_local else None

    def _send_code(self, cluster: Cluster) -> str:
        from redun.executors.remote.code_package import pack_code

        values = self.settings.values
        package = pack_code(Path.cwd(), values["code_includes"], values["code_excludes"])
        name = f"redun-code-{package.digits[:32]}.tar.gz"
        path = Path(_code_folder().name, name)
        if not path.exists():
            path.write_bytes(package.data)
        cluster.add_file(path)
        return name


@lru_cache(maxsize=1)
def _code_folder() -> tempfile.TemporaryDirectory[str]:
    """Return the folder that Spark serves code packages from as long as this process lives."""
    return tempfile.TemporaryDirectory(prefix="redun-code-")
