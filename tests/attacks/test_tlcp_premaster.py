"""The premaster secret of TLCP's ECC suites: no oracle, no length that is not bounded.

GmSSL wrote up to 255 bytes into a buffer of 48; gotlcp indexed bodies of one to three bytes; both
tell by their alert at which step a ciphertext failed. Here everything that is a ClientKeyExchange
at all goes on to Finished and fails there like a wrong secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import AlertDescription, PeerError
from meterseal.lab.attack.oracle_premaster import bad_premasters
from meterseal.lab.attack.wire import records
from meterseal.transport import CipherSuite, ClientAuthentication, Connection
from meterseal.transport.classic import client as classic_client
from meterseal.transport.classic.exchange import KeyExchangeProven
from meterseal.transport.messages import EccClientKeyExchange, EccServerKeyExchange
from meterseal.transport.wire import vector16, vector24
from support.identities import world
from support.tlcp import ECC, ECC_CBC, ECDHE, tlcp_client, tlcp_server
from support.wire import SERVER_NAME, link

if TYPE_CHECKING:
    from meterseal.transport.identity import Peer

A = AlertDescription
HONEST = b"\x01\x01" + bytes(46)


@dataclass(frozen=True)
class Refusal:
    """What a server's refusal looks like from outside, and what its log says."""

    record: int
    alert: AlertDescription
    text: str
    output: bytes


def refusal(body: bytes, suite: CipherSuite = ECC) -> Refusal:
    """A server's answer to a client's last flight with this body in its ClientKeyExchange."""
    pair = world().client_pair if suite is ECDHE else None
    mode = ClientAuthentication.REQUIRED if pair else ClientAuthentication.NONE
    client = Connection.client(tlcp_client(suite, credential=pair), SERVER_NAME)
    server = Connection.server(tlcp_server(client_authentication=mode))
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    for number, record in enumerate(records(client.data_to_send())):
        is_ours = record[0] == 22 and record[5] == 16
        sent = record[:3] + vector16(b"\x10" + vector24(body)) if is_ours else record
        try:
            server.receive_data(sent)
        except PeerError as error:
            return Refusal(number, error.description, str(error), server.data_to_send())
    raise AssertionError("the server took it")


def sealed(pre_master: bytes) -> bytes:
    """The body that carries these bytes, honestly encrypted."""
    encryption = world().server_pair.encryption
    assert encryption is not None
    return vector16(encryption.certificate.public_key().encrypt(pre_master))


@cache
def at_finished(suite: CipherSuite = ECC) -> Refusal:
    """How a wrong secret fails: the third record is the client's Finished, and does not open."""
    wrong = refusal(sealed(HONEST), suite)
    assert (wrong.record, wrong.alert) == (2, A.BAD_RECORD_MAC)
    assert wrong.output == b"\x15\x01\x01\0\2\2\x14"
    return wrong


class Using:
    """A client's half that goes on with this premaster secret, whatever a server makes of it."""

    server_message = EccServerKeyExchange

    def __init__(self, pre_master: bytes) -> None:
        self._pre_master = pre_master

    def check(self, _message: object, peer: Peer, _randoms: object) -> KeyExchangeProven:
        return KeyExchangeProven(peer)

    def conclude(self, proven: KeyExchangeProven) -> tuple[EccClientKeyExchange, bytes]:
        assert proven.peer.encryption is not None
        key = proven.peer.encryption.leaf.public_key()
        return EccClientKeyExchange(key.encrypt(self._pre_master)), self._pre_master


@pytest.mark.parametrize(
    ("pre_master", "is_taken"),
    [
        (HONEST, True),
        (b"\x03\x03" + bytes(46), False),
        (b"\x01\x00" + bytes(46), False),
        (HONEST[:-1], False),
        (HONEST + b"\0", False),
        (HONEST[:2], False),
        (HONEST + bytes(207), False),
    ],
    ids=["right", "TLS", "1.0", "47 bytes", "49 bytes", "2 bytes", "255 bytes"],
)
def test_a_client_that_means_its_wrong_premaster_cannot_finish_either(
    pre_master: bytes, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ends would have one secret, if the server did not check what it decrypted."""
    using = Using(pre_master)
    monkeypatch.setattr(classic_client, "client_exchange", lambda *_: using)
    server = tlcp_server(client_authentication=ClientAuthentication.NONE)
    both = link(tlcp_client(credential=None), server)
    assert both.server.is_established is is_taken
    if not is_taken:
        assert str(both.errors["server"]) == at_finished().text


def test_a_premaster_of_any_length_fails_alike_at_finished() -> None:
    for length in range(1, 256):  # nothing at all is among the failures below
        if length != 48:
            assert refusal(sealed((b"\x01\x01" + bytes(254))[:length])) == at_finished(), length


@pytest.mark.parametrize("suite", [ECC, ECC_CBC], ids=["GCM", "CBC"])
def test_a_premaster_of_another_version_fails_alike_at_finished(suite: CipherSuite) -> None:
    versions = [0, 1, 0x0100, 0x0102, 0x0200, 0x0201, 0x0300, 0x0303, 0x0304, 0x1010, 0xFFFF]
    for version in versions:
        body = sealed(version.to_bytes(2, "big") + bytes(46))
        assert refusal(body, suite) == at_finished(suite), version


ENCRYPTION = world().server_pair.encryption
assert ENCRYPTION is not None
FAILURES = bad_premasters(ENCRYPTION.certificate.public_key())


@pytest.mark.parametrize("failure", FAILURES)
def test_every_failure_of_decryption_looks_like_a_wrong_secret(failure: str) -> None:
    assert refusal(FAILURES[failure]) == at_finished()


def test_a_client_key_exchange_of_any_length_never_surprises() -> None:
    """A body that is a vector goes on to Finished, any other is refused as undecodable."""
    for length in range(301):
        is_vector = (length - 2).to_bytes(2, "big") + bytes(length - 2) if length > 2 else b""
        if is_vector:
            assert refusal(is_vector) == at_finished(), length
        for start in (b"", b"\xff\xff", b"\0\1", length.to_bytes(2, "big")):
            body = (start + bytes(301))[:length]
            if body == is_vector or (start == b"\0\1" and length == 3):
                continue
            answer = refusal(body)
            assert (answer.record, answer.alert) == (0, A.DECODE_ERROR), (length, start)


def test_an_ecdhe_client_key_exchange_of_any_length_never_surprises() -> None:
    bare, prefixed = b"\x03\x00\x29\x41" + bytes(300), b"\x00\x45\x03\x00\x29\x41" + bytes(100)
    bodies = [bare[:length] for length in range(301)]
    bodies += [prefixed[:length] for length in range(1, 100)]
    bodies += [b"\xff" * length for length in (1, 2, 3, 69, 71, 300)]
    for body in bodies:
        answer = refusal(body, ECDHE)
        assert answer.record == 1, body
        assert answer.alert in {A.DECODE_ERROR, A.ILLEGAL_PARAMETER}, body
