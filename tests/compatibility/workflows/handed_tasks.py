"""Tasks as arguments and results."""

from redun import Task, task

redun_namespace = "tv"


@task()
def inc(x):
    return x + 1


@task()
def dec(x):
    return x - 1


@task()
def pick(n):
    return inc if n else dec


@task()
def apply(f: Task, x):
    return f(x)


@task()
def apply2(d):
    return [t(1) for t in d["ts"]]


@task()
def main():
    return [
        apply(inc, 1),
        apply(pick(0), 1),
        pick(1)(4),
        apply2({"ts": [inc, dec]}),
        inc.fullname,
        inc.name,
        inc.namespace,
    ]
