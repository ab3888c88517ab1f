"""An oracle for the premaster secret of TLCP: what a server tells of one that does not decrypt."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from meterseal.asn1 import der
from meterseal.crypto import sm2
from meterseal.lab.attack import weak
from meterseal.lab.attack.answers import kinds, tell_medians, tell_times
from meterseal.lab.attack.ends import PROTOCOLS, Meeting, meet
from meterseal.lab.attack.identities import world
from meterseal.lab.attack.wire import CLIENT, flipped, in_message
from meterseal.transport import ClientAuthentication, EncryptionCredential
from meterseal.transport.codepoints import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_LENGTH,
    HandshakeType,
)
from meterseal.transport.wire import vector16

if TYPE_CHECKING:
    from meterseal.lab.attack.notes import Notes
    from meterseal.transport import ServerConfig

__all__ = ["bad_premasters", "premaster"]

_ROUNDS: Final = 25
_MOMENT: Final = 0.02
_WELL_FORMED: Final = (
    "a premaster that the client does not use",
    "for another key",
    "check value wrong",
    "ciphertext changed",
    "another version",
)
"""Ciphertexts of a premaster secret of which only the owner of the key can tell what is wrong."""


def bad_premasters(key: sm2.PublicKey) -> dict[str, bytes]:
    """Bodies of ClientKeyExchange that fail at every step of decryption, by what is wrong."""
    honest = b"\x01\x01" + bytes(46)
    other = sm2.PrivateKey.generate().public_key()
    point = other.to_bytes()
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    good = vector16(key.encrypt(honest))
    return {
        "a premaster that the client does not use": good,
        "for another key": vector16(other.encrypt(honest)),
        "check value wrong": flipped(good, 8 * (len(good) - 60)),
        "ciphertext changed": flipped(good, 8 * (len(good) - 1)),
        "point changed": flipped(good, 8 * 20),
        "point off the curve": _ciphertext(1, 1, bytes(32), bytes(48)),
        "point at infinity": _ciphertext(0, 0, bytes(32), bytes(48)),
        "coordinate beyond the prime": _ciphertext(2**256 - 1, 2**256 - 1, bytes(32), bytes(48)),
        "coordinate negative": _ciphertext(-1, 7, bytes(32), bytes(48)),
        "a point, nothing behind it": _ciphertext(x, y, b"", b""),
        "check value short": _ciphertext(x, y, bytes(31), bytes(48)),
        "no ciphertext": _ciphertext(x, y, bytes(32), b""),
        "DER cut short": vector16(good[2:-1]),
        "DER with a byte behind": vector16(good[2:] + b"\0"),
        "not DER": vector16(b"junk!"),
        "one byte": vector16(b"\x30"),
        "raw C1C3C2": vector16(point[1:] + bytes(32 + 48)),
        "GmSSL's 255 bytes": vector16(key.encrypt(b"\x01\x01" + bytes(253))),
        "another version": vector16(key.encrypt(b"\x03\x03" + bytes(46))),
        "47 bytes": vector16(key.encrypt(honest[:-1])),
        "as long as a record takes": vector16(bytes(16_300)),
    }


def _ciphertext(x: int, y: int, check: bytes, text: bytes) -> bytes:
    """An SM2 ciphertext in DER of any parts (GM/T 0009)."""
    parts = (der.integer(x), der.integer(y), der.octet_string(check), der.octet_string(text))
    return vector16(der.sequence(*parts))


class _Watch:
    """Puts a body into ClientKeyExchange; waits for an early answer, or measures its time."""

    def __init__(self, body: bytes, *, waits: bool) -> None:
        self._waits = waits
        self._swap = in_message(CLIENT, HandshakeType.CLIENT_KEY_EXCHANGE, lambda _: body)
        self.is_early = False
        self.taken = 0
        self._finished = 0
        self._start = 0

    def __call__(self, sender: str, number: int, record: bytes) -> bytes:
        if sender != CLIENT:
            if record[0] == ALERT:
                self.is_early = not self._finished
                self.taken = time.perf_counter_ns() - self._start
            return record
        if record[0] == CHANGE_CIPHER_SPEC and self._waits:
            time.sleep(_MOMENT)  # an early answer comes now
        elif record[0] == HANDSHAKE and record[HEADER_LENGTH] == HandshakeType.CLIENT_KEY_EXCHANGE:
            self._start = time.perf_counter_ns()
        elif self._start:
            self._finished = number
        return self._swap(sender, number, record)


def _bodies() -> dict[str, bytes]:
    encryption = world().server_pair.encryption
    if encryption is None:
        raise TypeError("expected a pair")
    return bad_premasters(encryption.certificate.public_key())


def _ask_premaster(config: ServerConfig, body: bytes, *, waits: bool) -> tuple[Meeting, _Watch]:
    watch = _Watch(body, waits=waits)
    return meet(PROTOCOLS["TLCP ECC"].client(credential=None), config, watch), watch


def _answers(config: ServerConfig) -> dict[str, set[str]]:
    """What can be seen from outside, by what was wrong."""
    answers: dict[str, set[str]] = defaultdict(set)
    for name, body in _bodies().items():
        answers[_seen_from_outside(*_ask_premaster(config, body, waits=True))].add(name)
    return answers


def _times(config: ServerConfig) -> dict[str, list[int]]:
    """Nanoseconds from ClientKeyExchange to the alert, in turns."""
    times: dict[str, list[int]] = defaultdict(list)
    bodies = _bodies()
    for _ in range(_ROUNDS):
        for name, body in bodies.items():
            times[name].append(_ask_premaster(config, body, waits=False)[1].taken)
    return times


def _seen_from_outside(met: Meeting, watch: _Watch) -> str:
    when = "before" if watch.is_early else "after"
    return f"{met.client} {when} Finished; it logged {met.server}"


def premaster(notes: Notes) -> None:
    """Send ciphertexts that fail at every step of decryption, and compare all that comes back."""
    anyone = {"client_authentication": ClientAuthentication.NONE}
    protocol = PROTOCOLS["TLCP ECC"]
    answers = _answers(protocol.server(**anyone))
    count = sum(map(len, answers.values()))
    said = " | ".join(f"client {answer}" for answer in answers)
    what = f"{count} ways not to decrypt: {len(answers)} kind of answer"
    notes.tried(what, said, held=len(answers) == 1, count=count)
    times = _times(protocol.server(**anyone))
    notes.measure("malformed on their face, which their sender knows, and so refused sooner:")
    tell_medians(notes, {name: it for name, it in times.items() if name not in _WELL_FORMED})
    notes.measure("well formed, of one length, on the curve:")
    tell_times(notes, {name: times[name] for name in _WELL_FORMED})
    pair = world().server_pair
    if pair.encryption is None:
        raise TypeError("expected a pair")
    abrupt = EncryptionCredential(
        pair.encryption.certificate, weak.AbruptDecryptor(pair.encryption.key)
    )
    config = protocol.server(credential=replace(pair, encryption=abrupt), **anyone)
    answers = _answers(config)
    who = "a server that says at once that it cannot decrypt"
    notes.control(who, kinds(answers), fell=len(answers) > 1)
