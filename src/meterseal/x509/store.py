"""The certificates that we trust to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from meterseal.x509.certificate import Certificate, load_certificates
from meterseal.x509.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meterseal.asn1.der import Buffer
    from meterseal.x509.name import Name
    from meterseal.x509.verify import VerifiedChain

__all__ = ["TrustStore"]


_REMEMBERED_CHAINS: Final = 1024


class TrustStore:
    """Trust anchors, found by subject. It does not change once it is made.

    A certificate in it is trusted as it is: roots, intermediate CAs and single end entities alike.
    `remembered` holds the chains that `verify_chain` has verified against it.
    """

    __slots__ = ("_by_subject", "_certificates", "_fingerprints", "remembered")

    def __init__(self, certificates: Iterable[Certificate] = ()) -> None:
        self._certificates = dict.fromkeys(certificates)
        self._by_subject: dict[object, list[Certificate]] = {}
        for certificate in self._certificates:
            self._by_subject.setdefault(certificate.subject.canonical, []).append(certificate)
        self._fingerprints: tuple[bytes, ...] | None = None
        self.remembered: Remembered[object, tuple[object, VerifiedChain]] = Remembered(
            _REMEMBERED_CHAINS
        )

    @classmethod
    def load(cls, data: Buffer) -> Self:
        """Make a store of a PEM bundle or a DER certificate. Raises MalformedData."""
        return cls(load_certificates(data))

    def with_subject(self, name: Name) -> list[Certificate]:
        """Return the anchors of this subject."""
        return list(self._by_subject.get(name.canonical, ()))

    def fingerprints(self) -> tuple[bytes, ...]:
        """Return the SM3 digests of the anchors, in order of their value."""
        if self._fingerprints is None:
            self._fingerprints = tuple(sorted(anchor.fingerprint() for anchor in self))
        return self._fingerprints

    def __contains__(self, certificate: Certificate) -> bool:
        return certificate in self._certificates

    def __iter__(self) -> Iterator[Certificate]:
        return iter(self._certificates)

    def __len__(self) -> int:
        return len(self._certificates)
