"""Keys for other uses from TLS 1.2 (RFC 5705; RFC 7627, 5.4)."""

from __future__ import annotations

import pytest

from meterseal.crypto.record import MasterSecret
from meterseal.errors import UsageError
from meterseal.transport import Connection, SessionCache
from meterseal.transport.codepoints import HandshakeType
from support.tlcp import ECC, tlcp_client, tlcp_server
from support.wire import SERVER_NAME, client_config, link, server_config

LABEL = b"EXPORTER-meter"


def test_both_export_the_same_keys_and_different_sessions_others() -> None:
    pair, other = link(), link()
    keys = pair.client.export_keying_material(LABEL, b"1", 48)
    assert len(keys) == 48
    assert pair.server.export_keying_material(LABEL, b"1", 48) == keys
    assert other.client.export_keying_material(LABEL, b"1", 48) != keys


def test_the_keys_follow_from_secret_randoms_label_and_context() -> None:
    lines: list[str] = []
    randoms: list[bytes] = []

    def see(_direction: str, _content_type: int, raw: bytes) -> None:
        if raw[0] in {HandshakeType.CLIENT_HELLO, HandshakeType.SERVER_HELLO}:
            randoms.append(raw[6:38])

    end = link(client_config(key_log=lines.append, observer=see)).client
    secret = MasterSecret.from_bytes(bytes.fromhex(lines[0].split()[2]), "sm3")
    seed = b"".join(randoms)
    without, empty, some = seed, seed + b"\0\0", seed + b"\0\2ab"
    for context, covered in ((None, without), (b"", empty), (b"ab", some)):
        expected = secret.prf(LABEL, covered, 40)
        assert end.export_keying_material(LABEL, context, 40) == expected


def test_a_resumed_session_exports_keys_of_its_own() -> None:
    server = server_config(session_cache=SessionCache())
    first = link(client_config(), server)
    second = link(client_config(), server, session=first.client.session)
    assert second.client.established is not None
    assert second.client.established.resumed
    keys = second.client.export_keying_material(LABEL, b"", 32)
    assert second.server.export_keying_material(LABEL, b"", 32) == keys
    assert first.client.export_keying_material(LABEL, b"", 32) != keys


@pytest.mark.parametrize(
    "label",
    [
        b"client finished",
        b"server finished",
        b"master secret",
        b"extended master secret",
        b"key expansion",
    ],
)
def test_what_tls_derives_itself_is_not_exported(label: bytes) -> None:
    with pytest.raises(UsageError, match="own"):
        link().client.export_keying_material(label, None, 48)


def test_nothing_is_exported_where_two_sessions_may_share_their_secret() -> None:
    plain = link(client_config(offer_extended_master_secret=False))
    tlcp = link(tlcp_client(ECC), tlcp_server())
    for end in (plain.client, plain.server, tlcp.client, tlcp.server):
        assert end.established is not None
        with pytest.raises(UsageError, match="extended"):
            end.export_keying_material(LABEL, b"", 32)


def test_nothing_is_exported_before_the_end_of_the_handshake() -> None:
    with pytest.raises(UsageError):
        Connection.client(client_config(), SERVER_NAME).export_keying_material(LABEL, b"", 32)
