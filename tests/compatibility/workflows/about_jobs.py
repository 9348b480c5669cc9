"""JobInfo as a default, which no key holds."""

from redun import task
from redun.scheduler import JobInfo

redun_namespace = "ji"


@task()
def f(x, info: JobInfo = JobInfo()):
    return [
        x,
        len(info.job_id) > 5,
        len(info.execution_id) > 5,
        isinstance(info.eval_hash, str),
        isinstance(info.args_hash, str),
        info.options.get("memory"),
    ]


@task(memory=4)
def main(info=JobInfo()):
    return [f(1), f.options(memory=3)(2), info.options["memory"]]
