"""Whom a context trusts: certificates and revocation lists, from bundles."""

from __future__ import annotations

import ssl
from functools import cached_property
from typing import TYPE_CHECKING, Final

from meterseal.asn1 import oid as oids
from meterseal.errors import MeterSealError
from meterseal.net.facade.errors import ssl_error
from meterseal.x509 import RevocationPolicy, TrustStore, load_certificates, load_crls, pem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meterseal.x509 import Certificate, CertificateRevocationList

__all__ = ["Trusted", "revocation_policy"]

_CURVE: Final = oids.encode(oids.SM2_CURVE)
_SIGNATURE: Final = oids.encode(oids.SM2_WITH_SM3)
_CERTIFICATE: Final = "CERTIFICATE"
_CRL: Final = "X509 CRL"


class Trusted:
    """Certificates and lists, each once, in the order in which they came."""

    def __init__(
        self,
        anchors: Mapping[Certificate, None] | None = None,
        crls: Mapping[CertificateRevocationList, None] | None = None,
    ) -> None:
        self.anchors = dict(anchors or {})
        self.crls = dict(crls or {})

    @cached_property
    def store(self) -> TrustStore:
        """The certificates as the transport wants them."""
        return TrustStore(self.anchors)

    def joined(self, data: bytes, where: str) -> Trusted:
        """What is trusted after loading a bundle too.

        Certificates with other keys than SM2 and lists with other signatures are passed over:
        nothing we verify can lead to them. A file that holds one such thing alone, or none at all,
        is a mistake and raises `ssl.SSLError`.
        """
        try:
            found = _blocks(data)
            anchors = [c for label, der in found for c in _certificates(label, der)]
            crls = [crl for label, der in found for crl in _crls(label, der)]
        except MeterSealError as error:
            raise ssl_error("PEM_LIB", f"{where}: {error}") from error
        if not anchors and not crls and len(found) < 2:  # noqa: PLR2004  (such as the system's)
            raise ssl_error("NO_CERTIFICATE_OR_CRL_FOUND", f"{where} holds no SM2 certificate")
        if self.anchors.keys() >= set(anchors) and self.crls.keys() >= set(crls):
            return self
        return Trusted(self.anchors | dict.fromkeys(anchors), self.crls | dict.fromkeys(crls))


def _blocks(data: bytes) -> list[tuple[str, bytes]]:
    """Label and contents of what can be trusted; bare DER is a certificate."""
    if not pem.is_pem(data):
        return [(_CERTIFICATE, data)]
    blocks = [(block.label, block.contents) for block in pem.decode(data)]
    return [(label, der) for label, der in blocks if label.endswith((_CERTIFICATE, _CRL))]


def _certificates(label: str, der: bytes) -> list[Certificate]:
    return load_certificates(der) if label.endswith(_CERTIFICATE) and _CURVE in der else []


def _crls(label: str, der: bytes) -> list[CertificateRevocationList]:
    return load_crls(der) if label == _CRL and _SIGNATURE in der else []


def revocation_policy(flags: ssl.VerifyFlags) -> RevocationPolicy:
    """What `verify_flags` of a context demand to be known."""
    if flags & ssl.VERIFY_CRL_CHECK_CHAIN == ssl.VERIFY_CRL_CHECK_CHAIN:
        return RevocationPolicy.REQUIRED
    if flags & ssl.VERIFY_CRL_CHECK_LEAF:
        return RevocationPolicy.REQUIRED_FOR_LEAF
    return RevocationPolicy.IF_AVAILABLE
