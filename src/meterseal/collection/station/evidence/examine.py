"""Whether evidence holds: signatures, certificates of the time, and what belongs together. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from meterseal.collection.envelope import verify_all
from meterseal.collection.receipts import Verdict, open_receipt
from meterseal.collection.sealing import digest_of, open_sealed
from meterseal.collection.station.directory import Directory, Distrusted, moment
from meterseal.errors import MalformedData
from meterseal.x509 import RevocationReason
from meterseal.x509.revocation import lines_about
from meterseal.x509.signature import Sm2Scheme

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meterseal.collection.envelope import Envelope
    from meterseal.collection.station.evidence.bundle import Bundle, Claim
    from meterseal.x509 import (
        Certificate,
        CertificateRevocationList,
        RevokedCertificate,
        TrustStore,
        VerifiedChain,
    )

__all__ = ["Examiner", "Finding", "Report", "check_bundle"]

_PERHAPS_STOLEN: Final = {
    RevocationReason.UNSPECIFIED,
    RevocationReason.KEY_COMPROMISE,
    RevocationReason.CA_COMPROMISE,
    RevocationReason.AA_COMPROMISE,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one piece of evidence."""

    piece: str
    problem: str


@dataclass(slots=True)
class Report:
    """What was checked: statements by the subject that signed them, and everything wrong.

    `receipted` counts statements that a station signed for as stored; `missing` are sequences of
    an epoch that lie between those present, as ranges (epoch, first, last). `revoked_later` counts
    valid statements whose signer was revoked after they came, by what the lists say of it.
    """

    statements: int = 0
    valid: int = 0
    receipted: int = 0
    signers: dict[str, int] = field(default_factory=dict)
    stations: set[str] = field(default_factory=set)
    revoked_later: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    missing: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether there is something, and nothing is wrong with it."""
        return self.statements > 0 and not self.findings


def check_bundle(bundle: Bundle, trust: TrustStore) -> Report:
    """Check a bundle with nothing but trusted roots; it needs no store and no registry."""
    examiner = Examiner(trust, bundle.certificates, bundle.crls)
    report = Report()
    station = examiner.signer(bundle.manifest, bundle.made_at, report, "manifest")
    if station is not None and not _is_named(station, bundle.station):
        report.findings.append(Finding("manifest", f"it is signed by {station.leaf.subject}"))
    examiner.statements(bundle.claims, bundle.meter, report)
    examiner.receipts(bundle.receipts, {digest_of(each.sealed) for each in bundle.claims}, report)
    for number, claim in enumerate(bundle.claims, 1):
        if not bundle.start <= _sampled_at(claim) < bundle.end:
            report.findings.append(Finding(f"statement {number}", "it is outside of the period"))
    return report


class Examiner:
    """Checks pieces against certificates, of which only the anchors are trusted."""

    def __init__(
        self,
        trust: TrustStore,
        certificates: Iterable[Certificate],
        crls: Iterable[CertificateRevocationList],
    ) -> None:
        self._crls = tuple(crls)
        self._directory = Directory(trust, self._crls, in_hindsight=True)
        self._directory.add(certificates)
        self._lines: dict[bytes, list[tuple[Certificate, RevokedCertificate]]] = {}

    def statements(self, claims: Sequence[Claim], meter: str, report: Report) -> None:
        """Check statements of a meter, each with the certificates as they were when it came."""
        opened: list[tuple[str, VerifiedChain, Envelope]] = []
        sequences: dict[int, list[int]] = {}
        for number, claim in enumerate(claims, 1):
            piece = f"statement {number}"
            report.statements += 1
            try:
                sealed = open_sealed(claim.sealed)
            except MalformedData as error:
                report.findings.append(Finding(piece, str(error)))
                continue
            statement = sealed.statement
            sequences.setdefault(statement.epoch, []).append(statement.sequence)
            if statement.meter != meter:
                report.findings.append(Finding(piece, f"it is of meter {statement.meter}"))
                continue
            chain = self._chain(sealed.envelope, claim.received_at, report, piece)
            if chain is not None:
                opened.append((piece, chain, sealed.envelope))
        self._judge(opened, report)
        report.missing += _missing(sequences, report)

    def _judge(self, opened: Sequence[tuple[str, VerifiedChain, Envelope]], report: Report) -> None:
        valid = verify_all([(chain.public_key(), envelope) for _, chain, envelope in opened])
        for (piece, chain, _), is_valid in zip(opened, valid, strict=True):
            if not is_valid:
                report.findings.append(Finding(piece, "the signature does not verify"))
                continue
            report.valid += 1
            name = str(chain.leaf.subject)
            report.signers[name] = report.signers.get(name, 0) + 1
            for told in sorted({_told(*each) for each in self._lines_about(chain)}):
                report.revoked_later[told] = report.revoked_later.get(told, 0) + 1

    def receipts(self, encodings: Iterable[bytes], digests: set[bytes], report: Report) -> None:
        """Check receipts, and count the statements among `digests` that they sign for."""
        covered: set[bytes] = set()
        for number, encoding in enumerate(encodings, 1):
            piece = f"receipt {number}"
            try:
                receipt, envelope = open_receipt(encoding)
            except MalformedData as error:
                report.findings.append(Finding(piece, str(error)))
                continue
            chain = self.signer(envelope, receipt.issued_at, report, piece)
            if chain is None:
                continue
            if not _is_named(chain, receipt.station):
                report.findings.append(Finding(piece, f"it is signed by {chain.leaf.subject}"))
                continue
            report.stations.add(str(chain.leaf.subject))
            covered |= {e.digest for e in receipt.entries if e.verdict is Verdict.STORED}
        report.receipted = len(covered & digests)

    def signer(
        self, envelope: Envelope | None, at: int, report: Report, piece: str
    ) -> VerifiedChain | None:
        """Return the verified chain of whoever validly signed this at a time (UTC ms).

        The time is the signer's own word, which a thief of the key may choose as he likes.
        """
        if envelope is None:
            report.findings.append(Finding(piece, "it is not there"))
            return None
        chain = self._chain(envelope, at, report, piece, is_own_word=True)
        if chain is not None and not verify_all([(chain.public_key(), envelope)])[0]:
            report.findings.append(Finding(piece, "the signature does not verify"))
            return None
        return chain

    def _chain(
        self, envelope: Envelope, at: int, report: Report, piece: str, *, is_own_word: bool = False
    ) -> VerifiedChain | None:
        """Judge by the lists of the time, and by what later ones say of the time."""
        found = self._directory.find(envelope.key_id, at)
        if isinstance(found, Distrusted):
            report.findings.append(Finding(piece, found.detail))
            return None
        for certificate, line in self._lines_about(found):
            stolen = is_own_word and line.reason in _PERHAPS_STOLEN
            if stolen or line.invalid_since <= moment(at):
                report.findings.append(Finding(piece, _told(certificate, line)))
                return None
        return found

    def _lines_about(
        self, chain: VerifiedChain
    ) -> Sequence[tuple[Certificate, RevokedCertificate]]:
        """What lists of any time say; of a hold only those of its time tell whether it is over."""
        leaf = chain.leaf.fingerprint()
        if leaf not in self._lines:
            found = lines_about(chain.chain, self._crls, Sm2Scheme())
            hold = RevocationReason.CERTIFICATE_HOLD
            self._lines[leaf] = [each for each in found if each[1].reason is not hold]
        return self._lines[leaf]


def _told(certificate: Certificate, line: RevokedCertificate) -> str:
    """What a list says, in words."""
    reason = line.reason.name.lower().replace("_", " ")
    since = ""
    if line.invalid_since < line.revoked_at:
        since = f", invalid since {line.invalid_since:%Y-%m-%d %H:%M:%S} UTC"
    at = f"{line.revoked_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{certificate.subject} was revoked on {at}, {reason}{since}"


def _is_named(chain: VerifiedChain, name: str) -> bool:
    return chain.leaf.subject.common_name == name


def _sampled_at(claim: Claim) -> int:
    try:
        return open_sealed(claim.sealed).statement.sampled_at
    except MalformedData:
        return -1


def _missing(sequences: dict[int, list[int]], report: Report) -> list[tuple[int, int, int]]:
    """Find holes, and sequences that are there twice."""
    holes = []
    for epoch, numbers in sorted(sequences.items()):
        numbers.sort()
        for one, other in pairwise(numbers):
            if one == other:
                piece = f"epoch {epoch}"
                report.findings.append(Finding(piece, f"sequence {one} is there twice"))
            elif other > one + 1:
                holes.append((epoch, one + 1, other - 1))
    return holes
