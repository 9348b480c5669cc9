"""``--check-version``: comparisons of releases."""

from __future__ import annotations

import pytest

from redun.cli.version_check import BadVersionSpec, WrongVersion, check_version


@pytest.mark.parametrize("spec", ["==1.2.0", "==1.2", ">=1", "<=1.2", ">1.1.9", "<2", ">=1.2, <1.3", " < 1.10 "])
def test_a_version_that_fits_passes(spec):
    """Missing numbers are 0, and 10 is more than 9."""
    check_version(spec, "1.2.0.dev1")


@pytest.mark.parametrize("spec", ["==1.2.1", ">=1.3", "<=1.1.99", ">1.2", "<1.2.0", ">=1,<1.2"])
def test_a_version_that_does_not_fit_is_told(spec):
    """The error names both, and how to get another."""
    with pytest.raises(WrongVersion, match=r"found 1\.2\.0") as caught:
        check_version(spec, "1.2.0")
    assert spec in caught.value.hint


@pytest.mark.parametrize("spec", ["", "1.2", "~=1.2", ">=", ">=1,", ">=1.x"])
def test_what_is_no_list_of_comparisons_is_refused(spec):
    """It is a mistake of the command line, not of the version."""
    with pytest.raises(BadVersionSpec, match="expected as in"):
        check_version(spec, "1.2.0")
