"""Maps of a region at several scales; the finer, the more memory a job takes."""

from redun import script, task

redun_namespace = "redun.examples.custom_executor"


@task(executor="machine", memory=4)
def draw(scale: int) -> str:
    return f"a map at 1:{scale}"


@task(executor="machine")
def label(drawn: str) -> str:
    return f"{drawn}, with names"


@task()
def main(scales: list[int] = [1000, 5000, 25000]) -> list[str]:
    # A script asks for what it needs in its call.
    paper = script("echo A2", executor="machine", memory=2)
    return [paper, *[label(draw(scale)) for scale in scales]]


@task()
def world(gib: int = 64) -> str:
    return draw.options(memory=gib)(1)
