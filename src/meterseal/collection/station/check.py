"""What becomes of a statement, as far as it can be told without the store. Pure.

The questions are asked in this order, and the first that is answered wrongly names the refusal:
form, topic and registry, signer's certificate and revocation, signer's right to speak for the
meter, time of sampling, signature. What the store must answer (known? conflicting? too old a
sequence?) comes after that, within the transaction of the batch. Clocks never decide whether
something is a replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from meterseal.asn1 import oid as oids
from meterseal.collection.envelope import verify_all
from meterseal.collection.receipts import Verdict
from meterseal.collection.sealing import digest_of, digests_of, open_many
from meterseal.collection.station.directory import Distrusted
from meterseal.collection.station.frequent import FrequentKeys
from meterseal.collection.station.store.records import Arrival, Check, Refusal
from meterseal.collection.topics import unpack
from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.collection.sealing import Sealed
    from meterseal.collection.station.directory import Directory
    from meterseal.collection.station.registry import Registry
    from meterseal.crypto.sm2 import PublicKey
    from meterseal.x509 import VerifiedChain

__all__ = ["Checker", "TimeWindow", "take_apart"]

_DAY: Final = 86_400_000
_SIGNERS: Final = 65_536


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """How far the time of sampling may lie from the station's own, in ms."""

    past: int = 400 * _DAY
    future: int = 600_000


def take_apart(collector: str, bundle: bytes, now: int) -> tuple[list[Arrival], list[Refusal]]:
    """Cut a bundle into its statements; one that is no bundle is refused whole."""
    try:
        encodings = unpack(bundle)
    except MalformedData as error:
        whole = Arrival(collector, now, bundle, digest_of(bundle))
        return [], [Refusal(whole, Verdict.FORMAT, str(error))]
    named = zip(encodings, digests_of(encodings), strict=True)
    return [Arrival(collector, now, encoding, digest) for encoding, digest in named], []


class Checker:
    """Checks statements against a directory of certificates and a registry of meters."""

    def __init__(
        self, directory: Directory, registry: Registry, window: TimeWindow = TimeWindow()
    ) -> None:
        self.directory = directory
        self.registry = registry
        self.window = window
        self._frequent = FrequentKeys()

    def check(self, arrivals: Sequence[Arrival], now: int) -> tuple[list[Check], list[Refusal]]:
        """Sort statements into those to be stored and those refused; `now` in UTC ms."""
        candidates: list[Check] = []
        refused: list[Refusal] = []
        opened = open_many(arrival.encoding for arrival in arrivals)
        for arrival, sealed in zip(arrivals, opened, strict=True):
            outcome = self._examine(arrival, sealed, now)
            if isinstance(outcome, Check):
                candidates.append(outcome)
            else:
                refused.append(outcome)
        signed = self._verify(candidates)
        accepted = []
        for candidate, valid in zip(candidates, signed, strict=True):
            if valid:
                accepted.append(candidate)
            else:
                detail = "the signature does not verify"
                refused.append(
                    Refusal(candidate.arrival, Verdict.SIGNATURE, detail, candidate.sealed)
                )
        return accepted, refused

    def _verify(self, candidates: Sequence[Check]) -> list[bool]:
        pairs = [(_signer_of(each.chain)[1], each.sealed.envelope) for each in candidates]
        self._frequent.see((envelope.key_id, key) for key, envelope in pairs)
        return verify_all(pairs)

    def _examine(
        self, arrival: Arrival, sealed: Sealed | MalformedData, now: int
    ) -> Check | Refusal:
        """Ask everything but whether the signature is valid."""
        if isinstance(sealed, MalformedData):
            return Refusal(arrival, Verdict.FORMAT, str(sealed))
        problem = self._problem_of_sender(sealed, arrival.collector)
        if problem is not None:
            return Refusal(arrival, *problem, sealed)
        chain = self.directory.find(sealed.envelope.key_id, now)
        if isinstance(chain, Distrusted):
            return Refusal(arrival, chain.verdict, chain.detail, sealed)
        problem = self._problem_of_signer(sealed, chain, arrival.collector)
        problem = problem or self._problem_of_time(sealed, now)
        if problem is not None:
            return Refusal(arrival, *problem, sealed)
        return Check(arrival, sealed, chain)

    def _problem_of_sender(self, sealed: Sealed, sender: str) -> tuple[Verdict, str] | None:
        meter = sealed.statement.meter
        registration = self.registry.find(meter)
        if registration is None:
            return Verdict.METER, f"meter {meter} is not registered"
        if not registration.may_carry(meter, sender):
            return Verdict.TOPIC, f"{sender} is not to carry statements of meter {meter}"
        return None

    def _problem_of_signer(
        self, sealed: Sealed, chain: VerifiedChain, sender: str
    ) -> tuple[Verdict, str] | None:
        meter = sealed.statement.meter
        registration = self.registry.meters[meter]
        signer, _ = _signer_of(chain)
        if registration.may_sign(meter, signer, sender):
            return None
        if not registration.seals_itself and signer in registration.collectors:
            return Verdict.TOPIC, f"{signer} signed it, it came under the name of {sender}"
        return Verdict.METER, f"{signer!r} may not speak for meter {meter}"

    def _problem_of_time(self, sealed: Sealed, now: int) -> tuple[Verdict, str] | None:
        ahead = sealed.statement.sampled_at - now
        if ahead > self.window.future:
            return Verdict.TIME, f"sampled {ahead / 1000:.0f} s ahead of the station's clock"
        if -ahead > self.window.past:
            return Verdict.TIME, f"sampled {-ahead / _DAY:.0f} days ago"
        return None


@lru_cache(_SIGNERS)
def _signer_of(chain: VerifiedChain) -> tuple[str, PublicKey]:
    """Return the one common name of the signer, "" if there is a choice, and its key."""
    names = chain.leaf.subject.values(oids.COMMON_NAME)
    return names[0] if len(names) == 1 else "", chain.public_key()
