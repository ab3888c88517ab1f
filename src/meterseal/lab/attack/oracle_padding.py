"""An oracle for the padding of CBC: what a server tells of a record that does not open."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from meterseal.crypto import sm3
from meterseal.crypto.random import random_bytes
from meterseal.crypto.sm4 import cbc_encrypt
from meterseal.crypto.sm_provider import SmProvider
from meterseal.lab.attack import weak
from meterseal.lab.attack.answers import kinds, tell_times, total
from meterseal.lab.attack.ends import PROTOCOLS, Server, visit
from meterseal.transport.codepoints import (
    APPLICATION_DATA,
    TLCP,
)
from meterseal.transport.wire import vector16

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import MasterSecret
    from meterseal.lab.attack.notes import Notes
    from meterseal.net import SecureSocket
    from meterseal.transport import ServerConfig

    Plain: TypeAlias = Callable[[bytes, bytes], bytes]

__all__ = ["PADDINGS", "padded", "padding"]

_ROUNDS: Final = 25


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
    notes.tried(what, f"client {said}", held=is_open and len(answers) == 1, count=total(times))
    tell_times(notes, times)
    talkative = protocol.server(provider=weak.WeakRecords(weak.TalkativeOpener))
    answers, times = _ask_all(talkative, 2)
    who = "a server that looks at the padding first"
    notes.control(who, kinds(answers), fell=len(answers) > 1)
