"""The console entry: the table of commands, global options, exit codes, start-up cost."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from redun.cli import RedunClient, ui
from redun.cli.errors import ExitCode, describe, exit_code_of, report
from redun.cli.main import COMMANDS, LazyGroup, cli, main
from redun.cli.options import Globals, NoConfig, find_config_dir, open_repository
from redun.errors import ConfigError, ObjectError, RedunError, StoreError
from redun.version import __version__

HEAVY = ("rich", "fsspec", "asyncio", "yaml", "redun.store.repository", "redun.cli.commands.log")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a process of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_help_imports_no_command_and_nothing_heavy():
    """`redun --help` costs a start of Python and click, nothing else."""
    code = f"""
import sys
from redun.cli.main import main
assert main(["--help"]) == 0
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
assert not [name for name in sys.modules if name.startswith("redun.cli.commands.")]
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert "Exit codes:" in done.stdout


def test_no_command_prints_the_usage(capsys):
    """`redun` alone explains itself and succeeds."""
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "Usage: redun" in out
    for name, entry in COMMANDS.items():
        assert (f"  {name} " in out) is not entry.is_hidden


def test_help_lists_every_exit_code(capsys):
    """The exit codes of errors.py are what the help prints."""
    main(["--help"])
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.partition("Exit codes:\n")[2].splitlines()] == ["0", "1", "2", "130"]


def test_help_command_explains_one_command(capsys):
    """`redun help help` is `redun help --help`; words that are no command are a usage error."""
    assert main(["help", "help"]) == 0
    assert "Usage: redun help" in capsys.readouterr().out
    assert main(["help"]) == 0
    assert "Usage: redun [OPTIONS]" in capsys.readouterr().out
    assert main(["help", "nothing"]) == ExitCode.USAGE
    assert main(["help", "help", "more"]) == ExitCode.USAGE


def test_version_is_the_package_s(capsys):
    """`-V` and `--version` print the one version there is."""
    assert main(["-V"]) == 0
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.count(__version__) == 2


def test_a_version_can_be_asked_for(capsys):
    """Alone it only checks; one that does not fit fails before the command."""
    assert main(["--check-version", f"=={__version__}"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["--check-version", f">={__version__}", "help"]) == 0
    assert main(["--check-version", f">{__version__}", "help"]) == ExitCode.FAILED
    assert f"expected redun >{__version__}, found {__version__}" in capsys.readouterr().err
    assert main(["--check-version", "new", "help"]) == ExitCode.USAGE


def test_misspelled_command_names_the_nearest(capsys):
    """A typo is a usage error that tells what was probably meant."""
    assert main(["shwo"]) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert "redun: error: no such command: 'shwo'; did you mean 'show'?" in err


def test_unknown_option_is_a_usage_error(capsys):
    """Options that nobody knows end with exit code 2 and point to the help."""
    assert main(["--frobnicate"]) == ExitCode.USAGE
    assert "try `redun --help`" in capsys.readouterr().err


def test_client_takes_the_command_line_with_or_without_the_program_s_name(capsys):
    """Programs written for sys.argv-like lists and those that leave out the name both work."""
    assert RedunClient().execute(["redun", "help"]) == 0
    assert RedunClient().execute(["help"]) == 0
    assert capsys.readouterr().out.count("Usage: redun") == 2


def test_module_entry_is_the_console_entry():
    """`python -m redun` behaves as `redun`."""
    done = subprocess.run([sys.executable, "-m", "redun", "nope"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("redun: error: no such command")


class TestErrors:
    """From families of errors to exit codes and lines."""

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (ObjectError("x"), 1),
            (RedunError("x"), 1),
            (OSError(28, "No space left on device"), 1),
            (ValueError("x"), 1),
            (ConfigError("x"), 2),
            (click.UsageError("x"), 2),
            (KeyboardInterrupt(), 130),
            (click.Abort(), 130),
        ],
    )
    def test_families_map_to_exit_codes(self, error, code):
        """Usage and settings are 2, an interrupt 130, all else 1."""
        assert exit_code_of(error) == code

    def test_an_error_is_one_line_and_its_hint(self, capsys):
        """No traceback unless asked for."""
        ui.configure()
        assert report(ObjectError("object is gone", hint="look elsewhere")) == 1
        assert capsys.readouterr().err == "redun: error: object is gone\nredun: hint: look elsewhere\n"

    def test_debug_adds_the_traceback(self, capsys):
        """`--log-level DEBUG` prints where an error was raised."""
        ui.configure("DEBUG")
        try:
            raise ObjectError("object is gone")
        except ObjectError as error:
            report(error)
        ui.configure()
        err = capsys.readouterr().err
        assert "[redun] Traceback" in err
        assert err.endswith("redun: error: object is gone\n")

    def test_an_unexpected_error_names_its_type(self):
        """A defect of redun shows as one, with the way to its traceback."""
        text, hint = describe(ZeroDivisionError("division by zero"))
        assert text == "ZeroDivisionError: division by zero"
        assert "DEBUG" in hint

    def test_errors_of_a_command_end_in_main(self, capsys, monkeypatch):
        """Whatever a command raises becomes a line and an exit code; what it returns is the exit code."""
        outcomes = iter([ObjectError("gone"), KeyboardInterrupt(), 1, None])

        def work():
            outcome = next(outcomes)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(LazyGroup, "get_command", lambda *_: click.Command("show", callback=work))
        assert [main(["show"]) for _ in range(4)] == [1, 130, 1, 0]
        assert capsys.readouterr().err == "redun: error: gone\nredun: error: interrupted\n"


class TestUi:
    """The only writer to the terminal."""

    def test_each_line_of_a_log_text_gets_the_prefix(self, capsys):
        """Results go to standard output bare, the rest to standard error with the prefix."""
        ui.configure()
        ui.echo("result")
        ui.log("one\ntwo")
        ui.warn("three")
        out, err = capsys.readouterr()
        assert out == "result\n"
        assert err == "[redun] one\n[redun] two\n[redun] warning: three\n"

    def test_levels_filter_what_is_said(self, capsys):
        """Quiet keeps warnings; ERROR drops them; an error is never silenced."""
        ui.configure(is_quiet=True)
        ui.log("no")
        ui.warn("yes")
        ui.configure("ERROR")
        ui.warn("no")
        ui.error("yes")
        ui.configure()
        assert capsys.readouterr().err == "[redun] warning: yes\nredun: error: yes\n"

    def test_global_options_reach_the_command(self, monkeypatch):
        """ctx.obj is the Globals of the command line."""
        seen = []
        probe = click.Command("show", callback=click.pass_obj(seen.append))
        monkeypatch.setattr(LazyGroup, "get_command", lambda *_: probe)
        main(["-c", "here", "--log-level", "warn", "-q", "show"])
        ui.configure()
        assert seen == [Globals("here", "WARN", is_quiet=True)]

    def test_a_closed_pipe_is_quiet(self):
        """`redun ... | head` neither fails nor prints a traceback."""
        code = """
import sys
from redun.cli import ui
from redun.cli.main import LazyGroup, main
import click
LazyGroup.get_command = lambda *_: click.Command("log", callback=lambda: ui.page("x" * 99 for _ in range(100_000)))
sys.exit(main(["log"]))
"""
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.stdout.close()
            err = process.stderr.read()
        assert (process.returncode, err) == (0, b"")

    def test_a_pager_gets_the_lines_when_there_is_a_terminal(self, monkeypatch, tmp_path):
        """$PAGER is a command line; what is paged does not go to standard output as well."""
        target = tmp_path / "paged"
        script = tmp_path / "pager"
        script.write_text(f"#!/bin/sh\nexec cat > {target}\n")
        script.chmod(0o755)
        monkeypatch.setenv("PAGER", str(script))
        monkeypatch.setattr(ui, "is_terminal", lambda: True)
        ui.page(["one", "two"])
        assert target.read_text() == "one\ntwo\n"

    def test_a_pager_that_cannot_start_is_done_without(self, monkeypatch, capsys):
        """A wrong $PAGER loses no output."""
        monkeypatch.setenv("PAGER", "/nowhere/pager")
        monkeypatch.setattr(ui, "is_terminal", lambda: True)
        ui.page(["one"])
        ui.page(["two"], use_pager=False)
        assert capsys.readouterr().out == "one\ntwo\n"

    def test_characters_that_the_terminal_lacks_are_escaped(self, monkeypatch):
        """An ASCII terminal shows a code, and the program goes on."""
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
        ui.configure()
        ui.echo("naïve")
        ui.echo_bytes(b"\x00")
        assert raw.getvalue() == b"na\\xefve\n\x00"


class TestConfigDir:
    """-c, then $REDUN_CONFIG, then the nearest .redun above, then ./.redun."""

    def test_explicit_folder_comes_first(self, tmp_path):
        """-c wins over the environment and over what lies around."""
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "redun.ini").write_text("")
        (tmp_path / ".redun").mkdir()
        assert find_config_dir("mine", tmp_path, {"REDUN_CONFIG": "/other"}) == tmp_path / "mine"

    def test_explicit_folder_must_hold_settings_unless_it_is_being_made(self, tmp_path):
        """A mistyped -c does not start a new repository, and `init -c` does."""
        with pytest.raises(NoConfig, match=r"expected redun.ini") as caught:
            find_config_dir("typo", tmp_path, {})
        assert caught.value.path == tmp_path / "typo"
        assert find_config_dir("new", tmp_path, {}, is_init=True) == tmp_path / "new"

    def test_explicit_folder_may_be_a_repository_without_settings(self, tmp_path):
        """`redun -c ../remote fsck` works where push has made the remote."""
        (tmp_path / "remote" / "objects").mkdir(parents=True)
        (tmp_path / "remote" / "objects" / "format").write_text("")
        assert find_config_dir("remote", tmp_path, {}) == tmp_path / "remote"

    def test_environment_comes_second(self, tmp_path):
        """$REDUN_CONFIG is used when set and not empty."""
        (tmp_path / ".redun").mkdir()
        assert find_config_dir(None, tmp_path, {"REDUN_CONFIG": "/some/where"}) == Path("/some/where")
        assert find_config_dir(None, tmp_path, {"REDUN_CONFIG": ""}) == tmp_path / ".redun"

    def test_parents_are_searched_as_git_does(self, tmp_path):
        """The nearest .redun above the working directory serves; without any, the working directory's own."""
        deep = tmp_path / "a" / "b"
        deep.mkdir(parents=True)
        assert find_config_dir(None, deep, {}) == deep / ".redun"
        (tmp_path / ".redun").mkdir()
        assert find_config_dir(None, deep, {}) == tmp_path / ".redun"

    def test_reading_commands_tell_when_there_is_no_repository(self, tmp_path, monkeypatch):
        """Nothing is made by looking."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("REDUN_CONFIG", raising=False)
        with pytest.raises(StoreError, match="is not a redun repository"):
            open_repository(Globals())
        assert os.listdir(tmp_path) == []


def test_every_listed_command_has_its_help_in_the_table():
    """What `redun --help` prints needs no import."""
    assert cli.list_commands(click.Context(cli)) == [name for name, entry in COMMANDS.items() if not entry.is_hidden]
    assert all(entry.help.endswith(".") for entry in COMMANDS.values())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a disk that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_to_a_full_disk_is_one_line_of_error(redun_environment, unbuffered):
    """Neither the text of a command nor its messages can be written: no traceback, and exit code 1 for the first."""
    command, environment = [sys.executable, "-m", "redun"], {**redun_environment, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        lost = subprocess.run(
            [*command, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
        mute = subprocess.run([*command, "nonsense"], stdout=subprocess.PIPE, stderr=full, env=environment, check=False)
    assert (lost.returncode, lost.stderr.count("redun: error: ")) == (ExitCode.FAILED, 1)
    assert "Traceback" not in lost.stderr
    assert "No space left" in lost.stderr
    assert mute.returncode == ExitCode.USAGE


def test_commands_work_without_any_output():
    """A closed standard output and error is where nobody listens."""
    command = f'"{sys.executable}" -m redun --help >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], check=False).returncode == ExitCode.OK


def test_a_full_disk_comes_with_a_hint(capsys):
    """An error of the system names its file, and what to do about it where that is known."""
    assert report(OSError(errno.ENOSPC, "No space left on device", "/data/x")) is ExitCode.FAILED
    said = capsys.readouterr().err
    assert "/data/x" in said
    assert "free some space" in said
