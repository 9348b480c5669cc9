"""``--setup`` and ``--setup-help``: a scheduler that a function of the project makes."""

from __future__ import annotations

import pytest

FLOW = """
from redun import Scheduler, task
from redun.config import Config

redun_namespace = "flow"


@task(executor="special")
def answer():
    return 42


def make_scheduler(config: Config, name: str = "default", n_workers: int = 2):
    \"\"\"Make the scheduler.

    Args:
        name: what the executor is called.
    \"\"\"
    assert config["limits"]["gpu"] == "3"
    return Scheduler({"executors": {name: {"type": "local", "max_workers": n_workers}}})
"""


@pytest.fixture
def project(tmp_path):
    """A folder whose settings name a function of the script."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / ".redun").mkdir()
    (tmp_path / ".redun" / "redun.ini").write_text(
        "[scheduler]\nsetup_scheduler = flow.py::make_scheduler\n[limits]\ngpu = 3\n"
    )
    return tmp_path


def test_the_function_s_scheduler_runs_and_records_here(project, redun_command):
    """Its executors are those there are; the repository and the terminal are the project's."""
    setup = ("--setup", "name=special", "-s", "n-workers=1")
    assert "'special'" in redun_command("run", "flow.py", "answer", code=1).stderr.replace('"', "'")
    done = redun_command(*setup, "run", "flow.py", "answer")
    assert done.stdout == "42\n"
    assert "[redun] Run    Job" in done.stderr
    assert "Cached Job" in redun_command(*setup, "run", "flow.py", "answer").stderr
    assert "flow.answer" in redun_command("log", "-").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-s", "color=red"], "flow.py::make_scheduler has no parameter 'color'"),
        (["-s", "n_workers=many"], "--setup n_workers=many: expected a value of type int"),
        (["-s", "color"], "--setup color: expected key=value"),
    ],
)
def test_what_the_function_does_not_take_is_refused(project, redun_command, words, message):
    """Exit code 2."""
    assert message in redun_command(*words, "run", "flow.py", "answer", code=2).stderr


def test_setup_needs_a_function(project, redun_command):
    """The hint names the setting."""
    (project / ".redun" / "redun.ini").write_text("[limits]\ngpu = 3\n")
    assert "[scheduler] setup_scheduler" in redun_command("-s", "a=1", "run", "flow.py", "answer", code=2).stderr
    assert "nothing to say" in redun_command("--setup-help").stdout


def test_the_help_tells_its_parameters(project, redun_command):
    """With defaults, and what the docstring says; nothing is made."""
    assert redun_command("--setup-help").stdout.splitlines() == [
        "flow.py::make_scheduler  Make the scheduler.",
        "",
        "Parameters:",
        "  --setup name=TEXT  (default 'default')",
        "      what the executor is called.",
        "  --setup n_workers=INT  (default 2)",
    ]
    assert not (project / ".redun" / "objects").exists()
