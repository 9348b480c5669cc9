"""Names that clusters accept, and ids that lead back to them."""

from __future__ import annotations

import re

import pytest

from redun.executors.job_names import JobId, job_name


@pytest.mark.parametrize(
    "name", ["redun-job-" + "a" * 64, "Lab_Job-" + "b" * 100, "9lives-" + "c" * 64, "-" + "d" * 64]
)
def test_names_are_dns_labels(name):
    """Host names of an array's pods, with up to five digits behind, are too."""
    made = job_name(name, "run")
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", made)
    assert len(made) <= 57


def test_names_differ_where_they_must():
    """By what runs and by the attempt, and not otherwise."""
    names = [job_name("job-a", "t1"), job_name("job-b", "t1"), job_name("job-a", "t2")]
    assert len(set(names)) == 3
    assert job_name("job-a", "t1") == names[0]


@pytest.mark.parametrize("job_id", [JobId("r1", "job-a"), JobId("r1", "job-a", 0), JobId("r1", "job-a", 12)])
def test_ids_are_texts_and_come_back(job_id):
    """Of jobs and of elements."""
    assert JobId.parse(str(job_id)) == job_id


@pytest.mark.parametrize("text", ["", "job", "a/b/c", "a/b/1/2", "a/b/-1"])
def test_other_texts_are_no_ids(text):
    """What another cluster gave is not known here."""
    assert JobId.parse(text) is None
