"""Where results came from."""

from __future__ import annotations

import pytest

from redun.cli.render.log import dataflow_lines
from redun.errors import ObjectError
from redun.objects.call_records import CallRecord, ReductionRecord, SubtreeSummary
from redun.objects.execution_records import JobRow, JobStatus
from redun.objects.kinds import Kind
from redun.provenance.dataflow import MAX_SOURCES, StepKind, trace_call
from redun.provenance.executions import load_execution
from redun.provenance.values import get_call
from redun.testing.compile_workflow import MadeRun

NOTHING = SubtreeSummary(is_reusable=True, tasks=[], externals=[], produced=[])


class Graph:
    """Calls made by hand, all of them of the build's tasks, and one execution of them."""

    def __init__(self, shelf):
        self.shelf = shelf
        self.run = MadeRun(shelf.store, "11111111-2222-4333-8444-555555555555", 5)

    def call(self, name, arguments, result, *, children=(), upstreams=()):
        asked = self.run.evaluation(name, arguments)
        reduction = None
        if children:
            reduction = self.run.put(ReductionRecord(asked, result, [], []).encode(), Kind.REDUCTION)
        record = CallRecord(asked, result, reduction, list(children), list(upstreams), NOTHING, [])
        return self.run.put(record.encode(), Kind.CALL)

    def row(self, number, parent, call, status=JobStatus.DONE):
        asked = get_call(self.shelf.store, call).eval
        self.run.rows.append(JobRow(number, parent, 0, 0, status, "default", 1, asked, call, "x"))

    def execution(self, root=None):
        self.run.root = root
        return load_execution(self.shelf.store, self.shelf.refs, self.run.commit(self.shelf.refs).name)


@pytest.fixture
def graph(shelf):
    """An empty graph."""
    return Graph(shelf)


def chain_of(flow, name):
    """Return the kinds of the steps of one section."""
    return next([step.kind.value for step in section.steps] for section in flow.sections if section.name == name)


def test_the_build_s_dataflow_reads_as_expected(shelf):
    """The upstream of prog: through link and both compiles to the arguments of make."""
    flow = trace_call(shelf.store, shelf.call_of(shelf.second, 7), shelf.second)
    assert (
        "\n".join(dataflow_lines(flow))
        == """\
Upstream dataflow:

  result = File(path=prog, hash=3bcb169f)

  result <-- <52ba086c> link(prog_path, o_files)
    prog_path = <e38a8737> 'prog'
    o_files   = <6e6d0fba> [File(path=prog.o, hash=62d0c520), File(path=lib.o, hash=d67a0069)]

  prog_path <-- argument of <f0f6cddc> make_prog(prog_path, c_files)
            <-- origin

  o_files <-- derives from
    compile_result   = <62d0c520> File(path=prog.o, hash=62d0c520)
    compile_result_2 = <d67a0069> File(path=lib.o, hash=d67a0069)

  compile_result <-- <c6dcb9eb> compile(c_file)
    c_file = <eb5c7bf2> File(path=prog.c, hash=eb5c7bf2)

  c_file <-- argument of <f0f6cddc> make_prog(prog_path, c_files)
         <-- argument of <c7b5a767> make(files)
         <-- origin

  compile_result_2 <-- <e34d726d> compile(c_file_2)
    c_file_2 = <05c402ed> File(path=lib.c, hash=05c402ed)

  c_file_2 <-- argument of <f0f6cddc> make_prog(prog_path, c_files)
           <-- argument of <c7b5a767> make(files)
           <-- origin"""
    )


def test_a_call_that_hands_on_a_child_s_result_is_passed_through(shelf):
    """make_prog returns what link returned; make returns a list of what several returned."""
    flow = trace_call(shelf.store, shelf.call_of(shelf.second, 2), shelf.second)
    assert chain_of(flow, "result") == ["result of", "call"]
    assert flow.sections[0].steps[1].fullname == "redun.examples.compile.link"
    top = trace_call(shelf.store, shelf.call_of(shelf.second, 1), shelf.second)
    assert chain_of(top, "result") == ["result of", "derives from"]
    assert [variable.name for variable in top.sections[0].variables] == ["make_prog_result", "make_prog_result_2"]


def test_a_call_is_explained_once(shelf):
    """lib.o goes into both programs; its compile has one section."""
    flow = trace_call(shelf.store, shelf.call_of(shelf.second, 1), shelf.second)
    explained = [step.oid for section in flow.sections for step in section.steps if step.kind is StepKind.CALL]
    assert len(explained) == len(set(explained)) == 5
    assert sum(section.name.startswith("compile_result") for section in flow.sections) == 3


def test_an_argument_that_is_one_call_s_result_continues_there(graph, shelf):
    """b(a()) tells a's call in the section of b's argument."""
    value = graph.run.text("made by a")
    upstream = graph.call("compile", {}, value)
    used = graph.call("link", {"x": value}, graph.run.text("end"), upstreams=[(0, [upstream])])
    flow = trace_call(shelf.store, used)
    assert chain_of(flow, "x") == ["call"]
    assert flow.sections[1].steps[0].oid == upstream


def test_an_argument_computed_from_one_call_derives_from_it(graph, shelf):
    """b(a()["key"]): the argument is not a's result."""
    upstream = graph.call("compile", {}, graph.run.text("whole"))
    used = graph.call("link", {"x": graph.run.text("part")}, graph.run.text("end"), upstreams=[(0, [upstream])])
    flow = trace_call(shelf.store, used)
    assert chain_of(flow, "x") == ["derives from"]
    assert [variable.name for variable in flow.sections[1].variables] == ["compile_result"]


def test_a_part_of_the_asker_s_argument_comes_only_from_the_call_that_made_it(graph, shelf):
    """Of a list made by two calls, an element comes from one of them."""
    one, two = graph.run.file("1", b"1"), graph.run.file("2", b"2")
    makers = [graph.call("compile", {}, one), graph.call("compile", {"n": graph.run.text("2")}, two)]
    child = graph.call("link", {"x": two}, graph.run.text("end"))
    both = graph.run.files([one, two])
    asker = graph.call("make_prog", {"all": both}, graph.run.text("top"), children=[child], upstreams=[(0, makers)])
    root = graph.call("make", {}, graph.run.text("root"), children=[asker])
    for number, parent, call in ((1, 0, root), (2, 1, asker), (3, 2, child)):
        graph.row(number, parent, call)
    flow = trace_call(shelf.store, child, graph.execution(root))
    assert chain_of(flow, "x") == ["argument of", "call"]
    assert flow.sections[1].steps[-1].oid == makers[1]


def test_parents_below_a_replayed_job_come_from_its_children(graph, shelf):
    """A subtree that was reused in one step has no rows; its calls list their children."""
    value = graph.run.file("1", b"1")
    leaf = graph.call("link", {"x": value}, graph.run.text("end"))
    middle = graph.call("make_prog", {"y": value}, graph.run.text("m"), children=[leaf])
    root = graph.call("make", {"z": value}, graph.run.text("root"), children=[middle])
    graph.row(1, 0, root, JobStatus.CACHED)
    flow = trace_call(shelf.store, leaf, graph.execution(root))
    assert chain_of(flow, "x") == ["argument of", "argument of", "origin"]


def test_an_asker_that_was_never_completed_ends_the_chain(graph, shelf):
    """A failed job's upstreams were not written down, and nothing is made up."""
    value = graph.run.file("1", b"1")
    leaf = graph.call("link", {"x": value, "y": graph.run.text("own")}, graph.run.text("end"))
    asked = graph.run.evaluation("make", {"z": value})
    graph.run.row(1, 0, "make", asked, None, JobStatus.FAILED)
    graph.row(2, 1, leaf)
    flow = trace_call(shelf.store, leaf, graph.execution())
    assert chain_of(flow, "x") == ["argument of", "unknown"]
    assert flow.sections[1].steps[0].oid == asked
    assert chain_of(flow, "y") == ["origin"]


def test_without_an_execution_nobody_is_said_to_have_asked(shelf):
    """A call alone does not tell where its arguments were written down."""
    flow = trace_call(shelf.store, shelf.call_of(shelf.second, 7))
    assert chain_of(flow, "prog_path") == ["unknown"]


def test_of_several_askers_the_one_beside_is_taken(graph, shelf):
    """A call that two jobs asked for is explained by the one that also asked for its user."""
    value = graph.run.file("1", b"1")
    shared = graph.call("compile", {"c": value}, graph.run.file("o", b"o"))
    user = graph.call(
        "link", {"o": get_call(shelf.store, shared).result}, graph.run.text("end"), upstreams=[(0, [shared])]
    )
    other = graph.call("make_prog", {"p": graph.run.text("other")}, graph.run.text("1"), children=[shared])
    asker = graph.call("make_prog", {"p": value}, graph.run.text("2"), children=[shared, user])
    root = graph.call("make", {}, graph.run.text("r"), children=[other, asker])
    rows = ((1, 0, root), (2, 1, other), (3, 1, asker), (4, 2, shared), (5, 3, shared), (6, 3, user))
    for number, parent, call in rows:
        graph.row(number, parent, call)
    flow = trace_call(shelf.store, user, graph.execution(root))
    climbed = next(section for section in flow.sections if section.name == "c")
    assert [step.kind.value for step in climbed.steps] == ["argument of", "origin"]
    assert climbed.steps[0].oid == asker


def test_positional_arguments_have_names_too(graph, shelf):
    """An item of *args is called by its index, and names are kept apart."""
    calls = [graph.call("compile", {0: graph.run.text(str(n))}, graph.run.text(f"r{n}")) for n in range(3)]
    used = graph.call("link", {"x": graph.run.text("mix")}, graph.run.text("end"), upstreams=[(0, calls)])
    names = [section.name for section in trace_call(shelf.store, used).sections]
    assert names == [
        *("result", "x"),
        *("compile_result", "args_0", "compile_result_2", "args_0_2", "compile_result_3", "args_0_3"),
    ]


def test_the_walk_is_bounded_and_says_so(graph, shelf):
    """A chain of a thousand calls is cut, without recursion, and wide sources are counted."""
    value = graph.run.text("start")
    call = graph.call("compile", {}, value)
    for number in range(1_000):
        result = graph.run.text(f"step {number}")
        call = graph.call("compile", {"x": value}, result, upstreams=[(0, [call])])
        value = result
    flow = trace_call(shelf.store, call, max_sections=50)
    assert (len(flow.sections), flow.is_cut) == (50, True)
    assert "left out after 50 variables" in list(dataflow_lines(flow))[-1]
    calls = [
        graph.call("compile", {"n": graph.run.text(str(n))}, graph.run.text(f"w{n}")) for n in range(MAX_SOURCES + 7)
    ]
    wide = graph.call("link", {"x": graph.run.text("all")}, graph.run.text("end"), upstreams=[(0, calls)])
    section = trace_call(shelf.store, wide).sections[1]
    assert (len(section.variables), section.omitted) == (MAX_SOURCES, 7)


def test_damage_upstream_ends_a_chain_and_damage_at_the_start_is_an_error(shelf):
    """What can be told is told."""
    call = shelf.call_of(shelf.second, 7)
    shelf.store.damaged.add(shelf.call_of(shelf.second, 4))
    flow = trace_call(shelf.store, call, shelf.second)
    assert chain_of(flow, "o_files") == ["unknown"]
    assert chain_of(flow, "prog_path") == ["argument of", "origin"]
    shelf.store.damaged.add(call)
    with pytest.raises(ObjectError, match="damaged by the test"):
        trace_call(shelf.store, call, shelf.second)
