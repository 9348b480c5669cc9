"""Builds two C programs that share one library file."""

import subprocess

from redun import File, task

redun_namespace = "redun.examples.compile"

PROGRAMS = {
    "prog": [File("prog.c"), File("lib.c")],
    "prog2": [File("prog2.c"), File("lib.c")],
}
"""Each program, and the C files that it is made of."""

FLAGS = ["-O1", "-Wall"]
"""How every C file is compiled."""


def gcc(*arguments: str) -> None:
    """Run the C compiler; fail when it fails."""
    subprocess.run(["gcc", *arguments], check=True)


@task()
def compile(c_file: File) -> File:
    """Turn one C file into an object file."""
    o_path = c_file.path.replace(".c", ".o")
    gcc(*FLAGS, "-c", c_file.path, "-o", o_path)
    return File(o_path)


@task()
def link(prog_path: str, o_files: list[File]) -> File:
    """Join object files into one program."""
    gcc("-o", prog_path, *(o_file.path for o_file in o_files))
    return File(prog_path)


@task()
def make_prog(prog_path: str, c_files: list[File]) -> File:
    """Build one program from its C files."""
    o_files = [compile(c_file) for c_file in c_files]
    return link(prog_path, o_files)


@task()
def make(files: dict[str, list[File]] = PROGRAMS) -> list[File]:
    """Build all programs."""
    return [make_prog(prog_path, c_files) for prog_path, c_files in files.items()]
