"""A logger for tests: it keeps the lines of runs."""

from __future__ import annotations


class Lines:
    """Takes what a run says, line by line; warnings are kept a second time apart."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def info(self, msg: str) -> None:
        """Keep a line, or several with line breaks between them."""
        self.lines += msg.split("\n")

    def warning(self, msg: str) -> None:
        """Keep a line that warns."""
        self.info(msg)
        self.warnings += msg.split("\n")

    def with_word(self, word: str) -> list[str]:
        """Return the lines that hold a word."""
        return [line for line in self.lines if word in line]

    def ran(self) -> list[str]:
        """Return the lines of jobs that ran."""
        return [line for line in self.lines if line.startswith("Run ")]

    def cached(self) -> list[str]:
        """Return the lines of jobs that were answered from the store."""
        return [line for line in self.lines if line.startswith("Cached Job")]

    def text(self) -> str:
        """Return all lines as one text."""
        return "\n".join(self.lines)
