"""`redun log`: text against expected output, JSON records, filters, errors."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from redun.cli import ui
from redun.cli.main import main
from redun.cli.render.log import format_arguments
from redun.cli.render.text import cut, format_argv, format_duration, format_time, one_line, printable
from redun.hashing import Oid
from redun.objects.execution_records import JobStatus
from redun.objects.kinds import Kind
from redun.provenance.values import ArgumentView, ValueView
from redun.store.repository import Repository
from redun.testing.compile_workflow import FIRST_ID, SECOND_ID, MadeRun

EXECUTIONS = """\
Recent executions:

Exec 4a2b624d [ DONE ] 2021-06-18 11:41:42:  run make.py make (project=compile)
Exec 69c40fe5 [ DONE ] 2021-06-18 10:34:28:  run make.py make (project=compile)
"""
SECOND = """\
Exec 4a2b624d-b6c7-41cb-acca-ec440c2434db [ DONE ] 2021-06-18 11:41:42:  run make.py make
Duration: 0:00:01.47
Tags: project=compile

Jobs: 8 (DONE: 6, CACHED: 2, FAILED: 0)
--------------------------------------------------------------------------------
Job 6c921377 [ DONE ] 2021-06-18 11:41:42:  redun.examples.compile.make({'prog': [File(path=prog.c, hash=eb5c7bf2), \
File(path=lib.c, hash=05c402ed)], 'prog2': [File(path=prog2.c, hash=8d59acb2), File(path=lib.c, hash=05c402ed)]})
  Job d4c74310 [ DONE ] 2021-06-18 11:41:42:  redun.examples.compile.make_prog('prog', \
[File(path=prog.c, hash=eb5c7bf2), File(path=lib.c, hash=05c402ed)])
    Job 7b729896 [CACHED] 2021-06-18 11:41:42:  redun.examples.compile.compile(File(path=prog.c, hash=eb5c7bf2))
    Job a6d4d0a9 [ DONE ] 2021-06-18 11:41:42:  redun.examples.compile.compile(File(path=lib.c, hash=05c402ed))
    Job 57176a4c [ DONE ] 2021-06-18 11:41:42:  redun.examples.compile.link('prog', \
[File(path=prog.o, hash=62d0c520), File(path=lib.o, hash=d67a0069)])
  Job c7075b47 [ DONE ] 2021-06-18 11:41:42:  redun.examples.compile.make_prog('prog2', \
[File(path=prog2.c, hash=8d59acb2), File(path=lib.c, hash=05c402ed)])
    Job 19834989 [CACHED] 2021-06-18 11:41:42:  redun.examples.compile.compile(File(path=prog2.c, hash=8d59acb2))
    Job c041171a [ DONE ] 2021-06-18 11:41:42:  redun.examples.compile.link('prog2', \
[File(path=prog2.o, hash=0a6a80b6), File(path=lib.o, hash=d67a0069)])
"""
FILES = """\
File 05c402ed 2021-06-18 11:41:42 r  lib.c
File d67a0069 2021-06-18 11:41:42 rw lib.o
File 3bcb169f 2021-06-18 11:41:42 w  prog
File eb5c7bf2 2021-06-18 10:34:28 r  prog.c
File 62d0c520 2021-06-18 10:34:28 rw prog.o
File ea8f40c7 2021-06-18 11:41:42 w  prog2
File 8d59acb2 2021-06-18 10:34:28 r  prog2.c
File 0a6a80b6 2021-06-18 10:34:28 rw prog2.o
"""
PROG_HEAD = """\
File 3bcb169f 2021-06-18 11:41:42 w  prog
Produced by Job 57176a4c

  Job 57176a4c-f66f-4993-2cdb-961233e046eb [ DONE ] 2021-06-18 11:41:42:  redun.examples.compile.link('prog', \
[File(path=prog.o, hash=62d0c520), File(path=lib.o, hash=d67a0069)])
  Traceback: Exec 4a2b624d > (1 Job) > Job d4c74310 make_prog > Job 57176a4c link
  Duration: 0:00:00.24

    CallNode 52ba086c7109c5d730bc5000028eaff5ab6922d6899969e489559d1bce0553d7 redun.examples.compile.link
      Args:   'prog', [File(path=prog.o, hash=62d0c520), File(path=lib.o, hash=d67a0069)]
      Result: File(path=prog, hash=3bcb169f)

    Task 7b87225ed0dba36648940d0a242eac988259131be3951773030dd73511470927 redun.examples.compile.link

      def link(prog_path: str, o_files: List[File]) -> File:
          objects = " ".join(o_file.path for o_file in o_files)
          os.system(f"gcc -o {prog_path} {objects}")
          return File(prog_path)


    Upstream dataflow:

      result = File(path=prog, hash=3bcb169f)
"""
PROG_TAIL = """\
      c_file_2 <-- argument of <f0f6cddc> make_prog(prog_path, c_files)
               <-- argument of <c7b5a767> make(files)
               <-- origin

Other versions:
  File db55f94a 2021-06-18 10:34:28 w  prog
"""

pytestmark = pytest.mark.usefixtures("utc")


def add_run(compiled, build):
    """Add a run that ``build`` fills in; return its ref."""
    with Repository.open(compiled / ".redun") as repository:
        run = MadeRun(repository.store, "11111111-2222-4333-8444-555555555555", 1_624_020_000_000_000)
        build(run)
        ref = run.commit(repository.refs)
        repository.store.seal()
    return ref


class TestText:
    """What people read."""

    def test_without_arguments_the_recent_executions_are_listed(self, log):
        """Newest first, a line each."""
        assert log() == EXECUTIONS

    def test_an_execution_shows_its_job_tree(self, log):
        """- is the newest; two of its jobs were cached."""
        assert log("-") == SECOND
        assert log("4a2b") == SECOND
        assert log("~2").startswith(f"Exec {FIRST_ID} [ DONE ]")

    def test_files_show_who_read_and_wrote_them(self, log):
        """One line a path, by path."""
        assert log("--file") == FILES
        assert log("--file", "--file-path", "*.c,prog").count("\n") == 4
        assert log("--file-path", "*.c") == "".join(line + "\n" for line in FILES.splitlines() if line.endswith(".c"))

    def test_a_file_shows_what_made_it(self, log):
        """From the file to the job, its source and the whole dataflow."""
        out = log("prog")
        assert out.startswith(PROG_HEAD)
        assert out.endswith(PROG_TAIL)

    def test_a_source_file_shows_who_read_it(self, log):
        """Nobody made it."""
        out = log("lib.c")
        assert out.startswith("File 05c402ed 2021-06-18 11:41:42 r  lib.c\n\nRead by:\n  Job a6d4d0a9 [ DONE ]")
        assert "Other versions:\n  File 21343105 2021-06-18 10:34:28 r  lib.c\n" in out

    def test_a_job_and_its_call_show_the_same(self, log):
        """By the job's id or the call's hash."""
        out = log("57176a4c")
        assert out == "".join(line.removeprefix("  ") for line in log("prog").splitlines(keepends=True)[3:-3])
        assert log("52ba086c") == out

    def test_a_value_shows_its_uses(self, log):
        """Who was given it and who returned it."""
        out = log("e38a8737")
        assert out.startswith("Value e38a8737")
        assert "\nGiven to:\n  Job d4c74310" in out

    def test_a_task_shows_its_source_and_jobs(self, log):
        """By name or by hash."""
        out = log("link")
        assert out.startswith(
            "Task 7b87225ed0dba36648940d0a242eac988259131be3951773030dd73511470927 redun.examples.compile.link\n"
        )
        assert "\nNewest jobs:\n  Job 57176a4c" in out
        assert log("7b87225e") == out

    def test_an_eval_shows_its_outcomes(self, log, compiled):
        """The cache key with its parts."""
        with Repository.open(compiled / ".redun", writable=False) as repository:
            evals = [oid.hex() for oid, _ in repository.store.iter_oids(Kind.EVAL)]
        out = "".join(log(oid) for oid in evals)
        assert "  prog_path = <e38a8737> 'prog'\n" in out
        assert "\nOutcomes: 1\n  2021-06-18 11:41:42 call 52ba086c" in out

    def test_other_objects_show_as_show_does(self, log, compiled):
        """An id of a kind that has no log of its own is taken apart."""
        with Repository.open(compiled / ".redun", writable=False) as repository:
            source = next(repository.store.iter_oids(Kind.SOURCE))[0].hex()
            execution = next(repository.store.iter_oids(Kind.EXECUTION))[0].hex()
        assert log(source).startswith(f"source {source}\nsize: ")
        assert log(execution).startswith("Exec ")

    def test_jobs_and_tasks_are_listed_by_filters(self, log):
        """A filter chooses its list; several lists may be asked for."""
        assert [line[:23] for line in log("--job-status", "cached").splitlines()] == [
            "Job 7b729896 [CACHED] 2",
            "Job 19834989 [CACHED] 2",
        ]
        assert log("--task", "--task-name", "*.link") == "Task 7b87225e redun.examples.compile.link\n"
        assert log("--exec", "--task", "--exec-id", "69c4", "--task-name", "*.link").count("\n") == 2
        assert log("--exec-status", "FAILED") == ""

    def test_lists_can_be_of_one_execution(self, log):
        """`redun log ID --file`, `redun log ID --job`."""
        assert log("~2", "--file").count("\n") == 8
        assert log("~2", "--job", "--job-status", "CACHED") == ""
        assert log("-", "--job", "--job-status", "CACHED").count("\n") == 2

    def test_detail_prints_all_of_each(self, log):
        """With an empty line between."""
        out = log("--exec", "--detail")
        assert out.startswith(SECOND + f"\nExec {FIRST_ID}")
        assert log("--job", "--job-status", "CACHED", "--detail").count("Upstream dataflow:") == 2
        assert log("--file-path", "prog", "--detail") == log("3bcb169f")
        assert "Newest jobs:" in log("--task", "--task-name", "*.link", "--detail")

    def test_count_prints_a_number(self, log):
        """Of whatever is listed."""
        assert log("--count") == "2\n"
        assert log("--job", "--count") == "16\n"
        assert log("--exec", "--exec-id", "69", "--count", "--json") == '{"count": 1}\n'

    def test_a_failed_run_shows_its_errors(self, log, compiled):
        """A failed job has an error where others have a result; one that never began has no arguments."""

        def build(run):
            asked = run.evaluation("make", {"files": run.text("x")})
            run.row(1, 0, "make", asked, run.text("ValueError: no"), JobStatus.FAILED)
            run.row(2, 1, "link", None, None, JobStatus.REDUCED)

        add_run(compiled, build)
        out = log("-")
        assert "Jobs: 2 (DONE: 0, CACHED: 0, FAILED: 1, INTERRUPTED: 1)" in out
        job = out.splitlines()[-2].split()[1]
        detail = log(job)
        assert "  Args:   'x'\n    Error:  'ValueError: no'\n" in detail
        assert "  Eval " in detail

    def test_long_arguments_are_cut_in_lists_alone(self, log, compiled):
        """A line of a list has at most 200 characters of arguments."""

        def build(run):
            asked = run.evaluation("make", {str(n): run.text("x" * 90) for n in range(9)})
            run.row(1, 0, "make", asked, None, JobStatus.REDUCED)

        add_run(compiled, build)
        line = log("-").splitlines()[-1]
        assert line.endswith("...)")
        assert len(line.partition(".make(")[2]) == 201
        assert max(map(len, log(line.split()[1]).splitlines())) > 800

    def test_control_characters_do_not_reach_the_terminal(self, log, compiled):
        """A path pulled from elsewhere cannot move the cursor or add a line."""

        def build(run):
            asked = run.evaluation("make", {"f": run.file("evil\x1b[2J\nFile name", b"x")})
            run.row(1, 0, "make", asked, None, JobStatus.REDUCED)

        add_run(compiled, build)
        out = log("-", "--file")
        assert out.endswith(" r  evil\\x1b[2J\\nFile name\n")
        assert "\x1b" not in log("-")


class TestJson:
    """What scripts read."""

    def test_a_list_is_an_array_of_records(self, log):
        """Executions, jobs, tasks and files name their types; times are UTC, durations seconds."""
        first = json.loads(log("--json"))[0]
        assert first == {
            "type": "execution",
            "id": SECOND_ID,
            "status": "DONE",
            "argv": ["redun", "run", "make.py", "make"],
            "start": "2021-06-18T11:41:42.500000Z",
            "end": "2021-06-18T11:41:43.970000Z",
            "object": first["object"],
            "tags": [{"key": "project", "value": "compile"}],
        }
        assert len(first["object"]) == 64
        jobs = json.loads(log("--job", "--format", "json"))
        assert (len(jobs), {job["type"] for job in jobs}, jobs[0]["duration_seconds"]) == (16, {"job"}, 0.24)
        tasks = json.loads(log("--task", "--json"))
        assert sorted(task["task"] for task in tasks)[0] == "redun.examples.compile.compile"
        files = json.loads(log("--file", "--json"))
        assert (files[0]["path"], files[0]["mode"], files[0]["kept"]) == ("lib.c", "r", True)

    def test_an_execution_holds_its_jobs_and_counts(self, log):
        """The tree is told by depth."""
        record = json.loads(log("-", "--json"))
        assert record["counts"] == {"RUNNING": 0, "DONE": 6, "CACHED": 2, "FAILED": 0, "INTERRUPTED": 0}
        assert [job["depth"] for job in record["jobs"]] == [0, 1, 2, 2, 2, 1, 2, 2]
        assert record["tags"] == [{"key": "project", "value": "compile"}]
        assert (record["user"], record["host"], record["versions"]) == ("alice", "host-1", {"redun": "0.1.0"})

    def test_every_kind_of_id_has_a_record(self, log, compiled):
        """One object, of the type that the id names."""
        with Repository.open(compiled / ".redun", writable=False) as repository:
            asked = next(repository.store.iter_oids(Kind.EVAL))[0].hex()
            source = next(repository.store.iter_oids(Kind.SOURCE))[0].hex()
        ids = {"57176a4c": "job", "52ba": "job", "prog": "file", "link": "task", "e38a8737": "value", asked: "eval"}
        for id, type_ in {**ids, source: "source"}.items():
            assert json.loads(log(id, "--json"))["type"] == type_
        prog = json.loads(log("prog", "--json"))
        assert prog["writer"]["dataflow"]["sections"][0]["steps"][0]["task"] == "redun.examples.compile.link"
        assert [version["mode"] for version in prog["versions"]] == ["w"]

    def test_a_call_that_no_job_made_has_a_record_of_its_own(self, log, compiled):
        """Objects may be here without the execution that made them."""
        for ref in (compiled / ".redun/refs/executions").iterdir():
            ref.unlink()
        assert json.loads(log("52ba", "--json"))["type"] == "call"
        assert log("52ba").startswith("CallNode 52ba086c7109c5d730bc5000028eaff5ab6922d6899969e489559d1bce0553d7")


class TestBounds:
    """Only the newest executions are looked at, and that is said."""

    @pytest.fixture
    def many(self, compiled):
        """A hundred more executions."""
        with Repository.open(compiled / ".redun") as repository:
            for number in range(100):
                MadeRun(repository.store, f"00000000-0000-4000-8000-{number:012}", number).commit(repository.refs)
            repository.store.seal()

    def test_twenty_executions_are_listed(self, many, capsys):
        """--all lists the rest."""
        assert main(["log"]) == 0
        out, err = capsys.readouterr()
        assert out.count("\nExec ") == 20
        assert err == "[redun] these are of the newest 20 of 102 executions; --all looks at the rest\n"
        assert main(["log", "--all"]) == 0
        out, err = capsys.readouterr()
        assert (out.count("\nExec "), err) == (102, "")

    def test_a_hundred_executions_are_searched(self, many, capsys):
        """Jobs and files of older ones need --all."""
        assert main(["log", "--job"]) == 0
        assert "newest 100 of 102 executions" in capsys.readouterr().err
        assert main(["log", "--count"]) == 0
        assert capsys.readouterr() == ("102\n", "")
        assert main(["-q", "log"]) == 0
        assert capsys.readouterr().err == ""
        ui.configure()


class TestErrors:
    """What goes wrong is told in a line."""

    def fails(self, capsys, *arguments):
        code = main(["log", *arguments])
        return code, capsys.readouterr().err

    def test_an_empty_repository_says_so(self, tmp_path, monkeypatch, capsys):
        """No executions is no error; the last of none is."""
        Repository.init(tmp_path / ".redun").close()
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("REDUN_CONFIG", raising=False)
        assert main(["log"]) == 0
        out, err = capsys.readouterr()
        assert (out, err) == ("", "[redun] no executions yet; `redun run SCRIPT TASK` makes the first\n")
        assert main(["log", "--json"]) == 0
        assert capsys.readouterr().out == "[]\n"
        code, err = self.fails(capsys, "-")
        assert (code, "there are not so many executions" in err) == (1, True)

    def test_no_repository_is_an_error_with_a_way_out(self, tmp_path, monkeypatch, capsys):
        """Looking makes nothing."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("REDUN_CONFIG", raising=False)
        code, err = self.fails(capsys)
        assert code == 1
        assert "is not a redun repository" in err
        assert "redun: hint: `redun init`" in err

    def test_unknown_and_ambiguous_ids_are_errors(self, compiled, capsys):
        """With what was near, or with the candidates."""
        code, err = self.fails(capsys, "make_prg")
        assert (code, "did you mean make_prog" in err) == (1, True)
        add_run(compiled, lambda run: None)
        with Repository.open(compiled / ".redun") as repository:
            MadeRun(repository.store, "11111111-2222-4333-8444-555555555556", 7).commit(repository.refs)
        code, err = self.fails(capsys, "1111")
        assert code == 1
        assert "1111 fits 2 ids:" in err
        assert "11111111-2222-4333-8444-555555555556  execution" in err

    def test_a_status_that_there_is_not_is_a_usage_error(self, compiled, capsys):
        """The message lists those that there are."""
        code, err = self.fails(capsys, "--exec-status", "BROKEN")
        assert code == 2
        assert "RUNNING, DONE, FAILED, INTERRUPTED" in err

    def test_lists_are_of_executions(self, compiled, capsys):
        """`redun log FILE --job` has no meaning."""
        code, err = self.fails(capsys, "prog", "--job")
        assert (code, "'prog' is a file" in err) == (2, True)

    def test_a_damaged_pack_is_reported_and_does_not_crash(self, compiled, capsys):
        """Executions are still listed; what cannot be read is told."""
        for pack in (compiled / ".redun/objects/pack").glob("*.pack"):
            content = bytearray(pack.read_bytes())
            content[8:200] = bytes(192)
            pack.write_bytes(content)
        assert main(["log"]) == 0
        assert capsys.readouterr().out == EXECUTIONS
        for arguments in (["log", "-"], ["log", "prog"], ["log", "--file"], ["log", "52ba086c"]):
            code = main(arguments)
            out, err = capsys.readouterr()
            assert "Traceback (most recent" not in out + err
            assert code == 0 or err.startswith("redun: error: ")


class TestCost:
    """What a log loads and how long it takes to start."""

    def test_a_log_loads_nothing_heavy(self, compiled):
        """No file system layer, no event loop, no terminal library, no user module."""
        code = """
import sys
from redun.cli.main import main
assert main(["log", "prog"]) == 0
heavy = [name for name in ("fsspec", "asyncio", "rich", "s3fs", "boto3", "numpy", "pickle5") if name in sys.modules]
assert not heavy, heavy
"""
        done = subprocess.run([sys.executable, "-c", code], cwd=compiled, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Upstream dataflow:" in done.stdout


class TestParts:
    """The small parts of lines."""

    def test_times_and_durations(self, utc):
        """Local time; hours of any number; None is still running."""
        assert format_time(0) == "1970-01-01 00:00:00"
        assert format_time(-1) == "1969-12-31 23:59:59"
        assert [format_duration(us) for us in (0, 1_474_999, 3_600_000_000 * 100, -5)] == [
            *("0:00:00.00", "0:00:01.47", "100:00:00.00", "0:00:00.00"),
        ]
        assert format_duration(None) == "still running"

    def test_command_lines_are_typed_after_redun(self):
        """Words with spaces are quoted; a path to the program is no word."""
        assert format_argv(["/usr/bin/redun", "run", "a b.py", "main"]) == "run 'a b.py' main"
        assert format_argv(["run", "x"]) == "run x"
        assert format_argv([]) == ""

    def test_texts_are_cut_and_cleaned(self):
        """Line ends stay where lines are meant."""
        assert cut("abcdef", 6) == "abcdef"
        assert cut("abcdefg", 6) == "abc..."
        assert one_line("a\nb\tc\x1b\x9b\u202e") == "a\\nb\\tc\\x1b\\x9b\\u202e"
        assert printable("a\nb\tc\r") == "a\nb\tc\\r"

    def test_arguments_are_bare_unless_only_their_names_tell(self):
        """What follows *args was given by name."""
        values = [ArgumentView(name, ValueView(Oid(b""), str(name))) for name in ("a", 0, 1, "k")]
        assert format_arguments(values) == "a, 0, 1, k=k"
        assert format_arguments(values[:1] + values[3:]) == "a, k"
