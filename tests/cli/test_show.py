"""`redun show`: objects by hash, as text, JSON or raw bytes."""

from __future__ import annotations

import json

from redun.cli.main import main
from redun.cli.render.show import MAX_LINKS, object_lines
from redun.hashing import Oid, hash_blob, hash_node
from redun.objects.call_records import ExpressionRecord
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.provenance.show import show_object
from redun.store.memory import MemoryStore
from redun.store.repository import Repository

LINK = """\
call 52ba086c7109c5d730bc5000028eaff5ab6922d6899969e489559d1bce0553d7
size: 186 bytes
reusable: True
produced: 3bcb169f60991fe145d4ffb72e343f19ee885214f4e64d4b2d90f2e481e7b2be
own_produced: 3bcb169f60991fe145d4ffb72e343f19ee885214f4e64d4b2d90f2e481e7b2be
links: 5
  286816fb4cf5c913df7e49bf0c8d12f531d9f648dc4c1e0f8072e8bc06282202 eval       eval
  3bcb169f60991fe145d4ffb72e343f19ee885214f4e64d4b2d90f2e481e7b2be file       result
  c6dcb9ebffa71888b26dc49fee267afe5cbd4b2d7c1b5d59cba78fea279cc871 call       upstream of argument 1
  e34d726dd0f579749b6c2485df4c446fb49258bdf3ba412cebba04b32c876d06 call       upstream of argument 1
  3bcb169f60991fe145d4ffb72e343f19ee885214f4e64d4b2d90f2e481e7b2be file       external
"""


def lines_of(encoded, kind):
    """Show one object of a store of its own."""
    store = MemoryStore()
    store.put(*encoded, int(kind))
    return list(object_lines(show_object(store, encoded[0])))


def test_a_call_is_taken_apart(show):
    """Fields, then links by name."""
    assert show("52ba086c") == LINK


def test_a_file_shows_its_node_and_who_made_it(show):
    """The hash that logs print for a file finds the file's node."""
    out = show("3bcb169f")
    assert out.startswith("file 3bcb169f60991fe145d4ffb72e343f19ee885214f4e64d4b2d90f2e481e7b2be\n")
    assert "\npath: prog\n" in out
    assert "\npreview: File(path=prog, hash=3bcb169f)\n" in out
    assert out.endswith("call       produced by\n")


def test_a_record_has_the_same_for_scripts(show):
    """All links, whatever their number."""
    record = json.loads(show("52ba086c", "--json"))
    assert (record["type"], record["size"], record["preview"]) == ("call", 186, None)
    assert [link["name"] for link in record["links"]][:2] == ["eval", "result"]
    assert record["fields"]["reusable"] is True


def test_every_object_of_a_repository_can_be_shown(show, compiled):
    """In both forms."""
    with Repository.open(compiled / ".redun", writable=False) as repository:
        oids = [oid.hex() for oid, _ in repository.store.iter_oids()]
    for oid in oids:
        assert show(oid).partition("\n")[0].endswith(oid)
        assert json.loads(show(oid, "--json"))["oid"] == oid


def test_raw_bytes_hash_to_the_name(compiled, capsysbinary):
    """What --raw writes is what the hash is of: plain for a content, keyed for a node."""
    for oid, digest in ((hash_blob(b"int main() {}").hex(), hash_blob), ("52ba086c", hash_node)):
        assert main(["show", "--raw", oid]) == 0
        assert digest(capsysbinary.readouterr().out).hex().startswith(oid)


def test_sources_and_expressions_show_their_text(show, compiled):
    """As they were written, or as steps."""
    with Repository.open(compiled / ".redun", writable=False) as repository:
        sources = [oid.hex() for oid, _ in repository.store.iter_oids(Kind.SOURCE)]
    assert any("\n\ndef link(prog_path: str, o_files: List[File]) -> File:\n" in show(oid) for oid in sources)
    assert (
        lines_of(ExpressionRecord([[1, "f", [], [], [], None, None, None]], []).encode(), Kind.EXPRESSION)[-1]
        == "#0 = f()"
    )


def test_contents_show_as_text_or_as_a_dump(show):
    """The beginning of either, and how much more there is."""
    assert show(hash_blob(b"int main() {}").hex()).endswith("\nsize: 13 bytes\n\nint main() {}\n")
    long_text = ("ä" * 5_000).encode()
    lines = lines_of((hash_blob(long_text), long_text), Kind.BLOB)
    assert set(lines[-2]) == {"ä"}
    assert lines[-1] == f"... {10_000 - len(lines[-2].encode())} bytes more; --raw writes all of it"
    dump = lines_of((hash_blob(bytes(range(256)) * 2), bytes(range(256)) * 2), Kind.BLOB)
    assert dump[3] == "00000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................"
    assert dump[7].endswith("  @ABCDEFGHIJKLMNO")
    assert dump[-1] == "... 256 bytes more; --raw writes all of it"
    assert lines_of((hash_blob(b""), b""), Kind.BLOB)[-1] == ""


def test_long_lists_are_cut_for_people():
    """A batch of many jobs shows its first rows and links."""
    task = Oid(b"t" * 32)
    rows = [JobRow(n, 0, n, 1, JobStatus.DONE, "e", 1, task, None, "f") for n in range(1, MAX_LINKS + 10)]
    lines = lines_of(JobsRecord(b"x" * 16, 7, rows).encode(), Kind.JOBS)
    assert f"rows: {MAX_LINKS + 9}" in lines
    assert lines.count("  ... and 9 more") == 2


def test_unknown_ambiguous_and_missing_are_errors(compiled, capsys):
    """A hash that is not there, one that is none, and too few digits."""
    for text in ("00000000", "prog", "abc"):
        assert main(["show", text]) == 1
        assert f"nothing on record is called '{text}'" in capsys.readouterr().err
    assert main(["show"]) == 2


def test_a_damaged_object_is_reported(compiled, capsys):
    """A flipped byte in a pack ends in a line, not in a traceback."""
    for pack in (compiled / ".redun/objects/pack").glob("*.pack"):
        content = bytearray(pack.read_bytes())
        content[8:400] = bytes(392)
        pack.write_bytes(content)
    codes = set()
    with Repository.open(compiled / ".redun", writable=False) as repository:
        oids = [oid.hex() for oid, _ in repository.store.iter_oids()]
    for oid in oids:
        codes.add(main(["show", oid]))
        err = capsys.readouterr().err
        assert "Traceback" not in err
    assert 1 in codes
