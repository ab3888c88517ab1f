"""Contexts of the façade and the files they load, made once for a test session."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import meterseal
from meterseal import Purpose, SecureContext
from meterseal.crypto import sm2
from meterseal.x509 import (
    Certificate,
    GeneralName,
    Name,
    dump_certificates,
    dump_private_key,
    issue_certificate,
    self_signed,
)

HOST = "localhost"
PASSWORD = "sealed"
_NAMES = ("DNS:localhost", "DNS:station.example", "IP:127.0.0.1", "IP:::1")
_START = datetime.now(UTC) - timedelta(days=1)


@dataclass(frozen=True)
class Files:
    """A folder with ca.pem, a server's and a client's pair, each also as one bundle."""

    folder: Path

    def __getattr__(self, name: str) -> str:
        stem, _, ending = name.rpartition("_")
        return str(self.folder / f"{stem}.{ending}")


_ONCE = threading.Lock()


def files() -> Files:
    """The files; every name is `<stem>_<ending>`, such as `server_sign_pem`."""
    with _ONCE:  # a cache alone would let two threads make two worlds
        return _write_files()


@cache
def _write_files() -> Files:
    folder = Path(tempfile.mkdtemp(prefix="meterseal-facade-"))
    ca_key = sm2.PrivateKey.generate()
    ca = self_signed(ca_key, _name("Facade root"), not_before=_START)
    (folder / "ca.pem").write_bytes(dump_certificates([ca]))
    for owner, common in (("server", "station"), ("client", "meter-1")):
        bundle = b""
        for half, profile in (("sign", "signing"), ("enc", "encryption")):
            key = sm2.PrivateKey.generate()
            names = [GeneralName.parse(n) for n in _NAMES] if owner == "server" else None
            certificate = _issue(ca, ca_key, key, common, profile, names)
            (folder / f"{owner}_{half}.pem").write_bytes(dump_certificates([certificate]))
            (folder / f"{owner}_{half}.key").write_bytes(dump_private_key(key))
            bundle += dump_certificates([certificate]) + dump_private_key(key)
            if half == "sign":
                sealed = dump_private_key(key, password=PASSWORD)
                (folder / f"{owner}_{half}_sealed.key").write_bytes(sealed)
        (folder / f"{owner}_pair.pem").write_bytes(bundle)
    stranger_key = sm2.PrivateKey.generate()
    stranger = self_signed(stranger_key, _name("Stranger"), not_before=_START)
    (folder / "stranger.pem").write_bytes(dump_certificates([stranger]))
    return Files(folder)


def _name(common: str) -> Name:
    return Name.parse(f"/C=CN/O=Grid/CN={common}")


def _issue(  # noqa: PLR0917
    ca: Certificate,
    ca_key: sm2.PrivateKey,
    key: sm2.PrivateKey,
    common: str,
    profile: Any,  # noqa: ANN401
    names: list[GeneralName] | None,
) -> Certificate:
    return issue_certificate(
        key.public_key(),
        _name(common),
        ca_certificate=ca,
        ca_key=ca_key,
        not_before=_START,
        profile=profile,
        days=30,
        alt_names=names,
    )


def client_context(protocol: Any = "tlcp", *, pair: bool = False) -> SecureContext:  # noqa: ANN401
    """A client that trusts the root."""
    context = meterseal.create_default_context(protocol=protocol, cafile=files().ca_pem)
    if pair:
        context.load_cert_chain(files().client_pair_pem)
    return context


def server_context(protocol: Any = "auto") -> SecureContext:  # noqa: ANN401
    """A server with a pair."""
    context = meterseal.create_default_context(Purpose.CLIENT_AUTH, protocol=protocol)
    context.load_cert_chain(files().server_pair_pem)
    return context


def doubting_context() -> SecureContext:
    """A client that trusts somebody else's root."""
    return meterseal.create_default_context(cafile=files().stranger_pem)
