"""What ``redun --setup-help`` prints: the parameters of the function that makes the scheduler."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from redun.cli.docstrings import parse_docstring
from redun.cli.options import Globals, find_config_dir
from redun.cli.params import metavar_of
from redun.config import Config
from redun.config_dir import CONFIG_FILE
from redun.scheduler_setup import find_setup


def setup_help_lines(options: Globals) -> Iterator[str]:
    """Each parameter with its default, and what the docstring says of it.

    Raises:
        ConfigError: the settings are malformed, or name no function that can be called.
    """
    path = find_config_dir(options.config_dir, Path.cwd(), os.environ) / CONFIG_FILE
    config = Config()
    if path.is_file():
        config.read_path(path)
    setup = find_setup(config)
    if setup is None:
        yield "[scheduler] setup_scheduler names no function, so --setup has nothing to say."
        return
    doc = parse_docstring(setup.func.__doc__)
    yield f"{setup.name}  {doc.summary}".rstrip()
    yield from ("", "Parameters:")
    for parameter in setup.parameters:
        default = "required" if parameter.is_required else f"default {parameter.default!r}"
        yield f"  --setup {parameter.name}={metavar_of(parameter.annotation)}  ({default})"
        if text := doc.parameters.get(parameter.name):
            yield f"      {text}"
    if not setup.parameters:
        yield "  none"
