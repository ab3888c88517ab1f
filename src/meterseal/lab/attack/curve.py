"""Points of other curves, and what is no point at all, where keys stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from meterseal.asn1 import der
from meterseal.crypto import sm2, sm3
from meterseal.crypto.kdf import sm2_kdf
from meterseal.crypto.sm_provider import SmProvider
from meterseal.lab.attack.curve_arithmetic import (
    A,
    B,
    G,
    P,
    Point,
    multiply,
    octets,
)
from meterseal.lab.attack.ends import PROTOCOLS, Protocol, meet
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.wire import (
    CLIENT,
    SERVER,
    in_message,
    with_client_hello,
    with_server_hello,
)
from meterseal.transport import ClientAuthentication
from meterseal.transport.codepoints import ExtensionType, HandshakeType
from meterseal.transport.wire import vector16

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import Decryptor, KeyShare, PairKeyShare
    from meterseal.lab.attack.wire import Change
    from meterseal.transport import ServerConfig
    from meterseal.transport.messages import ClientHello, ServerHello

    Forge: TypeAlias = Callable[[int, int], bytes]

__all__ = ["ATTACKS", "bad_points", "ciphertext_with", "small_order_points"]

_POINT_LENGTH: Final = 65


# --- points --------------------------------------------------------------------------------


def small_order_points() -> dict[int, tuple[int, int]]:
    """Points of order 2, 3 and 4, each on a curve with another b.

    SM2's own group has none, its order being prime; but who adds without looking at b goes on
    wherever a point leads, and there an answer tells the key modulo a small number.
    """
    return {2: (2, 0), 3: _of_order_3(), 4: _of_order_4()}


def _of_order_3() -> tuple[int, int]:
    """The roots of the division polynomial 3x^4 + 6ax^2 + 12bx - a^2 have order 3; b is ours."""
    for x in range(1, 1000):
        b = (A * A - 3 * x**4 - 6 * A * x * x) * pow(12 * x, -1, P) % P
        square = (x**3 + A * x + b) % P
        y = pow(square, (P + 1) // 4, P)
        if b != B and y and y * y % P == square:
            return x, y
    raise ArithmeticError("no point of order 3 was found")


def _of_order_4() -> tuple[int, int]:
    """The double of a point of order 4 has y = 0: then m(x - x') = y for the slope m = c / 2y.

    With x' = m^2 - 2x and z = y^2 that is 8z^2 - 12xc z + c^3 = 0, where c = 3x^2 + a.
    """
    for x in range(1, 1000):
        c = 3 * x * x + A
        root = _square_root(144 * x * x * c * c - 32 * c**3)
        for sign in (1, -1) if root is not None else ():
            y = _square_root((12 * x * c + sign * (root or 0)) * pow(16, -1, P))
            if y and (y * y - x**3 - A * x - B) % P and multiply(4, (x, y)) is None:
                return x, y
    raise ArithmeticError("no point of order 4 was found")


def _square_root(square: int) -> int | None:
    root = pow(square % P, (P + 1) // 4, P)
    return root if root * root % P == square % P else None


def bad_points() -> dict[str, bytes]:
    """Everything that is not a point of the curve in 65 bytes, or pretends to be one."""
    good = sm2.PrivateKey.generate().public_key().to_bytes()
    p256 = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    p256 += "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    found = {
        f"of order {order} on another curve": b"\x04" + octets(*point)
        for order, point in small_order_points().items()
    }
    return found | {
        "of P-256": b"\x04" + bytes.fromhex(p256),
        "zeros": b"\x04" + bytes(64),
        "infinity": b"\x00" + bytes(64),
        "beyond the prime": b"\x04" + b"\xff" * 64,
        "the generator with x + p": b"\x04" + octets((G[0] + P) % (1 << 256), G[1]),
        "in hybrid form": b"\x06" + good[1:],
        "with its last bit turned": good[:-1] + bytes((good[-1] ^ 1,)),
    }


def _in_key_exchange(sender: str, kind: HandshakeType, before: int, point: bytes) -> Change:
    """Put a point in the place of the one that stands `before` bytes into that message."""
    end = before + _POINT_LENGTH
    return in_message(sender, kind, lambda body: body[:before] + point + body[end:])


def _in_share(sender: str, point: bytes) -> Change:
    """Put a point in the place of the first, or of the SM2 half of a hybrid."""
    before = 6 if sender == CLIENT else 4

    def change(hello: ClientHello | ServerHello) -> dict[str, object]:
        share = hello.extensions[ExtensionType.KEY_SHARE]
        share = share[:before] + point + share[before + _POINT_LENGTH :]
        return {"extensions": {**hello.extensions, ExtensionType.KEY_SHARE: share}}

    return with_client_hello(change) if sender == CLIENT else with_server_hello(change)


_CKE: Final = HandshakeType.CLIENT_KEY_EXCHANGE
_PLACES: Final[dict[tuple[str, str], Callable[[bytes], Change]]] = {
    ("TLS 1.3", CLIENT): lambda point: _in_share(CLIENT, point),
    ("TLS 1.3", SERVER): lambda point: _in_share(SERVER, point),
    ("TLS 1.2", CLIENT): lambda point: _in_key_exchange(CLIENT, _CKE, 1, point),
    ("TLCP ECDHE", CLIENT): lambda point: _in_key_exchange(CLIENT, _CKE, 4, point),
}


class _Share:
    """Shows a point of any kind as its public value."""

    def __init__(self, point: bytes) -> None:
        self.public = point

    def agree(self, *_: object) -> bytes:
        """Come to nothing."""
        return bytes(48)


class _Pointing(SmProvider):
    """What a hostile server computes with: it signs a point that is none."""

    def __init__(self, point: bytes) -> None:
        super().__init__()
        self._point = point

    def key_share(self, group: int, /) -> KeyShare:
        del group
        return _Share(self._point)

    def pair_key_share(self, key: Decryptor, *, is_initiator: bool) -> PairKeyShare:
        del key, is_initiator
        return _Share(self._point)


def points(notes: Notes) -> None:
    """Put points of other curves into every place where an ephemeral key or C1 stands."""
    found = bad_points()
    for (name, sender), place in _PLACES.items():
        protocol = PROTOCOLS[name]
        for what, point in found.items():
            met = meet(protocol.client(), protocol.server(), place(point))
            tried = f"{name}: the {sender}'s ephemeral key {what}"
            notes.tried(tried, str(met), held=met.is_refused)
    for name in ("TLS 1.2", "TLCP ECDHE"):
        protocol = PROTOCOLS[name]
        for what, point in found.items():
            met = meet(protocol.client(), protocol.server(provider=_Pointing(point)))
            tried = f"{name}: a hostile server signs an ephemeral key {what}"
            notes.tried(tried, f"client {met.client}", held=met.is_refused)
    _points_as_c1(notes, found)
    _points_control(notes)


def ciphertext_with(point: bytes) -> bytes:
    """Return a ClientKeyExchange of TLCP's ECC suites whose C1 is this (GM/T 0009)."""
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    parts = (der.integer(x), der.integer(y), der.octet_string(bytes(32)))
    return vector16(der.sequence(*parts, der.octet_string(bytes(48))))


def _points_as_c1(notes: Notes, found: dict[str, bytes]) -> None:
    protocol = PROTOCOLS["TLCP ECC"]
    for what, point in found.items():
        c1 = ciphertext_with(point)
        change = in_message(CLIENT, _CKE, lambda _, body=c1: body)  # type: ignore[misc]
        met = meet(protocol.client(credential=None), _anyone(protocol), change)
        notes.tried(f"TLCP ECC: C1 {what}", f"server {met.server}", held=met.is_refused)


def _anyone(protocol: Protocol) -> ServerConfig:
    """A server that asks nobody who he is: what comes first is then the ciphertext."""
    return protocol.server(client_authentication=ClientAuthentication.NONE)


def _points_control(notes: Notes) -> None:
    """Ask a decryptor that multiplies first whether ciphertexts decrypt: it tells d mod 12."""
    d = int.from_bytes(sm2.PrivateKey.generate().to_bytes())
    told = {order: _residue(order, point, d) for order, point in small_order_points().items()}
    said = ", ".join(f"d = {residue} mod {order}" for order, residue in told.items())
    right = all(d % order == residue for order, residue in told.items())
    who = "a decryptor that does not ask whether C1 is on the curve"
    notes.control(who, f"it told {said}", fell=right)


def _residue(order: int, point: tuple[int, int], d: int) -> int:
    """Make the ciphertext for each multiple that [d]C1 may be; one of them decrypts."""
    return next(
        guess
        for guess in range(order)
        if _decrypts_unchecked(d, point, *_ciphertext_for(multiply(guess, point)))
    )


def _ciphertext_for(shared: Point) -> tuple[bytes, bytes]:
    """C3 and C2 of a message that fits this shared point (GB/T 32918.4-2016, 6.1)."""
    message = b"is it this one?"
    return _check_value(shared, message), _with_key_stream(shared, message)


def _decrypts_unchecked(d: int, c1: tuple[int, int], c3: bytes, c2: bytes) -> bool:
    """GB/T 32918.4-2016, 7.1 without B1."""
    shared = multiply(d, c1)
    return _check_value(shared, _with_key_stream(shared, c2)) == c3


def _with_key_stream(shared: Point, data: bytes) -> bytes:
    stream = sm2_kdf(octets(*(shared or (0, 0))), len(data))
    return bytes(each ^ key for each, key in zip(data, stream, strict=True))


def _check_value(shared: Point, message: bytes) -> bytes:
    x, y = shared or (0, 0)
    return sm3.sm3(octets(x) + message + octets(y)).digest()


ATTACKS = (
    Attack(
        "curve-points",
        "puts points of small order, of other curves and of none where keys stand",
        "GB/T 32918.4-2016, 7.1, B1; CVE-2026-23966",
        points,
    ),
)
