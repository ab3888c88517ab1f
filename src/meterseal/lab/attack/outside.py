"""A server that is not ours, attacked from outside with what applies to any.

Nothing is known of it but what it says: an alert, an end, or silence is a refusal, a ServerHello or
data are not. After each attack an honest hello has to be answered as before.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from meterseal.errors import AlertDescription
from meterseal.lab.attack.curve import bad_points, ciphertext_with
from meterseal.lab.attack.ends import READING, Visit, visit
from meterseal.lab.attack.notes import Attack, Notes, Skipped
from meterseal.lab.attack.relay import Relay
from meterseal.lab.attack.target import CONNECT, QUIET, listen
from meterseal.lab.attack.wire import (
    CLIENT,
    flipped,
    in_message,
    message,
)
from meterseal.transport.codepoints import (
    FALLBACK_SCSV,
    HEADER_LENGTH,
    TLCP,
    TLS12,
    TLS13,
    CipherSuiteCode,
    ExtensionType,
    HandshakeType,
)
from meterseal.transport.wire import vector8, vector16

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meterseal.lab.attack.target import Answer, Target
    from meterseal.net import SecureSocket
    from meterseal.transport.messages import ClientHello

__all__ = ["attacks"]

_SENTINELS: Final = (b"DOWNGRD\x01", b"DOWNGRD\x00")


def attacks(target: Target) -> tuple[Attack, ...]:
    """Return what can be tried against a target."""
    found = [
        Attack(
            "outside-versions",
            "offers versions that nobody should speak any more, and some that nobody knows",
            "RFC 8996; RFC 8446, 4.1.2",
            partial(_run, target, versions),
        ),
        Attack(
            "outside-suites",
            "offers suites without encryption, without authentication, and broken ones",
            "RFC 9325, 4.1",
            partial(_run, target, suites),
        ),
        Attack(
            "outside-downgrade",
            "hides what both could do, and looks for the marks that tell of it",
            "RFC 8446, 4.1.3; RFC 7507; RFC 7627; RFC 5746",
            partial(_run, target, downgrade),
        ),
        Attack(
            "outside-hellos",
            "sends hellos that are malformed, cut, or nothing of the kind",
            "RFC 5246, 7.4.1.2; RFC 8446, 4.2",
            partial(_run, target, hellos),
        ),
        Attack(
            "outside-points",
            "puts points of small order, of other curves and of none where a key stands",
            "RFC 8446, 4.2.8.2; GB/T 32918.4-2016, 7.1, B1",
            partial(_run, target, points),
        ),
        Attack(
            "outside-renegotiation",
            "begins a second handshake on a session that stands (CVE-2009-3555)",
            "RFC 5746, 1; RFC 8446, 4.1.2",
            partial(_run, target, renegotiation),
        ),
        Attack(
            "outside-records",
            "turns bits of a record of data, sends it twice, and leaves without a word",
            "RFC 5246, 6.2.3; RFC 8446, 5.2",
            partial(_run, target, altered_records),
        ),
    ]
    if target.protocol.has_pairs:  # TLCP has neither sentinel nor extensions
        found = [it for it in found if it.name != "outside-downgrade"]
    if target.floods:
        found.append(
            Attack(
                "outside-flood",
                "holds many connections that say nothing or half a hello, and comes in beside them",
                "CVE-2020-13849",
                partial(_run, target, flood),
            )
        )
    return tuple(found)


def _run(target: Target, attack: Callable[[Target, Notes], None], notes: Notes) -> None:
    """Run between two honest hellos; raises `Skipped` if not even the first is answered."""
    before = target.ask(target.hello())
    if before.hello is None:
        raise Skipped(f"an honest hello of {target.protocol.name} is not answered: {before}")
    attack(target, notes)
    after = target.ask(target.hello())
    notes.tried("an honest hello afterwards", str(after), held=after.hello is not None)


def _refused(notes: Notes, what: str, answer: Answer) -> None:
    notes.tried(what, str(answer), held=answer.hello is None)


# --- without a session ---------------------------------------------------------------------


def versions(target: Target, notes: Notes) -> None:
    """Offer old versions, and unknown ones."""
    old = {"SSL 2 as a version": 0x0002, "SSL 3": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302}
    if target.protocol.has_pairs:
        old |= {"TLCP 1.0": 0x0100, "version 0": 0x0000}
    for what, number in old.items():

        def change(hello: ClientHello, version: int = number) -> dict[str, Any]:
            kept = dict(hello.extensions)
            kept.pop(ExtensionType.SUPPORTED_VERSIONS, None)
            return {"client_version": version, "extensions": kept}

        _refused(notes, f"a hello of {what}", target.ask(target.hello(change)))
    if ExtensionType.SUPPORTED_VERSIONS in _extensions(target):
        for what, body in {"0x0302 alone": b"\2\3\2", "0x0305 alone": b"\2\3\5"}.items():
            answer = target.ask(target.hello(_with(ExtensionType.SUPPORTED_VERSIONS, body)))
            _refused(notes, f"supported_versions with {what}", answer)


_BAD_SUITES: Final = {
    "no encryption and no authentication": (0x0000,),
    "no encryption (RSA)": (0x0001, 0x0002, 0x003B),
    "no encryption (ECDHE)": (0xC006, 0xC010, 0xC0B4, 0xC0B5),
    "no authentication": (0x0018, 0x0034, 0xC015, 0xC018, 0xC019),
    "export": (0x0003, 0x0006, 0x0008, 0x0014),
    "RC4": (0x0004, 0x0005, 0xC007, 0xC011),
    "DES and triple DES": (0x0009, 0x000A, 0x0016, 0xC012),
    "numbers that nobody has": (0xFEFE, 0xEEEE),
}


def suites(target: Target, notes: Notes) -> None:
    """Offer suites that protect nothing, and then each of the good ones."""
    for what, codes in _BAD_SUITES.items():
        answer = target.ask(target.hello(lambda _, it=codes: {"cipher_suites": it}))  # type: ignore[misc]
        _refused(notes, f"suites: {what}", answer)
    for suite in target.protocol.suites:
        code = suite.code
        answer = target.ask(target.hello(lambda _, it=code: {"cipher_suites": (it,)}))  # type: ignore[misc]
        chosen = answer.hello.cipher_suite if answer.hello else None
        notes.measure(f"{suite.name}: {'spoken' if chosen == code else 'not spoken'}")
        if chosen not in {None, code}:
            notes.tried(f"{suite.name} alone", str(answer), held=False)


def downgrade(target: Target, notes: Notes) -> None:
    """Look for the sentinel, the answer to a fallback, and what was offered in the answer."""
    if target.protocol.suites[0].version == TLS13:
        _downgrade_of_tls13(target, notes)
        return
    hello = target.ask(target.hello()).hello
    offered = (ExtensionType.EXTENDED_MASTER_SECRET, ExtensionType.RENEGOTIATION_INFO)
    for number in offered:
        held = hello is not None and number in hello.extensions
        notes.tried(f"{number.name.lower()} is offered", f"server answers it: {held}", held=held)


def _downgrade_of_tls13(target: Target, notes: Notes) -> None:
    old = {"client_version": TLS12, "cipher_suites": (CipherSuiteCode.ECDHE_SM2_WITH_SMS4_GCM_SM3,)}

    def change(hello: ClientHello) -> dict[str, Any]:
        kept = dict(hello.extensions)
        kept.pop(ExtensionType.SUPPORTED_VERSIONS)
        return {"extensions": kept, **old}

    answer = target.ask(target.hello(change))
    if answer.hello is None:
        notes.tried("TLS 1.3 hidden from the server", str(answer), held=True)
        return
    marked = answer.hello.random.endswith(_SENTINELS)
    notes.tried("TLS 1.3 hidden from the server", f"{answer}, marked: {marked}", held=marked)
    falling = target.ask(
        target.hello(
            lambda hello: {
                **change(hello),
                "cipher_suites": (*old["cipher_suites"], FALLBACK_SCSV),  # type: ignore[misc]
            }
        )
    )
    _refused(notes, "the mark of a client that fell back", falling)


def hellos(target: Target, notes: Notes) -> None:
    """Send hellos that are none."""
    good = target.hello()
    body = good[HEADER_LENGTH + 4 :]
    for what, data in _malformed(target, good, body).items():
        _refused(notes, what, target.ask(data))
    cuts = range(1, len(good) - 1, max(1, len(good) // 12))
    answers = [_cut_off(target, good[:at]) for at in cuts]
    fell = [answer for answer in answers if answer.hello is not None]
    said = str(fell[0] if fell else answers[-1])
    notes.tried("hellos cut short, and the end", said, held=not fell, count=len(answers))


def _malformed(target: Target, good: bytes, body: bytes) -> dict[str, bytes]:
    head = good[:3]

    def framed(changed: bytes) -> bytes:
        return head + vector16(b"\x01" + len(changed).to_bytes(3, "big") + changed)

    suites_at = 34 + 1 + body[34]
    return {
        "a byte behind the hello": framed(body + b"\0"),
        "a session identifier of 33 bytes": framed(
            body[:34] + vector8(bytes(33)) + body[suites_at:]
        ),
        "an odd list of suites": framed(body[:suites_at] + b"\0\3\xe1\7\0" + b"\1\0"),
        "no suite": framed(body[:suites_at] + b"\0\0" + b"\1\0"),
        "no compression method": target.hello(lambda _: {"compression_methods": b"\1\1"}),
        "extensions longer than the hello": framed(body[:-1]),
        "a message longer than any record": head + vector16(b"\x01\xff\xff\xff" + body[:100]),
        "another message": head + vector16(b"\x02" + good[HEADER_LENGTH + 1 :]),
        "a Finished": head + vector16(b"\x14\0\0\x0c" + bytes(12)),
        "ChangeCipherSpec first": b"\x14" + head[1:] + b"\0\1\1",
        "data first": b"\x17" + head[1:] + vector16(b"GET / HTTP/1.1"),
        "an empty record": head + b"\0\0",
        "a record of the longest length there is": head + b"\xff\xff" + bytes(65_535),
        "an unknown content type": b"\x63" + head[1:] + vector16(bytes(20)),
        "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "zeros": bytes(1000),
    }


def _cut_off(target: Target, part: bytes) -> Answer:
    with socket.create_connection(target.address, CONNECT) as raw:
        raw.settimeout(QUIET)
        raw.sendall(part)
        raw.shutdown(socket.SHUT_WR)
        return listen(raw)


def points(target: Target, notes: Notes) -> None:
    """Put what is no point of the curve where our ephemeral key stands."""
    for what, point in bad_points().items():
        if target.protocol.suites[0].version == TLS13:
            _refused(notes, f"a key share {what}", target.ask(target.hello(_share(point))))
            continue
        for kind, codes, write in _exchanges(target):
            hello = target.hello(lambda _, it=codes: {"cipher_suites": it})  # type: ignore[misc]
            if target.ask(hello).hello is None:
                continue
            if len(target.config.trust):
                met = _with_exchange(target, codes, write(point))
                held = not met.is_established
                notes.tried(f"{kind}: a point {what}", f"client {met}", held=held)
            else:  # not even a client of ours would go on: this is as far as it goes
                answer = target.ask(hello, _in_records(target, write(point)))
                held = not answer.has_changed_keys
                notes.tried(f"{kind}: a point {what}", str(answer), held=held)


def _exchanges(target: Target) -> Iterator[tuple[str, tuple[int, ...], Callable[[bytes], bytes]]]:
    """Where a ClientKeyExchange holds a point: in which suites, and how it is written."""
    codes = tuple(suite.code for suite in target.protocol.suites)
    if not target.protocol.has_pairs:
        yield "ClientKeyExchange", codes, vector8
        return
    ecdhe = (CipherSuiteCode.ECDHE_SM4_GCM_SM3, CipherSuiteCode.ECDHE_SM4_CBC_SM3)
    exchanging = tuple(code for code in codes if code in ecdhe)
    yield "ECDHE", exchanging or ecdhe, lambda point: b"\3\0\x29" + vector8(point)
    yield "ECC", tuple(code for code in codes if code not in ecdhe) or codes, ciphertext_with


def _share(point: bytes) -> Callable[[ClientHello], dict[str, Any]]:
    def change(hello: ClientHello) -> dict[str, Any]:
        share = hello.extensions[ExtensionType.KEY_SHARE]
        share = share[:6] + point + share[6 + len(point) :]
        return {"extensions": {**hello.extensions, ExtensionType.KEY_SHARE: share}}

    return change


def _with_exchange(target: Target, codes: tuple[int, ...], body: bytes) -> Visit:
    """Shake hands honestly but for the body of ClientKeyExchange."""
    offered = tuple(suite for suite in target.protocol.suites if suite.code in codes)
    config = replace(target.config, suites=offered)
    change = in_message(CLIENT, HandshakeType.CLIENT_KEY_EXCHANGE, lambda _: body)
    with Relay(target.address, change, 2 * QUIET) as relay:
        return visit(relay.address, config, name=target.name)


def _in_records(target: Target, body: bytes) -> bytes:
    """ClientKeyExchange, ChangeCipherSpec and something instead of Finished."""
    version = (TLCP if target.protocol.has_pairs else TLS12).to_bytes(2, "big")
    whole = message(HandshakeType.CLIENT_KEY_EXCHANGE, body)
    end = b"\x14" + version + b"\0\1\1" + b"\x16" + version + vector16(bytes(40))
    return b"\x16" + version + vector16(whole) + end


# --- with a session ------------------------------------------------------------------------


def _session(target: Target, act: Callable[[SecureSocket, bytearray], None]) -> Visit:
    met = target.visit(act)
    if not met.is_established:
        raise Skipped(f"no session came about (--ca, --cert and --key may help): {met}")
    return met


def renegotiation(target: Target, notes: Notes) -> None:
    """Say hello once more."""
    hello = target.hello()[HEADER_LENGTH:]

    def act(it: SecureSocket, data: bytearray) -> None:
        it.raw.settimeout(2 * QUIET)
        it._connection._driver.send_encoded(hello)  # noqa: SLF001  (an attacker's liberty)
        it.sendall(b"")
        while part := it.recv():
            data += part

    met = _session(target, act)
    warned = AlertDescription.NO_RENEGOTIATION in met.warnings
    said = f"client {met}" + ("; it said no_renegotiation" if warned else "")
    notes.tried("a second hello", said, held=met.error is not None or warned)


def altered_records(target: Target, notes: Notes) -> None:
    """Send records that were altered; nothing must come back but an alert or the end."""
    for what, alter in {
        "its first byte": lambda record: flipped(record, 8 * (HEADER_LENGTH + 8)),
        "its last byte": lambda record: flipped(record, 8 * len(record) - 8),
        "its type": lambda record: b"\x16" + record[1:],
        "cut by a byte": lambda record: record[:3] + vector16(record[HEADER_LENGTH:-1]),
    }.items():

        def act(
            it: SecureSocket, data: bytearray, change: Callable[[bytes], bytes] = alter
        ) -> None:
            it.raw.settimeout(2 * QUIET)
            it._connection.send_data(READING)  # noqa: SLF001
            it.raw.sendall(change(it._connection.data_to_send()))  # noqa: SLF001
            while part := it.recv():
                data += part

        met = _session(target, act)
        held = met.error is not None and READING not in met.data
        notes.tried(f"a record of data with {what} altered", f"client {met}", held=held)


# --- floods --------------------------------------------------------------------------------

_CROWD: Final = 200


def flood(target: Target, notes: Notes) -> None:
    """Hold connections open, half of them with half a hello, and come in beside them."""
    half = target.hello()[:60]
    with contextlib.ExitStack() as stack:
        opened = 0
        for number in range(_CROWD):
            with contextlib.suppress(OSError):
                raw = stack.enter_context(socket.create_connection(target.address, CONNECT))
                opened += 1
                if number % 2:
                    raw.sendall(half)
        try:
            answer = target.ask(target.hello())
        except OSError as error:
            notes.tried(f"{opened} connections held open", f"{error}", held=False, count=opened)
            return
        what = f"an honest hello beside {opened} connections held open"
        notes.tried(what, str(answer), held=answer.hello is not None, count=opened)


def _extensions(target: Target) -> set[int]:
    seen: set[int] = set()

    def look(hello: ClientHello) -> dict[str, Any]:
        seen.update(hello.extensions)
        return {}

    target.hello(look)
    return seen


def _with(number: int, body: bytes) -> Callable[[ClientHello], dict[str, Any]]:
    return lambda hello: {"extensions": {**hello.extensions, number: body}}
