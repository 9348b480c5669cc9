"""config_args, version and hash_includes."""

from redun import task

redun_namespace = "ca"


@task(config_args=["mem"])
def f(x, mem=1):
    return x + mem


@task()
def main(mem: int = 1):
    return f(1, mem=mem)


@task(version="1")
def g(x):
    return x


@task(hash_includes=["v1"])
def h(x):
    return x


@task()
def main2():
    return [g(1), h(2)]
