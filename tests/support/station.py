"""A small world for the station: a CA, collectors, meters, and what they would send."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from meterseal.collection.model import EventCode, EventRecord, MeterAddress, Quantity, Reading
from meterseal.collection.receipts import ReceiptSigner
from meterseal.collection.sealing import Sealer, digest_of, open_sealed
from meterseal.collection.station.directory import Directory
from meterseal.collection.station.registry import Registration, Registry
from meterseal.collection.station.store import Arrival, Check
from meterseal.crypto.sm2 import PrivateKey
from meterseal.x509 import (
    Certificate,
    Name,
    Profile,
    Purpose,
    RevocationReason,
    RevokedCertificate,
    TrustStore,
    VerifiedChain,
    issue_certificate,
    issue_crl,
    self_signed,
    verify_chain,
)
from meterseal.x509 import (
    CertificateRevocationList as Crl,
)

START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # noon of a station's day
NOW = int(START.timestamp() * 1000)
MINUTE = 60_000
DAY = 86_400_000
EPOCH = 1_763_880_000
PLAIN = MeterAddress("000000000001")
OTHER = MeterAddress("000000000002")
SEALING = MeterAddress("202611230001")


@dataclass(frozen=True)
class Party:
    certificate: Certificate
    key: PrivateKey
    sealer: Sealer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sealer", Sealer(self.key, self.certificate))


@dataclass(frozen=True)
class World:
    root: Party
    ca: Party
    collector: Party
    collector_2: Party
    meter: Party
    other_meter: Party
    station: Party
    stranger: Party

    @property
    def trust(self) -> TrustStore:
        return TrustStore([self.root.certificate])

    def chain(self, party: Party) -> VerifiedChain:
        presented = [party.certificate, self.ca.certificate]
        return verify_chain(presented, self.trust, at=START, purpose=Purpose.ANY)

    def issue(
        self,
        common: str,
        *,
        days: int = 1000,
        first: datetime | None = None,
        profile: Profile = "client",
    ) -> Party:
        key = PrivateKey.generate()
        certificate = issue_certificate(
            key.public_key(),
            Name.parse(f"/C=CN/O=Grid/CN={common}"),
            ca_certificate=self.ca.certificate,
            ca_key=self.ca.key,
            not_before=first or START - timedelta(days=500),
            profile=profile,
            days=days,
        )
        return Party(certificate, key)

    def crl(self, *revoked: Party, at: datetime = START, days: int = 30) -> Crl:
        """The CA's list, issued a day before `at`."""
        why = RevocationReason.KEY_COMPROMISE
        lines = [RevokedCertificate.of(p.certificate.serial_number, at, why) for p in revoked]
        return issue_crl(
            lines,
            ca_certificate=self.ca.certificate,
            ca_key=self.ca.key,
            this_update=at - timedelta(days=1),
            days=days,
            number=1,
        )

    def receipts(self) -> ReceiptSigner:
        return ReceiptSigner(self.station.key, self.station.certificate)


@cache
def world() -> World:
    first = START - timedelta(days=500)
    root_key, ca_key, own_key = (PrivateKey.generate() for _ in range(3))
    root = Party(
        self_signed(root_key, Name.parse("/CN=root"), not_before=first, days=3000), root_key
    )
    ca = issue_certificate(
        ca_key.public_key(),
        Name.parse("/CN=issuing CA"),
        ca_certificate=root.certificate,
        ca_key=root_key,
        not_before=first,
        profile="ca",
        days=3000,
        path_length=0,
    )
    stranger = self_signed(own_key, Name.parse("/CN=collector-1"), not_before=first, days=3000)
    nobody = Party(root.certificate, root_key)
    half = World(root, Party(ca, ca_key), *[nobody] * 6)
    return World(
        root,
        half.ca,
        half.issue("collector-1"),
        half.issue("collector-2"),
        half.issue(f"meter-{SEALING}"),
        half.issue(f"meter-{OTHER}"),
        half.issue("station-1"),
        Party(stranger, own_key),
    )


def registry() -> Registry:
    plain = Registration(frozenset({"collector-1"}))
    return Registry(
        {
            PLAIN: plain,
            OTHER: Registration(frozenset({"collector-1", "collector-2"})),
            SEALING: Registration(frozenset({"collector-1"}), seals_itself=True),
        }
    )


def reading(sequence: int, *, meter: MeterAddress = PLAIN, **changes) -> Reading:  # noqa: ANN003
    defaults = {
        "epoch": EPOCH,
        "sampled_at": NOW - 60 * MINUTE + sequence * MINUTE,
        "values": {
            Quantity.VOLTAGE_A: 22000 + sequence,
            Quantity.ACTIVE_POWER: 1000 * sequence,
            Quantity.FORWARD_ENERGY: 500_000 + 10 * sequence,
        },
    }
    return Reading(meter=meter, sequence=sequence, **{**defaults, **changes})


def event(sequence: int, *, meter: MeterAddress = PLAIN, **changes) -> EventRecord:  # noqa: ANN003
    at = NOW - 60 * MINUTE + sequence * MINUTE
    defaults = {
        "epoch": EPOCH,
        "sampled_at": at,
        "code": EventCode.VOLTAGE_LOSS,
        "number": 1,
        "phase": 2,
        "began_at": at,
    }
    return EventRecord(meter=meter, sequence=sequence, **{**defaults, **changes})


def directory(*parties: Party, crls: tuple[Crl, ...] = ()) -> Directory:
    """What the station knows: the CA and these parties; without any, all honest ones."""
    w = world()
    honest = (w.collector, w.collector_2, w.meter, w.other_meter)
    known = Directory(w.trust, crls)
    known.add([w.ca.certificate, *(party.certificate for party in parties or honest)])
    return known


def arrival(encoding: bytes, *, sender: str = "collector-1", at: int = NOW) -> Arrival:
    return Arrival(sender, at, encoding, digest_of(encoding))


def checks(*statements, sender: str = "collector-1", at: int = NOW, by: Party | None = None):  # noqa: ANN002, ANN201
    """What the check would pass on, were these sent."""
    party = by or world().collector
    chain = world().chain(party)
    encodings = party.sealer.seal_many(statements)
    return [
        Check(arrival(encoding, sender=sender, at=at), open_sealed(encoding), chain)
        for encoding in encodings
    ]
