"""Async tasks that await calls, with asyncio inside."""

import asyncio

from redun import task

redun_namespace = "as"


@task()
def inc(x):
    return x + 1


@task(cache=False)
async def a(x):
    y = await inc(x)
    return y * 2


@task(cache=False)
async def main():
    z = await asyncio.gather(wrap(1), wrap(2))
    await asyncio.sleep(0.01)
    r = await a(5)
    return [z, r, inc(9)]


async def wrap(x):
    return await inc(x)


@task(cache=True, check_valid="shallow")
async def main2():
    y = await inc(1)
    return inc(y)
