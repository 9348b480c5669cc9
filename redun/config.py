"""Settings: ``.redun/redun.ini`` as sections by name (``section.py``), and as the records of ``settings.py``.

The invariant: a setting that cannot be understood is refused with its file and line, never guessed at.  Dotted
sections nest: ``[executors.batch]`` is ``config["executors"]["batch"]``.  Keys are case-sensitive.  ``${name}`` in a
value stands for the value of ``name`` in its own section, in ``[DEFAULT]``, or in the environment, the first that has
it; ``$${`` stands for a plain ``${``.  Values of ``[DEFAULT]`` can be looked up in each section and belong to none.
A relative path starts at the project directory, the parent of ``.redun``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from redun.ini import BadIni, parse_ini
from redun.section import Section, SectionPath
from redun.settings import (
    CODE_HASHES,
    DEFAULT_KEEP_BYTES,
    DURABILITIES,
    REMOTE_KEYS,
    REPOSITORY_KEYS,
    STORAGE_KEYS,
    TRUSTS,
    FileHash,
    FileSettings,
    RemoteSettings,
    RepositorySettings,
    SchedulerSettings,
    StorageSettings,
)

DEFAULT_SECTION = "DEFAULT"
_VARIABLE = re.compile(r"\$(\$\{|\{([^{}]*)\})")
_MAX_INTERPOLATIONS = 20

ConfigDict = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Value:
    text: str
    where: str
    line: int | None


class Config:
    """All settings of one place.

    Args:
        config_dict: section name to {key: value}; a dotted name nests.
        environ: where ``${name}`` looks last; the process's environment when None.
    """

    def __init__(self, config_dict: ConfigDict | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._sections: dict[SectionPath, dict[str, _Value]] = {}
        if config_dict:
            self.read_dict(config_dict)

    def read_path(self, path: str | Path) -> None:
        """Add the settings of a file.

        Raises:
            BadIni: it is malformed, not UTF-8, or holds a setting that this program has no use for.
            OSError: it cannot be read.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadIni(str(path), None, f"not UTF-8: {error}") from None
        self.read_string(text, str(path))
        folder = str(Path(path).parent)
        self._sections.setdefault(("repository",), {})["config_dir"] = _Value(
            folder.replace("${", "$${"), str(path), None
        )

    def read_string(self, text: str, source: str = "<string>") -> None:
        """Add the settings of an ini text; ``source`` is what to call it in messages.  Raises as ``read_path`` does."""
        for name, section in parse_ini(text, source).items():
            settings = self._sections.setdefault(tuple(name.split(".")), {})
            for key, setting in section.settings.items():
                settings[key] = _Value(setting.value, source, setting.line)
        self._refuse_database()

    def read_dict(self, config_dict: ConfigDict) -> None:
        """Add settings given as section name to {key: value}; values are taken as their text, dicts as sections."""
        for name, settings in config_dict.items():
            self._read_section(tuple(name.split(".")), settings)
        self._refuse_database()

    def get(self, key: str, default: Any = None) -> Any:
        """Return a section, ``default`` when there is none."""
        return Section(self, (key,)) if self.has_section((key,)) else default

    def __getitem__(self, key: str) -> Section:
        if not self.has_section((key,)):
            raise KeyError(key)
        return Section(self, (key,))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.has_section((key,))

    def keys(self) -> list[str]:
        """Return the names of the outermost sections."""
        return list(dict.fromkeys(path[0] for path in self._sections if path[0] != DEFAULT_SECTION))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def items(self) -> list[tuple[str, Section]]:
        """Return the outermost sections by name."""
        return [(name, Section(self, (name,))) for name in self.keys()]

    def get_config_dict(self, replace_config_dir: str | None = None) -> dict[str, dict[str, str]]:
        """Return what makes an equal Config elsewhere: texts as written, so that ``${name}`` is filled in over there.

        Args:
            replace_config_dir: what to say as ``[repository] config_dir`` instead.
        """
        found = {
            ".".join(path): {key: value.text for key, value in settings.items()}
            for path, settings in self._sections.items()
        }
        if replace_config_dir is not None:
            found.setdefault("repository", {})["config_dir"] = replace_config_dir
        return found

    @property
    def scheduler(self) -> SchedulerSettings:
        """``[scheduler]``.  Raises BadIni when a value does not fit; so do its kin below."""
        section = Section(self, ("scheduler",))
        words = str(section.get("ignore_warnings", "")).replace(",", " ").split()
        interval = section.getfloat("job_status_interval", 20.0)
        assert interval is not None, "there is a default"
        code_hash = section.getchoice("code_hash", CODE_HASHES, "closure")
        return SchedulerSettings(tuple(words), interval, code_hash, self.find_text(("scheduler",), "setup_scheduler"))

    @property
    def context(self) -> dict[str, Any]:
        """``[scheduler] context``, or what is in the file of ``context_file``: the context that every run begins with.

        Raises:
            BadIni: both are given, the file cannot be read, or what is there is no JSON object.
        """
        path = ("scheduler",)
        file = self.find_text(path, "context_file")
        text = self.find_text(path, "context")
        if file is None:
            return {} if text is None else self._parse_context("context", text)
        if text is not None:
            raise self.bad(path, "context_file", "expected one of context and context_file, found both")
        try:
            text = self.find_project_file(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self.bad(path, "context_file", f"expected a file of JSON, found none to read: {error}") from None
        return self._parse_context("context_file", text)

    @property
    def files(self) -> FileSettings:
        """``[files]``."""
        section = Section(self, ("files",))
        file_hash = cast("FileHash", section.getchoice("hash", get_args(FileHash), "content"))
        return FileSettings(file_hash, section.getsize("keep_bytes", DEFAULT_KEEP_BYTES))

    @property
    def repository(self) -> RepositorySettings:
        """``[repository]``."""
        section = Section(self, ("repository",))
        durability = section.getchoice("durability", DURABILITIES, "commit")
        alternates = tuple(re.split(r"\s*[,\n]\s*", str(section.get("alternates", "")).strip(" ,\n")))
        self._check_keys(("repository",), REPOSITORY_KEYS)
        return RepositorySettings(
            section.get("url"),
            durability,
            section.get("config_dir"),
            alternates if alternates != ("",) else (),
            _read_storage(section),
            bool(section.getboolean("read_only", default=False)),
        )

    @property
    def limits(self) -> dict[str, int]:
        """``[limits]``: how many of each resource there are."""
        section = Section(self, ("limits",))
        found: dict[str, int] = {}
        for name in section:
            count = section.getint(name)
            if count is None or count < 1:
                # A limit of nothing would let its jobs wait for ever.
                raise self.bad(("limits",), name, f"expected 1 or more, found {count}")
            found[name] = count
        return found

    @property
    def tags(self) -> dict[str, Any]:
        """``[tags]``: key to value of the tags that every run gets.  Values are read as on the command line."""
        from redun.tags import BadTag, check_tag_key, parse_tag_value

        path = ("tags",)
        found: dict[str, Any] = {}
        for key in self._sections.get(path, ()):
            try:
                found[check_tag_key(key)] = parse_tag_value(self.find_text(path, key) or "")
            except BadTag as error:
                raise self.bad(path, key, str(error)) from None
        return found

    @property
    def executors(self) -> dict[str, Section]:
        """The sections ``[executors.NAME]`` by name."""
        return dict(self._iter_named("executors"))

    @property
    def remotes(self) -> dict[str, RemoteSettings]:
        """The sections ``[remotes.NAME]`` by name."""
        found: dict[str, RemoteSettings] = {}
        for name, section in self._iter_named("remotes"):
            url = section.get("url")
            if not url:
                raise self.bad(("remotes", name), "url", f"expected a url for remote {name!r}, found none")
            self._check_keys(("remotes", *name.split(".")), REMOTE_KEYS)
            trust = section.getchoice("trust", TRUSTS, "full")
            signers = tuple(str(section.get("require_signatures", "")).replace(",", " ").split())
            storage = _read_storage(section)
            found[name] = RemoteSettings(name, url, storage, trust, section.get("namespace"), signers)
        return found

    def set_repository(self, url: str, storage: StorageSettings) -> None:
        """Have ``[repository]`` say another place than the file does: for one command, or for a part of a run."""
        own = self._sections.setdefault(("repository",), {})
        for key in ("url", *STORAGE_KEYS):
            own.pop(key, None)
        given = {"url": url, **{key: getattr(storage, key) for key in STORAGE_KEYS}}
        texts = {key: str(value).replace("${", "$${") for key, value in given.items() if value not in (None, False)}
        self._read_section(("repository",), texts)

    @property
    def signing_key(self) -> Path | None:
        """``[signing] key``: the file of the private key that signs what this repository records."""
        name = self.find_text(("signing",), "key")
        return None if name is None else self.find_project_file(str(Path(name).expanduser()))

    def find_remotes(self, setting: Literal["auto_pull", "auto_push"]) -> list[str]:
        """Return the names of the remotes that take part in each run, in one of the two ways.  Raises BadIni."""
        found: list[str] = []
        for name, section in self._iter_named("remotes"):
            self._check_keys(("remotes", *name.split(".")), REMOTE_KEYS)
            if section.getboolean(setting, default=False):
                found.append(name)
        return found

    def find_project_file(self, name: str) -> Path:
        """Return the path of a file that a setting names; it need not exist.

        A relative one starts at the project directory; one that is only beside the settings is found there.
        """
        folder = self.find_text(("repository",), "config_dir")
        if folder is None:
            return Path(name)
        beside = Path(folder, name)
        inside = Path(folder).parent / name
        return beside if beside.exists() and not inside.exists() else inside

    def has_section(self, path: SectionPath) -> bool:
        """Tell whether there is a section of this path, with settings of its own or with sections in it."""
        return any(known[: len(path)] == path for known in self._sections)

    def iter_keys(self, path: SectionPath) -> Iterator[str]:
        """Yield the keys of a section, then the names of the sections in it."""
        depth = len(path)
        names = dict.fromkeys(self._sections.get(path, ()))
        names.update(
            dict.fromkeys(known[depth] for known in self._sections if len(known) > depth and known[:depth] == path)
        )
        return iter(names)

    def find_text(self, path: SectionPath, key: str) -> str | None:
        """Return the text of a setting with ``${name}`` filled in; None when neither section nor DEFAULT has it."""
        value = self._find(path, key)
        return None if value is None else self._fill_in(path, key, value, 0)

    def bad(self, path: SectionPath, key: str, why: str) -> BadIni:
        """Return the error for a setting, with its file and line."""
        value = self._find(path, key)
        where, line = (value.where, value.line) if value is not None else (self._place(path), None)
        return BadIni(where, line, f"[{'.'.join(path)}] {key}: {why}")

    def _parse_context(self, key: str, text: str) -> dict[str, Any]:
        import json  # 5 ms, and most settings have no context

        try:
            context = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.bad(("scheduler",), key, f"expected JSON: {error}") from None
        if not isinstance(context, dict):
            raise self.bad(("scheduler",), key, f"expected a JSON object, found a {type(context).__name__}")
        return context

    def _check_keys(self, path: SectionPath, known: tuple[str, ...]) -> None:
        """Refuse a setting that nobody reads: a misspelt one would be taken for its default."""
        for key in self._sections.get(path, ()):
            if key not in known:
                raise self.bad(path, key, f"there is no such setting; there are {', '.join(known)}")

    def _find(self, path: SectionPath, key: str) -> _Value | None:
        own = self._sections.get(path, {}).get(key)
        return own if own is not None else self._sections.get((DEFAULT_SECTION,), {}).get(key)

    def _fill_in(self, path: SectionPath, key: str, value: _Value, depth: int) -> str:
        if "${" not in value.text:
            return value.text
        if depth > _MAX_INTERPOLATIONS:
            raise self.bad(path, key, "its ${...} lead back to itself")

        def replace(match: re.Match[str]) -> str:
            name = match[2]
            if name is None:
                return "${"
            found = self._find(path, name)
            if found is not None:
                return self._fill_in(path, key, found, depth + 1)
            if name in self._environ:
                return self._environ[name]
            raise self.bad(
                path, key, f"${{{name}}} is neither in its section, nor in [DEFAULT], nor in the environment"
            )

        return _VARIABLE.sub(replace, value.text)

    def _iter_named(self, group: str) -> Iterator[tuple[str, Section]]:
        for path in list(self._sections):
            if len(path) > 1 and path[0] == group:
                yield ".".join(path[1:]), Section(self, path)

    def _read_section(self, path: SectionPath, settings: Mapping[str, Any]) -> None:
        own = self._sections.setdefault(path, {})
        for key, value in settings.items():
            if isinstance(value, Mapping):
                self._read_section((*path, key), value)
            else:
                own[key] = _Value(str(value), "<dict>", None)

    def _place(self, path: SectionPath) -> str:
        values = self._sections.get(path) or {}
        return next((value.where for value in values.values()), "<settings>")

    def _refuse_database(self) -> None:
        value = self._sections.get(("backend",), {}).get("db_uri")
        if value is not None:
            raise BadIni(
                value.where,
                value.line,
                f"[backend] db_uri = {value.text}: redun keeps its objects in files, there is no database",
                hint="remove it; `[repository] url = PATH` says where the repository is, when not beside redun.ini",
            )


def _read_storage(section: Section) -> StorageSettings:
    return StorageSettings(
        section.get("endpoint"),
        section.get("region"),
        section.get("profile"),
        bool(section.getboolean("anonymous", default=False)),
        bool(section.getboolean("requester_pays", default=False)),
        section.get("account"),
    )
