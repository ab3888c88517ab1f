"""A session that others recorded: our codecs read it, our steps prove it, our records open it.

covers: RFC 5246, 7.4; RFC 7627, 4; RFC 5288, 3
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meterseal.crypto import sm2, sm3
from meterseal.crypto.record import MasterSecret
from meterseal.errors import BadRecord, HandshakeProofFailed, InvalidTag
from meterseal.transport import SUITES
from meterseal.transport.classic.exchange import Randoms, client_exchange
from meterseal.transport.codepoints import HANDSHAKE
from meterseal.transport.identity import Peer
from meterseal.transport.messages import (
    Certificate,
    ClientHello,
    ClientKeyExchange,
    Finished,
    Message,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
)
from meterseal.transport.wire import Cursor
from meterseal.x509 import Certificate as X509Certificate
from meterseal.x509 import Purpose, TrustStore, verify_chain
from support.wire import client_config

RECORDED = json.loads((Path(__file__).parents[1] / "vectors" / "e107_handshake.json").read_text())
RECORDS = [(entry["from"], bytes.fromhex(entry["record"])) for entry in RECORDED["records"]]
KINDS: dict[int, type[Message]] = {
    kind.TYPE: kind
    for kind in (
        ClientHello,
        ServerHello,
        Certificate,
        ServerKeyExchange,
        ServerHelloDone,
        ClientKeyExchange,
    )
}


def decode(raw: bytes) -> Message:
    cursor = Cursor(raw, 4)
    message = KINDS[raw[0]].decode(cursor)
    cursor.finish()
    return message


CLEAR = [record[5:] for _, record in RECORDS if record[0] == HANDSHAKE][:6]
MESSAGES = {type(decode(raw)): decode(raw) for raw in CLEAR}
CLIENT, SERVER = (
    [record for sender, record in RECORDS if sender == side and record[0] != 20]
    for side in ("client", "server")
)


def message(kind: type[Message]):  # noqa: ANN201
    found = MESSAGES[kind]
    assert isinstance(found, kind)
    return found


def randoms() -> Randoms:
    return Randoms(message(ClientHello).random, message(ServerHello).random)


def master_secret() -> MasterSecret:
    session_hash = sm3.sm3(b"".join(CLEAR)).digest()
    pre_master = bytes.fromhex(RECORDED["pre_master_secret"])
    return MasterSecret.derive_extended(pre_master, session_hash)


def test_every_message_encodes_to_what_was_recorded() -> None:
    for raw in CLEAR:
        assert decode(raw).encode() == raw[4:]


def test_the_premaster_secret_follows_from_the_ephemeral_keys() -> None:
    own = sm2.PrivateKey.from_bytes(bytes.fromhex(RECORDED["client_ephemeral_key"]))
    assert message(ClientKeyExchange).public == own.public_key().to_bytes()
    peer = sm2.PublicKey.from_bytes(message(ServerKeyExchange).public)
    assert own.exchange_ecdh(peer).hex() == RECORDED["pre_master_secret"]


def test_the_key_exchange_is_signed_by_the_certificate() -> None:
    leaf = X509Certificate.decode(message(Certificate).certificate_list[0])
    peer = verify_chain([leaf], TrustStore([leaf]), at=leaf.not_before, purpose=Purpose.SERVER)
    exchange = client_exchange(SUITES[0xE107], client_config())
    received = message(ServerKeyExchange)
    assert received.group == 30
    proven = exchange.check(received, Peer(peer), randoms())
    assert proven.public == received.public
    with pytest.raises(HandshakeProofFailed):
        exchange.check(received, Peer(peer), Randoms(randoms().server, randoms().client))


@pytest.mark.usefixtures("backend")
def test_secrets_records_and_finished_are_as_recorded() -> None:
    secret = master_secret()
    assert secret.to_bytes().hex() == RECORDED["master_secret"]
    r = randoms()
    assert r.server.hex() == RECORDED["server_random"]
    _, from_client = secret.gcm_protection(r.client, r.server, 0x0303, False)
    _, from_server = secret.gcm_protection(r.client, r.server, 0x0303, True)
    transcript = b"".join(CLEAR)
    client_finished = from_client.open(CLIENT[2])
    expected = secret.verify_data(b"client finished", sm3.sm3(transcript).digest())
    assert Finished.decode(Cursor(client_finished, 4)).verify_data == expected
    server_finished = from_server.open(SERVER[4])
    hashed = sm3.sm3(transcript + client_finished).digest()
    expected = secret.verify_data(b"server finished", hashed)
    assert Finished.decode(Cursor(server_finished, 4)).verify_data == expected
    assert from_client.open(CLIENT[3]) == b"ping\n"
    assert from_server.open(SERVER[5]) == b"gnip\n"


def test_a_recorded_record_with_another_sequence_number_does_not_open() -> None:
    r = randoms()
    _, from_client = master_secret().gcm_protection(r.client, r.server, 0x0303, False)
    with pytest.raises((InvalidTag, BadRecord)):
        from_client.open(CLIENT[3])


def test_the_record_keys_are_the_recorded_key_block() -> None:
    r = randoms()
    block = master_secret().prf(b"key expansion", r.server + r.client, 40)
    assert block.hex() == RECORDED["key_block"]
