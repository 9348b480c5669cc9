"""Scheduler tasks that evaluate their arguments themselves."""

from redun import task
from redun.promise import Promise
from redun.scheduler import Scheduler, scheduler_task

redun_namespace = "sch"


@scheduler_task(namespace="sch", name="twice")
def twice(scheduler, parent_job, sexpr, expr):
    return scheduler.evaluate(expr, parent_job=parent_job).then(lambda v: [v, v])


@scheduler_task()
def lazy(scheduler: Scheduler, parent_job, sexpr, a, b):
    def go(v):
        if v:
            return v
        return scheduler.evaluate(b, parent_job=parent_job)

    return scheduler.evaluate(a, parent_job=parent_job).then(go)


@scheduler_task()
def both(scheduler, parent_job, sexpr, *es):
    return Promise.all([scheduler.evaluate(e, parent_job=parent_job) for e in es])


@scheduler_task()
def swallow(scheduler, parent_job, sexpr, e):
    return scheduler.evaluate(e, parent_job=parent_job).catch(lambda err: repr(err))


@task()
def f(x):
    return x


@task()
def bad():
    raise ValueError("no")


@task()
def main():
    return [twice(f(1)), lazy(f(0), f(2)), lazy(f(3), bad()), both(f(1), f(2), 3), swallow(bad()), f(twice(2)[0])]
