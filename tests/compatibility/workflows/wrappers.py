"""Decorators made with wraps_task, one on another."""

from redun import task
from redun.task import Task, wraps_task

redun_namespace = "w"


def doubled(times=2):
    @wraps_task()
    def _doubled(inner_task: Task):
        def do(*args, **kwargs):
            return inner_task(*args, **kwargs) * times

        return do

    return _doubled


def later():
    @wraps_task(wrapper_name="later", wrapper_hash_includes=[1], memory=3)
    def _l(inner_task):
        def do(x):
            r = inner_task.func(x)
            return r + 100

        return do

    return _l


@doubled()
@task()
def f(x):
    return fin(x)


@task()
def fin(x):
    return x


@later()
@task(name="gg")
def g(x):
    return x


@doubled(times=3)
@later()
@task()
def h(x):
    return x


@task()
def main():
    return [
        g(1),
        f.fullname,
        g.fullname,
        h.fullname,
        f.inner_task.fullname,
        h.inner_task.fullname,
        h.inner_task.inner_task.fullname,
        h(2),
        f(4),
    ]
