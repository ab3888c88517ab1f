"""A small world of identities, made anew for each test session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from meterseal.crypto import sm2
from meterseal.transport import Credential, EncryptionCredential
from meterseal.x509 import (
    Certificate,
    GeneralName,
    Name,
    TrustStore,
    issue_certificate,
    self_signed,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """A root, a server called station.example, a client called meter-1, and a stranger's root."""

    root: Certificate
    root_key: sm2.PrivateKey
    server: Credential
    client: Credential
    server_pair: Credential
    client_pair: Credential
    stranger: Certificate
    stranger_key: sm2.PrivateKey

    @property
    def trust(self) -> TrustStore:
        return TrustStore([self.root])


def name(common: str) -> Name:
    return Name.parse(f"/C=CN/O=meterseal tests/CN={common}")


def root(common: str) -> tuple[Certificate, sm2.PrivateKey]:
    key = sm2.PrivateKey.generate()
    return self_signed(key, name(common), not_before=NOW - DAY), key


def credential(
    ca: Certificate,
    ca_key: sm2.PrivateKey,
    common: str,
    *,
    profile: str = "server",
    not_before: datetime = NOW - DAY,
    days: int = 365,
    host: str | None = None,
) -> Credential:
    key = sm2.PrivateKey.generate()
    certificate = issue_certificate(
        key.public_key(),
        name(common),
        ca_certificate=ca,
        ca_key=ca_key,
        not_before=not_before,
        profile=profile,  # type: ignore[arg-type]
        days=days,
        alt_names=[GeneralName.parse(f"DNS:{host}")] if host else None,
    )
    return Credential((certificate,), key)


def pair(
    ca: Certificate, ca_key: sm2.PrivateKey, common: str, *, host: str | None = None
) -> Credential:
    """A TLCP pair: one owner, a signing and an encryption certificate."""
    signing = credential(ca, ca_key, common, profile="signing", host=host)
    encryption = credential(ca, ca_key, common, profile="encryption", host=host)
    return Credential(
        signing.chain, signing.key, EncryptionCredential(encryption.chain[0], encryption.key)
    )


@cache
def world() -> World:
    ca, ca_key = root("root")
    stranger, stranger_key = root("stranger")
    return World(
        root=ca,
        root_key=ca_key,
        server=credential(ca, ca_key, "station", host="station.example"),
        client=credential(ca, ca_key, "meter-1", profile="client"),
        server_pair=pair(ca, ca_key, "station", host="station.example"),
        client_pair=pair(ca, ca_key, "meter-1"),
        stranger=stranger,
        stranger_key=stranger_key,
    )
