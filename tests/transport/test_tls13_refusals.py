"""Both ends of TLS 1.3 refuse what they must, each with the right alert."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.crypto import mlkem, sm2
from meterseal.errors import (
    AlertDescription,
    AlertReceived,
    BadRecord,
    CertificateRejected,
    HandshakeProofFailed,
    IllegalParameter,
    MeterSealError,
    PeerError,
    UnexpectedMessage,
)
from meterseal.lab.attack.liar import Liar
from meterseal.lab.attack.wire import message, with_client_hello, with_server_hello
from meterseal.transport import (
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
    Connection,
    Credential,
    Limits,
    SessionCache,
)
from meterseal.transport.extensions_tls13 import (
    OfferedPsks,
    decode_key_share,
    decode_key_shares,
    encode_key_share,
    encode_key_shares,
)
from support.identities import credential, world
from support.tls13 import COMPATIBILITY, client13, in_record, link13, server13
from support.wire import SERVER_NAME, Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.transport.messages import ClientHello, ServerHello

A = AlertDescription
MIXED = TLS13_SUITES + TLS12_SUITES
MUTUAL = {"trust": world().trust, "client_authentication": ClientAuthentication.REQUIRED}
GROUPS, SCHEMES, ALPN, PSK, VERSIONS, COOKIE, MODES, SHARES = 10, 13, 16, 41, 43, 44, 45, 51


def refused(pair: Link, by: str, alert: AlertDescription) -> PeerError:
    """The error of the refusing end; the other end was told why."""
    error = pair.errors[by]
    assert isinstance(error, PeerError), error
    assert error.description == alert, error
    other = pair.errors.get("client" if by == "server" else "server")
    assert isinstance(other, AlertReceived), other
    assert other.code == alert
    return error


# --- identities --------------------------------------------------------------------------


def test_refuses_a_stranger_in_either_role() -> None:
    w = world()
    server = credential(w.stranger, w.stranger_key, "station", host=SERVER_NAME)
    error = refused(link13(None, server13(credential=server)), "client", A.UNKNOWN_CA)
    assert isinstance(error, CertificateRejected)
    client = credential(w.stranger, w.stranger_key, "meter-1", profile="client")
    pair = link13(client13(credential=client), server13(**MUTUAL))
    refused(pair, "server", A.UNKNOWN_CA)


def test_refuses_a_client_without_a_certificate() -> None:
    refused(link13(None, server13(**MUTUAL)), "server", A.CERTIFICATE_REQUIRED)


LIES: dict[str, Callable[[bytes, bytes], tuple[bytes, bytes]]] = {
    "default identifier": lambda content, _: (content, sm2.DEFAULT_ID),
    "empty identifier": lambda content, _: (content, b""),
    "the other end's context": lambda content, name: (
        content.replace(b"server", b"******")
        .replace(b"client", b"server")
        .replace(b"******", b"client"),
        name,
    ),
    "the context of TLS 1.2": lambda content, name: (content[-32:], name),
    "another transcript": lambda content, name: (content[:-1] + b"x", name),
    "too few spaces": lambda content, name: (content[1:], name),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("who", ["client", "server"])
def test_refuses_a_wrong_certificate_verify(who: str, lie: str) -> None:
    honest = world().client if who == "client" else world().server
    assert isinstance(honest.key, sm2.PrivateKey)
    liar = Credential(honest.chain, Liar(honest.key, LIES[lie]))
    client = client13(credential=liar if who == "client" else world().client)
    server = server13(**MUTUAL, **({"credential": liar} if who == "server" else {}))
    error = refused(
        link13(client, server), "server" if who == "client" else "client", A.DECRYPT_ERROR
    )
    assert isinstance(error, HandshakeProofFailed)


def test_refuses_a_thief_of_certificates() -> None:
    honest = world().server
    assert isinstance(honest.key, sm2.PrivateKey)
    thief = Liar(honest.key, lambda *both: both, sm2.PrivateKey.generate())
    pair = link13(None, server13(credential=Credential(honest.chain, thief)))
    refused(pair, "client", A.DECRYPT_ERROR)


def test_refuses_a_certificate_verify_of_another_scheme() -> None:
    for scheme in (b"\x07\x07", b"\x04\x03"):
        pair = link13(says={"server": lambda _, raw, s=scheme: [_patched(raw, 15, 4, s)]})
        refused(pair, "client", A.ILLEGAL_PARAMETER)


def _patched(raw: bytes, kind: int, at: int, new: bytes) -> bytes:
    return raw[:at] + new + raw[at + len(new) :] if raw[0] == kind else raw


def test_refuses_a_wrong_finished() -> None:
    for who, by in (("client", "server"), ("server", "client")):
        for body in (bytes(32), b""):
            pair = link13(
                says={who: lambda _, raw, b=body: [message(20, b)] if raw[0] == 20 else [raw]}
            )
            refused(pair, by, A.DECRYPT_ERROR if body else A.DECODE_ERROR)


def test_refuses_certificates_with_a_context_and_none_at_all() -> None:
    empty = bytes.fromhex("00000000")
    pair = link13(says={"server": lambda _, raw: [message(11, empty)] if raw[0] == 11 else [raw]})
    refused(pair, "client", A.DECODE_ERROR)

    def with_context(_: int, raw: bytes) -> list[bytes]:
        return [message(11, b"\x01x" + raw[5:])] if raw[0] == 11 else [raw]

    refused(link13(says={"server": with_context}), "client", A.ILLEGAL_PARAMETER)
    pair = link13(
        client13(credential=world().client), server13(**MUTUAL), says={"client": with_context}
    )
    refused(pair, "server", A.ILLEGAL_PARAMETER)


# --- the client's hello ------------------------------------------------------------------


def extended(number: int, body: bytes | None) -> Callable[[ClientHello], dict[str, Any]]:
    """The hello with one extension of another body, or without it."""

    def change(hello: ClientHello) -> dict[str, Any]:
        extensions = dict(hello.extensions)
        if body is None:
            del extensions[number]
        else:
            extensions[number] = body
        return {"extensions": extensions}

    return change


SHARE_OF_P256 = encode_key_shares({23: b"\x04" + bytes(64)})
HELLOS: dict[str, tuple[Callable[[ClientHello], dict[str, Any]], AlertDescription]] = {
    "no groups": (extended(GROUPS, None), A.MISSING_EXTENSION),
    "no shares": (extended(SHARES, None), A.MISSING_EXTENSION),
    "no schemes": (extended(SCHEMES, None), A.MISSING_EXTENSION),
    "other schemes": (extended(SCHEMES, bytes.fromhex("000404030707")), A.HANDSHAKE_FAILURE),
    "other groups": (
        lambda hello: {
            "extensions": {
                **hello.extensions,
                GROUPS: bytes.fromhex("00020017"),
                SHARES: SHARE_OF_P256,
            }
        },
        A.HANDSHAKE_FAILURE,
    ),
    "a share that is not offered": (extended(SHARES, SHARE_OF_P256), A.ILLEGAL_PARAMETER),
    "two shares of a group": (
        extended(SHARES, (2 * 69).to_bytes(2, "big") + 2 * encode_key_share(41, bytes(65))),
        A.ILLEGAL_PARAMETER,
    ),
    "other suites": (lambda _: {"cipher_suites": (0x1301,)}, A.HANDSHAKE_FAILURE),
    "compression": (lambda _: {"compression_methods": b"\1\0"}, A.ILLEGAL_PARAMETER),
    "SSL 3": (lambda _: {"client_version": 0x0300}, A.PROTOCOL_VERSION),
    "no versions": (extended(VERSIONS, None), A.PROTOCOL_VERSION),
    "TLS 1.4 alone": (extended(VERSIONS, b"\x02\x03\x05"), A.PROTOCOL_VERSION),
    "half a version": (extended(VERSIONS, b"\x03\x03\x04\x03"), A.DECODE_ERROR),
    "no application protocol": (extended(ALPN, b"\0\x03\x02h2"), A.NO_APPLICATION_PROTOCOL),
    "a pre-shared key that is not last": (
        lambda hello: {
            "extensions": {
                PSK: OfferedPsks(((b"x", 0),), (bytes(32),)).encode(),
                **hello.extensions,
            }
        },
        A.ILLEGAL_PARAMETER,
    ),
    "fewer binders than keys": (
        extended(PSK, OfferedPsks(((b"x", 0), (b"y", 0)), (bytes(32),)).encode()),
        A.ILLEGAL_PARAMETER,
    ),
    "a pre-shared key without modes": (
        lambda hello: {
            "extensions": {
                **{n: body for n, body in hello.extensions.items() if n != MODES},
                PSK: OfferedPsks(((b"x", 0),), (bytes(32),)).encode(),
            }
        },
        A.MISSING_EXTENSION,
    ),
}


@pytest.mark.parametrize("name", HELLOS)
def test_refuses_a_hello_with(name: str) -> None:
    change, alert = HELLOS[name]
    server = server13(application_protocols=("mqtt",))
    refused(link13(None, server, change=with_client_hello(change)), "server", alert)


def test_takes_a_hello_with_signature_algorithms_cert_and_unknown_numbers() -> None:
    def change(hello: ClientHello) -> dict[str, Any]:
        grease = {50: bytes.fromhex("00020708"), 0x0A0A: b""}
        versions = {VERSIONS: bytes.fromhex("060a0a03040303")}
        return {
            "extensions": {**grease, **hello.extensions, **versions},
            "cipher_suites": (0x0A0A, *hello.cipher_suites),
        }

    pair = link13(change=with_client_hello(change))
    # The client knows what it said, so the transcripts differ; the server saw nothing wrong.
    assert isinstance(pair.errors["client"], BadRecord)


def test_refuses_a_second_hello_that_differs_from_the_first() -> None:
    def changed(change: Callable[[ClientHello], dict[str, Any]]) -> Link:
        alter = with_client_hello(change)
        return link13(
            client13(key_shares=()),
            change=lambda who, n, r: alter(who, 0, r) if (who, n) == ("client", 2) else r,
        )

    cases = (
        lambda _: {"random": bytes(32)},
        lambda _: {"session_id": b""},
        lambda _: {"cipher_suites": (0x00C6,)},
        extended(SCHEMES, bytes.fromhex("000407080403")),
        extended(SHARES, b"\0\0"),
        extended(SHARES, encode_key_shares({41: bytes(65)})),
        extended(COOKIE, b"\0\x01x"),
        extended(0x0A0A, b""),
    )
    for change in cases:
        refused(changed(change), "server", A.ILLEGAL_PARAMETER)


# --- the server's hello ------------------------------------------------------------------


def answered(number: int, body: bytes | None) -> Callable[[ServerHello], dict[str, Any]]:
    def change(hello: ServerHello) -> dict[str, Any]:
        kept = {n: old for n, old in hello.extensions.items() if n != number}
        return {"extensions": kept if body is None else {**kept, number: body}}

    return change


ANSWERS: dict[str, tuple[Callable[[ServerHello], dict[str, Any]], AlertDescription]] = {
    "another version": (answered(VERSIONS, b"\x03\x03"), A.ILLEGAL_PARAMETER),
    "no version": (answered(VERSIONS, None), A.PROTOCOL_VERSION),
    "a legacy version": (lambda _: {"server_version": 0x0304}, A.ILLEGAL_PARAMETER),
    "another session identifier": (lambda _: {"session_id": bytes(32)}, A.ILLEGAL_PARAMETER),
    "a suite of TLS 1.2": (lambda _: {"cipher_suite": 0xE107}, A.ILLEGAL_PARAMETER),
    "an unknown suite": (lambda _: {"cipher_suite": 0x1301}, A.ILLEGAL_PARAMETER),
    "compression": (lambda _: {"compression_method": 1}, A.ILLEGAL_PARAMETER),
    "no share": (answered(SHARES, None), A.MISSING_EXTENSION),
    "a share of another group": (
        answered(SHARES, encode_key_share(23, bytes(65))),
        A.ILLEGAL_PARAMETER,
    ),
    "a pre-shared key": (answered(PSK, b"\0\0"), A.UNSUPPORTED_EXTENSION),
    "an extension nobody asked for": (answered(0x1234, b""), A.UNSUPPORTED_EXTENSION),
    "an extension of another message": (answered(0, b""), A.ILLEGAL_PARAMETER),
    "a cookie": (answered(COOKIE, b"\0\x01x"), A.ILLEGAL_PARAMETER),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_refuses_an_answer_with(name: str) -> None:
    change, alert = ANSWERS[name]
    refused(link13(change=with_server_hello(change)), "client", alert)


@pytest.mark.parametrize(
    ("change", "alert"),
    [
        (answered(SHARES, b"\0\x29"), A.ILLEGAL_PARAMETER),  # its share is there already
        (answered(SHARES, b"\0\x17"), A.ILLEGAL_PARAMETER),
        (answered(SHARES, None), A.ILLEGAL_PARAMETER),  # the same hello again
        (answered(PSK, b"\0\0"), A.UNSUPPORTED_EXTENSION),
        (answered(COOKIE, b"\0\0"), A.DECODE_ERROR),
        (lambda _: {"cipher_suite": 0x1301}, A.ILLEGAL_PARAMETER),
    ],
)
def test_refuses_a_retry_request_that_makes_no_sense(
    change: Callable[[ServerHello], dict[str, Any]], alert: AlertDescription
) -> None:
    pair = link13(
        client13(key_shares=(41,)), server13(groups=(4590,)), change=with_server_hello(change)
    )
    refused(pair, "client", alert)


def test_refuses_another_suite_after_a_retry() -> None:
    alter = with_server_hello(lambda _: {"cipher_suite": 0x00C7})
    pair = link13(
        client13(key_shares=()),
        change=lambda who, n, r: alter(who, 0, r) if (who, n) == ("server", 2) else r,
    )
    refused(pair, "client", A.ILLEGAL_PARAMETER)


def test_refuses_a_second_retry_request() -> None:
    first: list[bytes] = []

    def repeat(who: str, number: int, record: bytes) -> bytes:
        if who == "server" and number == 0:
            first.append(record)
        return first[0] if (who, number) == ("server", 2) else record

    refused(link13(client13(key_shares=()), change=repeat), "client", A.UNEXPECTED_MESSAGE)


def test_refuses_encrypted_extensions_that_nobody_asked_for() -> None:
    def says(body: str) -> dict[str, Callable[[int, bytes], list[bytes]]]:
        return {
            "server": lambda _, raw: [message(8, bytes.fromhex(body))] if raw[0] == 8 else [raw]
        }

    refused(link13(says=says("0004" + "12340000")), "client", A.UNSUPPORTED_EXTENSION)
    refused(link13(says=says("0006" + "002b00020304")), "client", A.ILLEGAL_PARAMETER)
    refused(link13(says=says("0004" + "002a0000")), "client", A.UNSUPPORTED_EXTENSION)
    refused(link13(says=says("0005" + "0000000101")), "client", A.DECODE_ERROR)
    refused(
        link13(says=says("0009" + "0010000500030268" + "32")), "client", A.UNSUPPORTED_EXTENSION
    )
    pair = link13(
        client13(application_protocols=("h2",)), says=says("000a0010000600040361" + "6263")
    )
    refused(pair, "client", A.ILLEGAL_PARAMETER)


# --- going down --------------------------------------------------------------------------


def talked_down(who: str, number: int, record: bytes) -> bytes:
    alter = with_client_hello(extended(VERSIONS, b"\x02\x03\x03"))
    return alter(who, number, record)


def test_nobody_talks_two_ends_of_tls13_down() -> None:
    pair = link13(client13(suites=MIXED), server13(suites=MIXED), change=talked_down)
    error = refused(pair, "client", A.ILLEGAL_PARAMETER)
    assert "talked it down" in str(error)


def test_the_sentinel_stands_only_where_tls13_was_possible() -> None:
    for suites, is_there in ((MIXED, True), (TLS12_SUITES, False)):
        pair = link13(client13(suites=TLS12_SUITES), server13(suites=suites))
        assert not pair.errors
        assert (pair.seen["server"][0][35:43] == b"DOWNGRD\x01") is is_there


def test_refuses_a_fallback_that_was_not_needed() -> None:
    def fall_back(hello: ClientHello) -> dict[str, Any]:
        return {"cipher_suites": (*hello.cipher_suites, 0x5600)}

    pair = link13(
        client13(suites=TLS12_SUITES),
        server13(suites=MIXED),
        change=with_client_hello(fall_back),
    )
    refused(pair, "server", A.INAPPROPRIATE_FALLBACK)


def test_a_client_of_tls13_alone_refuses_tls12() -> None:
    refused(link13(None, server13(suites=TLS12_SUITES)), "server", A.PROTOCOL_VERSION)
    refused(link13(client13(suites=TLS12_SUITES), server13()), "server", A.PROTOCOL_VERSION)


# --- the hybrid share --------------------------------------------------------------------

POINT = sm2.PrivateKey.generate().public_key().to_bytes()
OFF_CURVE = b"\x04" + bytes(63) + b"\x01"
LATTICE = mlkem.MlKem768PrivateKey.generate().public_bytes()
CLIENT_SHARES = {
    "point alone": POINT,
    "lattice alone": LATTICE,
    "truncated": (POINT + LATTICE)[:-1],
    "extended": POINT + LATTICE + b"\0",
    "swapped": LATTICE + POINT,
    "off the curve": OFF_CURVE + LATTICE,
    "infinity": bytes(65) + LATTICE,
    "not reduced": POINT + b"\xff" * 3 + LATTICE[3:],
    "a server's": POINT + bytes(1088),
}


@pytest.mark.parametrize("name", CLIENT_SHARES)
def test_refuses_a_hybrid_share_of_the_client(name: str) -> None:
    def change(hello: ClientHello) -> dict[str, Any]:
        shares = {**decode_key_shares(hello.extensions[SHARES]), 4590: CLIENT_SHARES[name]}
        return {"extensions": {**hello.extensions, SHARES: encode_key_shares(shares)}}

    refused(link13(change=with_client_hello(change)), "server", A.ILLEGAL_PARAMETER)


@pytest.mark.parametrize(
    "change",
    [
        lambda share: share[:65],
        lambda share: share[65:],
        lambda share: share[:-1],
        lambda share: share + b"\0",
        lambda share: share[65:] + share[:65],
        lambda share: OFF_CURVE + share[65:],
    ],
    ids=["point alone", "lattice alone", "truncated", "extended", "swapped", "off the curve"],
)
def test_refuses_a_hybrid_share_of_the_server(change: Callable[[bytes], bytes]) -> None:
    def alter(hello: ServerHello) -> dict[str, Any]:
        group, share = decode_key_share(hello.extensions[SHARES])
        return {"extensions": {**hello.extensions, SHARES: encode_key_share(group, change(share))}}

    refused(link13(change=with_server_hello(alter)), "client", A.ILLEGAL_PARAMETER)


def test_an_altered_ciphertext_shows_only_as_keys_that_differ() -> None:
    def alter(hello: ServerHello) -> dict[str, Any]:
        group, share = decode_key_share(hello.extensions[SHARES])
        share = share[:-1] + bytes((share[-1] ^ 1,))
        return {"extensions": {**hello.extensions, SHARES: encode_key_share(group, share)}}

    pair = link13(change=with_server_hello(alter))
    assert isinstance(pair.errors["client"], BadRecord)


@pytest.mark.parametrize(
    "share",
    [OFF_CURVE, bytes(65), POINT[:-1], b"\x02" + POINT[1:33], b"\x06" + POINT[1:]],
    ids=["off the curve", "infinity", "truncated", "compressed", "hybrid form"],
)
def test_refuses_a_share_that_is_no_point(share: bytes) -> None:
    server, client = server13(groups=(41,)), client13(groups=(41,))
    of_client = with_client_hello(extended(SHARES, encode_key_shares({41: share})))
    refused(link13(client, server, change=of_client), "server", A.ILLEGAL_PARAMETER)
    of_server = with_server_hello(answered(SHARES, encode_key_share(41, share)))
    refused(link13(client, server, change=of_server), "client", A.ILLEGAL_PARAMETER)


# --- resumption --------------------------------------------------------------------------


def test_refuses_a_wrong_binder() -> None:
    server = server13(session_cache=SessionCache())
    session = link13(None, server).client.session

    def change(who: str, number: int, record: bytes) -> bytes:
        return record[:-1] + bytes((record[-1] ^ 1,)) if (who, number) == ("client", 0) else record

    refused(link13(None, server, session=session, change=change), "server", A.DECRYPT_ERROR)


def test_refuses_a_hello_altered_before_its_binder() -> None:
    server = server13(session_cache=SessionCache())
    session = link13(None, server).client.session
    change = with_client_hello(lambda _: {"random": bytes(32)})
    refused(link13(None, server, session=session, change=change), "server", A.DECRYPT_ERROR)


def test_refuses_a_choice_among_keys_that_was_not_there() -> None:
    server = server13(session_cache=SessionCache())
    session = link13(None, server).client.session
    change = with_server_hello(answered(PSK, b"\0\x01"))
    refused(link13(None, server, session=session, change=change), "client", A.ILLEGAL_PARAMETER)


def test_a_ticket_for_longer_than_a_week_is_refused() -> None:
    def longer(_: int, raw: bytes) -> list[bytes]:
        return [raw[:4] + (604_801).to_bytes(4, "big") + raw[8:]] if raw[0] == 4 else [raw]

    pair = link13(says={"server": longer})
    assert isinstance(pair.errors["client"], IllegalParameter)


def test_a_ticket_for_no_time_is_dropped() -> None:
    pair = link13(
        says={"server": lambda _, raw: [raw[:4] + bytes(4) + raw[8:]] if raw[0] == 4 else [raw]}
    )
    assert not pair.errors
    assert pair.client.session is None


# --- records -----------------------------------------------------------------------------


def in_between(sender: str, before: int, *extra: bytes) -> Callable[[str, int, bytes], bytes]:
    def change(who: str, number: int, record: bytes) -> bytes:
        return b"".join(extra) + record if (who, number) == (sender, before) else record

    return change


def test_compatibility_records_are_dropped_where_rfc_8446_says_so_and_counted() -> None:
    for sender, before in (("server", 1), ("server", 3), ("client", 2)):
        assert not link13(change=in_between(sender, before, COMPATIBILITY)).errors
        pair = link13(change=in_between(sender, before, *[COMPATIBILITY] * 5))
        refused(pair, "server" if sender == "client" else "client", A.UNEXPECTED_MESSAGE)


def test_other_change_cipher_specs_are_refused() -> None:
    for extra in (b"\x14\x03\x03\0\x01\x02", b"\x14\x03\x03\0\x02\x01\x01", b"\x14\x03\x03\0\0"):
        pair = link13(change=in_between("client", 2, extra))
        refused(pair, "server", A.UNEXPECTED_MESSAGE)
    refused(link13(change=in_between("client", 0, COMPATIBILITY)), "server", A.UNEXPECTED_MESSAGE)
    pair = link13()
    for end in (pair.client, pair.server):
        with pytest.raises(UnexpectedMessage):
            end.receive_data(COMPATIBILITY)


def test_plaintext_after_the_hellos_is_refused() -> None:
    for extra in (in_record(20, bytes(32)), b"\x17\x03\x03\0\x05hello"):
        for sender, by in (("client", "server"), ("server", "client")):
            pair = link13(change=in_between(sender, 2, extra))
            assert isinstance(pair.errors[by], UnexpectedMessage | BadRecord)


def test_early_data_that_nobody_allowed_is_refused() -> None:
    extra = b"\x17\x03\x03\0\x30" + bytes(0x30)
    pair = link13(change=in_between("client", 1, extra))
    assert isinstance(pair.errors["server"], BadRecord)


def test_a_client_without_keys_can_say_why_it_gives_up() -> None:
    pair = link13(change=with_server_hello(lambda _: {"compression_method": 1}))
    error = pair.errors["server"]
    assert isinstance(error, AlertReceived)
    assert error.code == A.ILLEGAL_PARAMETER


def test_protected_records_of_a_forbidden_kind_are_refused() -> None:
    for content_type, content in ((20, b"\x01"), (0, b""), (24, b"x"), (22, b""), (21, b"")):
        pair = link13()
        pair.client._driver._channel.write(content_type, content)
        with pytest.raises(UnexpectedMessage):
            pair.server.receive_data(pair.client.data_to_send())


def test_any_alert_but_two_ends_the_session_whatever_its_level() -> None:
    for level in (1, 2, 0):
        pair = link13()
        pair.client._driver.send_alert(level, A.INTERNAL_ERROR)
        with pytest.raises(AlertReceived):
            pair.server.receive_data(pair.client.data_to_send())
    pair = link13()
    pair.client._driver.send_alert(1, A.USER_CANCELED)
    assert len(pair.server.receive_data(pair.client.data_to_send())) == 1


def test_a_record_beyond_the_limit_is_refused_before_it_arrives() -> None:
    pair = link13()
    with pytest.raises(PeerError) as caught:
        pair.server.receive_data(b"\x17\x03\x03" + (16_384 + 257).to_bytes(2, "big"))
    assert caught.value.description is A.RECORD_OVERFLOW


def test_every_flipped_bit_of_a_data_record_is_refused() -> None:
    for bit in range(0, 8 * (5 + 5 + 16), 3):
        pair = link13()
        pair.client.send_data(b"data")
        record = bytearray(pair.client.data_to_send())
        record[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(PeerError):
            pair.server.receive_data(bytes(record))
        assert pair.server.read() == b"", bit


COMPARED = link13(client13(credential=world().client), server13(**MUTUAL))
POSITIONS = [
    (sender, number)
    for sender in ("client", "server")
    for number, record in enumerate(COMPARED.seen[sender])
    if record != COMPATIBILITY
]


@pytest.mark.parametrize(("sender", "number"), POSITIONS)
def test_every_changed_byte_of_the_handshake_is_refused(sender: str, number: int) -> None:
    length = len(COMPARED.seen[sender][number])
    is_plain = COMPARED.seen[sender][number][0] != 23
    for position in [0, *range(5, length, 1 + length // 25)]:

        def change(who: str, n: int, record: bytes, at: int = position) -> bytes:
            if (who, n) != (sender, number):
                return record
            at = min(at, len(record) - 1)
            return record[:at] + bytes((record[at] ^ 1,)) + record[at + 1 :]

        pair = link13(client13(credential=world().client), server13(**MUTUAL), change=change)
        assert pair.errors, (position, is_plain)
        assert all(isinstance(error, MeterSealError) for error in pair.errors.values())
        if is_plain:
            assert not (pair.client.is_established and pair.server.is_established)


# --- key updates -------------------------------------------------------------------------


def test_key_updates_without_end_are_refused() -> None:
    pair = link13(None, server13(limits=Limits(key_updates=5)))
    for _ in range(2):
        for _ in range(5):
            pair.client.update_keys(request_peer=True)
        pair.client.send_data(b"1 kWh")  # what is between them is worth the work
        pair.server.receive_data(pair.client.data_to_send())
        assert pair.server.read() == b"1 kWh"
    pair.client.receive_data(pair.server.data_to_send())
    for _ in range(6):
        pair.client.update_keys()
    with pytest.raises(UnexpectedMessage, match="more than 5 key updates"):
        pair.server.receive_data(pair.client.data_to_send())


def test_a_key_update_that_is_not_alone_in_its_record_is_refused() -> None:
    for extra in (message(24, b"\0"), b"\x18"):
        pair = link13()
        pair.client._driver._channel.write(22, message(24, b"\0") + extra)
        with pytest.raises(UnexpectedMessage):
            pair.server.receive_data(pair.client.data_to_send())


def test_a_key_update_that_asks_for_something_else_is_refused() -> None:
    for body, alert in (
        (b"\x02", A.ILLEGAL_PARAMETER),
        (b"", A.DECODE_ERROR),
        (b"\0\0", A.DECODE_ERROR),
    ):
        pair = link13()
        pair.client._driver.send_encoded(message(24, body))
        with pytest.raises(PeerError) as caught:
            pair.server.receive_data(pair.client.data_to_send())
        assert caught.value.description is alert


def test_a_peer_that_does_not_follow_its_own_key_update_is_refused() -> None:
    pair = link13()
    pair.client._driver.send_encoded(message(24, b"\0"))
    pair.client.send_data(b"under the old keys")
    with pytest.raises(BadRecord):
        pair.server.receive_data(pair.client.data_to_send())


def test_data_before_the_end_of_the_handshake_is_refused() -> None:
    server = Connection.server(server13())
    client = Connection.client(client13(), SERVER_NAME)
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    client.data_to_send()
    client._driver._channel.write(23, b"x")  # under the application's keys, before Finished
    record = client.data_to_send()
    with pytest.raises(BadRecord):
        server.receive_data(record)
