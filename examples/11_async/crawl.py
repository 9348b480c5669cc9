"""Follows the links of a small web: tasks that wait for others in the middle, and wait at once for many."""

import asyncio

from redun import task

redun_namespace = "redun.examples.async"

SITE = {
    "home": ["news", "shop", "about"],
    "news": ["home", "spring", "summer"],
    "shop": ["home", "lamp"],
    "about": ["home"],
    "spring": ["news"],
    "summer": ["news", "lamp"],
    "lamp": ["shop"],
}
"""The pages of a site, and which pages each links to."""

LATENCY_SECONDS = 0.2
"""How long a server takes to answer."""


@task(cache=True, check_valid="shallow")
async def fetch(page: str) -> list[str]:
    """Return the links of a page.  A real one would ask an HTTP client, and wait for it in the same way."""
    await asyncio.sleep(LATENCY_SECONDS)
    return SITE[page]


@task()
def count_letters(page: str) -> int:
    """Measure a page.  An ordinary task, which works in a thread."""
    return len(page)


@task(cache=False)
async def crawl(start: str) -> dict[str, int]:
    """Return the pages that can be reached, and how far away each is."""
    distances, border = {start: 0}, [start]
    while border:
        links = await asyncio.gather(*(fetch(page) for page in border))
        found = {link for some in links for link in some} - distances.keys()
        distances |= dict.fromkeys(sorted(found), max(distances.values()) + 1)
        border = sorted(found)
    return distances


@task(cache=False)
async def main(start: str = "home") -> str:
    """Crawl a site, and say what is there."""
    distances = await crawl(start)
    sizes = await asyncio.gather(*(count_letters(page) for page in distances))
    return f"{len(distances)} pages, {sum(sizes)} letters, {max(distances.values())} clicks deep"
