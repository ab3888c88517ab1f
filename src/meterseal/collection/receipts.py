"""What a station says of the statements it was sent, signed: stored, or refused and why.

A receipt is the only thing that lets a collector delete a reading: no broker's acknowledgement
does. Its payload is `{0: station, 1: collector, 2: issued at, ms, 3: entries}` with entries
`[meter, epoch, sequence, digest, verdict]`; the digest (SM3 of the sealed statement) ties the
verdict to exactly these bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meterseal.collection.envelope import Envelope, EnvelopeSigner, decode, encode, open_envelope
from meterseal.collection.model import MeterAddress
from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from meterseal.crypto import sm2
    from meterseal.x509 import Certificate

__all__ = ["MAX_ENTRIES", "Entry", "Receipt", "ReceiptSigner", "Verdict", "open_receipt"]

MAX_ENTRIES: Final = 1024
_MAX_SIZE: Final = 128 * MAX_ENTRIES
_CONTEXT: Final = b"meterseal receipt 1"
_KEYS: Final = [0, 1, 2, 3]
_ENTRY: Final = 5
_DIGEST_SIZE: Final = 32


class Verdict(IntEnum):
    """What became of a statement; the refusals are named as the security page shows them."""

    STORED = 0  # committed; or known already, byte for byte
    FORMAT = 1  # not a sealed statement
    SIGNATURE = 2  # the signature does not verify
    CERTIFICATE = 3  # nobody we trust, or not for this
    REVOKED = 4  # the signer's certificate is on a CRL
    METER = 5  # the signer may not speak for this meter
    TOPIC = 6  # sent under a name that is not its own
    REPLAYED = 7  # a sequence that lies too far back to tell it from a replay
    CONFLICT = 8  # the sequence is known, with other bytes
    TIME = 9  # sampled outside the window that the station accepts
    VALIDITY = 10  # the signer's certificate is not valid now
    STRANGER = 11  # the signer's certificate was not announced yet

    @property
    def is_final(self) -> bool:
        """Whether sending it again is in vain: clocks may be put right, certificates announced."""
        return self not in {Verdict.TIME, Verdict.VALIDITY, Verdict.STRANGER}


class Entry(NamedTuple):
    """The verdict on one statement."""

    meter: MeterAddress
    epoch: int
    sequence: int
    digest: bytes
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Verdicts of one station on statements that one collector sent; `issued_at` in UTC ms."""

    station: str
    collector: str
    issued_at: int
    entries: tuple[Entry, ...]


class ReceiptSigner:
    """Signs receipts with the station's key, named by its certificate."""

    def __init__(self, key: sm2.PrivateKey, certificate: Certificate) -> None:
        self._signer = EnvelopeSigner(key, certificate, _CONTEXT)
        self.certificate = certificate

    def sign(self, receipt: Receipt) -> bytes:
        """Return the receipt as COSE_Sign1."""
        entries = [
            [int(entry.meter), entry.epoch, entry.sequence, entry.digest, int(entry.verdict)]
            for entry in receipt.entries
        ]
        fields = (receipt.station, receipt.collector, receipt.issued_at, entries)
        return self._signer.sign(encode(dict(enumerate(fields))))


def open_receipt(encoding: bytes) -> tuple[Receipt, Envelope]:
    """Read a receipt. Raises `MalformedData`; the signature remains to be verified."""
    envelope = open_envelope(encoding, _CONTEXT, _MAX_SIZE)
    payload = decode(envelope.payload)
    if not isinstance(payload, dict) or list(payload) != _KEYS:
        raise MalformedData("a receipt has the fields 0 to 3")
    station, collector, issued_at, entries = payload.values()
    named = isinstance(station, str) and isinstance(collector, str)
    if not (named and isinstance(issued_at, int) and isinstance(entries, list)):
        raise MalformedData("a field of the receipt has the wrong type")
    if len(entries) > MAX_ENTRIES:
        raise MalformedData(f"a receipt of {len(entries)} entries; {MAX_ENTRIES} are allowed")
    receipt = Receipt(
        station=station,
        collector=collector,
        issued_at=issued_at,
        entries=_entries(entries),
    )
    return receipt, envelope


def _entries(rows: list[Any]) -> tuple[Entry, ...]:
    """Read the entries together, each field of all of them at once."""
    if not all(isinstance(row, list) and len(row) == _ENTRY for row in rows):
        raise MalformedData("an entry of a receipt has five fields")
    meters, epochs, sequences, digests, verdicts = zip(*rows, strict=True) if rows else ((),) * 5
    numbers = (*meters, *epochs, *sequences, *verdicts)
    if not set(map(type, numbers)) <= {int} or min(numbers, default=0) < 0:
        raise MalformedData("an entry of a receipt counts with whole numbers")
    if not all(isinstance(digest, bytes) and len(digest) == _DIGEST_SIZE for digest in digests):
        raise MalformedData("an entry of a receipt names an SM3 digest")
    try:
        addresses, named = map(MeterAddress.of_number, meters), map(Verdict, verdicts)
        return tuple(map(Entry, addresses, epochs, sequences, digests, named))
    except ValueError as error:
        raise MalformedData(f"receipt: {error}") from None
