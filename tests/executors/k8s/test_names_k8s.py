"""Labels that Kubernetes accepts, and ranges that it writes."""

from __future__ import annotations

import pytest

from redun.executors.k8s.names import label_value, read_indexes


def test_labels_hold_what_labels_may():
    """Letters, digits and three signs, at most 63, with a letter or digit at both ends."""
    assert label_value("lab.find genes!") == "lab.find-genes"
    assert label_value("x" * 62 + "_yz") == "x" * 62


@pytest.mark.parametrize(
    ("text", "numbers"), [("", set()), ("3", {3}), ("0-2,5", {0, 1, 2, 5}), ("1,3-4,9-9", {1, 3, 4, 9})]
)
def test_ranges_of_indexes_are_read(text, numbers):
    """As Kubernetes writes which elements have ended."""
    assert read_indexes(text) == numbers
