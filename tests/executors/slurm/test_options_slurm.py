"""Options of Slurm executors and the words of sbatch that they become."""

from __future__ import annotations

import pytest

from redun.executors.options import BadOption
from redun.executors.slurm.options import SLURM_OPTIONS, sbatch_words


def words(options, **said):
    return sbatch_words("lab", SLURM_OPTIONS.read_task("lab", options, said))


def test_nothing_said_leaves_all_to_the_cluster(options):
    """Without options, sbatch is told of none."""
    assert words(options) == []


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"partition": "long,short"}, "--partition=long,short"),
        ({"account": "biology"}, "--account=biology"),
        ({"qos": "high"}, "--qos=high"),
        ({"constraint": "avx512&ib"}, "--constraint=avx512&ib"),
        ({"vcpus": 3}, "--cpus-per-task=3"),
        ({"cpus_per_task": 3}, "--cpus-per-task=3"),
        ({"cpus_per_task": 3, "vcpus": 3}, "--cpus-per-task=3"),
        ({"memory": 4}, "--mem=4096M"),
        ({"memory": 0.25}, "--mem=256M"),
        ({"gpus": 2}, "--gres=gpu:2"),
        ({"gres": "gpu:a100:1,ssd"}, "--gres=gpu:a100:1,ssd"),
        ({"gpus": 2, "gres": "ssd"}, "--gres=gpu:2,ssd"),
        ({"nodes": 2}, "--nodes=2"),
        ({"timeout": 1}, "--time=1"),
        ({"timeout": 60}, "--time=1"),
        ({"timeout": 3601}, "--time=61"),
        ({"exclusive": True}, "--exclusive"),
        ({"sbatch_args": ["--nice=100"]}, "--nice=100"),
    ],
)
def test_each_option_is_a_word_of_sbatch(options, said, word):
    """Memory is in GiB, time in seconds that are rounded up to Slurm's minutes."""
    assert words(options, **said) == [word]


def test_a_section_of_texts_is_read():
    """In a file, options are texts."""
    section = {"scratch": "/s", "vcpus": "2", "memory": "1.5", "exclusive": "yes", "sbatch_args": "--nice=1 -x n7"}
    values = SLURM_OPTIONS.read_section("lab", section)
    assert sbatch_words("lab", values) == ["--cpus-per-task=2", "--mem=1536M", "--exclusive", "--nice=1", "-x", "n7"]


def test_two_numbers_of_cores_are_refused(options):
    """vcpus and cpus_per_task are one thing under two names."""
    with pytest.raises(BadOption, match="found vcpus 2 and cpus_per_task 4"):
        words(options, vcpus=2, cpus_per_task=4)


@pytest.mark.parametrize("memory", [0, -1, 0.0001])
def test_no_memory_is_refused(options, memory):
    """To Slurm, a memory of 0 would be all that the node has."""
    with pytest.raises(BadOption, match="'memory' to be above 0"):
        words(options, memory=memory)


@pytest.mark.parametrize("word", ["--array=1-3", "-a1-3", "-a", "--output=x", "-ox", "--wrap=ls", "-M", "--clusters=b"])
def test_more_words_cannot_take_redun_its_own(options, word):
    """What would make jobs that redun cannot find is refused by name."""
    with pytest.raises(BadOption, match="sbatch_args cannot hold") as caught:
        words(options, sbatch_args=[word])
    assert caught.value.option == "sbatch_args"


def test_the_folder_of_logs_is_no_matter_of_tasks(options):
    """All jobs of an executor write into one folder."""
    with pytest.raises(BadOption, match="cannot be said by a task"):
        words(options, log_dir="/elsewhere")
