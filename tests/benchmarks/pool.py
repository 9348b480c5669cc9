"""The floor: the fan-out's work in a bare thread pool, with no engine.  Run as ``python pool.py N``."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor


def leaf(i: int) -> int:
    """Do what the fan-out's leaf does."""
    return i + 1


def main(n: int) -> None:
    """Submit n leaves one by one, as an engine must, and sum what they return."""
    with ThreadPoolExecutor(max_workers=20) as pool:
        futures = [pool.submit(leaf, i) for i in range(n)]
        print(sum(future.result() for future in futures))


if __name__ == "__main__":
    main(int(sys.argv[1]))
