"""Settings of one run that are typed as ``key=value``: options, tags, context, set-up.

The invariant: a text that cannot be read is refused before anything is opened or made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redun.errors import ConfigError


class BadSetting(ConfigError):
    """A word of the command line is not what its option takes."""

    def __init__(self, option: str, text: str, why: str) -> None:
        super().__init__(f"{option} {text}: {why}")
        self.option = option
        self.text = text
        self.why = why


def parse_tags(option: str, texts: Iterable[str]) -> list[tuple[str, Any]]:
    """Read ``key=value`` words; a value is JSON where it is JSON, else text.  Raises BadSetting."""
    from redun.tags import BadTag, parse_tag_key_value

    tags: list[tuple[str, Any]] = []
    for text in texts:
        try:
            tags.append(parse_tag_key_value(text))
        except BadTag as error:
            raise BadSetting(option, text, error.why) from None
    return tags


def parse_setup(texts: Iterable[str]) -> dict[str, str]:
    """Read ``key=value`` words whose values are read later.  Raises BadSetting."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise BadSetting("--setup", text, "expected key=value")
        found[key] = value
    return found


def parse_context(path: str | None, texts: Sequence[str]) -> dict[str, Any]:
    """Return the context that a JSON file gives, with ``a.b=value`` words put in.

    Raises:
        BadSetting: the file cannot be read or holds no object, or a word does not fit.
    """
    context = _read_context(path) if path is not None else {}
    for text, (key, value) in zip(texts, parse_tags("--context", texts)):
        names = key.split(".")
        if not all(names):
            raise BadSetting("--context", text, "expected names with a dot between, as in tool.threads=2")
        here = context
        for name in names[:-1]:
            here = here.setdefault(name, {})
            if not isinstance(here, dict):
                raise BadSetting("--context", text, f"{name} is a value, and has nothing in it")
        here[names[-1]] = _merge(here.get(names[-1]), value)
    return context


def apply_options(task: Any, texts: Iterable[str], *, prov: bool) -> Any:
    """Return a task with the options that ``-o key=value`` words give.  Raises BadSetting."""
    options = dict(parse_tags("--option", texts))
    if not prov:
        options["prov"] = False
    if not options:
        return task
    try:
        return task.options(**options)
    except (ValueError, TypeError) as error:
        raise BadSetting("--option", " ".join(f"{key}={value}" for key, value in options.items()), str(error)) from None


def _merge(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: _merge(old.get(key), value) for key, value in new.items()}}


def _read_context(path: str) -> dict[str, Any]:
    import json

    from redun.file import File

    try:
        with File(path).open("r") as stream:
            context = json.load(stream)
    except OSError as error:
        raise BadSetting("--context-file", path, f"cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        raise BadSetting("--context-file", path, f"expected JSON: {error}") from None
    if not isinstance(context, dict):
        raise BadSetting("--context-file", path, f"expected a JSON object, found a {type(context).__name__}")
    return context
