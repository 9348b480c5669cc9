"""The script that Glue runs for each call: ``redun worker`` in the process that holds the Spark session.

Only its text is used: it is sent to the scratch and runs there, below an older Python maybe, with redun on the path as
a zip file.  Glue gives it ``--redun-words``, a JSON list: what stands behind ``redun`` on a command line; and
``--redun-environment``, a JSON object: variables that it must see.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Run the worker; end with an error when it does, so that Glue calls the run failed."""
    os.environ.update(json.loads(_argument("--redun-environment")))
    from redun.cli.main import main as run_redun

    code = run_redun(json.loads(_argument("--redun-words")))
    if code:
        # Glue calls any SystemExit a failure, even that of code 0, so a good end must just return.
        raise SystemExit(code)


def _argument(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


if __name__ == "__main__":
    main()
