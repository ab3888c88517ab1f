"""Our certificates and keys from files, sorted by what they are for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from meterseal.errors import MeterSealError, UsageError
from meterseal.net.facade.errors import ssl_error
from meterseal.transport import Credential, EncryptionCredential
from meterseal.x509 import load_certificates, load_private_key, pem, sort_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meterseal.crypto import sm2
    from meterseal.x509 import Certificate

    Path_: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    Password: TypeAlias = Callable[[], str | bytes | bytearray] | str | bytes | bytearray

__all__ = ["Identity", "load_identity", "read_file"]

_MAX_FILE: Final = 16 << 20

Held: TypeAlias = "tuple[Certificate, sm2.PrivateKey]"


class Identity:
    """Certificates with their keys: one that signs, under TLCP one for encryption, and issuers."""

    def __init__(
        self,
        signing: Held | None = None,
        encryption: Held | None = None,
        issuers: tuple[Certificate, ...] = (),
    ) -> None:
        self.signing = signing
        self.encryption = encryption
        self.issuers = issuers

    @property
    def certificate(self) -> Certificate | None:
        """The signing certificate."""
        return self.signing[0] if self.signing else None

    def joined(self, later: Identity) -> Identity:
        """What is known after loading `later`: a lone encryption half completes what was there."""
        if later.signing is not None or self.signing is None:
            return later
        return Identity(self.signing, later.encryption, self.issuers or later.issuers)

    def credential(self) -> Credential | None:
        """Return it as the transport wants it; None without a signing certificate."""
        if self.signing is None:
            return None
        certificate, key = self.signing
        encryption = EncryptionCredential(*self.encryption) if self.encryption else None
        return Credential((certificate, *self.issuers), key, encryption)


def read_file(path: Path_) -> bytes:
    """Read a file within a limit. Raises `OSError`, or `ssl.SSLError` if it is larger."""
    with Path(os.fsdecode(path)).open("rb") as file:
        data = file.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise ssl_error("FILE_TOO_LARGE", f"{os.fsdecode(path)} has more than {_MAX_FILE} bytes")
    return data


def load_identity(paths: Iterable[Path_], password: Password | None = None) -> Identity:
    """Load all certificates and keys of the files and sort them by key and key usage.

    A certificate whose key is there is ours, as `x509.sort_own` says. Raises `OSError` for the
    files, `ssl.SSLError` for what is in them.
    """
    certificates: list[Certificate] = []
    keys: list[sm2.PrivateKey] = []
    for path in paths:
        data = read_file(path)
        try:
            found, held = _parse(data, password)
        except MeterSealError as error:
            raise ssl_error("PEM_LIB", f"{os.fsdecode(path)}: {error}") from error
        certificates += found
        keys += held
    return _sort(certificates, keys)


def _parse(
    data: bytes, password: Password | None
) -> tuple[list[Certificate], list[sm2.PrivateKey]]:
    if not pem.is_pem(data):
        try:
            return load_certificates(data), []
        except MeterSealError:
            return [], [load_private_key(data, _plain(password))]
    certificates: list[Certificate] = []
    keys: list[sm2.PrivateKey] = []
    for block in pem.decode(data):
        if block.label.endswith("CERTIFICATE"):
            certificates += load_certificates(block.contents)
        elif block.label.endswith("PRIVATE KEY"):
            text = pem.encode(block.label, block.contents).encode()
            secret = _plain(password) if block.label.startswith("ENCRYPTED") else None
            keys.append(load_private_key(text, secret))
    return certificates, keys


def _plain(password: Password | None) -> str | bytes | bytearray | None:
    secret = password() if callable(password) else password
    if secret is not None and not isinstance(secret, str | bytes | bytearray):
        raise UsageError("a password is str, bytes or bytearray")
    return secret


def _sort(certificates: list[Certificate], keys: list[sm2.PrivateKey]) -> Identity:
    if not certificates:
        raise ssl_error("NO_CERTIFICATE", "the files hold no certificate")
    owners = {key.public_key(): key for key in keys}
    try:
        own = sort_own(certificates, owners)
    except UsageError as error:
        raise ssl_error("TOO_MANY_CERTIFICATES", str(error)) from error
    signing, encryption = (
        (certificate, owners.pop(certificate.public_key())) if certificate else None
        for certificate in (own.signing, own.encryption)
    )
    if owners or (signing is None and encryption is None):
        raise ssl_error(
            "KEY_VALUES_MISMATCH", "there is no certificate for a key, or no key for one"
        )
    return Identity(signing, encryption, own.issuers)
