"""Makes docs/reference/executor-options.md: the options of each type of executor, from the tables that check them.

``python tests/compatibility/options.py`` writes the page.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from redun.executors import alias, local
from redun.executors.aws_batch.settings import BATCH_OPTIONS
from redun.executors.aws_glue.settings import GLUE_OPTIONS
from redun.executors.docker.options import DOCKER_OPTIONS
from redun.executors.gcp_batch.options import GCP_OPTIONS
from redun.executors.k8s.options import K8S_OPTIONS
from redun.executors.options import Option, OptionTable
from redun.executors.slurm.options import SLURM_OPTIONS
from redun.executors.spark.settings import TABLE as SPARK_OPTIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "executor-options.md"
TABLES = (
    *(local._table(), alias.OPTIONS, DOCKER_OPTIONS, SLURM_OPTIONS, SPARK_OPTIONS, BATCH_OPTIONS, GLUE_OPTIONS),
    *(K8S_OPTIONS, GCP_OPTIONS),
)

HEAD = """\
# Options of executors

What a section `[executors.NAME]` may say, by its `type`. Options with a *yes* may also be said by a task, as in
`@task(memory=8)`, and by a call, as in `align.options(memory=8)`, in Python values.
[Where jobs run](../guide/executors.md) tells what they are for.

`python tests/compatibility/options.py` writes this page from the tables that options are checked with.
"""


def render() -> str:
    """Return the page."""
    return HEAD + "".join(map(_section, TABLES))


def _section(table: OptionTable) -> str:
    rows = [_row(option) for option in table.options.values()]
    head = ["| option | is | without it | task | |", "| --- | --- | --- | --- | --- |"]
    more = [f"Options that begin with `{table.open_prefix}` are handed on.\n"] if table.open_prefix else []
    return "\n".join(["", f"## `{table.type_name}`", "", *more, *head, *rows, ""])


def _row(option: Option) -> str:
    default = "**required**" if option.is_required else _shown(option.default)
    cells = [f"`{option.name}`", option.kind.words, default, "yes" if option.of_task else "", option.about]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shown(default: Any) -> str:
    if default is None or default == "":
        return ""
    text = default if isinstance(default, str) else json.dumps(default)
    return "" if text.startswith(("/", '["/')) else f"`{text}`"  # a path is another one on another machine


if __name__ == "__main__":
    PAGE.write_text(render())
