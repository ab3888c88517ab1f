"""The people of the range: a CA with a station and a meter, and a stranger's CA."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

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

if TYPE_CHECKING:
    from meterseal.x509 import Profile

__all__ = [
    "METER",
    "SERVER_NAME",
    "Ca",
    "World",
    "new_ca",
    "new_credential",
    "new_pair",
    "world",
]

SERVER_NAME: Final = "station.example"
METER: Final = "meter-1"
_A_WHILE: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Ca:
    """A certificate that issues, and its key."""

    certificate: Certificate
    key: sm2.PrivateKey


@dataclass(frozen=True, slots=True)
class World:
    """Who is there: `server` and `client` for TLS, pairs of both for TLCP, and a strange CA."""

    root: Ca
    server: Credential
    client: Credential
    server_pair: Credential
    client_pair: Credential
    stranger: Ca

    @property
    def trust(self) -> TrustStore:
        """What honest ends trust."""
        return TrustStore([self.root.certificate])


def new_ca(common: str) -> Ca:
    """Make a root."""
    key = sm2.PrivateKey.generate()
    return Ca(self_signed(key, _name(common), not_before=datetime.now(UTC) - _A_WHILE), key)


def new_credential(  # noqa: PLR0913  (what a certificate says)
    ca: Ca,
    common: str,
    *,
    profile: Profile = "server",
    host: str | None = None,
    not_before: datetime | None = None,
    days: int = 730,
) -> Credential:
    """Make a key and have it certified."""
    key = sm2.PrivateKey.generate()
    certificate = issue_certificate(
        key.public_key(),
        _name(common),
        ca_certificate=ca.certificate,
        ca_key=ca.key,
        not_before=not_before or datetime.now(UTC) - _A_WHILE,
        profile=profile,
        days=days,
        alt_names=[GeneralName.parse(f"DNS:{host}")] if host else None,
    )
    return Credential((certificate,), key)


def new_pair(ca: Ca, common: str, *, host: str | None = None) -> Credential:
    """Make the pair of a TLCP end: a signing and an encryption certificate of one owner."""
    signing = new_credential(ca, common, profile="signing", host=host)
    encryption = new_credential(ca, common, profile="encryption", host=host)
    return Credential(signing.chain, signing.key, encryption_of(encryption))


def encryption_of(credential: Credential) -> EncryptionCredential:
    """Return a credential made here as the encryption half of a pair."""
    key = credential.key
    if not isinstance(key, sm2.PrivateKey):
        raise TypeError("expected a key in memory")
    return EncryptionCredential(credential.chain[0], key)


@cache
def world() -> World:
    """Return the one world of this process."""
    root, stranger = new_ca("range root"), new_ca("stranger root")
    return World(
        root,
        server=new_credential(root, "station", host=SERVER_NAME),
        client=new_credential(root, METER, profile="client"),
        server_pair=new_pair(root, "station", host=SERVER_NAME),
        client_pair=new_pair(root, METER),
        stranger=stranger,
    )


def _name(common: str) -> Name:
    return Name.parse(f"/C=CN/O=meterseal range/CN={common}")
