"""A real Slurm cluster of one node for tests: munged, slurmctld and slurmd of this machine, in a folder of the test's.

Debian's packages ``slurmctld slurmd slurm-client munge`` bring the programs.  Everything runs as the user of the tests;
nothing outside the folder is read or written, and each cluster has ports of its own.  It is up in two seconds.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from redun.testing.started import Started, free_ports

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
START_SECONDS = 60
MAX_ARRAY_SIZE = 501
NODE = "n1"
_POLL_SECONDS = 0.05
_SYSTEM_FOLDERS = "/usr/sbin:/sbin:/usr/local/sbin"

_GUARD = """
"$@" </dev/null &
daemon=$!
read -r line
kill $daemon 2>/dev/null
(sleep 5; kill -9 $daemon) 2>/dev/null &
wait $daemon
kill $! 2>/dev/null
"""
"""Ends a daemon when this process closes the pipe, or is gone without having done so.

slurmd would wait for jobs that its controller has forgotten.
"""

_CONFIG = """\
ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MpiDefault=none
SwitchType=switch/none
TaskPlugin=task/none
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MaxArraySize={max_array_size}
KillWait=2
MessageTimeout=5
ReturnToService=2
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
MailProg=/bin/true
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes=ALL MaxTime=10 State=UP
"""
"""More cores than most machines of tests have: jobs of tests mostly wait."""


def find_missing() -> list[str]:
    """Return which of the programs this machine lacks."""
    return [program for program in PROGRAMS if _find(program) is None]


class SlurmCluster(Started):
    """The cluster, from ``start`` (or ``with``) to ``stop``.

    Args:
        folder: where it keeps its state and its logs; empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables by which Slurm's commands find it."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self) -> None:
        """Start it, and wait until its node is ready.

        Raises:
            RuntimeError: it is not within ``START_SECONDS``; the logs' ends are in the message.
        """
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        controller_port, node_port = free_ports(2)
        config = _CONFIG.format(
            cluster="redun",
            host=socket.gethostname().partition(".")[0],
            node=NODE,
            user=getpass.getuser(),
            folder=self.folder,
            controller_port=controller_port,
            node_port=node_port,
            max_array_size=MAX_ARRAY_SIZE,
        )
        (self.folder / "slurm.conf").write_text(config)
        self._start_munge()
        self.start_controller()
        self.start_node()
        self._wait("the node is not ready", lambda: self.ask("sinfo", "-h", "-o", "%T").strip() == "idle")

    def stop(self) -> None:
        """End it, and what runs on it."""
        for name in ("slurmctld", "slurmd", "munged"):
            if name == "slurmctld" and name in self._daemons:
                self._end_jobs()
            self._stop(name)

    def start_controller(self, *, is_forgetful: bool = False) -> None:
        """Start slurmctld; ``is_forgetful``: without the jobs that it knew."""
        self._start("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"), *(["-c"] if is_forgetful else []))
        self._wait("slurmctld does not answer", lambda: "is UP" in self.ask("scontrol", "ping"))

    def stop_controller(self) -> None:
        """Stop slurmctld; what runs goes on."""
        self._stop("slurmctld")

    def start_node(self) -> None:
        """Start slurmd."""
        self._start("slurmd", "-D", "-f", str(self.folder / "slurm.conf"))

    def ask(self, *words: str) -> str:
        """Run one of Slurm's commands, and return what it prints; what it says of errors is left out."""
        return subprocess.run([*self._settings(), *words], capture_output=True, text=True, check=False).stdout

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        paths = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        # --force: a folder of tests is closed to others, and munged wants its socket to be open to all.
        words = [f"--{option}={folder / name}" for option, name in paths.items()]
        self._start("munged", "--foreground", "--force", *words)
        self._wait("munged does not start", (folder / "socket").exists)

    def _start(self, program: str, *words: str) -> None:
        with (self.folder / f"{program}.log").open("ab") as log:
            self._daemons[program] = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", *self._settings(), str(_find(program)), *words],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _stop(self, program: str) -> None:
        daemon = self._daemons.pop(program, None)
        if daemon is not None:
            assert daemon.stdin is not None
            daemon.stdin.close()
            daemon.wait()

    def _settings(self) -> list[str]:
        """Return words that start a program with our settings added to the environment as it is."""
        return ["env", *(f"{name}={text}" for name, text in self.environment.items())]

    def _end_jobs(self) -> None:
        self.ask("scancel", "--quiet", f"--user={getpass.getuser()}")
        self._wait("jobs do not end", lambda: not self.ask("squeue", "-h").strip())

    def _wait(self, what: str, is_so: Callable[[], bool]) -> None:
        limit = time.monotonic() + START_SECONDS
        while not is_so():
            if time.monotonic() > limit:
                logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in self.folder.glob("*.log"))
                raise RuntimeError(f"{what}: {logs}")
            time.sleep(_POLL_SECONDS)


def _find(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=_SYSTEM_FOLDERS)
