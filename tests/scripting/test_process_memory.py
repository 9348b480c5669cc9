"""Memory does not follow what a script prints."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEGABYTES = 200

CODE = """
import resource, sys
from redun import File, Scheduler, script

where, folder = sys.argv[1:]
outputs = {"file": File(folder + "/out").stage("-"), "ignored": [], "bytes": File("-")}[where]
scheduler = Scheduler()
scheduler.run(script("true"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
value = scheduler.run(script("head -c %d000000 /dev/zero", outputs=outputs))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = value.size() if where == "file" else len(value)
print(size, (after - before) * 1024)
"""


@pytest.mark.parametrize(("where", "limit"), [("file", 0.1), ("ignored", 0.1), ("bytes", 1.6)])
def test_what_a_script_prints_is_streamed(where, limit, tmp_path):
    """200 MB of output cost no memory when a file takes them; as a value they cost what such a value costs."""
    done = subprocess.run(
        [sys.executable, "-c", CODE % MEGABYTES, where, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    size, grown = map(int, done.stdout.split())
    assert size == (0 if where == "ignored" else MEGABYTES * 1_000_000)
    assert grown < limit * MEGABYTES * 1_000_000
