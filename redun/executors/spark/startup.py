"""Starts Spark, or finds the one that runs: a process has one SparkContext, whoever made it.

A Spark that an executor has started goes on until the process ends: starting takes seconds, and the next run may want
it.
"""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from redun.errors import ExecutorError
from redun.executors.spark.classic import ClassicCluster
from redun.executors.spark.cluster import Cluster
from redun.executors.spark.connect import ConnectCluster, words_of
from redun.executors.spark.settings import SparkSettings
from redun.file.spark_session import SparkMissing, set_session

DEFAULT_MASTER = "local[*]"
DEFAULT_CONF = {
    "spark.ui.showConsoleProgress": "false",
    # A Spark task with Python costs 30 ms over TCP, which waits for acknowledgements, and 10 ms over these.
    "spark.python.unix.domain.socket.enabled": "true",
    # How long a Python worker whose task was cancelled may go on before it is killed.
    "spark.python.task.killTimeout": "100ms",
}
LOCAL_CONF = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


RETRIES, RETRY_MS = 20, 1000
"""How often, and how far apart, a Connect server that does not answer is asked again.  pyspark itself goes on for ten
minutes."""


class JavaMissing(ExecutorError):
    """Spark's Java process does not start."""

    hint = (
        "install Java 17 or later, or set JAVA_HOME; option connect reaches a Spark that runs elsewhere, without Java"
    )


class SparkBusy(ExecutorError):
    """This process has a SparkContext for another cluster already."""


def open_cluster(settings: SparkSettings) -> Cluster:
    """Return the cluster of a section, started if need be.

    Raises:
        SparkMissing: pyspark, or a package that Connect needs, is not installed.
        JavaMissing: there is no Java.
        SparkBusy: the process has a SparkContext for another cluster.
        ExecutorError: Spark does not start, or cannot be reached.
    """
    try:
        import pyspark  # noqa: F401 - to tell its absence from that of something else

        cluster = _open_connect(settings) if settings.is_connect else _open_classic(settings)
    except ImportError as error:
        hint = "`pip install 'redun[spark]'`"
        raise SparkMissing(f"executor {settings.executor!r} needs Spark: {error}", hint=hint) from error
    set_session(cluster.session)
    return cluster


def _open_classic(settings: SparkSettings) -> Cluster:
    from pyspark.errors import PySparkException

    master = settings.values["master"]
    running = _find_running()
    if running is not None:
        if master is not None and running.master != master:
            raise SparkBusy(
                f"executor {settings.executor!r}: expected to start Spark with master {master!r}, "
                f"found one running in this process with master {running.master!r}",
                hint="one process has one SparkContext: give both executors one master, or use Spark Connect",
            )
        return ClassicCluster(_builder(settings, {}).getOrCreate())
    master = master or DEFAULT_MASTER
    conf = {**DEFAULT_CONF, **(LOCAL_CONF if master.startswith("local") else {}), "spark.master": master}
    try:
        session = _builder(settings, conf).getOrCreate()
    except PySparkException as error:
        if "JAVA_GATEWAY_EXITED" in str(error) or "JAVA_HOME" in str(error):
            raise JavaMissing(f"executor {settings.executor!r}: Spark cannot start Java") from error
        raise _not_started(settings, error) from error
    except Exception as error:
        raise _not_started(settings, error) from error
    atexit.register(_stop, session)
    _prepare_workers(session.sparkContext, settings, is_local=master.startswith("local"))
    return ClassicCluster(session)


def _find_running() -> Any:
    """Return the SparkContext of this process if it is alive; clear away what is left of a dead one."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    running = SparkContext._active_spark_context
    if running is None:
        return None
    has_java = True
    try:
        if running._jsc is not None and not running._jsc.sc().isStopped():
            return running
    except Exception:
        has_java = False
    with suppress(Exception):
        running.stop()
    SparkContext._active_spark_context = None
    SparkSession._instantiatedSession = None
    if not has_java:
        SparkContext._gateway = SparkContext._jvm = None
    return None


def _builder(settings: SparkSettings, conf: dict[str, str]) -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(settings.values["app_name"])
    for name, value in {**conf, **settings.conf}.items():
        builder = builder.config(name, value)
    return builder


def _prepare_workers(context: Any, settings: SparkSettings, *, is_local: bool) -> None:
    context.setLogLevel(settings.values["log_level"])
    python = settings.values["python"] or (sys.executable if is_local else None)
    if python is not None:
        context.pythonExec = python
    if is_local:
        # What this process can import, its workers can; PYTHONPATH is read by them before anything is unpickled.  What
        # comes with this Python comes with theirs, which may be another one.
        own = (sys.prefix, sys.base_prefix, sys.exec_prefix)
        paths = [str(Path(path).resolve()) for path in sys.path if not path.startswith(own)]
        context.environment["PYTHONPATH"] = os.pathsep.join(paths)


def _open_connect(settings: SparkSettings) -> Cluster:
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    url = settings.values["connect"]
    policy = DefaultPolicy(
        max_retries=RETRIES, initial_backoff=RETRY_MS, backoff_multiplier=1.0, max_backoff=RETRY_MS, jitter=0
    )
    try:
        # This one asks nothing before it has the policy, so it finds out soon whether the server is there.
        jobs_session = ConnectSession(url)
        # Not left to the interpreter's last moments: gRPC's threads have gone by then, and closing waits for them.
        atexit.register(_stop_connect, jobs_session)
        jobs_session.client.set_retry_policies([policy])
        cluster = ConnectCluster(jobs_session)
        builder = SparkSession.builder.appName(settings.values["app_name"]).remote(url)
        for name, value in settings.conf.items():
            builder = builder.config(name, value)
        session = builder.create()
        atexit.register(_stop_connect, session)
        session.client.set_retry_policies([policy])
        cluster.session = session
        return cluster
    except ImportError:
        raise
    except Exception as error:
        raise _not_started(settings, error) from error


def _not_started(settings: SparkSettings, error: Exception) -> ExecutorError:
    java = getattr(error, "java_exception", None)
    first = words_of(error if java is None else RuntimeError(java.getMessage()))
    where = settings.values["connect"] or settings.values["master"] or DEFAULT_MASTER
    return ExecutorError(f"executor {settings.executor!r}: Spark at {where} cannot be used: {first}")


def _stop(session: Any) -> None:
    with suppress(Exception):  # its Java process may be gone
        session.stop()


def _stop_connect(session: Any) -> None:
    with suppress(Exception):  # its server may be gone
        session.client.set_retry_policies([])
        session.stop()
