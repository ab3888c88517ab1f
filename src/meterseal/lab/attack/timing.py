"""Do times tell secrets? Signing, SM2 decryption, ECDH and CBC opening, class against class.

    meterseal lab attack timing --seconds 60

A busy machine needs long runs, and times prove nothing for good. What memcheck shows in every run
of the tests is stronger; this here also sees the processor. In each measurement a planted leak, a
comparison that ends at the first difference, has to be found, or the machine is too noisy.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from math import isinf
from statistics import median
from typing import TYPE_CHECKING, Final, TypeAlias

from meterseal.crypto import record, sm2, sm3, sm4
from meterseal.crypto.backends import available_backends, backend, force_backend
from meterseal.errors import DecryptionFailed, InvalidTag
from meterseal.lab.attack.curve_arithmetic import N, P, octets
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.statistics import (
    SUSPICIOUS,
    differences,
    finest,
    leaks,
    measure,
    worst_welch,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.lab.attack.statistics import Times

__all__ = ["ATTACKS"]

Classes: TypeAlias = Mapping[str, Callable[[], Callable[[], object]]]
"""How to prepare an operation of each class; the operation is what is timed."""

_RUNS: Final = 3
_PLANTED_SHARE: Final = 0.25


def _judge(notes: Notes, make: Callable[[], Classes]) -> None:
    """Measure on each back-end, three times; a class that stands out in all three has leaked."""
    before = backend()
    try:
        for name in available_backends():
            force_backend(name)
            runs = _measure(notes, name, make(), notes.options.seconds)
            suspicious = leaks(runs)
            said = f"differs in {_RUNS} of {_RUNS} runs: {', '.join(suspicious) or 'nothing'}"
            notes.tried(f"{name}: {len(runs[0])} classes in turns", said, held=not suspicious)
    finally:
        force_backend(before)
    runs = _measure(notes, "planted", _planted(), notes.options.seconds * _PLANTED_SHARE)
    found = leaks(runs)
    notes.control("a comparison that ends early", f"differs: {', '.join(found)}", fell=bool(found))


def _measure(notes: Notes, name: str, classes: Classes, seconds: float) -> list[dict[str, float]]:
    taken = [measure(classes, seconds / _RUNS) for _ in range(_RUNS)]
    runs = [differences(times) for times in taken]
    for class_ in classes:
        values = "  ".join(f"{run[class_]:7.1f}" for run in runs)
        notes.measure(f"{name:10} {class_:34} t = {values}")
    notes.measure(f"{name:10} {_sharpness(taken)}")
    for times in taken:
        notes.measure(f"{name:10} Welch's test, the worst of all crops: {_told(times)}")
    return runs


def _sharpness(taken: Sequence[Times]) -> str:
    """What a measurement of this length can find, and what it cannot."""
    usual = median(value for times in taken for column in times.values() for value in column)
    limit = max(map(finest, taken))
    rounds = min(len(column) for times in taken for column in times.values())
    if isinf(limit):
        return f"{rounds} rounds are too few to find anything: give it more --seconds"
    share = 100 * limit / usual
    return (
        f"finds a class that differs by {limit:.0f} ns ({share:.2g} % of {usual:.0f} ns) or more, "
        f"by {rounds} rounds a run; four times --seconds halves that"
    )


def _told(times: Times) -> str:
    worst = worst_welch(times)
    return f"{worst}{'; above ' + str(SUSPICIOUS) if abs(worst.t) > SUSPICIOUS else ''}"


def _attempt(operation: Callable[[], object]) -> Callable[[], None]:
    """The operation, which always fails, without its exception."""

    def run() -> None:
        try:
            operation()
        except (InvalidTag, DecryptionFailed):
            return
        raise ArithmeticError("what must fail did not")

    return run


def _fresh(data: bytes) -> bytes:
    """A copy elsewhere: where bytes lie in memory takes time too, and is no property of a class."""
    return bytes(bytearray(data))


# --- CBC: everything is wrong with a record that can be, all of one length -------------------

_MASTER: Final = record.MasterSecret.from_bytes(bytes(range(48)))
_CLIENT, _SERVER = bytes(32), bytes(range(32))
_PLAINTEXT: Final = 320  # content, 32 of the MAC, padding: whole blocks


def _cbc_classes() -> Classes:
    padded = {
        "padding 15, MAC wrong": _padding(15),
        "padding 255, MAC wrong": _padding(255),
        "padding 95, MAC wrong": _padding(95),
        "padding wrong at its start": b"\0" + _padding(63)[1:],
        "padding wrong at its end": _padding(63)[:-2] + b"\0" + _padding(63)[-1:],
        "255 claimed, 15 there": bytes(15) + b"\xff",
        "no padding at all": secrets.token_bytes(15) + b"\x01",
    }
    return {
        "padding right, last of MAC wrong": _opening(_padding(15), good_mac=True),
        **{name: _opening(tail, good_mac=False) for name, tail in padded.items()},
    }


def _padding(length: int) -> bytes:
    return bytes((length,)) * (length + 1)


def _opening(tail: bytes, *, good_mac: bool) -> Callable[[], Callable[[], object]]:
    block = _MASTER.prf(b"key expansion", _SERVER + _CLIENT, 96)
    content = secrets.token_bytes(_PLAINTEXT - 32 - len(tail))
    header = bytes(8) + b"\x17\x01\x01" + len(content).to_bytes(2, "big")
    mac = sm3.hmac(block[:32], header + content)
    mac = mac[:-1] + bytes((mac[-1] ^ 1,)) if good_mac else secrets.token_bytes(32)
    iv = secrets.token_bytes(16)
    body = iv + sm4.cbc_encrypt(block[64:80], iv, content + mac + tail, padding=False)
    sealed = b"\x17\x01\x01" + len(body).to_bytes(2, "big") + body

    def prepare() -> Callable[[], object]:
        _, opener = _MASTER.cbc_protection(_CLIENT, _SERVER, 0x0101, is_client=False)
        here = _fresh(sealed)
        return _attempt(lambda: opener.open(here))

    return prepare


# --- SM2 ------------------------------------------------------------------------------------


def _decryption_classes() -> Classes:
    """Points are all on the curve: whether they are is written in the ciphertext for everybody."""
    key = sm2.PrivateKey.generate()
    sealed = key.public_key().encrypt(bytes(48), "c1c3c2")
    point, check, data = sealed[:65], sealed[65:97], sealed[97:]
    other = sm2.PrivateKey.generate().public_key().to_bytes()
    opposite = octets(P - int.from_bytes(point[33:]))
    variants = {
        "check value wrong at its start": point + bytes((check[0] ^ 1,)) + check[1:] + data,
        "check value wrong at its end": point + check[:-1] + bytes((check[-1] ^ 1,)) + data,
        "check value random": point + secrets.token_bytes(32) + data,
        "data altered": point + check + bytes((data[0] ^ 1,)) + data[1:],
        "another point": other + check + data,
        "the opposite point": point[:33] + opposite + check + data,
    }
    return {name: _decryption(key, ciphertext) for name, ciphertext in variants.items()}


def _decryption(key: sm2.PrivateKey, ciphertext: bytes) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        here = _fresh(ciphertext)
        return _attempt(lambda: key.decrypt(here, "c1c3c2"))

    return prepare


def _signing_classes() -> Classes:
    digest = secrets.token_bytes(32)
    return _key_classes(lambda key: lambda: key.sign_digest(digest))


def _ecdh_classes() -> Classes:
    peer = sm2.PrivateKey.generate().public_key()
    return _key_classes(lambda key: lambda: key.exchange_ecdh(peer))


def _key_classes(use: Callable[[sm2.PrivateKey], Callable[[], object]]) -> Classes:
    numbers = {
        "random": int.from_bytes(secrets.token_bytes(31)),
        "another random": int.from_bytes(secrets.token_bytes(31)),
        "1": 1,
        "one bit": 1 << 200,
        "zero nibbles": int("10" * 31, 16),
        "zero bytes": int("0000ff00" * 7, 16),
        "ones": (1 << 255) - 1,
        "n - 2": N - 2,
    }
    keys = {name: sm2.PrivateKey.from_bytes(octets(d)) for name, d in numbers.items()}
    for key in keys.values():
        key.sign(b"")  # the inverse is computed at the first signature
    return {name: _using(use, key) for name, key in keys.items()}


def _using(
    use: Callable[[sm2.PrivateKey], Callable[[], object]], key: sm2.PrivateKey
) -> Callable[[], Callable[[], object]]:
    return lambda: use(key)


# --- what must be found ---------------------------------------------------------------------


def _planted() -> Classes:
    expected = secrets.token_bytes(32)
    received = {
        f"differs at byte {at}": expected[:at] + bytes((expected[at] ^ 1,)) + expected[at + 1 :]
        for at in (0, 8, 16, 31)
    }
    return {name: _comparing(expected, mac) for name, mac in received.items()}


def _comparing(expected: bytes, mac: bytes) -> Callable[[], Callable[[], object]]:
    return lambda: lambda: _is_equal(expected, mac)


def _is_equal(left: bytes, right: bytes) -> bool:
    """As it should not be done."""
    return all(a == b for a, b in zip(left, right, strict=True))


ATTACKS = (
    Attack(
        "timing-cbc",
        "measures whether the time of opening a CBC record tells what is wrong with it (Lucky 13)",
        "CVE-2013-0169; dudect",
        lambda notes: _judge(notes, _cbc_classes),
    ),
    Attack(
        "timing-decryption",
        "measures whether the time of an SM2 decryption that fails tells where it failed",
        "GB/T 32918.4-2016, 7.1; dudect",
        lambda notes: _judge(notes, _decryption_classes),
    ),
    Attack(
        "timing-signing",
        "measures whether the time of a signature tells what kind of number the key is (Minerva)",
        "CVE-2025-9231; dudect",
        lambda notes: _judge(notes, _signing_classes),
    ),
    Attack(
        "timing-ecdh",
        "measures whether the time of a key agreement tells what kind of number the key is",
        "GB/T 32918.3-2016; dudect",
        lambda notes: _judge(notes, _ecdh_classes),
    ),
)
