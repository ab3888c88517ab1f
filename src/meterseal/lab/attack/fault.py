"""Faults: bits turn in the memory of a running signer, as by rowhammer or a failing cell.

The signer is the one of the product: its values are found in the memory of this process by what
they are, and each of their bits is turned. What is released must verify, or nothing be released
(docs/decisions/0006-faults-in-signing.md). The control is a signer that takes no such care.
"""

from __future__ import annotations

import ctypes
import secrets
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.asn1 import der
from meterseal.crypto import sm2
from meterseal.crypto.backends import available_backends, backend, force_backend
from meterseal.crypto.checked import VerifyingSigner
from meterseal.crypto.sm3 import sm3
from meterseal.errors import FaultDetected, InvalidSignature
from meterseal.lab.attack.curve_arithmetic import N, P, octets
from meterseal.lab.attack.notes import Attack, Notes, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from meterseal.crypto.provider import Verifier

__all__ = ["ATTACKS"]

_BITS: Final = 256
_SIZE: Final = 32
_MONTGOMERY: Final = 1 << _BITS
_MESSAGE: Final = b"meter-1 001234.56 kWh"


# --- the memory of an object ---------------------------------------------------------------


class _Memory:
    """The bytes of a Python object, as they lie there: numbers are little-endian."""

    def __init__(self, owner: object) -> None:
        self._owner = owner  # which must live as long
        size = type(owner).__basicsize__
        self._bytes = (ctypes.c_ubyte * size).from_address(id(owner))

    def place_of(self, number: int) -> int:
        """Return where a number stands. Raises `Skipped` if it is not to be found."""
        at = bytes(self._bytes).find(number.to_bytes(_SIZE, "little"))
        if at < 0:
            raise Skipped("the values of a key are not where this lab looks for them")
        return at

    def flip(self, at: int, bit: int) -> None:
        """Turn a bit of the number at this place."""
        self._bytes[at + bit // 8] ^= 1 << bit % 8

    def numbers(self) -> Iterator[tuple[int, int]]:
        """Return what stands at each multiple of eight, with its place."""
        whole = bytes(self._bytes)
        for at in range(0, len(whole) - _SIZE + 1, 8):
            yield at, int.from_bytes(whole[at : at + _SIZE], "little")


def _places_of_key(memory: _Memory, d: int) -> dict[str, int]:
    """The private key and what is computed from it once."""
    return {
        "d": memory.place_of(d),
        "1 + d": memory.place_of((1 + d) * _MONTGOMERY % N),
        "(1 + d)^-1": memory.place_of(pow(1 + d, -1, N) * _MONTGOMERY % N),
    }


def _places_of_nonce(memory: _Memory) -> dict[str, int]:
    """A nonce, which nobody told us: it stands there with n - k; then its point can be computed."""
    found = list(memory.numbers())
    values = {number: at for at, number in found if 1 < number < N}
    k = next((number for _, number in found if N - number in values and number in values), None)
    if k is None:
        raise Skipped("the nonce of a signer is not where this lab looks for it")
    for candidate in (k, N - k):
        x, y = (coordinate * _MONTGOMERY % P for coordinate in _times_g(candidate))
        if x in values and y in values:
            return {
                "k": values[candidate],
                "n - k": values[N - candidate],
                "x of [k]G": values[x],
                "y of [k]G": values[y],
            }
    raise Skipped("the point of a nonce is not where this lab looks for it")


# --- what comes out ------------------------------------------------------------------------


def _outcome(sign: Callable[[], bytes], public: sm2.PublicKey) -> str:
    """Say what came of a signature that was struck."""
    try:
        signature = sign()
    except FaultDetected:
        return "refused"
    try:
        public.verify(signature, _MESSAGE)
    except InvalidSignature:
        return "released, and does not verify"
    return "released, and verifies"


def _struck(notes: Notes, what: str, outcomes: Counter[str], *, is_used: bool = True) -> None:
    """Write down what came out; a value that is used must have been missed in every case."""
    said = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    held = outcomes["released, and does not verify"] == 0
    held &= not is_used or outcomes["released, and verifies"] == 0
    notes.tried(what, f"signer: {said}", held=held, count=outcomes.total())


def signing(notes: Notes) -> None:
    """Turn each bit of key and nonce in the memory of our signer, before it signs."""
    if sys.implementation.name != "cpython":
        raise Skipped("the memory of an object is looked at as CPython lays it out")
    before = backend()
    try:
        for name in available_backends():
            force_backend(name)
            _struck(notes, f"{name}: each bit of d before the first signature", _strike_new_key())
            what = f"{name}: each bit of d later, when (1 + d)^-1 stands in its place"
            _struck(notes, what, _strike_key("d"), is_used=False)
            for place in ("1 + d", "(1 + d)^-1"):
                _struck(notes, f"{name}: each bit of {place} of a key", _strike_key(place))
            for place in ("k", "n - k", "x of [k]G", "y of [k]G"):
                _struck(notes, f"{name}: each bit of {place} of a signer", _strike_signer(place))
    finally:
        force_backend(before)
    _control(notes)


def _strike_new_key() -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for bit in range(_BITS):
        key = sm2.PrivateKey.generate()
        public = sm2.PublicKey.from_bytes(key.public_key().to_bytes())
        memory = _Memory(key)
        memory.flip(memory.place_of(int.from_bytes(key.to_bytes())), bit)
        outcomes[_outcome(lambda it=key: it.sign(_MESSAGE), public)] += 1  # type: ignore[misc]
    return outcomes


def _strike_key(place: str) -> Counter[str]:
    key = sm2.PrivateKey.generate()
    public = sm2.PublicKey.from_bytes(key.public_key().to_bytes())
    d = int.from_bytes(key.to_bytes())
    key.sign(b"")  # the inverse is computed at the first signature
    memory = _Memory(key)
    at = _places_of_key(memory, d)[place]
    outcomes: Counter[str] = Counter()
    for bit in range(_BITS):
        memory.flip(at, bit)
        outcomes[_outcome(lambda: key.sign(_MESSAGE), public)] += 1
        memory.flip(at, bit)
    return outcomes


def _strike_signer(place: str) -> Counter[str]:
    key = sm2.PrivateKey.generate()
    outcomes: Counter[str] = Counter()
    for bit in range(_BITS):
        signer = key.signer()
        signer.update(_MESSAGE)
        memory = _Memory(signer)
        memory.flip(_places_of_nonce(memory)[place], bit)
        outcomes[_outcome(signer.finish, key.public_key())] += 1
    return outcomes


# --- a signer without care -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Careless:
    """SM2 as the standard's steps have it, and nothing besides (GB/T 32918.2-2016, 6.1).

    `d` may have changed since `inverse` was computed from it.
    """

    d: int
    inverse: int

    def sign_digest(self, e: int) -> tuple[int, int]:
        k = 1 + secrets.randbelow(N - 2)
        point = sm2.PrivateKey.from_bytes(octets(k)).public_key().to_bytes()
        r = (e + int.from_bytes(point[1:33])) % N
        return r, self.inverse * (k - r * self.d) % N


def _recovered(public: sm2.PublicKey, e: int, faulty: Mapping[int, tuple[int, int]]) -> int | None:
    """The private key from one signature for each bit of d that had turned.

    If the bit was b, d' = d + (1 - 2b) 2^i, and [s]G + [r + s]P is [k - (1 - 2b) r 2^i]G, where x
    of [k]G is known from r: one of the two values of b fits. The lowest bit is guessed: for it
    the verification that is asked would have to take r = 0.
    """
    d = 0
    for bit, (r, s) in faulty.items():
        fits = [b for b in (0, 1) if _fits(public, e, r, s, (1 - 2 * b) * (r << bit))]
        if len(fits) != 1:
            return None
        d |= fits[0] << bit
    keys = (sm2.PrivateKey.from_bytes(octets(it)) for it in (d, d | 1))
    return next((int.from_bytes(it.to_bytes()) for it in keys if it.public_key() == public), None)


def _fits(public: sm2.PublicKey, e: int, r: int, s: int, shift: int) -> bool:
    """Whether x of [s + shift]G + [r + s]P is r - e: asked of anybody's verification.

    It checks x of [s*]G + [r* + s*]P against r* - e*, for r*, s* and e* that we choose.
    """
    s_star = (s + shift) % N
    r_star = (r + s - s_star) % N
    e_star = (r_star - r + e) % N
    forged = der.sequence(der.integer(r_star), der.integer(s_star))
    try:
        public.verify_digest(forged, octets(e_star))
    except InvalidSignature:
        return False
    return True


def _times_g(k: int) -> tuple[int, int]:
    raw = sm2.PrivateKey.from_bytes(octets(k % N)).public_key().to_bytes()
    return int.from_bytes(raw[1:33]), int.from_bytes(raw[33:])


def _control(notes: Notes) -> None:
    key = sm2.PrivateKey.generate()
    d = int.from_bytes(key.to_bytes())
    inverse = pow(1 + d, -1, N)
    e = int.from_bytes(secrets.token_bytes(_SIZE)) % N
    faulty = {bit: _Careless(d ^ 1 << bit, inverse).sign_digest(e) for bit in range(1, _BITS)}
    found = _recovered(key.public_key(), e, faulty)
    said = f"{len(faulty)} faulty signatures gave " + ("the key" if found == d else "nothing")
    notes.control("a signer that releases what it computed", said, fell=found == d)


# --- verifying what was signed -------------------------------------------------------------


class _Faulty:
    """A key, in a chip, say, of which a bit has turned and which does not notice."""

    def __init__(self, key: sm2.PrivateKey, bit: int) -> None:
        d = int.from_bytes(key.to_bytes())
        self._public = key.public_key()
        self._careless = _Careless(d ^ 1 << bit, pow(1 + d, -1, N))

    def public_key(self) -> Verifier:
        return self._public

    def sign(self, message: bytes, identifier: bytes = sm2.DEFAULT_ID, /) -> bytes:
        return self.sign_digest(sm3(self._public.z_value(identifier) + message).digest())

    def sign_digest(self, digest: bytes, /) -> bytes:
        numbers = self._careless.sign_digest(int.from_bytes(digest))
        return der.sequence(*map(der.integer, numbers))


def verifying(notes: Notes) -> None:
    """Have a faulty key sign behind the wrapper that verifies what leaves."""
    key = sm2.PrivateKey.generate()
    public = key.public_key()
    outcomes: Counter[str] = Counter()
    for bit in range(_BITS):
        signer = VerifyingSigner(_Faulty(key, bit))
        outcomes[_outcome(lambda it=signer: it.sign(_MESSAGE), public)] += 1  # type: ignore[misc]
    _struck(notes, "each bit of d of a key that does not notice", outcomes)
    bare = _outcome(lambda: _Faulty(key, 7).sign(_MESSAGE), public)
    notes.control("the same key without the wrapper", bare, fell=bare.endswith("not verify"))


ATTACKS = (
    Attack(
        "fault-signing",
        "turns each bit of key and nonce in the memory of a running signer",
        "docs/decisions/0006-faults-in-signing.md; GB/T 32918.2-2016, 6.1",
        signing,
    ),
    Attack(
        "fault-verified",
        "has a key that computes wrongly sign behind the wrapper that verifies what leaves",
        "docs/decisions/0006-faults-in-signing.md",
        verifying,
    ),
)
