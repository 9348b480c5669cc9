"""Where a project's ``.redun`` folder is: one rule for the command line and for ``redun.run``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CONFIG_FOLDER = ".redun"
CONFIG_FILE = "redun.ini"
CONFIG_VARIABLE = "REDUN_CONFIG"


def find_config_dir(cwd: Path, environ: Mapping[str, str]) -> Path:
    """Return the ``.redun`` folder to use; it need not exist.

    ``$REDUN_CONFIG`` comes first, then the nearest ``.redun`` in ``cwd`` or a folder above it, then ``cwd/.redun``.
    Relative paths start at ``cwd``, which is absolute.
    """
    if from_environment := environ.get(CONFIG_VARIABLE):
        return cwd / Path(from_environment).expanduser()
    for folder in (cwd, *cwd.parents):
        if (folder / CONFIG_FOLDER).is_dir():
            return folder / CONFIG_FOLDER
    return cwd / CONFIG_FOLDER
