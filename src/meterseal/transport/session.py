"""What lets a later connection skip the full handshake: sessions, their cache, their tickets.

A session never serves another identity or another policy: it carries the peer's chain, the name it
was verified for and a digest of the policy under which that happened, and the chain is verified
again when the session is resumed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

from meterseal.errors import DecodeError, InternalError, InvalidTag
from meterseal.transport.suites import SUITES
from meterseal.transport.wire import Cursor, vector8, vector16, vector24

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meterseal.crypto.provider import MasterSecret, Provider, Psk, TicketAead
    from meterseal.transport.suites import CipherSuite

DEFAULT_LIFETIME: Final = 2 * 3600
_MAX_TICKET: Final = 16 * 1024
_KEY_NAME_LENGTH: Final = 16
_NONCE_LENGTH: Final = 12
_FORMAT_CLASSIC: Final = 1
_FORMAT_TLS13: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One resumable session. `created` is in seconds since 1970; `peer_chain` is DER, leaf first.

    A client offers `session_id` or `ticket`; a server keeps the first or seals the second.
    """

    suite: int
    created: float
    policy: bytes
    server_name: str | None
    peer_chain: tuple[bytes, ...] = ()
    session_id: bytes = b""
    ticket: bytes = b""
    lifetime: int = DEFAULT_LIFETIME

    def is_fresh(self, now: float) -> bool:
        """Whether the session may still be resumed at `now` (seconds since 1970)."""
        return 0 <= now - self.created < self.lifetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicSession(Session):
    """A session of TLCP or TLS 1.2."""

    master_secret: MasterSecret
    extended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls13Session(Session):
    """A session of TLS 1.3: `age_add` hides the age of the ticket when it is offered."""

    psk: Psk
    age_add: int = 0


class SessionCache:
    """Sessions of a server by their identifier: bounded, oldest out first."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def store(self, session: Session) -> None:
        """Keep `session` under its identifier."""
        self._sessions[session.session_id] = session
        while len(self._sessions) > self._capacity:
            self._sessions.popitem(last=False)

    def find(self, session_id: bytes, now: float) -> Session | None:
        """Return the fresh session of that identifier, if there is one."""
        session = self._sessions.get(session_id)
        if session is None:
            return None
        if not session.is_fresh(now):
            self.remove(session_id)
            return None
        return session

    def remove(self, session_id: bytes) -> None:
        """Forget a session: after a fatal alert it must not be resumed (RFC 5246, 7.2.2)."""
        self._sessions.pop(session_id, None)


class TicketKeys:
    """The keys that seal session tickets; they change every `rotation` seconds.

    The key before the current one still opens. Older tickets lead to a full handshake. `suites` are
    those that `provider` computes, by code point.
    """

    def __init__(
        self,
        provider: Provider,
        rotation: int = 12 * 3600,
        suites: Mapping[int, CipherSuite] = SUITES,
    ) -> None:
        self._provider = provider
        self._suites = suites
        self._rotation = rotation
        self._keys: list[tuple[bytes, TicketAead, float]] = []

    def seal(self, session: Session) -> bytes:
        """Return the ticket: key name, nonce, sealed state (RFC 5077, 4)."""
        name, aead = self._current()
        nonce = self._provider.random_bytes(_NONCE_LENGTH)
        return name + nonce + aead.encrypt(nonce, _encode_state(session), name)

    def open(self, ticket: bytes) -> Session | None:
        """Return the session of a ticket, or `None` for one that is not ours or not fresh."""
        now = self._provider.now().timestamp()
        head = _KEY_NAME_LENGTH + _NONCE_LENGTH
        if not head < len(ticket) <= _MAX_TICKET:
            return None
        name, nonce = ticket[:_KEY_NAME_LENGTH], ticket[_KEY_NAME_LENGTH:head]
        for known, aead, made in self._keys:
            if known == name and now - made < 2 * self._rotation:
                try:
                    state = aead.decrypt(nonce, ticket[head:], name)
                    session = _decode_state(state, self._provider, self._suites)
                except (InvalidTag, DecodeError):
                    return None
                return session if session.is_fresh(now) else None
        return None

    def _current(self) -> tuple[bytes, TicketAead]:
        now = self._provider.now().timestamp()
        if not self._keys or not 0 <= now - self._keys[0][2] < self._rotation:
            name = self._provider.random_bytes(_KEY_NAME_LENGTH)
            aead = self._provider.ticket_aead(self._provider.random_bytes(16))
            self._keys = [(name, aead, now), *self._keys[:1]]
        return self._keys[0][:2]


def _encode_state(session: Session) -> bytes:
    name = (session.server_name or "").encode("ascii")
    if isinstance(session, ClassicSession):
        kind = bytes((_FORMAT_CLASSIC, session.extended))
        secret = session.master_secret.to_bytes()
    elif isinstance(session, Tls13Session):
        kind, secret = bytes((_FORMAT_TLS13, 0)), session.psk.to_bytes()
    else:
        raise InternalError("a session of no protocol")
    return (
        kind
        + session.suite.to_bytes(2, "big")
        + int(session.created).to_bytes(8, "big")
        + session.lifetime.to_bytes(4, "big")
        + vector8(secret)
        + vector8(session.policy)
        + vector16(name)
        + vector24(b"".join(vector24(certificate) for certificate in session.peer_chain))
    )


def _decode_state(state: bytes, provider: Provider, suites: Mapping[int, CipherSuite]) -> Session:
    cursor = Cursor(state)
    kind, extended = cursor.uint8(), bool(cursor.uint8())
    suite = cursor.uint16()
    if kind not in {_FORMAT_CLASSIC, _FORMAT_TLS13} or suite not in suites:
        raise DecodeError("a ticket of another format or of an unknown suite")
    created = int.from_bytes(cursor.fixed(8), "big")
    lifetime = cursor.uint32()
    secret, policy, name = cursor.vector8(), cursor.vector8(), cursor.vector16()
    common: _Common = {
        "suite": suite,
        "created": created,
        "lifetime": lifetime,
        "policy": policy,
        "server_name": name.decode("ascii") or None,
        "peer_chain": _decode_chain(cursor),
    }
    cursor.finish()
    if kind == _FORMAT_TLS13:
        return Tls13Session(psk=provider.restore_psk(secret), **common)
    master_secret = provider.restore_master_secret(suites[suite].hash_name, secret)
    return ClassicSession(master_secret=master_secret, extended=extended, **common)


def _decode_chain(cursor: Cursor) -> tuple[bytes, ...]:
    entries = Cursor(cursor.vector24())
    chain: list[bytes] = []
    while entries.more():
        chain.append(entries.vector24())
    return tuple(chain)


class _Common(TypedDict):
    suite: int
    created: float
    lifetime: int
    policy: bytes
    server_name: str | None
    peer_chain: tuple[bytes, ...]
