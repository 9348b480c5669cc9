"""What tasks say of themselves, and the registry."""

from redun import get_task_registry, task

redun_namespace = "rg"


@task()
def f(x):
    return x


@task()
def main():
    r = get_task_registry()
    t = r.get(task_name="rg.f")
    return [
        t(3),
        r.get("rg.f") is f,
        r.get(task_name="nope"),
        f.func(4),
        str(f.signature),
        f.version,
        f.nout,
        f.script,
        f.is_async(),
        f.load_module,
    ]
