"""Options of the task, the call, the parent and the command line."""

from redun import task
from redun.scheduler import JobInfo

redun_namespace = "op"


@task()
def o(info=JobInfo()):
    return (info.options.get("memory"), info.options.get("vcpus"))


@task()
def kid():
    return o()


@task(memory=2)
def o2(info=JobInfo()):
    return (info.options.get("memory"), info.options.get("vcpus"))


@task()
def two():
    return 2


@task(export_options={"vcpus": 7})
def exp():
    return [o(), kid()]


@task()
def main():
    return [
        o(),
        o.options(memory=5)(),
        o.options(memory=two())(),
        kid.export_options(memory=9)(),
        o2(),
        o2.export_options(memory=11)(),
        exp(),
        o2.options(memory=1).export_options(vcpus=3)(),
    ]
