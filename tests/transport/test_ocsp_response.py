"""An OCSP response travels with the server's certificate: when asked for, opaque, and never else.

covers: RFC 8446, 4.4.2.1; RFC 6066, 8
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.errors import (
    DecodeError,
    IllegalParameter,
    PeerError,
    UnexpectedMessage,
    UnsupportedExtension,
    UsageError,
)
from meterseal.lab.attack.wire import message, with_client_hello, with_server_hello
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
    TicketKeys,
)
from meterseal.transport.extensions import decode_status_request, encode_status_request
from meterseal.transport.messages import (
    CertificateEntry,
    CertificateStatus,
    EncryptedExtensions,
    Tls13Certificate,
)
from meterseal.transport.trace import Trace
from meterseal.transport.wire import Cursor
from support.identities import world
from support.tls13 import client13, link13, server13
from support.wire import Link, client_config, link, provider, server_config

if TYPE_CHECKING:
    from collections.abc import Callable

RESPONSE = b"\x30\x03\x0a\x01\x00"
STATUS_REQUEST, CERTIFICATE, STATUS = 5, 11, 22
TLS = pytest.mark.parametrize("suites", [TLS13_SUITES, TLS12_SUITES], ids=["TLS 1.3", "TLS 1.2"])


def stapled(response: bytes | None = RESPONSE, **changes: Any) -> Any:  # noqa: ANN401
    return server_config(credential=replace(world().server, ocsp_response=response), **changes)


def responses(both: Link) -> tuple[bytes | None, bytes | None]:
    client, server = both.client.established, both.server.established
    assert client is not None
    assert server is not None
    return client.ocsp_response, server.ocsp_response


@TLS
def test_a_client_that_asks_gets_it_and_others_do_not(suites: Any) -> None:  # noqa: ANN401
    told: list[str] = []
    asking = client_config(suites=suites, request_ocsp=True, observer=Trace(told.append))
    server = stapled(suites=suites)
    assert responses(link(asking, server)) == (RESPONSE, None)
    assert any("OCSP" in line or "status_request" in line for line in told)
    assert responses(link(asking, server_config(suites=suites))) == (None, None)
    assert responses(link(client_config(suites=suites), server)) == (None, None)


@TLS
def test_a_long_one_arrives_whole(suites: Any) -> None:  # noqa: ANN401
    response = bytes(range(256)) * 32
    both = link(client_config(suites=suites, request_ocsp=True), stapled(response, suites=suites))
    assert responses(both) == (response, None)


@TLS
def test_a_resumed_session_has_none(suites: Any) -> None:  # noqa: ANN401
    client = client_config(suites=suites, request_ocsp=True)
    server = stapled(suites=suites, ticket_keys=TicketKeys(provider()))
    first = link(client, server)
    again = link(client, server, session=first.client.session)
    assert again.client.established is not None
    assert again.client.established.resumed
    assert responses(again) == (None, None)


def test_one_hello_for_both_versions_asks_once_for_whichever_is_chosen() -> None:
    client = client_config(suites=TLS13_SUITES + TLS12_SUITES, request_ocsp=True)
    for suites in (TLS13_SUITES, TLS12_SUITES):
        assert responses(link(client, stapled(suites=suites))) == (RESPONSE, None)
    retried = client_config(suites=TLS13_SUITES, request_ocsp=True, key_shares=())
    assert responses(link(retried, stapled(suites=TLS13_SUITES))) == (RESPONSE, None)


def test_tlcp_has_no_place_for_it() -> None:
    credential = replace(world().server_pair, ocsp_response=RESPONSE)
    client = client_config(suites=TLCP_SUITES, request_ocsp=True)
    server = server_config(suites=TLCP_SUITES, credential=credential)
    assert responses(link(client, server)) == (None, None)


def test_each_name_has_the_response_of_its_certificate() -> None:
    other = stapled(b"of the other", suites=TLS13_SUITES)
    server = replace(stapled(suites=TLS13_SUITES), select=lambda _: other)
    client = client_config(suites=TLS13_SUITES, request_ocsp=True)
    assert responses(link(client, server)) == (b"of the other", None)


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_a_response_that_nobody_could_take_is_refused_at_home(size: int) -> None:
    with pytest.raises(UsageError, match=f"an OCSP response of {size} bytes"):
        replace(world().server, ocsp_response=bytes(size))


# --- what peers may not say ------------------------------------------------------------------


def certificate_with(*extensions: dict[int, bytes]) -> Callable[[int, bytes], list[bytes]]:
    """Say a chain whose certificates carry these extensions."""
    (own,) = world().server.chain
    chain = [own.encode(), world().root.encode()]

    def change(_: int, raw: bytes) -> list[bytes]:
        if raw[0] != CERTIFICATE:
            return [raw]
        entries = zip(chain, extensions, strict=False)
        body = Tls13Certificate(b"", tuple(CertificateEntry(*entry) for entry in entries))
        return [message(CERTIFICATE, body.encode())]

    return change


def refused13(
    change: Callable[[int, bytes], list[bytes]], *, asked: bool = True
) -> PeerError | None:
    both = link13(client13(request_ocsp=asked), server13(), says={"server": change})
    error = both.errors.get("client")
    assert error is None or isinstance(error, PeerError)
    return error


GOOD = {STATUS_REQUEST: CertificateStatus(RESPONSE).encode()}


def test_the_honest_conversation_is_taken() -> None:
    assert refused13(certificate_with(GOOD)) is None
    assert refused13(certificate_with(GOOD, GOOD)) is None


@pytest.mark.parametrize(
    ("extensions", "asked", "error"),
    [
        ([GOOD], False, UnsupportedExtension),
        ([{}, GOOD], False, UnsupportedExtension),
        ([{18: b""}], True, UnsupportedExtension),
        ([{10: b"\0\2\0\x29"}], True, IllegalParameter),
        ([{STATUS_REQUEST: b""}], True, DecodeError),
        ([{STATUS_REQUEST: b"\1\0\0\0"}], True, DecodeError),
        ([{STATUS_REQUEST: b"\1\0\0\2a"}], True, DecodeError),
        ([{STATUS_REQUEST: b"\1\0\0\1a!"}], True, DecodeError),
        ([{STATUS_REQUEST: b"\2\0\0\1a"}], True, IllegalParameter),
        ([{}, {STATUS_REQUEST: b"\1\0\0\1a!"}], True, DecodeError),
    ],
)
def test_tls13_refuses(extensions: Any, asked: bool, error: type[PeerError]) -> None:  # noqa: ANN401
    assert type(refused13(certificate_with(*extensions), asked=asked)) is error


def test_tls13_has_it_with_the_certificate_alone() -> None:
    def encrypted(_: int, raw: bytes) -> list[bytes]:
        return [message(8, EncryptedExtensions(GOOD).encode())] if raw[0] == 8 else [raw]

    assert type(refused13(encrypted)) is IllegalParameter
    assert type(refused13(encrypted, asked=False)) is UnsupportedExtension

    def of_its_own(_: int, raw: bytes) -> list[bytes]:
        status = message(STATUS, CertificateStatus(RESPONSE).encode())
        return [raw, status] if raw[0] == CERTIFICATE else [raw]

    assert type(refused13(of_its_own)) is UnexpectedMessage


def test_a_client_may_not_staple_unasked() -> None:
    (own,) = world().client.chain

    def change(_: int, raw: bytes) -> list[bytes]:
        if raw[0] != CERTIFICATE:
            return [raw]
        entry = CertificateEntry(own.encode(), GOOD)
        return [message(CERTIFICATE, Tls13Certificate(b"", (entry,)).encode())]

    both = link13(
        client13(credential=world().client),
        server13(trust=world().trust, client_authentication=ClientAuthentication.REQUIRED),
        says={"client": change},
    )
    assert type(both.errors["server"]) is UnsupportedExtension


def test_tls12_refuses_an_answer_that_is_not_empty_and_one_to_nobody() -> None:
    def answered(body: bytes, *, asked: bool) -> PeerError | None:
        change = with_server_hello(
            lambda hello: {"extensions": {**hello.extensions, STATUS_REQUEST: body}}
        )
        both = link(client_config(request_ocsp=asked), server_config(), change=change)
        error = both.errors.get("client")
        assert isinstance(error, PeerError)
        return error

    assert type(answered(b"", asked=False)) is UnsupportedExtension
    assert type(answered(b"\1", asked=True)) is DecodeError


def test_tls12_may_announce_it_and_send_none() -> None:
    def silent(_: int, raw: bytes) -> list[bytes]:
        return [] if raw[0] == STATUS else [raw]

    both = link13(client_config(request_ocsp=True), stapled(), says={"server": silent})
    assert not both.errors
    assert responses(both) == (None, None)


# --- the question ----------------------------------------------------------------------------


def test_a_question_of_another_kind_is_none_and_a_malformed_one_is_refused() -> None:
    assert decode_status_request(encode_status_request())
    assert decode_status_request(bytes.fromhex("01 0003 0001ff 0002abcd"))
    assert not decode_status_request(b"\x02whatever")
    for body in (b"", b"\1", b"\1\0\0\0", b"\1\0\0\0\0!", b"\1\0\2\0\0\0\0", b"\1\0\3\0\2a\0\0"):
        with pytest.raises(DecodeError):
            decode_status_request(body)


def test_a_server_refuses_a_malformed_question() -> None:
    change = with_client_hello(
        lambda hello: {"extensions": {STATUS_REQUEST: b"\1\0", **hello.extensions}}
    )
    for suites in (TLS13_SUITES, TLS12_SUITES):
        both = link(client_config(suites=suites), stapled(suites=suites), change=change)
        assert type(both.errors["server"]) is DecodeError


def test_the_message_is_decoded_strictly() -> None:
    whole = CertificateStatus(RESPONSE).encode()
    cursor = Cursor(whole)
    assert CertificateStatus.decode(cursor).ocsp_response == RESPONSE
    cursor.finish()
    for length in range(len(whole)):
        with pytest.raises(DecodeError):
            CertificateStatus.decode(Cursor(whole[:length]))
