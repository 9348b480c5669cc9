"""What a docstring says of parameters, in three styles."""

from __future__ import annotations

import pytest

from redun.cli.docstrings import parse_docstring

GOOGLE = """Trim the reads.

    In full.

    Args:
        reads (File): what to trim,
            in FASTQ.
        min_quality: below that, cut: always

    Returns:
        The rest.
    """

NUMPY = """Trim the reads.

    In full.

    Parameters
    ----------
    reads : File
        what to trim,
        in FASTQ.
    min_quality
        below that, cut: always

    Returns
    -------
    File
    """

SPHINX = """Trim the reads.

    In full.

    :param reads: what to trim,
        in FASTQ.
    :type reads: File
    :param int min_quality: below that, cut: always
    :returns: The rest.
    """


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (GOOGLE, ["", "Returns:", "    The rest."]),
        (NUMPY, ["Returns", "-------", "File"]),
        (SPHINX, [":returns: The rest."]),
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_parameters_are_taken_out_and_the_rest_stays(text, rest):
    """Texts of several lines become one; sections about other things are body."""
    found = parse_docstring(text)
    assert found.parameters == {"reads": "what to trim, in FASTQ.", "min_quality": "below that, cut: always"}
    assert [line for line in found.body if line] == ["Trim the reads.", "In full.", *filter(None, rest)]
    assert found.summary == "Trim the reads."


@pytest.mark.parametrize("text", ["Args: none to speak of", "Parameters\nare few", "Args:", ""])
def test_what_only_looks_like_a_section_is_body(text):
    """A word is no section by itself."""
    found = parse_docstring(text)
    assert found.parameters == {}
    assert found.body == text.splitlines()


def test_no_docstring_says_nothing():
    """Neither summary nor parameters."""
    assert parse_docstring(None).summary == ""
