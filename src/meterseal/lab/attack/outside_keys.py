"""What is said to a server of others where keys are agreed, and once they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meterseal.errors import AlertDescription, UnexpectedMessage
from meterseal.lab.attack.curve import bad_points, ciphertext_with
from meterseal.lab.attack.ends import READING, Visit, visit
from meterseal.lab.attack.notes import Notes, Skipped
from meterseal.lab.attack.relay import Relay
from meterseal.lab.attack.target import QUIET
from meterseal.lab.attack.wire import CLIENT, flipped, in_message, message
from meterseal.transport.codepoints import (
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

    from meterseal.lab.attack.target import Target
    from meterseal.net import SecureSocket
    from meterseal.transport.messages import ClientHello

__all__ = ["altered_records", "points", "renegotiation"]


# --- while keys are agreed -----------------------------------------------------------------


def points(target: Target, notes: Notes) -> None:
    """Put what is no point of the curve where our ephemeral key stands."""
    for what, point in bad_points().items():
        if target.protocol.suites[0].version == TLS13:
            answer = target.ask(target.hello(_share(point)))
            notes.tried(f"a key share {what}", str(answer), held=answer.hello is None)
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
    answered = isinstance(met.error, UnexpectedMessage)  # by a ServerHello
    held = warned or (met.error is not None and not answered)
    notes.tried("a second hello", said, held=held)


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
