"""The line and the record that a transfer ends with, and the bar while it goes on."""

from __future__ import annotations

import io

import pytest

from redun.cli import ui
from redun.cli.render.remote import progress_line
from redun.cli.render.sync import format_size, report_json, report_line, skipped_lines
from redun.remotes.transfer import Skipped, TransferReport

REPORT = TransferReport("origin", "/there", 2, 45, 3183)
DRY = TransferReport("origin", "/there", 1, 45, is_dry_run=True)


@pytest.mark.parametrize(
    ("report", "verb", "line"),
    [
        (REPORT, "push", "Pushed 2 executions to remote 'origin': 45 objects, 3.1 KiB."),
        (REPORT, "pull", "Pulled 2 executions from remote 'origin': 45 objects, 3.1 KiB."),
        (TransferReport("o", "/", 1, 1, 1), "fetch", "Fetched 1 execution from remote 'o': 1 object, 1 byte."),
        (
            TransferReport("o", "/", objects=2, transferred_bytes=1, tag_edits=2),
            "push",
            "Pushed 2 tag edits to remote 'o': 2 objects, 1 byte.",
        ),
        (
            TransferReport("o", "/", 1, 3, 1, tag_edits=1),
            "pull",
            "Pulled 1 execution and 1 tag edit from remote 'o': 3 objects, 1 byte.",
        ),
        (
            TransferReport("o", "/", 1, 3, 1, merged_packs=33),
            "push",
            "Pushed 1 execution to remote 'o': 3 objects, 1 byte. Merged 33 small packs there into one.",
        ),
        (DRY, "push", "Would push 1 execution to remote 'origin': 45 objects, 0 bytes."),
        (DRY, "pull", "Would pull 1 execution from remote 'origin'."),
        (TransferReport("origin", "/there"), "push", "Remote 'origin' is up to date."),
        (TransferReport("origin", "/there"), "pull", "Already up to date with remote 'origin'."),
    ],
)
def test_the_line_tells_exact_counts(report, verb, line):
    """One of a thing is not two; a dry run says would."""
    assert report_line(report, verb) == line


def test_what_was_left_out_is_named_with_the_reason():
    """In lines for people and in the record for scripts."""
    report = TransferReport("origin", "/there", skipped=(Skipped("20200101T000000", "an object\nis missing"),))
    assert not report.is_up_to_date
    (line,) = skipped_lines(report)
    assert line.startswith("20200101T000000 was left out: an object")
    assert "\n" not in line
    assert report_json(report)["skipped"] == [{"ref": "20200101T000000", "why": "an object\nis missing"}]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 50, "3072.0 TiB")],
)
def test_a_size_has_the_unit_that_suits_it(size, text):
    """The largest unit takes what is larger still."""
    assert format_size(size) == text


@pytest.mark.parametrize(("is_shown", "is_terminal"), [(False, True), (True, False)])
def test_no_bar_is_drawn_where_nobody_sees_it(monkeypatch, capsys, is_shown, is_terminal):
    """Neither with --quiet nor into a file."""
    monkeypatch.setattr(ui, "is_terminal", lambda: is_terminal)
    with ui.progress(is_shown=is_shown) as tell:
        tell(1, 2, "packs")
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_drawn_on_a_terminal_and_gone_at_the_end(monkeypatch):
    """It takes a total that is not known yet, too."""
    import rich.console

    screen = io.StringIO()
    monkeypatch.setattr(ui, "is_terminal", lambda: True)
    monkeypatch.setattr(
        "rich.get_console", lambda: rich.console.Console(file=screen, force_terminal=True, width=80, color_system=None)
    )
    with ui.progress(is_shown=True) as tell:
        tell(0, 0, "looking")
        tell(1024, 2048, "packs")
    assert "packs" in screen.getvalue()


class Screen(io.StringIO):
    """A terminal that keeps what was written."""

    def isatty(self):
        return True


def look_at(monkeypatch) -> Screen:
    """Return what standard error is from now on; pytest puts in its own between a fixture and its test."""
    found = Screen()
    monkeypatch.setattr("sys.stderr", found)
    monkeypatch.setattr(ui, "terminal_width", lambda: 20)
    ui.configure()
    return found


def test_a_status_line_gives_way_to_others(monkeypatch):
    """It is cut to the terminal, written over by what is said, and taken away once."""
    screen = look_at(monkeypatch)
    ui.show_status("3 objects from somewhere far away")
    ui.log("said")
    ui.show_status("")
    ui.show_status("4")
    ui.show_status("5, before anybody could read 4")
    ui.show_status("")
    gone = "\r\x1b[2K"
    assert screen.getvalue() == f"{gone}[redun] 3 objects f{gone}[redun] said\n{gone}[redun] 4{gone}"


def test_a_status_line_is_for_people_who_look(monkeypatch):
    """With --quiet there is none, nor in a file."""
    screen = look_at(monkeypatch)
    ui.configure(is_quiet=True)
    ui.show_status("3 objects")
    ui.configure()
    monkeypatch.setattr(screen, "isatty", lambda: False)
    ui.show_status("3 objects")
    assert not screen.getvalue()


@pytest.mark.parametrize(("total", "text"), [(0, "what: 1.0 KiB"), (2048, "what: 1.0 KiB of 2.0 KiB")])
def test_what_has_come_is_told_with_its_size(total, text):
    """And with the size of it all, where that is known."""
    assert progress_line(1024, total, "what") == text
