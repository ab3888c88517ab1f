"""Evidence from a station's own store: verified again where it lies, or taken out as a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.collection.receipts import MAX_ENTRIES, Entry, Receipt, ReceiptSigner, Verdict
from meterseal.collection.sealing import digest_of, open_sealed
from meterseal.collection.station.evidence.bundle import Bundle, Claim, write_bundle
from meterseal.collection.station.evidence.examine import Examiner, Finding, Report
from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meterseal.collection.model import MeterAddress
    from meterseal.collection.station.store import Store, Stored
    from meterseal.crypto import sm2
    from meterseal.x509 import Certificate, TrustStore

__all__ = ["export", "verify_stored"]


def verify_stored(
    store: Store, meter: MeterAddress, start: int, end: int, trust: TrustStore
) -> Report:
    """Verify stored statements again, from the bytes, certificates and lists that were kept."""
    report = Report()
    kept = list(store.statements(meter, start, end))
    for row in kept:
        problem = _problem_of_row(row)
        if problem is not None:
            piece = f"epoch {row.epoch}, sequence {row.sequence}"
            report.findings.append(Finding(piece, problem))
    examiner = Examiner(trust, store.certificates(), store.crls())
    examiner.statements(_claims(kept), meter, report)
    return report


def export(  # noqa: PLR0913
    store: Store,
    meter: MeterAddress,
    *,
    start: int,
    end: int,
    path: Path,
    station: str,
    key: sm2.PrivateKey,
    certificate: Certificate,
    chain: Sequence[Certificate],
    now: int,
) -> int:
    """Write a bundle of a meter's statements; returns how many.

    The receipts in it are signed now: the station's word, today, that it has these statements.
    `chain` are the CA certificates above the station's own.
    """
    kept = list(store.statements(meter, start, end))
    signers = {row.signer for row in kept}
    certificates = {
        each.fingerprint(): each
        for each in store.certificates()
        if each.fingerprint() in signers or each.basic_constraints is not None
    }
    certificates |= {each.fingerprint(): each for each in (certificate, *chain)}
    bundle = Bundle(
        meter=meter,
        start=start,
        end=end,
        station=station,
        made_at=now,
        claims=_claims(kept),
        receipts=list(_receipts(kept, station, ReceiptSigner(key, certificate), now)),
        certificates=[*certificates.values()],
        crls=store.crls(),
    )
    write_bundle(path, bundle, key, certificate)
    return len(kept)


def _claims(kept: Sequence[Stored]) -> list[Claim]:
    return [Claim(row.sealed, row.received_at, row.collector) for row in kept]


def _problem_of_row(row: Stored) -> str | None:
    """Say whether what stands beside the signed bytes is what they say."""
    try:
        sealed = open_sealed(row.sealed)
    except MalformedData:
        return None  # the examiner says so
    statement = sealed.statement
    signed = (statement.meter, statement.epoch, statement.sequence, statement.sampled_at)
    if signed != (row.meter, row.epoch, row.sequence, row.sampled_at):
        return "the row is not what was signed"
    if sealed.envelope.key_id != row.signer:
        return "the row names another signer"
    return None


def _receipts(
    kept: Sequence[Stored], station: str, signer: ReceiptSigner, now: int
) -> Iterator[bytes]:
    by_collector: dict[str, list[Entry]] = {}
    for row in kept:
        entry = Entry(row.meter, row.epoch, row.sequence, digest_of(row.sealed), Verdict.STORED)
        by_collector.setdefault(row.collector, []).append(entry)
    for collector, entries in sorted(by_collector.items()):
        for start in range(0, len(entries), MAX_ENTRIES):
            some = tuple(entries[start : start + MAX_ENTRIES])
            receipt = Receipt(station=station, collector=collector, issued_at=now, entries=some)
            yield signer.sign(receipt)
