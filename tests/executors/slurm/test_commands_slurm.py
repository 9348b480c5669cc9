"""What Slurm's commands say when they fail, word for word as version 22.05 does, and which error that is."""

from __future__ import annotations

import pytest

from redun.executors.remote.submitter import SubmitterError
from redun.executors.slurm.commands import SlurmRefused, SlurmUnreachable, read_pairs, run_command

PASSING = [
    "squeue: error: slurm_receive_msgs: Socket timed out on send/recv operation",
    "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
    "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
    "sbatch: error: Batch job submission failed: Resource temporarily unavailable",
    "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: violates accounting/QOS",
    "squeue: error: Munge encode failed: Failed to access socket\nslurm_load_jobs error: Protocol authentication error",
    "sacct: error: slurm_persist_conn_open_without_init: failed to open persistent connection: Connection refused",
]
REFUSALS = [
    (
        "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid part",
        "invalid partition specified: nope; Batch job submission failed: Invalid part",
        "sinfo",
    ),
    (
        "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
        "Invalid account",
        "sacctmgr",
    ),
    ("sbatch: error: Batch job submission failed: Invalid qos specification", "Invalid qos", "option qos"),
    ("sbatch: error: Memory specification can not be satisfied", "Memory specification", "option memory"),
    ("sbatch: error: Invalid generic resource (gres) specification", "gres", "options gpus and gres"),
    ("sbatch: error: Batch job submission failed: Invalid feature specification", "feature", "option constraint"),
    ("sbatch: error: Batch job submission failed: Invalid job array specification", "array", "max_array_size"),
    ("sbatch: unrecognized option '--nosuch=30'\nTry \"sbatch --help\" for more information", "nosuch", "sbatch_args"),
    (
        "sacct: error: fetch_config: DNS SRV lookup failed\nsacct: fatal: Could not establish a configuration source",
        "Could not establish a configuration source",
        "SLURM_CONF",
    ),
]


def put_failing(programs, stderr):
    programs("sbatch", f"/bin/cat >&2 <<'END'\n{stderr}\nEND\nexit 1")


def test_what_a_command_prints_comes_back(programs):
    """A command reads what it is given, and its output is returned."""
    programs("sbatch", "read -r line; echo $1 $line")
    assert run_command("sbatch", "--parsable", stdin="text\n") == "--parsable text\n"


@pytest.mark.parametrize("stderr", PASSING)
def test_what_may_pass_is_an_error_of_the_system(programs, stderr):
    """A controller that is away or overloaded, and a full queue, are worth another attempt."""
    put_failing(programs, stderr)
    with pytest.raises(SlurmUnreachable) as caught:
        run_command("sbatch")
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize(("stderr", "said", "hint"), REFUSALS)
def test_a_refusal_says_what_slurm_said_and_what_to_do(programs, stderr, said, hint):
    """Bad options do not get better by repeating; the message has Slurm's words without its prefixes."""
    put_failing(programs, stderr)
    with pytest.raises(SlurmRefused) as caught:
        run_command("sbatch")
    assert said in str(caught.value)
    assert "error:" not in str(caught.value)
    assert hint in caught.value.hint


def test_a_refusal_without_words_tells_the_exit_code(programs):
    """There is always something to tell."""
    programs("sbatch", "exit 3")
    with pytest.raises(SlurmRefused, match="sbatch: exit code 3"):
        run_command("sbatch")


@pytest.mark.parametrize(
    ("stderr", "may_have_happened"),
    [
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", True),
        ("sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received", True),
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", False),
        ("sbatch: error: Batch job submission failed: Resource temporarily unavailable", False),
    ],
)
def test_a_lost_reply_is_told_from_a_lost_request(programs, stderr, may_have_happened):
    """After a timeout the job may be in the queue; when nobody was reached it is not."""
    put_failing(programs, stderr)
    with pytest.raises(SlurmUnreachable) as caught:
        run_command("sbatch")
    assert caught.value.may_have_happened is may_have_happened


def test_a_command_that_hangs_is_given_up(programs):
    """A command that does not end has an unknown outcome."""
    programs("sbatch", "exec /bin/sleep 30")
    with pytest.raises(SlurmUnreachable, match=r"no answer within 0 s") as caught:
        run_command("sbatch", seconds=0.1)
    assert caught.value.may_have_happened


def test_a_machine_without_slurm_is_told(programs):
    """The message names the command that is missing, and what to install."""
    programs("squeue", "")
    with pytest.raises(SubmitterError, match="cannot run 'sbatch': No such file or directory") as caught:
        run_command("sbatch")
    assert "slurm-client" in caught.value.hint


def test_the_configuration_is_read_by_name():
    """Names and values stand around the first equals sign; lines without one say nothing."""
    printed = (
        "Configuration data as of now\nClusterName             = lab\nPlugIn = a=b\n\nSlurmctld(primary) at vm is UP\n"
    )
    assert read_pairs(printed) == {"ClusterName": "lab", "PlugIn": "a=b"}
