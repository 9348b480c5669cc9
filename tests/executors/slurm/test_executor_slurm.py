"""Whole workflows on a real cluster."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from redun import Scheduler
from redun.errors import ExecutorError
from redun.executors.options import BadOption
from redun.executors.registry import make_executor
from redun.executors.slurm import SlurmExecutor
from redun.store.repository import Repository
from redun.testing import executor_tasks as tasks
from redun.testing.executor import WorkflowExecutorSuite, wait_until
from redun.testing.slurm_cluster import NODE, SlurmCluster

SECONDS = 120
QUICK = {"job_monitor_interval": 0.2, "job_stale_time": 0.5}

WORKFLOW = """
import os
from redun import task

redun_namespace = "lab"


@task(executor="slurm", version="1")
def measure(number: int) -> int:
    with open(os.environ["RUNS"], "a") as stream:
        stream.write(f"{number}\\n")
    return number * number


@task(executor="slurm", version="1")
def hold(number: int, gate: str) -> int:
    import time
    open(f"{gate}-{number}", "w").close()
    while not os.path.exists(gate):
        time.sleep(0.05)
    return number


@task(version="1")
def measure_all(n: int = 200) -> list:
    return [measure(number) for number in range(n)]


@task(version="1")
def hold_all(gate: str, n: int = 3) -> list[int]:
    return [hold(number, gate) for number in range(n)]
"""


def test_the_type_is_known(tmp_path):
    """A section of the config makes one, and nothing is asked of a cluster for that."""
    executor = make_executor("lab", {"type": "slurm", "scratch": str(tmp_path), "memory": "2"})
    assert isinstance(executor, SlurmExecutor)
    assert executor.values["memory"] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({}, "needs option 'scratch'"),
        ({"scratch": "s", "partitoin": "x"}, "no option 'partitoin'"),
        ({"scratch": "s", "vcpus": "two"}, "'vcpus' to be a whole number"),
        ({"scratch": "s", "sbatch_args": "--array=1-3"}, "cannot hold '--array=1-3'"),
        ({"scratch": "s3://bucket/scratch"}, "it needs option 'log_dir'"),
    ],
)
def test_a_section_that_does_not_fit_is_refused(section, told):
    """The option is named when the executor is made."""
    with pytest.raises(BadOption, match=told):
        SlurmExecutor("lab", config=section)


def test_a_scratch_that_is_a_bucket_needs_a_folder_of_logs():
    """Slurm writes what jobs print into files."""
    assert SlurmExecutor("lab", config={"scratch": "s3://bucket/scratch", "log_dir": "/shared/logs"}).name == "lab"


def test_nodes_use_the_python_that_runs_this():
    """Without a command of theirs; all nodes mount it."""
    executor = SlurmExecutor("lab", config={"scratch": "s"})
    assert executor.make_command(executor.values, ["worker"]) == (sys.executable, "-m", "redun", "worker")
    executor = SlurmExecutor("lab", config={"scratch": "s", "worker_command": "nice redun"})
    assert executor.make_command(executor.values, ["worker"]) == ("nice", "redun", "worker")


@pytest.fixture
def make(cluster, tmp_path):
    """Make an executor named ``slurm``."""

    def make(**section):
        return SlurmExecutor("slurm", config={"scratch": str(tmp_path / "scratch"), **QUICK, **section})

    return make


@pytest.fixture
def scheduler(make, tmp_path):
    """A scheduler over a repository of its own with an executor that makes no arrays."""
    repository = Repository.init(tmp_path / "repository")
    scheduler = Scheduler(backend=repository)
    scheduler.add_executor(make(min_array_size=0))
    yield scheduler
    repository.close()


@pytest.mark.cluster
class TestSlurmExecutor(WorkflowExecutorSuite):
    """Slurm does with whole workflows what every executor does."""

    n_jobs = 60

    @pytest.fixture
    def executor(self, make):
        """Give one that makes arrays of equal jobs."""
        return make(vcpus=1, memory=0.2)


@pytest.mark.cluster
def test_a_worker_that_dies_leaves_its_log(scheduler):
    """The last lines that it wrote, and what Slurm says of it, come with the error."""
    with pytest.raises(ExecutorError, match=r"exit code 7.*on node") as caught:
        scheduler.run(tasks.die.options(executor="slurm", setup="echo before the end")("7"))
    assert "before the end" in "".join(caught.value.redun_traceback.format())


@pytest.mark.cluster
def test_a_task_says_its_own_options(scheduler):
    """A partition that is not there fails the one job, by name."""
    with pytest.raises(ExecutorError, match="invalid partition specified: nope"):
        scheduler.run(tasks.add.options(executor="slurm", partition="nope")(1, 2))


@pytest.mark.cluster
def test_a_worker_without_redun_is_told(scheduler):
    """A worker command that is not there is named by the shell's line in the log."""
    with pytest.raises(ExecutorError, match="exit code 127") as caught:
        scheduler.run(tasks.add.options(executor="slurm", worker_command=["no-redun-here"])(1, 2))
    assert "no-redun-here" in "".join(caught.value.redun_traceback.format())


@pytest.mark.cluster
def test_memory_and_time_are_watched(scheduler):
    """A job that runs longer than its timeout fails, to the second."""
    with pytest.raises(ExecutorError, match="timeout = 1"):
        scheduler.run(tasks.hold_script.options(executor="slurm", timeout=1)("nowhere"))


class Project:
    """A folder with a workflow, run by the command line."""

    def __init__(self, folder, cluster):
        self.folder = folder
        self.runs = folder / "runs"
        (folder / "lab.py").write_text(WORKFLOW)
        (folder / ".redun").mkdir()
        section = {"type": "slurm", "scratch": "scratch", **QUICK}
        lines = "".join(f"{name} = {value}\n" for name, value in section.items())
        (folder / ".redun" / "redun.ini").write_text(f"[executors.slurm]\n{lines}")
        programs = folder / "programs"
        programs.mkdir()
        for name in ("sbatch", "squeue"):
            path = programs / name
            path.write_text(f'#!/bin/sh\necho "{name} $*" >>{folder}/calls\nexec {shutil.which(name)} "$@"\n')
            path.chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        mine = {"PATH": path, "RUNS": str(self.runs), "NO_COLOR": "1"}
        self.environment = {**os.environ, **cluster.environment, **mine}

    def calls(self, begin):
        """Return the calls of Slurm's commands, by this project, that begin so."""
        path = self.folder / "calls"
        return [line for line in path.read_text().splitlines() if line.startswith(begin)] if path.exists() else []

    def count_outputs(self):
        """Return how many outcomes lie in the scratch."""
        return len(list(self.folder.glob("scratch/jobs/*/output")))

    def ask(self, *words):
        """Return what a command of redun's prints."""
        command = [sys.executable, "-m", "redun", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        ).stdout

    def start_held(self, gate, *words):
        """Start a run of three jobs that wait for the gate, and return when all have begun."""
        run = self.start("hold_all", "--gate", str(gate), *words)
        assert wait_until(lambda: len(list(self.folder.glob("gate-*"))) >= 3, SECONDS)
        return run

    def start(self, *words):
        command = [sys.executable, "-m", "redun", "run", "lab.py", *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, *words):
        process = self.start(*words)
        printed, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, printed
        return printed


@pytest.fixture
def project(tmp_path, cluster):
    """A project in a folder of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder, cluster)


@pytest.mark.cluster
def test_two_hundred_equal_jobs_are_one_array(project):
    """One call of sbatch starts them, each runs once, and a second run asks the cluster nothing."""
    printed = project.run("measure_all", "--n", "200")
    assert "39601" in printed
    assert sorted(int(line) for line in project.runs.read_text().split()) == list(range(200))
    assert ["--array=0-199" in line for line in project.calls("sbatch")] == [True]
    n_calls = len(project.calls(""))
    project.run("measure_all", "--n", "200")
    assert len(project.calls("")) == n_calls


@pytest.mark.cluster
def test_a_job_is_found_by_its_tags(project):
    """Its id at the cluster, its node and the file of what it wrote are tags of the redun job."""
    project.run("hold", "--number", "1", "--gate", "lab.py")
    (job,) = json.loads(project.ask("log", "--tag", "slurm_job", "--json"))
    tags = {tag["key"]: tag["value"] for tag in job["tags"]}
    assert tags["slurm_node"] == NODE
    assert Path(tags["slurm_log"]).stem == str(tags["slurm_job"])
    assert Path(tags["slurm_log"]).is_file()


@pytest.mark.cluster
def test_a_run_that_was_killed_goes_on_with_its_jobs(project):
    """What still runs at the cluster is joined, and nothing is submitted again."""
    gate = project.folder / "gate"
    first = project.start_held(gate)
    first.kill()
    first.communicate()
    before, n_polls = project.calls("sbatch"), len(project.calls("squeue --noheader --array --jobs="))
    second = project.start("hold_all", "--gate", str(gate))
    assert wait_until(lambda: len(project.calls("squeue --noheader --array --jobs=")) > n_polls, SECONDS)
    assert project.count_outputs() == 0
    gate.touch()
    printed, _ = second.communicate(timeout=SECONDS)
    assert second.returncode == 0, printed
    assert "[0, 1, 2]" in printed
    assert project.calls("sbatch") == before


@pytest.mark.cluster
def test_what_ended_after_a_run_was_killed_is_not_lost(project):
    """Results that lie in the scratch are taken, and no job is submitted."""
    gate = project.folder / "gate"
    first = project.start_held(gate)
    first.kill()
    first.communicate()
    gate.touch()
    assert wait_until(lambda: project.count_outputs() == 3, SECONDS)
    before = project.calls("sbatch")
    assert "[0, 1, 2]" in project.run("hold_all", "--gate", str(gate))
    assert project.calls("sbatch") == before


@pytest.mark.cluster
def test_a_controller_may_stop_in_mid_run(project, cluster):
    """The run waits for it, and jobs that ended meanwhile are taken as they ended."""
    gate = project.folder / "gate"
    run = project.start_held(gate)
    cluster.stop_controller()
    try:
        assert not cluster.ask("squeue", "-h")  # which gives up after some seconds, and so do those of the run
        gate.touch()
        assert wait_until(lambda: project.count_outputs() == 3, SECONDS)
    finally:
        cluster.start_controller()
    printed, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, printed
    assert "[0, 1, 2]" in printed


@pytest.mark.cluster
def test_a_whole_run_may_be_a_job_of_the_cluster(project):
    """What it submits from there are jobs of their own, arrays too."""
    project.ask("launch", "--executor", "slurm", "--wait", "redun", "run", "lab.py", "measure_all", "--n", "6")
    assert sorted(project.runs.read_text().split()) == list("012345")
    assert ["--array=0-5" in line for line in project.calls("sbatch")] == [False, True]
    assert "measure_all" in project.ask("log")


@pytest.mark.cluster
def test_an_interrupted_run_cancels_its_jobs(project, cluster):
    """Nothing is left in the queue."""
    gate = project.folder / "gate"
    run = project.start_held(gate, "--n", "30")
    run.send_signal(signal.SIGINT)
    printed, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 130, printed
    assert wait_until(lambda: not cluster.ask("squeue", "-h").strip(), SECONDS)


@pytest.mark.cluster
def test_the_guide_shows_what_a_cluster_says(tmp_path, cluster, redun_environment, follow_page):
    """Files and commands of the page, taken in order on a new cluster, whose jobs are numbered from 1."""
    folder = tmp_path / "page"
    folder.mkdir()
    with SlurmCluster(tmp_path / "cluster") as another:
        assert another.environment != cluster.environment
        follow_page("executors-slurm.md", folder, {**redun_environment, **another.environment})
        assert (folder / "results" / "s5.txt").exists()


@pytest.mark.cluster
def test_a_machine_without_slurm_is_told(make, tmp_path, monkeypatch):
    """The first job fails, and says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    scheduler = Scheduler()
    scheduler.add_executor(make())
    with pytest.raises(ExecutorError, match="cannot run 'scontrol'") as caught:
        scheduler.run(tasks.add.options(executor="slurm")(1, 2))
    assert "slurm-client" in caught.value.hint


@pytest.mark.cluster
def test_a_scratch_that_cannot_be_written_is_told(make, tmp_path):
    """Before anything is submitted."""
    (tmp_path / "file").write_text("")
    scheduler = Scheduler()
    scheduler.add_executor(make(scratch=str(tmp_path / "file" / "scratch")))
    with pytest.raises(ExecutorError, match="scratch"):
        scheduler.run(tasks.add.options(executor="slurm")(1, 2))
    assert Path(tmp_path, "file").read_text() == ""
