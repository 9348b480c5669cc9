"""One job: what starting, recording and stopping cost by themselves."""

from redun import task

redun_namespace = "bench.trivial"


@task()
def main(n: int = 1, changed: int = 0) -> int:
    return n + changed
