"""A Slurm that is acted by lines of text, Slurm's commands as scripts on the path, and a real cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from redun.executors.slurm.commands import SlurmRefused
from redun.executors.slurm.options import SLURM_OPTIONS
from redun.executors.slurm.submitter import SlurmSubmitter
from redun.testing.slurm_cluster import SlurmCluster, find_missing

CONFIG = """\
Configuration data as of 2026-11-23T08:19:03
AccountingStorageType   = accounting_storage/none
ClusterName             = lab
MaxArraySize            = 1001
MinJobAge               = 300 sec
"""


class ActedSlurm:
    """Answers commands with the texts that it was given, and notes what it was asked."""

    def __init__(self):
        self.calls = []
        self.answers = {"scontrol show config": CONFIG}

    def __call__(self, *words, stdin=""):
        self.calls.append((words, stdin))
        line = " ".join(words)
        for start in sorted(self.answers, key=len, reverse=True):
            if line.startswith(start):
                answer = self.answers[start]
                if isinstance(answer, list):
                    answer = answer.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer
        raise SlurmRefused(f"{words[0]}: nobody told what to answer to {line}", line)

    def asked(self, program):
        """Return the words of each call of a program, in order."""
        return [words[1:] for words, _stdin in self.calls if words[0] == program]


@pytest.fixture
def slurm():
    """A Slurm without jobs."""
    acted = ActedSlurm()
    acted.answers |= {"squeue": "", "scancel": "", "sbatch": "41\n"}
    return acted


@pytest.fixture
def options():
    """The value of every option, none of them said."""
    return SLURM_OPTIONS.read_section("lab", {"scratch": "/shared/scratch"})


@pytest.fixture
def submitter(slurm, options, tmp_path):
    """A submitter that talks to the acted Slurm; its cluster is called lab."""
    return SlurmSubmitter("lab", options, tmp_path / "logs", run=slurm)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A function that puts a shell script on the path, alone there, under the name of one of Slurm's commands."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name, text):
        path = folder / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    return put


@pytest.fixture
def follow_page():
    """A function that does what a page of the guide shows, and compares what is said: that of the tests of pages."""
    path = Path(__file__).parents[2] / "end_to_end" / "test_pages.py"
    spec = spec_from_file_location("test_pages_followed", path)
    pages = module_from_spec(spec)
    spec.loader.exec_module(pages)
    return lambda name, folder, environment: pages._follow(pages.GUIDE / name, folder, environment)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[SlurmCluster]:
    """A real cluster of one node, that all commands of this process find."""
    missing = find_missing()
    if missing:
        pytest.skip(f"there is no Slurm, lacking {', '.join(missing)}: apt install slurmctld slurmd slurm-client munge")
    with SlurmCluster(tmp_path_factory.mktemp("slurm")) as cluster:
        before = {name: os.environ.get(name) for name in cluster.environment}
        os.environ.update(cluster.environment)
        yield cluster
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
