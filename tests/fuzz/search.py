"""Search, guided by coverage, for bytes that a decoder neither reads nor refuses as it should.

``python tests/fuzz/search.py FORMAT [--seconds N] [--corpus FOLDER]``; without FORMAT it lists them.  Needs Google's
atheris (``pip install atheris``), which no other test does.  It starts from the samples of ``redun.testing.decoders``
and whatever earlier searches have put into the folder, and ends with the bytes that did it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["redun"]):
    from redun.testing.decoders import list_formats


def main() -> None:
    """Search until something is found or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", nargs="?", help="what is decoded")
    parser.add_argument("--seconds", type=int, default=60, help="how long")
    parser.add_argument("--corpus", type=Path, help="where inputs are kept that reach something new")
    arguments = parser.parse_args()
    formats = list_formats()
    if arguments.format not in formats:
        sys.exit("formats: " + ", ".join(formats))
    corpus = arguments.corpus or Path(tempfile.mkdtemp(prefix="corpus-"))
    corpus.mkdir(parents=True, exist_ok=True)
    each = formats[arguments.format]
    for number, sample in enumerate(each.samples):
        (corpus / f"sample-{number}").write_bytes(sample)

    def try_one(data: bytes) -> None:
        each.accepts(data)
        each.accepts(each.finish(data))

    limits = [f"-max_total_time={arguments.seconds}", "-max_len=8192", "-timeout=20", "-rss_limit_mb=1024"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
