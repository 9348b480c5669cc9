"""Effects on the world stand only where a reader expects them."""

from __future__ import annotations

import ast

WRITERS_TO_THE_TERMINAL = ("redun/cli/ui.py", "redun/console/")
DELETERS = ("redun/store/maintain/", "redun/testing/")
DELETING_METHODS = {"delete", "unlink", "rmdir", "rmtree", "rm", "rm_file", "rm_tree"}
READERS_OF_THE_ENVIRONMENT = (
    "redun/config.py",
    "redun/surroundings.py",
    "redun/session.py",
    "redun/cli/",
    "redun/console/",
)
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv"}
PURE = ("redun/objects/", "redun/remotes/negotiate.py", "redun/scheduler/plan.py", "redun/hashing.py")
EFFECTFUL = {
    *("asyncio", "concurrent", "fsspec", "glob", "http", "io", "logging", "mmap", "multiprocessing", "os", "pathlib"),
    *("queue", "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl"),
    *("subprocess", "sys", "tempfile", "threading", "time", "urllib"),
}
HEAVY = {
    "aiobotocore": ("redun/file/", "redun/store/", "redun/remotes/"),
    "asyncio": ("redun/",),
    "boto3": ("redun/executors/", "redun/aws/", "redun/cli/commands/", "redun/federated_tasks.py", "redun/testing/"),
    "botocore": ("redun/executors/", "redun/file/", "redun/store/", "redun/cli/aws_user.py", "redun/testing/"),
    "fsspec": ("redun/file/", "redun/store/", "redun/remotes/", "redun/value/"),
    "google": ("redun/executors/gcp_batch/", "redun/testing/"),
    "kubernetes": ("redun/executors/k8s/", "redun/testing/"),
    "obstore": ("redun/store/",),
    "numpy": ("redun/value/", "redun/file/", "redun/testing/"),
    "pandas": ("redun/value/", "redun/file/", "redun/testing/"),
    "pyarrow": ("redun/value/", "redun/file/", "redun/testing/", "redun/executors/spark/"),
    "pyspark": ("redun/executors/spark/", "redun/worker/spark_part.py", "redun/value/", "redun/file/", "redun/glue.py"),
    "rich": ("redun/cli/ui.py", "redun/cli/render/", "redun/console/"),
    "s3fs": ("redun/file/", "redun/store/", "redun/remotes/"),
    "textual": ("redun/console/",),
}
MODULE_LEVEL = {"textual": "redun/console/", "rich": "redun/console/"}
"""Classes of a terminal interface derive from these, and the whole folder is loaded only when it is asked for."""


def test_only_the_ui_writes_to_the_terminal(library, places, imports_of, judge):
    """Print, sys.stdout, sys.stderr, click.echo and rich's Console occur in cli/ui.py and console/ alone."""

    def find(node):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"print", "input"}:
            return f"calls {node.func.id}"
        if isinstance(node, ast.Attribute) and node.attr.strip("_") in {"stdout", "stderr"} and _is(node.value, "sys"):
            return f"uses sys.{node.attr}"
        if isinstance(node, ast.Attribute) and node.attr in {"echo", "secho"} and _is(node.value, "click"):
            return f"calls click.{node.attr}"
        names = imports_of(node)
        written = ("sys.stdout", "sys.stderr", "click.echo", "click.secho", "rich.console", "rich.print")
        return next((f"imports {name}" for name in names if name.startswith(written)), None)

    judge("terminal", _offences(library, places, find, WRITERS_TO_THE_TERMINAL))


def test_only_maintenance_deletes(library, places, judge):
    """What removes a file or an object outside store/maintain is on the list, with its reason."""

    def find(node):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                name = node.func.attr
                if name in DELETING_METHODS or (name in {"remove", "removedirs"} and _is(node.func.value, "os")):
                    return f"calls {ast.unparse(node.func)}"
            elif isinstance(node.func, ast.Name) and node.func.id in {"rmtree", "unlink"}:
                return f"calls {node.func.id}"
        return None

    judge("delete", _offences(library, places, find, DELETERS))


def test_pure_rooms_have_no_effects(library, places, imports_of, judge):
    """objects/, hashing, negotiate and plan do no I/O, read no clock and start no thread."""

    def find(node):
        for name in imports_of(node):
            if name.split(".")[0] in EFFECTFUL or name in {"uuid.uuid1", "uuid.uuid4"}:
                return f"imports {name}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in {"open", "print", "input", "uuid.uuid1", "uuid.uuid4"}:
                return f"calls {called}"
            if called.endswith((".now", ".utcnow", ".today")):
                return f"reads the clock with {called}"
        return None

    pure = [module for module in library if module.path.startswith(PURE)]
    judge("pure", _offences(pure, places, find, ()))


def test_the_library_does_not_read_the_environment(library, places, imports_of, judge):
    """os.environ and its kin are read in config.py, surroundings.py, session.py and the programs alone."""

    def find(node):
        if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT and _is(node.value, "os"):
            return f"uses os.{node.attr}"
        names = imports_of(node)
        return next((f"imports {name}" for name in names if name.startswith(("os.environ", "os.getenv"))), None)

    judge("environment", _offences(library, places, find, READERS_OF_THE_ENVIRONMENT))


def test_heavy_packages_are_imported_late_and_in_their_rooms(library, places, imports_of, judge):
    """A heavy package is imported inside a function, in one of the folders that need it."""
    offences = {}
    for module in library:
        for place in places(module):
            for name in imports_of(place.node):
                root = name.split(".")[0]
                if root not in HEAVY or place.is_for_typing:
                    continue
                if not module.path.startswith(HEAVY[root]):
                    offences[f"{module.path}:{root}"] = "imported outside the rooms that need it"
                elif not place.is_local and not module.path.startswith(MODULE_LEVEL.get(root, "-")):
                    offences[f"{module.path}:{root}"] = "imported with the module instead of when it is used"
    judge("heavy", offences)


def _is(node, name):
    return isinstance(node, ast.Name) and node.id == name


def _offences(modules, places, find, exempt):
    """Apply ``find(node) -> how or None`` to all nodes of the modules that are not exempt."""
    offences = {}
    for module in modules:
        if not (exempt and module.path.startswith(exempt)):
            for place in places(module):
                how = find(place.node)
                if how:
                    subject = f"{module.path}:{place.scope}" if place.scope else module.path
                    offences[subject] = f"line {place.node.lineno} {how}"
    return offences
