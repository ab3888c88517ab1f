"""What is said to a server of others before there is a session: hellos, good and bad."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from meterseal.lab.attack.target import CONNECT, QUIET, listen
from meterseal.transport.codepoints import (
    FALLBACK_SCSV,
    HEADER_LENGTH,
    TLS12,
    TLS13,
    CipherSuiteCode,
    ExtensionType,
)
from meterseal.transport.wire import vector8, vector16

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.lab.attack.notes import Notes
    from meterseal.lab.attack.target import Answer, Target
    from meterseal.transport.messages import ClientHello

__all__ = ["downgrade", "hellos", "suites", "versions"]

_SENTINELS: Final = (b"DOWNGRD\x01", b"DOWNGRD\x00")


def _refused(notes: Notes, what: str, answer: Answer) -> None:
    notes.tried(what, str(answer), held=answer.hello is None)


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


def _extensions(target: Target) -> set[int]:
    seen: set[int] = set()

    def look(hello: ClientHello) -> dict[str, Any]:
        seen.update(hello.extensions)
        return {}

    target.hello(look)
    return seen


def _with(number: int, body: bytes) -> Callable[[ClientHello], dict[str, Any]]:
    return lambda hello: {"extensions": {**hello.extensions, number: body}}
