"""Looks into the log of a web server with the tools of the shell."""

from redun import File, script, task

redun_namespace = "redun.examples.script"


@task(script=True)
def count_lines(log: File):
    """Return how many lines a file has, as the bytes that the script prints."""
    return f"wc -l < {log.path}"


@task()
def find_slowest(log: File, n: int) -> File:
    """Write the slowest requests into a file."""
    return script(
        f"""
        sort -k3,3nr requests > sorted
        head -{n} sorted > slowest
        """,
        inputs=[log.stage("requests")],
        outputs=File("report/slowest.txt").stage("slowest"),
        tempdir=True,
    )


@task()
def count_statuses(log: File) -> dict:
    """Count the requests of each status in Python, and return what that prints beside the file that it writes."""
    return script(
        """
        #!/usr/bin/env python3
        from collections import Counter

        counts = Counter(line.split()[1] for line in open("requests"))
        with open("counts.tsv", "w") as table:
            for status, count in sorted(counts.items()):
                print(status, count, sep="\\t", file=table)
        print(len(counts), "kinds of status")
        """,
        inputs=log.stage("requests"),
        outputs={"table": File("report/statuses.tsv").stage("counts.tsv"), "said": File("-")},
        tempdir=True,
    )


@task()
def to_int(text: bytes) -> int:
    """Read a number that a script has printed."""
    return int(text)


@task()
def main(log: File = File("access.log"), n: int = 3) -> dict:
    """Report on a log."""
    return {
        "lines": to_int(count_lines(log)),
        "slowest": find_slowest(log, n),
        "statuses": count_statuses(log),
    }


@task()
def check(log: File = File("access.log"), word: str = "teapot"):
    """Look for a word; the script fails when there is none."""
    return script(["grep", "-c", word, log.path], inputs=log)
