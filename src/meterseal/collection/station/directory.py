"""Certificates by fingerprint, and which of them are trusted now.

Statements name their signer by a fingerprint, so a station must know the certificate beforehand:
from a folder, from its store, or because a collector announced it. Whoever announces is not
believed: a certificate is learnt only if a CA that we trust signed it, so that as many can be
learnt as CAs have issued, and no more.

A verified chain is remembered for as long as neither time nor a reload can change the answer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from meterseal.collection.receipts import Verdict
from meterseal.errors import CertificateRejected, MalformedData, RejectionReason
from meterseal.x509 import Certificate, Purpose, RevocationPolicy, verify_chain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.x509 import CertificateRevocationList, TrustStore, VerifiedChain

__all__ = ["Directory", "Distrusted", "moment"]

_MAX_HELPERS: Final = 15  # intermediate CAs that one verification may look at
_REJECTED_FOR: Final = 60_000
"""Milliseconds for which a rejection is remembered: forgers must not cost a verification each."""
_VERDICTS: Final = {
    RejectionReason.REVOKED: Verdict.REVOKED,
    RejectionReason.EXPIRED: Verdict.VALIDITY,
    RejectionReason.NOT_YET_VALID: Verdict.VALIDITY,
    RejectionReason.REVOCATION_UNKNOWN: Verdict.VALIDITY,
}


@dataclass(frozen=True, slots=True)
class Distrusted:
    """Why a signer is not trusted now."""

    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What holds from `begin` to `end`, UTC ms."""

    result: VerifiedChain | Distrusted
    begin: int
    end: int


class Directory:
    """Certificates that are known, trust anchors, and revocation lists; for any thread."""

    def __init__(
        self,
        trust: TrustStore,
        crls: Iterable[CertificateRevocationList] = (),
        revocation: RevocationPolicy = RevocationPolicy.IF_AVAILABLE,
        *,
        in_hindsight: bool = False,
    ) -> None:
        """With `in_hindsight` a list is known only from when it was issued on."""
        self._in_hindsight = in_hindsight
        self._lock = threading.RLock()
        self._known: dict[bytes, Certificate] = {}
        self._helpers: dict[bytes, Certificate] = {}
        self._answers: dict[bytes, _Answer] = {}
        self.reload(trust, crls, revocation)

    def reload(
        self,
        trust: TrustStore,
        crls: Iterable[CertificateRevocationList],
        revocation: RevocationPolicy = RevocationPolicy.IF_AVAILABLE,
    ) -> None:
        """Go on with other anchors and lists; every chain is verified anew."""
        with self._lock:  # no answer of before may be remembered afterwards
            self._trust, self._crls, self._revocation = trust, tuple(crls), revocation
            self._answers = {}

    def __len__(self) -> int:
        return len(self._known)

    def certificates(self) -> list[Certificate]:
        """Return all that are known, those of intermediate CAs too."""
        with self._lock:
            return [*self._known.values(), *self._helpers.values()]

    def add(self, certificates: Iterable[Certificate]) -> None:
        """Know certificates from a source of our own; they are verified when they are needed."""
        with self._lock:
            for certificate in certificates:
                constraints = certificate.basic_constraints
                ca = constraints is not None and constraints.ca
                (self._helpers if ca else self._known)[certificate.fingerprint()] = certificate
            self._answers = {  # a CA more can help a chain, and harms none
                name: answer
                for name, answer in self._answers.items()
                if not isinstance(answer.result, Distrusted)
            }

    def learn(self, encodings: Iterable[bytes], now: int) -> list[Certificate]:
        """Learn announced certificates, in DER; returns those that are new and genuine.

        What is malformed, or of nobody we trust, is passed over. Certificates that are revoked or
        out of their time are learnt too: their statements shall be refused for the right reason.
        """
        announced = _decode_all(encodings)
        helpers = [each for each in announced if each.basic_constraints is not None]
        learnt: dict[bytes, Certificate] = {}
        for certificate in announced:
            if certificate.fingerprint() in self._known:
                continue
            at = min(max(moment(now), certificate.not_before), certificate.not_after)
            try:
                chain = self._verify(certificate, at, RevocationPolicy.NONE, helpers)
            except CertificateRejected:
                continue
            links = {link.fingerprint(): link for link in chain.chain if link not in self._trust}
            learnt |= {name: link for name, link in links.items() if name not in self._helpers}
        if learnt:
            self.add(learnt.values())
        return list(learnt.values())

    def find(self, fingerprint: bytes, now: int) -> VerifiedChain | Distrusted:
        """Return the verified chain of a signer, or why there is none."""
        with self._lock:
            answer = self._answers.get(fingerprint)
            if answer is None or not answer.begin <= now <= answer.end:
                certificate = self._known.get(fingerprint)
                if certificate is None:
                    detail = f"no certificate {fingerprint.hex()[:16]}... was announced"
                    return Distrusted(Verdict.STRANGER, detail)
                answer = self._answers[fingerprint] = self._decide(certificate, now)
            return answer.result

    def _decide(self, certificate: Certificate, now: int) -> _Answer:
        try:
            chain = self._verify(certificate, moment(now), self._revocation)
        except CertificateRejected as error:
            verdict = _VERDICTS.get(error.reason, Verdict.CERTIFICATE)
            return _Answer(Distrusted(verdict, str(error)), now, now + _REJECTED_FOR)
        begin = max(link.not_before for link in chain.chain)
        end = min(link.not_after for link in chain.chain)
        for crl in self._crls:  # all of them: whether one matters is not worth the question
            if crl.this_update <= moment(now) <= (crl.next_update or crl.this_update):
                begin = max(begin, crl.this_update)
                end = min(end, crl.next_update or end)
        for crl in self._crls:
            if crl.this_update > moment(now):
                end = min(end, crl.this_update)
        return _Answer(chain, _milliseconds(begin), _milliseconds(end))

    def _verify(
        self,
        certificate: Certificate,
        at: datetime,
        revocation: RevocationPolicy,
        helpers: Iterable[Certificate] = (),
    ) -> VerifiedChain:
        issuers = dict.fromkeys((*helpers, *self._helpers.values()))
        fitting = [each for each in issuers if each.subject.matches(certificate.issuer)]
        others = [each for each in issuers if each not in fitting]
        crls = self._crls
        if self._in_hindsight:
            crls = tuple(crl for crl in crls if crl.this_update <= at)
        return verify_chain(
            [certificate, *[*fitting, *others][:_MAX_HELPERS]],
            self._trust,
            at=at,
            purpose=Purpose.ANY,
            crls=crls,
            revocation=revocation,
        )


def moment(at: int) -> datetime:
    """Return UTC ms as a time; what lies beyond the calendar is its end."""
    return datetime.fromtimestamp(min(max(at, 0) / 1000, 253_402_300_799), UTC)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _decode_all(encodings: Iterable[bytes]) -> list[Certificate]:
    found = []
    for encoding in encodings:
        try:
            found.append(Certificate.decode(encoding))
        except MalformedData:
            continue
    return found
