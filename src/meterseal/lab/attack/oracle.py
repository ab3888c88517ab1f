"""Oracles: what a victim tells of what it found wrong, by its alert, its moment or its time."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from meterseal.asn1 import der
from meterseal.crypto import sm2, sm3
from meterseal.crypto.provider import SmProvider
from meterseal.crypto.random import random_bytes
from meterseal.crypto.sm4 import cbc_encrypt
from meterseal.lab.attack import weak
from meterseal.lab.attack.ends import PROTOCOLS, Meeting, Server, meet, visit
from meterseal.lab.attack.identities import world
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.statistics import SUSPICIOUS, worst_welch
from meterseal.lab.attack.wire import CLIENT, flipped, in_message
from meterseal.transport import ClientAuthentication, EncryptionCredential
from meterseal.transport.codepoints import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_LENGTH,
    TLCP,
    HandshakeType,
)
from meterseal.transport.wire import vector16

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import MasterSecret
    from meterseal.net import SecureSocket
    from meterseal.transport import ServerConfig

    Plain: TypeAlias = Callable[[bytes, bytes], bytes]

__all__ = ["ATTACKS", "PADDINGS", "bad_premasters", "padded"]

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


# --- CBC -----------------------------------------------------------------------------------


def padded(data: bytes, last: int | None = None, fill: int | None = None, more: int = 0) -> bytes:
    """Pad to whole blocks: `last` is what the last byte says, `fill` what the others are."""
    count = -(len(data) + 1) % 16 + 16 * more
    last = count if last is None else last
    return data + bytes([count if fill is None else fill]) * count + bytes([last])


def _changed(mac: bytes) -> bytes:
    return bytes((mac[0] ^ 1,)) + mac[1:]


PADDINGS: Final[dict[str, Plain]] = {
    "MAC wrong, padding right": lambda data, mac: padded(data + _changed(mac)),
    "MAC right, padding byte wrong": lambda data, mac: padded(data + mac, fill=0xAA),
    "MAC right, length one less": lambda data, mac: padded(data + mac, last=8),
    "MAC right, length one more": lambda data, mac: padded(data + mac, last=10),
    "padding as long as the record": lambda data, mac: padded(data + mac, last=47, fill=47),
    "padding longer than the record": lambda data, mac: padded(data + mac, last=255, fill=255),
    "POODLE: anything but the last byte": lambda data, mac: padded(data + mac, fill=0x55),
    "nothing but padding": lambda _data, _mac: bytes([63]) * 64,
    "no room for a MAC": lambda _data, _mac: bytes([15]) * 16,
    "MAC missing": lambda data, _mac: padded(data, more=2),
    "zeros": lambda _data, _mac: bytes(64),
    "both wrong": lambda data, mac: padded(data + _changed(mac), fill=0xAA),
}
"""What a plaintext can have wrong: made of six bytes of content and their right MAC."""


class _Own(SmProvider):
    """The attacker's own client: it keeps its keys, to make records that no sealer makes."""

    mac_key = key = b""

    def master_secret(
        self, hash_name: str, pre_master_secret: bytes, client_random: bytes, server_random: bytes
    ) -> MasterSecret:
        secret: Any = super().master_secret(
            hash_name, pre_master_secret, client_random, server_random
        )
        block: bytes = secret.prf(b"key expansion", server_random + client_random, 96)
        self.mac_key, self.key = block[:32], block[64:80]
        return secret  # type: ignore[no-any-return]

    def record(self, plain: Plain, content: bytes = b"42 kWh") -> bytes:
        """Our second protected record, after Finished, of a plaintext made by `plain`."""
        head = bytes((APPLICATION_DATA,)) + TLCP.to_bytes(2, "big")
        sequence = (1).to_bytes(8, "big")
        mac = sm3.hmac(self.mac_key, sequence + head + len(content).to_bytes(2, "big") + content)
        vector = random_bytes(16)
        body = vector + cbc_encrypt(self.key, vector, plain(content, mac), padding=False)
        return head + vector16(body)


def _answer_to(server: Server, plain: Plain) -> tuple[str, str, int]:
    """Send such a record; returns what we saw, what the victim logged, and nanoseconds."""
    own = _Own()
    taken = 0

    def act(it: SecureSocket, data: bytearray) -> None:
        nonlocal taken
        record = own.record(plain)
        start = time.perf_counter_ns()
        it.raw.sendall(record)
        try:
            data += it.recv()
        finally:
            taken = time.perf_counter_ns() - start

    seen = visit(server.address, PROTOCOLS["TLCP CBC"].client(provider=own), act=act)
    return str(seen), str(server.next_visit()), taken


def _ask_all(config: ServerConfig, rounds: int) -> tuple[dict[str, set[str]], dict[str, list[int]]]:
    answers: dict[str, set[str]] = defaultdict(set)
    times: dict[str, list[int]] = defaultdict(list)
    with Server(config) as server:
        for _ in range(rounds):
            for name, plain in PADDINGS.items():
                seen, logged, taken = _answer_to(server, plain)
                answers[f"{seen}; it logged {logged}"].add(name)
                times[name].append(taken)
    return answers, times


def padding(notes: Notes) -> None:
    """Send records whose padding or MAC is wrong in every way, and compare all that comes back."""
    protocol = PROTOCOLS["TLCP CBC"]
    with Server(protocol.server()) as server:
        seen, _, _ = _answer_to(server, lambda data, mac: padded(data + mac))
    notes.measure(f"a record with nothing wrong: client {seen}")
    answers, times = _ask_all(protocol.server(), _ROUNDS)
    said = " | ".join(answers)
    what = f"{len(PADDINGS)} ways to be wrong: {len(answers)} kind of answer"
    is_open = "42 kWh" in seen
    notes.tried(what, f"client {said}", held=is_open and len(answers) == 1, count=_total(times))
    _tell_times(notes, times)
    talkative = protocol.server(provider=weak.WeakRecords(weak.TalkativeOpener))
    answers, times = _ask_all(talkative, 2)
    who = "a server that looks at the padding first"
    notes.control(who, _kinds(answers), fell=len(answers) > 1)


def _kinds(answers: dict[str, set[str]]) -> str:
    """Say how many classes met each kind of answer."""
    kinds = " | ".join(f"{len(names)} x client {answer}" for answer, names in answers.items())
    return f"{len(answers)} kinds of answer: {kinds}"


def _total(times: dict[str, list[int]]) -> int:
    return sum(map(len, times.values()))


def _tell_medians(notes: Notes, times: dict[str, list[int]]) -> None:
    for name, column in times.items():
        middle = sorted(column)[len(column) // 2] / 1000
        notes.measure(f"{name:42} median {middle:8.0f} us of {len(column)} times")


def _tell_times(notes: Notes, times: dict[str, list[int]]) -> None:
    _tell_medians(notes, times)
    worst = worst_welch(times)
    above = f"above {SUSPICIOUS}" if abs(worst.t) > SUSPICIOUS else f"below {SUSPICIOUS}"
    notes.measure(f"Welch's test over a socket, the worst of all crops: {worst}; {above}")


# --- the premaster secret --------------------------------------------------------------------


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
    _tell_medians(notes, {name: it for name, it in times.items() if name not in _WELL_FORMED})
    notes.measure("well formed, of one length, on the curve:")
    _tell_times(notes, {name: times[name] for name in _WELL_FORMED})
    pair = world().server_pair
    if pair.encryption is None:
        raise TypeError("expected a pair")
    abrupt = EncryptionCredential(
        pair.encryption.certificate, weak.AbruptDecryptor(pair.encryption.key)
    )
    config = protocol.server(credential=replace(pair, encryption=abrupt), **anyone)
    answers = _answers(config)
    who = "a server that says at once that it cannot decrypt"
    notes.control(who, _kinds(answers), fell=len(answers) > 1)


ATTACKS = (
    Attack(
        "oracle-padding",
        "asks a server of TLCP's CBC whether a padding was right (Vaudenay, POODLE, Lucky 13)",
        "GB/T 38636-2020, 6.3.3.4; CVE-2014-3566",
        padding,
    ),
    Attack(
        "oracle-premaster",
        "asks a server of TLCP whether an encrypted premaster secret decrypts (Bleichenbacher)",
        "GB/T 38636-2020, 6.4.5.8; RFC 5246, 7.4.7.1",
        premaster,
    ),
)
