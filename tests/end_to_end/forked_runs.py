"""Runs command lines of redun, each in a fork of this process, which has imported redun: a tenth of the CPU time.

A request is one line of JSON on standard input, ``{"folder": ..., "arguments": [...]}``; the answer is one line on
standard output, ``{"code": ..., "out": ..., "err": ...}``.  Nothing of one run is seen by the next.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from importlib import import_module

# What a run loads, found by what the first run here would import; the user's project is no part of it.
PRELOADED = (
    "redun.cli.main",
    "redun.cli.commands.run",
    "redun.cli.default_tags",
    "redun.cli.given",
    "redun.cli.params",
    "redun.cli.scripts",
    "redun.executors.thread",
    "redun.file",
    "redun.scheduler.forms.control",
    "redun.session",
)


def run(folder: str, arguments: list[str], out: int, err: int) -> int:
    """Run one command line in this process, which ends after it."""
    from redun.cli.main import main

    os.chdir(folder)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.argv[1:] = arguments
    code = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def answer(request: dict[str, object]) -> dict[str, object]:
    """Run one command line in a fork, and return how it ended."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            code = 70
            try:
                code = run(str(request["folder"]), list(request["arguments"]), out.fileno(), err.fileno())
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return {"code": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}


if __name__ == "__main__":
    for name in PRELOADED:
        import_module(name)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
