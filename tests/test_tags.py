"""Tags as text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.tags import (
    ANY_VALUE,
    BadTag,
    check_tag_key,
    check_tags,
    encode_tag_value,
    format_tag_key_value,
    format_tag_value,
    parse_tag_key_value,
    parse_tag_value,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(), parts, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("null", None),
        ("true", True),
        ("10", 10),
        ("1.5", 1.5),
        ('"10"', "10"),
        ("prod", "prod"),
        ("v1.2-rc", "v1.2-rc"),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ("-Infinity", "-Infinity"),
        ("two words", "two words"),
        ("s3://bucket/a=b", "s3://bucket/a=b"),
        ("[1, 2]", [1, 2]),
        ('{"a": [1]}', {"a": [1]}),
    ],
)
def test_a_value_is_json_or_a_bare_text(text, value):
    """What is JSON is read as JSON, nothing as None, and the rest as the text that it is."""
    found = parse_tag_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["[1, 2", '"open', "{a: 1}", "[NaN]", " {"])
def test_what_begins_as_json_must_be_json(text):
    """A list, an object or a string that is malformed is refused, not taken for a text."""
    with pytest.raises(BadTag, match="begins as JSON"):
        parse_tag_value(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000])
def test_json_without_end_is_refused(text):
    """Nesting beyond what the reader can hold is an error of the tag, not of the program."""
    with pytest.raises(BadTag):
        parse_tag_value(text)


@given(JSON_VALUES)
def test_a_value_reads_back_from_what_is_shown(value):
    """A value as shown is read as the same value, of the same type."""
    found = parse_tag_value(format_tag_value(value))
    assert encode_tag_value(found) == encode_tag_value(value)


@given(st.text())
def test_any_text_typed_is_a_tag_or_refused(text):
    """Parsing gives a pair or a BadTag, nothing else."""
    try:
        key, value = parse_tag_key_value(text)
    except BadTag:
        return
    assert parse_tag_key_value(format_tag_key_value(key, value, None)) == (key, value)


@given(JSON_VALUES)
def test_canonical_json_is_stable(value):
    """The canonical text is ASCII, and reading and writing it changes nothing."""
    text = encode_tag_value(value)
    assert text.isascii()
    assert encode_tag_value(json.loads(text)) == text


def test_the_key_ends_at_the_first_equals_sign():
    """Further equals signs belong to the value."""
    assert parse_tag_key_value("url=http://host/?a=b") == ("url", "http://host/?a=b")


def test_a_lone_key_stands_for_any_value_where_that_is_allowed():
    """``key`` searches for every value of a key, and ``key=`` for None."""
    assert parse_tag_key_value("env", value_required=False) == ("env", ANY_VALUE)
    assert parse_tag_key_value("env=", value_required=False) == ("env", None)
    assert repr(ANY_VALUE) == "ANY_VALUE"
    with pytest.raises(BadTag, match="expected key=value"):
        parse_tag_key_value("env")


@pytest.mark.parametrize("key", ["", " a", "a ", "a=b", "a\nb", "a\x1b[2J", "k" * 1001, "\ud800", 3])
def test_a_bad_key_is_refused(key):
    """A key must stand on a line and in front of an equals sign."""
    with pytest.raises(BadTag):
        check_tag_key(key)


@pytest.mark.parametrize("tags", [["ab"], [("a", 1, 2)], [("a", object())], [("a", float("nan"))], [(1, 2)]])
def test_tags_that_are_no_pairs_of_key_and_json_are_refused(tags):
    """Tags given by a program are checked as those that are typed."""
    with pytest.raises(BadTag):
        check_tags(tags)


def test_a_bad_tag_is_a_value_error():
    """Programs that catch ValueError catch it."""
    assert issubclass(BadTag, ValueError)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("prod", "prod"),
        ("two words", '"two words"'),
        ("10", '"10"'),
        ("true", '"true"'),
        ("", '""'),
        ("a,b", '"a,b"'),
        (None, "null"),
        (10, "10"),
        ({"b": 1, "a": "é"}, '{"a": "é", "b": 1}'),
        ("it's", "it's"),
    ],
)
def test_a_text_is_shown_bare_where_it_reads_back(value, shown):
    """Quotes appear only where the text alone would be read as something else, or would not end."""
    assert format_tag_value(value) == shown


def test_a_long_value_is_cut_for_show():
    """A line of a list shows the beginning; None shows all."""
    assert format_tag_key_value("doc", "x" * 60) == "doc=" + "x" * 47 + "..."
    assert format_tag_key_value("doc", "x" * 60, None) == "doc=" + "x" * 60
    assert format_tag_key_value("a", [1]) == "a=[1]"
