"""Signatures of refs: the bytes that are signed, and that nothing which was changed passes."""

from __future__ import annotations

import dataclasses
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from redun.hashing import Oid, hash_blob
from redun.store.memory_storage import MemoryStorage
from redun.store.ref_names import ref_name
from redun.store.ref_texts import BadRef, ExecutionRef, RefStatus, Signature, TagRef
from redun.store.refs import Refs
from redun.store.signing import BadKey, Signer, create_key, find_fault, read_public_keys

PUBLIC = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
UUID = "00000000-0000-4000-8000-000000000001"
START_US = 1_750_000_000_000_000
REF = ExecutionRef(
    ref_name(START_US, UUID),
    UUID,
    RefStatus.DONE,
    START_US,
    START_US + 1_000_000,
    ["redun", "run", "wf.py", "main"],
    Oid(b"\xaa" * 32),
    None,
    (Oid(b"\xbb" * 32),),
)
STATEMENT = f"""\
redun-signature 1
ref refs/executions/20250615T150640.000000Z-{UUID}
execution {UUID}
status done
start 1750000000000000
end 1750000001000000
argv ["redun", "run", "wf.py", "main"]
object {"aa" * 32}
"""
SIGNATURE = (
    "1677e7ef444565d2aaaa0589e70eaa24715ae3e7103219abe82cab8e19cf77f7"
    "9830df9471c1c9f1600ff1058c9dce7f6189c550f562b8ac08a19d6b37441b01"
)
TAG_SIGNATURE = (
    "f93492a30603914d5e28916ad288e8ae7ab586637d60a9567d816cdf980a754b"
    "11d58ddcb14b968082cb506f31bbe135a5f35500bd8ff47de941ac565b21100b"
)
TAGS = TagRef(REF.name, (Oid(b"\x02" * 32), Oid(b"\x01" * 32)))


def _write_key(path, private):
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture
def signer(tmp_path):
    """The key of the format's example."""
    return Signer(_write_key(tmp_path / "key.pem", Ed25519PrivateKey.from_private_bytes(bytes(range(32)))))


@pytest.fixture
def refs(signer):
    made = Refs(MemoryStorage())
    made.signer = signer
    return made


def test_the_bytes_are_those_of_the_format(refs):
    """Statement, signature and text of the example."""
    assert REF.statement().decode() == STATEMENT
    assert refs.signer.public.hex() == PUBLIC
    text = refs.sign(REF).encode().decode()
    assert f"pack {'bb' * 32}\nsignature {PUBLIC} {SIGNATURE}\ncheck " in text
    tags = refs.sign(TAGS)
    assert (
        TAGS.statement().decode() == f"redun-signature 1\nref refs/tags/{REF.name}\ntag {'01' * 32}\ntag {'02' * 32}\n"
    )
    assert tags.encode().decode().splitlines()[3] == f"signature {PUBLIC} {TAG_SIGNATURE}"


def test_a_signed_ref_comes_back_and_passes(refs):
    """Also with other hints: a ref keeps its signature wherever it goes."""
    signed = refs.sign(REF)
    refs.write(signed)
    read = refs.read(REF.name)
    assert read == signed
    allowed = frozenset([bytes.fromhex(PUBLIC)])
    assert find_fault(read, allowed) == ""
    assert find_fault(dataclasses.replace(read, packs=(), writer="somebody"), allowed) == ""
    assert find_fault(TagRef.decode(TAGS.name, refs.sign(TAGS).encode()), allowed) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"status": RefStatus.FAILED},
        {"end_us": START_US + 1},
        {"argv": ["redun", "run", "wf.py", "mian"]},
        {"object": hash_blob(b"something else")},
        {"start_us": START_US + 1, "name": ref_name(START_US + 1, UUID)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_ref_that_was_changed_does_not_pass(refs, change):
    """Whatever it says but hints is signed."""
    changed = dataclasses.replace(refs.sign(REF), **change)
    fault = find_fault(changed, [bytes.fromhex(PUBLIC)])
    assert fault == "the signature by 03a107bff3ce10be does not fit what it says"
    tags = dataclasses.replace(refs.sign(TAGS), tags=TAGS.tags[:1])
    assert "does not fit" in find_fault(tags, [bytes.fromhex(PUBLIC)])


def test_any_changed_byte_of_a_signature_is_noticed(refs):
    """And one of a tag ref is none of the execution ref of the same name."""
    signed = refs.sign(REF)
    for at in range(64):
        value = bytearray(signed.signatures[0].value)
        value[at] ^= 1
        broken = dataclasses.replace(signed, signatures=(Signature(signed.signatures[0].key, bytes(value)),))
        assert find_fault(broken, [bytes.fromhex(PUBLIC)])
    moved = dataclasses.replace(signed, signatures=refs.sign(TAGS).signatures)
    assert find_fault(moved, [bytes.fromhex(PUBLIC)])


def test_refs_of_nobody_and_of_others_do_not_pass(refs, tmp_path):
    """The reason names who signed; one signature that is allowed is enough."""
    allowed = [bytes.fromhex(PUBLIC)]
    assert find_fault(REF, allowed) == "it is not signed"
    other = Signer(tmp_path / "other.pem")
    create_key(other.path)
    foreign = dataclasses.replace(REF, signatures=(other.sign(REF.statement()),))
    shown = other.public.hex()[:16]
    assert find_fault(foreign, allowed) == f"it is signed by {shown}, which is none of the keys that are required"
    assert (
        find_fault(dataclasses.replace(REF, signatures=(*foreign.signatures, *refs.sign(REF).signatures)), allowed)
        == ""
    )
    assert find_fault(refs.sign(REF), frozenset()) != ""
    forged = dataclasses.replace(REF, signatures=(Signature(b"\xff" * 32, b"\x00" * 64),))
    assert find_fault(forged, [b"\xff" * 32]) != ""


@pytest.mark.parametrize(
    "text", ["", "aa bb", f"{PUBLIC}", f"{PUBLIC} zz", f"{PUBLIC} {'00' * 63}", f"{PUBLIC} {'00' * 65}"]
)
def test_a_malformed_signature_is_a_malformed_ref(text):
    """It is never taken for no signature."""
    lines = REF.encode().decode().splitlines()[:-1]
    with pytest.raises(BadRef):
        ExecutionRef.decode(REF.name, "".join(f"{line}\n" for line in (*lines, f"signature {text}")).encode())


def test_what_goes_on_is_not_signed_but_a_missing_key_is_told(refs):
    """Before a run, not at its end."""
    running = dataclasses.replace(REF, status=RefStatus.RUNNING, object=None, end_us=None, writer="w")
    assert refs.sign(running) is running
    refs.signer = Signer(refs.signer.path.with_name("none.pem"))
    with pytest.raises(BadKey, match="found none to read"):
        refs.sign(running)
    refs.signer = None
    assert refs.sign(REF) is REF


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    """Nobody else may read it, and no key is ever overwritten."""
    path = tmp_path / "new" / "key.pem"
    public = create_key(path)
    assert Signer(path).public == public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(BadKey, match="never overwritten"):
        create_key(path)


def test_other_keys_are_refused(tmp_path):
    """Of another algorithm, or no key at all."""
    with pytest.raises(BadKey, match="expected an Ed25519 key"):
        Signer(_write_key(tmp_path / "rsa.pem", generate_private_key(65537, 2048))).load()
    (tmp_path / "text.pem").write_text("no key")
    with pytest.raises(BadKey, match="found something else"):
        Signer(tmp_path / "text.pem").load()


def test_keys_are_named_one_by_one_or_in_a_file(tmp_path):
    """Comments say nothing; what is no key is told with its line."""
    (tmp_path / "team").write_text(f"# the team\n\n{PUBLIC} alice\n  {'AB' * 32} # bob\n")
    assert read_public_keys(["team", "cd" * 32], tmp_path.joinpath) == {
        bytes.fromhex(PUBLIC),
        b"\xab" * 32,
        b"\xcd" * 32,
    }
    (tmp_path / "team").write_text(f"{PUBLIC}\nalice\n")
    with pytest.raises(BadKey, match=r"team, line 2: .* found 'alice'"):
        read_public_keys(["team"], tmp_path.joinpath)
    with pytest.raises(BadKey, match="nobody"):
        read_public_keys(["nobody"], tmp_path.joinpath)
