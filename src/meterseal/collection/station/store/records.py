"""What goes into the store and comes out of it: plain values, and the proof of a commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from meterseal.collection.model import MeterAddress
from meterseal.errors import InternalError

if TYPE_CHECKING:
    from meterseal.collection.receipts import Entry, Verdict
    from meterseal.collection.sealing import Sealed
    from meterseal.x509 import VerifiedChain

__all__ = [
    "Arrival",
    "Check",
    "Committed",
    "LinkRecord",
    "Refusal",
    "Stored",
    "TurnedAway",
    "address",
]


COMMITTED = object()
"""Known to the writer of batches alone."""


class Arrival(NamedTuple):
    """One sealed statement as it came in: under whose name, when (UTC ms), which bytes."""

    collector: str
    received_at: int
    encoding: bytes
    digest: bytes


class Check(NamedTuple):
    """A statement whose signature, signer and topic are right; the store has not seen it yet.

    `chain` is the proof that its signer is trusted, and is kept as evidence.
    """

    arrival: Arrival
    sealed: Sealed
    chain: VerifiedChain


class Refusal(NamedTuple):
    """A statement that was not accepted: why, and as much of its header as could be read."""

    arrival: Arrival
    verdict: Verdict
    detail: str
    sealed: Sealed | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """The proof that a batch is on the disk: only `Store.commit` makes one.

    `entries` are the verdicts for each collector, ready to be signed.
    """

    entries: dict[str, list[Entry]]
    stored: int
    known: int
    refused: dict[Verdict, int]
    committed_at: int
    seal: object = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse to be made elsewhere."""
        if self.seal is not COMMITTED:
            raise InternalError("a Committed can only come from a commit")


@dataclass(frozen=True, slots=True)
class Stored:
    """A statement from the store: the bytes that were signed, and what was noted beside them."""

    meter: MeterAddress
    epoch: int
    sequence: int
    sampled_at: int
    received_at: int
    collector: str
    signer: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """The newest session of a client, as its gateway reports it; times in UTC ms.

    `received` and `sent` are bytes of the plain stream as the gateway sees it. `key_share`
    names the group of an ephemeral key agreement, "" where there was none.
    """

    name: str
    gateway: str
    address: str
    subject: str
    issuer: str
    serial_number: str
    not_before: int
    not_after: int
    protocol: str
    suite: str
    key_share: str
    since: int
    last_seen: int
    messages: int
    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A client that a gateway did not let in, or sent away; `name` if it had shown one."""

    gateway: str
    at: int
    address: str
    name: str | None
    kind: str
    reason: str


def address(number: int) -> MeterAddress:
    """Return the address that the store keeps as a number."""
    return MeterAddress.of_number(number)
