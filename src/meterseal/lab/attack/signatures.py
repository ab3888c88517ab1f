"""Signatures of other numbers, and under identifiers of other protocols."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from meterseal.asn1 import der
from meterseal.crypto import sm2
from meterseal.lab.attack import weak
from meterseal.lab.attack.curve_arithmetic import (
    N,
    octets,
)
from meterseal.lab.attack.ends import PROTOCOLS, READING, Protocol, Server, visit
from meterseal.lab.attack.identities import world
from meterseal.lab.attack.liar import Liar
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.transport.algorithms import SM_ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import Signer, Verifier
    from meterseal.lab.attack.ends import Visit

    Forge: TypeAlias = Callable[[int, int], bytes]

__all__ = ["ATTACKS"]


class _Forger:
    """A key that alters the numbers of its signatures, or how they are written."""

    def __init__(self, owner: Signer, forge: Forge) -> None:
        self._owner, self._forge = owner, forge

    def public_key(self) -> Verifier:
        return self._owner.public_key()

    def sign(self, message: bytes, identifier: bytes = sm2.DEFAULT_ID, /) -> bytes:
        return self._forge(*_numbers(self._owner.sign(message, identifier)))

    def sign_digest(self, digest: bytes, /) -> bytes:
        return self._forge(*_numbers(self._owner.sign_digest(digest)))


def _numbers(signature: bytes) -> tuple[int, int]:
    body = der.Reader(signature).sequence("a signature")
    return body.integer(), body.integer()


def _written(r: int, s: int) -> bytes:
    return der.sequence(der.integer(r), der.integer(s))


_BEYOND: Final[dict[str, Forge]] = {
    "(r, s + n)": lambda r, s: _written(r, s + N),
    "(r + n, s)": lambda r, s: _written(r + N, s),
    "(r - n, s)": lambda r, s: _written(r - N, s),
}
_FORGERIES: Final[dict[str, Forge]] = {
    **_BEYOND,
    "(r, n - s), good under ECDSA": lambda r, s: _written(r, N - s),
    "(s, r)": lambda r, s: _written(s, r),
    "(0, s)": lambda _, s: _written(0, s),
    "(r, 0)": lambda r, _: _written(r, 0),
    "(0, 0)": lambda _r, _s: _written(0, 0),
    "(n, n)": lambda _r, _s: _written(N, N),
    "(r, n - r), so that t is 0": lambda r, _: _written(r, N - r),
    "(1, 1)": lambda _r, _s: _written(1, 1),
    "a byte behind": lambda r, s: _written(r, s) + b"\0",
    "a byte behind, inside": lambda r, s: der.sequence(_written(r, s)[2:], b"\0"),
    "zeros before the numbers": lambda r, s: der.sequence(
        der.encode(der.INTEGER, b"\0\0" + octets(r)), der.encode(der.INTEGER, b"\0\0" + octets(s))
    ),
    "its length in two bytes": lambda r, s: b"\x30\x81" + _written(r, s)[1:],
    "64 bytes without DER": octets,
    "nothing": lambda _r, _s: b"\0",
}


def _as_client(protocol: Protocol, key: Signer, **server: object) -> Visit:
    """Be the meter with this key; returns what the server made of it."""
    ours = world().client_pair if protocol.has_pairs else world().client
    with Server(protocol.server(**server)) as station:
        visit(station.address, protocol.client(credential=replace(ours, key=key)))
        return station.next_visit()


def _as_server(protocol: Protocol, key: Signer) -> Visit:
    """Be the station with this key; returns what the client made of it."""
    ours = world().server_pair if protocol.has_pairs else world().server
    with Server(protocol.server(credential=replace(ours, key=key))) as us:
        return visit(us.address, protocol.client())


def _keys(protocol: Protocol) -> tuple[Signer, Signer]:
    """The client's and the server's."""
    w = world()
    ends = (w.client_pair, w.server_pair) if protocol.has_pairs else (w.client, w.server)
    return ends[0].key, ends[1].key


def signatures(notes: Notes) -> None:
    """Sign handshakes with numbers out of range, and in encodings that are none."""
    for name in ("TLS 1.3", "TLS 1.2", "TLCP ECC"):
        protocol = PROTOCOLS[name]
        of_client, of_server = _keys(protocol)
        for what, forge in _FORGERIES.items():
            seen = _as_client(protocol, _Forger(of_client, forge))
            tried = f"{name}: a client's signature {what}"
            notes.tried(tried, f"server {seen}", held=seen.error is not None and not seen.data)
            seen = _as_server(protocol, _Forger(of_server, forge))
            tried = f"{name}: a server's signature {what}"
            notes.tried(tried, f"client {seen}", held=not seen.is_established)
        for what, forge in _BEYOND.items():
            seen = _as_client(protocol, _Forger(of_client, forge), algorithms=weak.lenient())
            who = f"{name}, a server that reduces the numbers first: {what}"
            notes.control(who, f"server {seen}", fell=seen.data == READING)


# --- identifiers ---------------------------------------------------------------------------

_OF_TLS13: Final = SM_ALGORITHMS.signatures_tls13[0].identifier
_IDENTIFIERS: Final = {
    "the standard's": sm2.DEFAULT_ID,
    "that of TLS 1.3": _OF_TLS13,
    "none": b"",
    "the meter's name": b"meter-1",
}


def identifiers(notes: Notes) -> None:
    """Sign handshakes under an identifier that belongs elsewhere."""
    for name in ("TLS 1.3", "TLS 1.2", "TLCP ECC"):
        protocol = PROTOCOLS[name]
        right = _OF_TLS13 if name == "TLS 1.3" else sm2.DEFAULT_ID
        of_client, of_server = _keys(protocol)
        for what, other in _IDENTIFIERS.items():
            if other == right:
                continue

            def lie(content: bytes, _: bytes, to: bytes = other) -> tuple[bytes, bytes]:
                return content, to

            if name != "TLS 1.2":  # whose CertificateVerify signs a digest without any identifier
                seen = _as_client(protocol, Liar(of_client, lie))
                tried = f"{name}: a client's signature under the identifier {what}"
                notes.tried(tried, f"server {seen}", held=seen.error is not None and not seen.data)
            seen = _as_server(protocol, Liar(of_server, lie))
            tried = f"{name}: a server's signature under the identifier {what}"
            notes.tried(tried, f"client {seen}", held=not seen.is_established)
        if name != "TLS 1.2":
            _identifier_control(notes, protocol, right)


def _identifier_control(notes: Notes, protocol: Protocol, right: bytes) -> None:
    other = sm2.DEFAULT_ID if right == _OF_TLS13 else _OF_TLS13
    liar = Liar(_keys(protocol)[0], lambda content, _: (content, other))
    seen = _as_client(protocol, liar, algorithms=weak.lenient())
    who = f"{protocol.name}, a server that tries the identifiers it knows"
    notes.control(who, f"server {seen}", fell=seen.data == READING)


ATTACKS = (
    Attack(
        "curve-signatures",
        "signs handshakes with numbers beyond n, zeros and encodings that are none",
        "GB/T 32918.2-2016, 7.1, B1 and B2; CVE-2026-23967",
        signatures,
    ),
    Attack(
        "curve-identifier",
        "signs handshakes under an identifier that belongs to another protocol",
        "RFC 8998, 3.2.1; GB/T 35276-2017, 10",
        identifiers,
    ),
)
