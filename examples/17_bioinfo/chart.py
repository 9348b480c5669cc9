"""Draws bars as SVG, a picture that is text."""

from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#3b7dd8", "#d8833b", "#4caf50", "#9c5bb8")
BAR = 12
HEIGHT = 160
MARGIN = 30


def draw_bars(title: str, names: Sequence[str], groups: Mapping[str, Sequence[int]]) -> str:
    """Return an SVG with a group of bars for each key, and in each group a bar for each name."""
    highest = max((value for values in groups.values() for value in values), default=1)
    step = BAR * len(names) + BAR
    width = 2 * MARGIN + step * len(groups)
    parts = [_text(MARGIN, 20, title)]
    for at, (label, values) in enumerate(groups.items()):
        left = MARGIN + at * step
        for number, value in enumerate(values):
            tall = round(HEIGHT * value / highest)
            parts.append(_bar(left + number * BAR, MARGIN + HEIGHT - tall, tall, COLOURS[number % len(COLOURS)]))
        parts.append(_text(left, MARGIN + HEIGHT + 14, label))
    parts += [
        _text(MARGIN + 80 * at, HEIGHT + 2 * MARGIN + 4, name, COLOURS[at % len(COLOURS)])
        for at, name in enumerate(names)
    ]
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT + 3 * MARGIN}">\n{body}\n</svg>\n'


def _bar(x: int, y: int, tall: int, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{BAR - 2}" height="{tall}" fill="{colour}"/>'


def _text(x: int, y: int, text: str, colour: str = "#333") -> str:
    return f'<text x="{x}" y="{y}" font-family="sans-serif" font-size="10" fill="{colour}">{escape(text)}</text>'
