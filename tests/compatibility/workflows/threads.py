"""fork_thread, joined in the same job and in another."""

from redun import task
from redun.scheduler import fork_thread, join_thread

redun_namespace = "fo"


@task()
def f(x):
    return x + 1


@task()
def bad():
    raise ValueError("x")


@task()
def main():
    t = fork_thread(f(f(1)))
    return [f(10), join_thread(t)]


@task()
def joiner(t):
    return join_thread(t)


@task()
def main2():
    return joiner(fork_thread(f(3)))
