"""Tasks that many workflows need: copying files, filling in templates, looking at a value in a debugger.

Each has a version, so that a new release of redun makes nothing run again by itself.
"""

from __future__ import annotations

from typing import Any

from redun.errors import ConfigError
from redun.file import Dir, File
from redun.task import task

redun_namespace = "redun.tools"


class TemplatesMissing(ConfigError):
    """jinja2, which fills in templates, is not installed."""


@task(version="1", cache=False)
def debug_task(value: Any) -> Any:
    """Stop in the debugger, where ``value`` can be looked at; then return it."""
    import pdb  # noqa: T100  (to stop in the debugger is what the user asks for)

    pdb.set_trace()  # noqa: T100
    return value


@task(version="1")
def copy_file(src: File, dest_path: str, skip_if_exists: bool = False) -> File:
    """Copy a file to a path or URL.

    Args:
        src: the file.
        dest_path: where to; folders on the way are made.
        skip_if_exists: leave alone what is there.
    """
    return src.copy_to(src.classes.File(dest_path), skip_if_exists=skip_if_exists)


@task(version="1")
def copy_files(src_files: list[File], dest_paths: list[str], skip_if_exists: bool = False) -> list[File]:
    """Copy each file to the path that stands at its place, each in a job of its own.

    Raises:
        ValueError: there are not as many paths as files.
    """
    if len(src_files) != len(dest_paths):
        raise ValueError(f"expected a path for each of {len(src_files)} files, found {len(dest_paths)}")
    return [copy_file(file, path, skip_if_exists) for file, path in zip(src_files, dest_paths)]


@task(version="1")
def copy_dir(src_dir: Dir, dest_path: str, skip_if_exists: bool = False) -> Dir:
    """Copy what a folder holds into another, each file in a job of its own; return that folder."""
    dest = src_dir.classes.Dir(dest_path)
    copies = [copy_file(file, dest.file(src_dir.rel_path(file.path)).path, skip_if_exists) for file in src_dir]
    return _dir_of(dest_path, src_dir.classes.Dir, copies)


@task(version="1")
def render_template(out: str, template: File, context: dict[str, Any], template_dir: str | None = None) -> File:
    """Fill in a template of jinja2, and return the file that is made.

    Args:
        out: where to write it.
        template: the template.
        context: the variables by name.
        template_dir: folder of the templates that it extends or includes; a change to one of them counts.

    Raises:
        ConfigError: jinja2 is not installed.
    """
    return _render(out, template, context, None if template_dir is None else Dir(template_dir))


@task(name="dir_of", version="1")
def _dir_of(path: str, dir_class: type[Dir], _copies: list[File]) -> Dir:
    """Return a folder once the copies into it are made."""
    return dir_class(path)


@task(name="render", version="1")
def _render(out: str, template: File, context: dict[str, Any], folder: Dir | None) -> File:
    try:
        import jinja2
    except ImportError as error:
        raise TemplatesMissing(f"templates need jinja2: {error}", hint="`pip install 'redun[tools]'`") from error
    # A file of configuration or a script is no web page: nothing in it is to be escaped.
    environment = jinja2.Environment(
        loader=None if folder is None else jinja2.FunctionLoader(lambda name: _load(folder, name)),
        autoescape=False,  # noqa: S701
        keep_trailing_newline=True,
    )
    result = File(out)
    result.write(environment.from_string(template.read()).render(context))
    return result


def _load(folder: Dir, name: str) -> str | None:
    """Return a template of a folder, wherever that is; None when there is none."""
    file = folder.file(name)
    return file.read() if file.isfile() else None
