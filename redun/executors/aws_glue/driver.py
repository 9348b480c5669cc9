"""The script that Glue runs for each call: ``redun worker`` in the process that holds the Spark session.

Only its text is used: it is sent to the scratch and runs there, with redun on the path as a zip file.  Glue gives it
``--redun-words``, a JSON list: what stands behind ``redun`` on a command line; and ``--redun-environment``, a JSON
object: variables that it must see.
"""

from __future__ import annotations

import json
import os
import runpy
import sys


def main() -> None:
    """Run the worker; end with an error when it does, so that Glue calls the run failed."""
    os.environ.update(json.loads(_argument("--redun-environment")))
    sys.argv[1:] = json.loads(_argument("--redun-words"))
    try:
        runpy.run_module("redun", run_name="__main__")
    except SystemExit as end:
        # Glue calls any SystemExit a failure, even one that says 0.
        if end.code:
            raise


def _argument(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


if __name__ == "__main__":
    main()
