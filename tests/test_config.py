"""Settings: nesting, interpolation, typed records, and refusal with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.config import Config
from redun.errors import ConfigError
from redun.ini import BadIni, parse_ini, remove_section, set_value
from redun.settings import FileSettings, RemoteSettings, RepositorySettings, SchedulerSettings

TEXT = """\
# The project's settings.
[DEFAULT]
image = base:1

[scheduler]
ignore_warnings = namespace, version
job_status_interval = 5

[executors.batch]
type = aws_batch   # not a comment: part of the value
Queue: q1
queue = ${Queue}-low
extra =
    one
    # between

    two

[executors.process]
type = local
"""


def _config(text: str, **environ: str) -> Config:
    config = Config(environ=environ)
    config.read_string(text, "redun.ini")
    return config


def test_dotted_sections_nest() -> None:
    """A dotted section is found inside the section before the dot."""
    config = _config(TEXT)
    assert config.keys() == ["scheduler", "executors"]
    assert list(config["executors"]) == ["batch", "process"]
    assert config["executors"]["process"]["type"] == "local"
    assert config.get("executors").name == "executors"
    assert config.get("nothing") is None
    assert config.get("nothing", {}) == {}
    assert "executors" in config
    assert sorted(config.executors) == ["batch", "process"]


def test_keys_are_case_sensitive() -> None:
    """Two keys that differ in case are two settings."""
    batch = _config(TEXT)["executors"]["batch"]
    assert (batch["Queue"], batch["queue"]) == ("q1", "q1-low")


def test_long_values_drop_comments_and_keep_lines() -> None:
    """A value that goes on in indented lines is those lines."""
    assert _config(TEXT)["executors"]["batch"]["extra"] == "\none\ntwo"


def test_default_is_looked_up_and_not_listed() -> None:
    """[DEFAULT] serves every section, and is the property of none."""
    process = _config(TEXT)["executors"]["process"]
    assert process["image"] == "base:1"
    assert process.get("image") == "base:1"
    assert list(process) == ["type"]


def test_a_variable_comes_from_section_then_default_then_environment() -> None:
    """The first that has it wins."""
    text = "[DEFAULT]\nb = default\nc = default\n[s]\nc = own\nx = ${a} ${b} ${c} $${a} $a\n"
    assert _config(text, a="env", b="env", c="env")["s"]["x"] == "env default own ${a} $a"


def test_a_variable_that_nobody_has_is_refused_with_its_line() -> None:
    """The message names file, line, section, key and variable."""
    config = _config("[s]\n\nx = ${missing}\n")
    with pytest.raises(BadIni, match=r"redun\.ini:3: \[s\] x: \$\{missing\} is neither"):
        config["s"]["x"]


def test_variables_that_go_round_are_refused() -> None:
    """A cycle is an error, not a hang."""
    with pytest.raises(BadIni, match="lead back to itself"):
        _config("[s]\na = ${b}\nb = ${a}\n")["s"]["a"]


def test_typed_settings_have_the_documented_defaults() -> None:
    """An empty config gives the defaults of each section."""
    config = Config()
    assert config.scheduler == SchedulerSettings((), 20.0, "closure")
    assert config.files == FileSettings("content", 16 << 20)
    assert config.repository == RepositorySettings(None, "commit", None)
    assert (config.limits, config.tags, config.executors, config.remotes) == ({}, {}, {}, {})
    assert config.context == {}


def test_typed_settings_are_read() -> None:
    """Each key reaches its field."""
    config = _config(
        "[scheduler]\nignore_warnings = namespace, version\njob_status_interval = 0\ncode_hash = function\n"
        "setup_scheduler = setup.py::make\n"
        "[files]\nhash = stat\nkeep_bytes = 2 MiB\n[repository]\nurl = /data/r\ndurability = job\n"
        "[limits]\ngpu = 2\n[tags]\nproject = acme\n[remotes.origin]\nurl = ../shared\n"
    )
    assert config.scheduler == SchedulerSettings(("namespace", "version"), 0.0, "function", "setup.py::make")
    assert config.files == FileSettings("stat", 2 << 20)
    assert config.repository == RepositorySettings("/data/r", "job", None)
    assert config.limits == {"gpu": 2}
    assert config.tags == {"project": "acme"}
    assert config.remotes == {"origin": RemoteSettings("origin", "../shared")}


@pytest.mark.parametrize(
    ("text", "read", "why"),
    [
        ("[scheduler]\njob_status_interval = often\n", "scheduler", r":2: .*expected a number, found 'often'"),
        ("[scheduler]\ncode_hash = x\n", "scheduler", r":2: .*expected closure or function"),
        ("[files]\n\nkeep_bytes = 3 miles\n", "files", r":3: .*expected a size"),
        ("[repository]\ndurability = yes\n", "repository", r":2: .*off or commit or job"),
        ("[limits]\ngpu = two\n", "limits", r":2: .*expected a whole number"),
        ("[limits]\ngpu = 0\n", "limits", r":2: .*expected 1 or more, found 0"),
        ("[tags]\nteam = [1\n", "tags", r":2: \[tags\] team: .*begins as JSON"),
        ("[scheduler]\ncontext = {\n", "context", r":2: .*expected JSON"),
        ("[scheduler]\ncontext = [1]\n", "context", r":2: .*expected a JSON object, found a list"),
        ("[scheduler]\ncontext_file = no.json\n", "context", r":2: .*context_file: expected a file of JSON"),
        ("[scheduler]\ncontext = {}\ncontext_file = a\n", "context", r":3: .*context_file, found both"),
        ("[remotes.origin]\n", "remotes", "expected a url for remote 'origin'"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_line(text: str, read: str, why: str) -> None:
    """The error names file, line, section, key, what was expected and what was found."""
    with pytest.raises(BadIni, match=why):
        getattr(_config(text), read)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("x = 1\n", 1, "expected a \\[section\\]"),
        ("[a]\nnonsense\n", 2, "expected `\\[section\\]` or `key = value`"),
        ("[a]\n[b]\n[a]\n", 3, "stands twice, first in line 1"),
        ("[a]\nx=1\nx=2\n", 3, "'x' stands twice"),
        ("[a\n", 1, "expected"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int, why: str) -> None:
    """The error is a ConfigError that carries file and line."""
    path = tmp_path / "redun.ini"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why) as caught:
        Config().read_path(path)
    assert (caught.value.where, caught.value.line) == (str(path), line)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A file that is not UTF-8 is named."""
    path = tmp_path / "redun.ini"
    path.write_bytes(b"[a]\nx = \xff\n")
    with pytest.raises(BadIni, match="not UTF-8"):
        Config().read_path(path)


def test_a_database_is_refused_with_what_to_write_instead() -> None:
    """[backend] db_uri names its line and [repository] url."""
    with pytest.raises(ConfigError, match=r"redun\.ini:2.*db_uri") as caught:
        _config("[backend]\ndb_uri = sqlite:///redun.db\n")
    assert "[repository] url" in caught.value.hint
    with pytest.raises(ConfigError, match="db_uri"):
        Config({"backend": {"db_uri": "x"}})


def test_the_folder_of_a_file_is_filled_in(tmp_path: Path) -> None:
    """Settings read from a file know where they came from."""
    (tmp_path / "redun.ini").write_text("[scheduler]\n")
    config = Config()
    config.read_path(tmp_path / "redun.ini")
    assert config.repository.config_dir == str(tmp_path)
    assert config.get_config_dict("/elsewhere")["repository"]["config_dir"] == "/elsewhere"


def test_tags_are_read_as_on_the_command_line() -> None:
    """JSON where it is JSON, text otherwise, None when empty; variables are filled in."""
    config = _config("[tags]\nproject = acme\nyear = 2024\nteam = ${TEAM}\nempty =\n", TEAM="blue")
    assert config.tags == {"project": "acme", "year": 2024, "team": "blue", "empty": None}


def test_the_context_stands_in_the_settings_or_in_a_file(tmp_path: Path) -> None:
    """Its file is looked for in the project directory, then beside the settings."""
    folder = tmp_path / ".redun"
    folder.mkdir()
    (folder / "redun.ini").write_text("[scheduler]\ncontext_file = c.json\n")
    (folder / "c.json").write_text('{"beside": 1}')
    config = Config()
    config.read_path(folder / "redun.ini")
    assert config.context == {"beside": 1}
    (tmp_path / "c.json").write_text('{"project": {"a": 1}}')
    assert config.context == {"project": {"a": 1}}
    assert _config('[scheduler]\ncontext =\n  {"tool":\n   {"threads": 2}}\n').context == {"tool": {"threads": 2}}


def test_a_config_dict_makes_an_equal_config() -> None:
    """Texts go along as written, so that variables are filled in where they are read."""
    config = _config(TEXT)
    again = Config(config.get_config_dict())
    assert again.get_config_dict() == config.get_config_dict()
    assert again["executors"]["batch"]["queue"] == "q1-low"


def test_a_dict_may_nest() -> None:
    """Nested dicts are nested sections; values become text."""
    config = Config({"executors": {"a": {"type": "local", "max_workers": 3}}})
    section = config["executors"]["a"]
    assert section.getint("max_workers") == 3
    assert section.getint("missing", 7) == 7
    assert section.getint("missing", fallback=8) == 8
    assert section.getboolean("missing") is None
    assert dict(section) == {"type": "local", "max_workers": "3"}
    assert Config({"a.b": {"x": 1}})["a"]["b"]["x"] == "1"


@pytest.mark.parametrize(("text", "expected"), [("yes", True), ("On", True), ("0", False), ("FALSE", False)])
def test_booleans_are_read_in_words(text: str, expected: bool) -> None:
    """Yes, true, on and 1 are true; their opposites are false."""
    assert Config({"s": {"x": text}})["s"].getboolean("x") is expected


def test_a_setting_is_added_and_comments_stay() -> None:
    """Adding a section appends it; nothing before it changes by a byte."""
    changed = set_value(TEXT, "remotes.origin", "url", "../shared", "redun.ini")
    assert changed == TEXT + "\n[remotes.origin]\nurl = ../shared\n"
    assert remove_section(changed, "remotes.origin", "redun.ini") == TEXT


def test_a_setting_is_changed_in_place() -> None:
    """Only the lines of the setting itself change."""
    text = "; top\n[a]\n  url :  one\n    two\n# after\n\n[b]\nx = 1"
    assert set_value(text, "a", "url", "three", "i") == "; top\n[a]\n  url :  three\n# after\n\n[b]\nx = 1\n"
    assert set_value(text, "a", "k", "v", "i") == "; top\n[a]\n  url :  one\n    two\nk = v\n# after\n\n[b]\nx = 1\n"
    assert set_value("", "a", "k", "v", "i") == "[a]\nk = v\n"
    assert set_value("[a]\r\nk = v\r\n", "a", "k", "w", "i") == "[a]\r\nk = w\r\n"


def test_a_removed_section_leaves_comments_around_it() -> None:
    """Comments above a header and below the last setting stay."""
    text = "# about a\n[a]\nx = 1\n# about b\n[b]\ny = 2\n"
    assert remove_section(text, "a", "i") == "# about a\n# about b\n[b]\ny = 2\n"
    assert remove_section(text, "none", "i") == text


@pytest.mark.parametrize("value", ["two\nlines", " space"])
def test_a_value_that_would_not_read_back_is_refused(value: str) -> None:
    """What cannot be written on one line is not written."""
    with pytest.raises(BadIni, match="one line"):
        set_value("", "a", "k", value, "i")


_line = st.sampled_from(["# c", "", "[a]", "[b]", "[r.o]", "k = 1", "url = x", "  more", "; c", "z: 2"])


@given(st.lists(_line, max_size=12), st.sampled_from(["a", "r.o"]), st.sampled_from(["url", "k"]))
def test_setting_a_value_changes_that_value_and_no_other(lines: list[str], section: str, key: str) -> None:
    """Whatever the file, reading back gives the new value and every other as before; comments are all there."""
    text = "".join(f"{line}\n" for line in lines)
    try:
        before = parse_ini(text, "i")
    except BadIni:
        return
    changed = set_value(text, section, key, "new", "i")
    after = parse_ini(changed, "i")
    values = {(name, k): s.value for name, part in before.items() for k, s in part.settings.items()}
    values[section, key] = "new"
    assert {(name, k): s.value for name, part in after.items() for k, s in part.settings.items()} == values
    if key not in before.get(section, parse_ini("[x]", "i")["x"]).settings:
        comments = [line for line in lines if line.startswith(("#", ";"))]
        assert [line for line in changed.splitlines() if line.startswith(("#", ";"))] == comments
