"""What the gateway knows of each link: who, since when, under what protection, how much."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from meterseal.transport.codepoints import TLCP, TLS12, TLS13, NamedGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meterseal.transport import HandshakeCompleted

__all__ = ["Link", "Links", "Refusal"]

_VERSIONS: Final = {TLCP: "TLCP 1.1", TLS12: "TLS 1.2", TLS13: "TLS 1.3"}
_GROUPS: Final = {
    NamedGroup.CURVE_SM2: "curveSM2",
    NamedGroup.CURVE_SM2_MLKEM768: "curveSM2MLKEM768",
}
_REFUSALS_KEPT: Final = 1000


@dataclass(slots=True)
class Link:
    """One sealed connection; times in seconds since 1970, sizes in bytes of the plain stream."""

    name: str
    address: str
    session: HandshakeCompleted
    since: float
    received: int = 0
    sent: int = 0
    published: int = 0

    def describe(self) -> dict[str, object]:
        """Return what a page about link security shows, as JSON knows it."""
        peer = self.session.peer
        certificate = None if peer is None else peer.leaf
        shown: dict[str, object] = {
            "name": self.name,
            "address": self.address,
            "protocol": _VERSIONS.get(self.session.suite.version, "?"),
            "suite": self.session.suite.name,
            "key_share": self._key_share(),
            "resumed": self.session.resumed,
            "since": self.since,
            "received": self.received,
            "sent": self.sent,
            "published": self.published,
        }
        if certificate is not None:
            shown |= {
                "subject": str(certificate.subject),
                "issuer": str(certificate.issuer),
                "serial": f"{certificate.serial_number:X}",
                "not_before": certificate.not_before.isoformat(),
                "not_after": certificate.not_after.isoformat(),
                "fingerprint": certificate.fingerprint().hex(),
            }
        return shown

    def _key_share(self) -> str:
        """Name the group of TLS 1.3; in a resumed session it was agreed anew if there is one."""
        group = self.session.group
        return "" if group is None else _GROUPS.get(NamedGroup(group), str(group))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A client that was turned away: when (seconds since 1970), from where, and why."""

    at: float
    address: str
    name: str | None
    kind: str
    reason: str


@dataclass(slots=True)
class Links:
    """All links of a gateway, and what it refused."""

    opened: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    latest: deque[Refusal] = field(default_factory=lambda: deque(maxlen=_REFUSALS_KEPT))
    _links: dict[int, Link] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._links)

    def __iter__(self) -> Iterator[Link]:
        return iter(tuple(self._links.values()))

    def add(self, link: Link) -> None:
        """Note that a link is up."""
        self.opened += 1
        self._links[id(link)] = link

    def remove(self, link: Link) -> None:
        """Note that a link is down."""
        self._links.pop(id(link), None)

    def refuse(self, refusal: Refusal) -> None:
        """Note that a client was turned away."""
        self.refused[refusal.kind] += 1
        self.latest.append(refusal)
