"""Codecs: what is encoded decodes to the same, no proper prefix does, no byte string crashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.errors import DecodeError, IllegalParameter, PeerError
from meterseal.transport.extensions import decode_extensions, decode_server_name, encode_server_name
from meterseal.transport.messages import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    ChangeCipherSpec,
    ClientHello,
    ClientKeyExchange,
    EncryptedExtensions,
    Finished,
    HelloRequest,
    KeyUpdate,
    Message,
    NewSessionTicket,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    Tls13Certificate,
    Tls13CertificateRequest,
    Tls13Finished,
    Tls13NewSessionTicket,
)
from meterseal.transport.wire import Cursor

U16 = st.integers(0, 0xFFFF)
SOME = st.binary(min_size=1, max_size=80)
RANDOM = st.binary(min_size=32, max_size=32)
EXTENSIONS = st.dictionaries(U16, st.binary(max_size=20), max_size=5)

MESSAGES = st.one_of(
    st.builds(HelloRequest),
    st.builds(
        ClientHello,
        U16,
        RANDOM,
        st.binary(max_size=32),
        st.lists(U16, min_size=1, max_size=9).map(tuple),
        st.binary(min_size=1, max_size=3),
        EXTENSIONS,
    ),
    st.builds(
        ServerHello, U16, RANDOM, st.binary(max_size=32), U16, st.integers(0, 255), EXTENSIONS
    ),
    st.builds(Certificate, st.lists(SOME, max_size=4).map(tuple)),
    st.builds(
        CertificateRequest,
        SOME,
        st.lists(U16, min_size=1, max_size=4).map(tuple),
        st.lists(SOME, max_size=3).map(tuple),
    ),
    st.builds(CertificateVerify, U16, SOME),
    st.builds(ServerKeyExchange, U16, SOME, U16, SOME),
    st.builds(ServerHelloDone),
    st.builds(ClientKeyExchange, SOME),
    st.builds(NewSessionTicket, st.integers(0, 0xFFFFFFFF), st.binary(max_size=80)),
    st.builds(Finished, st.binary(min_size=12, max_size=12)),
    st.builds(ChangeCipherSpec),
    st.builds(EncryptedExtensions, EXTENSIONS),
    st.builds(
        Tls13Certificate,
        st.binary(max_size=5),
        st.lists(st.builds(CertificateEntry, SOME, EXTENSIONS), max_size=4).map(tuple),
    ),
    st.builds(Tls13CertificateRequest, st.binary(max_size=5), EXTENSIONS),
    st.builds(Tls13Finished, RANDOM),
    st.builds(
        Tls13NewSessionTicket,
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=9),
        SOME,
        EXTENSIONS,
    ),
    st.builds(KeyUpdate, st.booleans()),
)
KINDS: list[type[Message]] = [
    HelloRequest,
    ClientHello,
    ServerHello,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ServerKeyExchange,
    ServerHelloDone,
    ClientKeyExchange,
    NewSessionTicket,
    Finished,
    ChangeCipherSpec,
    EncryptedExtensions,
    Tls13Certificate,
    Tls13CertificateRequest,
    Tls13Finished,
    Tls13NewSessionTicket,
    KeyUpdate,
]


@given(MESSAGES)
def test_every_message_round_trips(message: Message) -> None:
    cursor = Cursor(message.encode())
    assert type(message).decode(cursor) == message
    cursor.finish()


@given(MESSAGES, st.integers(0, 10_000))
def test_no_proper_prefix_decodes_to_the_same(message: Message, cut: int) -> None:
    whole = message.encode()
    if not whole:
        return
    cursor = Cursor(whole[: cut % len(whole)])
    try:
        shorter = type(message).decode(cursor)
    except PeerError:
        return
    # The extension block of a hello is optional: a hello cut exactly there is another hello.
    assert isinstance(shorter, ClientHello | ServerHello)
    assert not shorter.extensions
    assert shorter != message


@given(st.sampled_from(KINDS), st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(kind: type[Message], data: bytes) -> None:
    cursor = Cursor(data)
    try:
        message = kind.decode(cursor)
        cursor.finish()
    except (DecodeError, IllegalParameter):
        return
    decoded_again = kind.decode(Cursor(message.encode()))
    assert decoded_again == message


def test_an_extension_that_stands_twice_is_refused() -> None:
    twice = bytes.fromhex("0008 0017 0000 0017 0000".replace(" ", ""))
    with pytest.raises(IllegalParameter, match="stands twice"):
        decode_extensions(Cursor(twice))


def test_server_name_holds_one_host_name() -> None:
    body = encode_server_name("station.example")
    assert decode_server_name(body) == "station.example"
    entry = body[2:]
    doubled = (2 * len(entry)).to_bytes(2, "big") + entry + entry
    with pytest.raises(IllegalParameter, match="two host names"):
        decode_server_name(doubled)
    with pytest.raises(IllegalParameter, match="ASCII"):
        decode_server_name(bytes.fromhex("0004 00 0001 ff".replace(" ", "")))


def test_explicit_curves_are_refused() -> None:
    with pytest.raises(IllegalParameter, match="named curve"):
        ServerKeyExchange.decode(Cursor(b"\x01\x00\x1e\x01\x04\x07\x07\x00\x01\x00"))


def test_long_lists_are_refused() -> None:
    message = Certificate(tuple(b"x" for _ in range(17)))
    with pytest.raises(DecodeError, match="more than 16"):
        Certificate.decode(Cursor(message.encode()))
