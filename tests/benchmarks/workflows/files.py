"""n small files, each read once and written once in capitals.  A change edits one of them."""

from redun import File, task

redun_namespace = "bench.files"


@task()
def shout(source: File, target: str) -> File:
    with source.open() as stream:
        text = stream.read().upper()
    result = File(target)
    with result.open("w") as stream:
        stream.write(text)
    return result


@task()
def count(files: list) -> int:
    return len(files)


@task()
def main(n: int = 200) -> int:
    return count([shout(File(f"in/{i}.txt"), f"out/{i}.txt") for i in range(n)])
