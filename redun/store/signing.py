"""Signatures of refs: who vouches for an execution and all that it leads to.  Normative page: docs/format/signature.md.

The invariant: a ref is accepted for what it says only, never for where it lies or who sent it.  What was signed is made
anew from the ref as it was read, so whatever was changed in it does not fit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from redun.errors import ConfigError
from redun.store.ref_texts import ExecutionRef, Signature, TagRef

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_DIGITS = 64
_SHOWN_DIGITS = 16
_PRIVATE = 0o600


class SigningUnavailable(ConfigError):
    """The package that signs is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "signing needs the package cryptography, which is not installed", hint="pip install 'redun[sign]'"
        )


class BadKey(ConfigError):
    """A file holds no key, or a text is none."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(
            f"{where}: {why}", hint="`redun key create` makes a key, `redun key show` prints its public half"
        )
        self.where = where


class Signer:
    """A private key in a file.  It is read when something is signed for the first time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key: Ed25519PrivateKey | None = None

    def load(self) -> None:
        """Read the key, so that a wrong one is told before a run and not at its end.

        Raises:
            BadKey: there is no such file, or no Ed25519 key in it.
            SigningUnavailable: the package for it is not installed.
        """
        if self._key is None:
            self._key = _load_private(self.path)

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public key.  Raises as ``load`` does."""
        return _public_bytes(self._loaded())

    def sign(self, statement: bytes) -> Signature:
        """Return the signature of a statement.  Raises as ``load`` does."""
        key = self._loaded()
        return Signature(_public_bytes(key), key.sign(statement))

    def _loaded(self) -> Ed25519PrivateKey:
        self.load()
        assert self._key is not None, "load raises when there is none"
        return self._key


def create_key(path: Path) -> bytes:
    """Make a new private key, readable by its owner alone; return its public key.

    Raises:
        BadKey: there is a file already.
        OSError: it cannot be written.
        SigningUnavailable: the package for it is not installed.
    """
    _import()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except FileExistsError:
        raise BadKey(str(path), "expected no file, found one; a key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return _public_bytes(key)


def read_public_keys(words: Iterable[str], find_file: Callable[[str], Path]) -> frozenset[bytes]:
    """Return the public keys that a setting names: each word is a key, or a file with a list of keys.

    Raises:
        BadKey: a file cannot be read, or what is there is no key.
    """
    keys: set[bytes] = set()
    for word in words:
        if _is_key(word):
            keys.add(bytes.fromhex(word))
            continue
        path = find_file(word)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadKey(
                str(path), f"expected a public key of {KEY_DIGITS} hex digits, or a file of such: {error}"
            ) from None
        for number, line in enumerate(lines, start=1):
            key = line.split("#", 1)[0].split()[:1]
            if key and not _is_key(key[0]):
                raise BadKey(
                    f"{path}, line {number}", f"expected a public key of {KEY_DIGITS} hex digits, found {key[0][:80]!r}"
                )
            keys.update(map(bytes.fromhex, key))
    return frozenset(keys)


def find_fault(ref: ExecutionRef | TagRef, allowed: Collection[bytes]) -> str:
    """Say why nobody among those allowed vouches for a ref; an empty text when somebody does.

    Raises:
        SigningUnavailable: the package for it is not installed.
    """
    if not ref.signatures:
        return "it is not signed"
    _import()
    named = [signature for signature in ref.signatures if signature.key in allowed]
    if not named:
        others = ", ".join(sorted(signature.key.hex()[:_SHOWN_DIGITS] for signature in ref.signatures))
        return f"it is signed by {others}, which is none of the keys that are required"
    if any(_fits(signature, ref.statement()) for signature in named):
        return ""
    return f"the signature by {named[0].key.hex()[:_SHOWN_DIGITS]} does not fit what it says"


def _fits(signature: Signature, statement: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(signature.key).verify(signature.value, statement)
    except (InvalidSignature, ValueError):
        return False
    return True


def _load_private(path: Path) -> Ed25519PrivateKey:
    _import()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise BadKey(str(path), f"expected a private key, found none to read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey(str(path), "expected a private key in PEM without a password, found something else") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(str(path), f"expected an Ed25519 key, found {type(key).__name__}")
    return key


def _public_bytes(key: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _is_key(text: str) -> bool:
    return len(text) == KEY_DIGITS and not text.lower().strip("0123456789abcdef")


def _import() -> None:
    try:
        import cryptography  # noqa: F401 - only whether it is there
    except ImportError:
        raise SigningUnavailable from None
