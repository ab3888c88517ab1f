"""Files that several commands read: credentials and trusted roots."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from meterseal.cli.files import read_file
from meterseal.cli.options import load_key
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.transport import CipherSuite, Credential
    from meterseal.x509 import CertificateRevocationList, RevocationPolicy, TrustStore


class Protocol(StrEnum):
    """The protocols that a session may speak; `auto` is what both ends can."""

    AUTO = "auto"
    TLS12_SM = "tls12-sm"
    TLS13_SM = "tls13-sm"
    TLCP = "tlcp"


def served_suites(protocol: Protocol, credential: Credential) -> tuple[CipherSuite, ...]:
    """What a server speaks, in our order; `auto` is all that its certificates allow."""
    from meterseal.transport import TLCP_SUITES

    has_pair = protocol is Protocol.AUTO and credential.encryption is not None
    return offered_suites(protocol) + (TLCP_SUITES if has_pair else ())


def offered_suites(protocol: Protocol) -> tuple[CipherSuite, ...]:
    """What a client offers, in our order; `auto` is TLS, since the hello of TLCP stands alone."""
    from meterseal.transport import (
        TLCP_SUITES,
        TLS12_CBC_SUITES,
        TLS12_SUITES,
        TLS13_SUITES,
    )

    return {
        Protocol.AUTO: TLS13_SUITES + TLS12_SUITES + TLS12_CBC_SUITES,
        Protocol.TLS12_SM: TLS12_SUITES,
        Protocol.TLS13_SM: TLS13_SUITES,
        Protocol.TLCP: TLCP_SUITES,
    }[protocol]


def load_credential(
    cert: Path,
    key: Path,
    password_file: Path | None,
    enc_cert: Path | None = None,
    enc_key: Path | None = None,
) -> Credential:
    """Read a chain and its key; with an encryption key, a TLCP pair.

    The encryption certificate stands in the same file as the signing one, or in its own. Without
    its key a pair serves as its signing half. Raises `InvalidKey` for keys of other certificates.
    """
    from meterseal.transport import Credential
    from meterseal.x509 import load_certificates, sort_own

    chain = load_certificates(read_file(cert))
    signing_key = load_key(key, password_file)
    if enc_cert is not None:
        if enc_key is None:
            raise UsageError("an encryption certificate was given without its key: --enc-key")
        chain += load_certificates(read_file(enc_cert))
    if enc_key is not None:
        return Credential.of_pair(chain, signing_key, load_key(enc_key, password_file))
    own = sort_own(chain, [signing_key.public_key()])
    return Credential((own.signing, *own.issuers) if own.signing else tuple(chain), signing_key)


def load_trust(ca: Path | None) -> TrustStore:
    """Read the trusted roots; none at all without a file."""
    from meterseal.x509 import TrustStore, load_certificates

    return TrustStore(load_certificates(read_file(ca)) if ca else [])


def load_crls(paths: list[Path] | None) -> tuple[CertificateRevocationList, ...]:
    """Read revocation lists; none without a file."""
    from meterseal import x509

    return tuple(crl for path in paths or [] for crl in x509.load_crls(read_file(path)))


def revocation_policy(*, required: bool) -> RevocationPolicy:
    """What lists must say: if required, all below the trusted certificate."""
    from meterseal.x509 import RevocationPolicy

    return RevocationPolicy.REQUIRED if required else RevocationPolicy.IF_AVAILABLE
