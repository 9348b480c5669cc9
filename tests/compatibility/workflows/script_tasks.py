"""Tasks that return the text of a script."""

from redun import task

redun_namespace = "st"


@task(script=True)
def grep(pat, path):
    return "grep {} {}".format(pat, path)


@task(script=True)
def py(n: int):
    return """
    #!/usr/bin/env python
    print({} * 2)
    """.format(n)


@task()
def dec(b):
    return b.decode().strip()


@task()
def main():
    return [grep("a", "f.txt"), dec(py(4))]


@task()
def none():
    return grep("zzz", "f.txt")
