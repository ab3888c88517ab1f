"""TLCP: two ends agree on every suite; pairs, premasters and forms that must be refused are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.errors import (
    AlertDescription,
    CertificateRejected,
    DecodeError,
    HandshakeProofFailed,
    InternalError,
    MeterSealError,
    PeerError,
    RejectionReason,
    UsageError,
)
from meterseal.lab.attack.wire import in_message
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    CertificateVerifyForm,
    ClientAuthentication,
    Compatibility,
    Connection,
    Credential,
    EncryptionCredential,
    TicketKeys,
)
from meterseal.transport.classic import client as classic_client
from meterseal.transport.extensions import encode_protocols
from meterseal.transport.wire import vector24
from support.identities import credential, pair, world
from support.tlcp import ECC, ECDHE, tlcp_client, tlcp_server
from support.tls13 import link13
from support.wire import SERVER_NAME, Link, client_config, link, provider

if TYPE_CHECKING:
    from meterseal.transport import CipherSuite
    from meterseal.transport.classic.offer import Offer

A = AlertDescription
every_suite = pytest.mark.parametrize("suite", TLCP_SUITES, ids=lambda suite: suite.name)


def talk(both: Link) -> None:
    assert not both.errors
    for size in (1, 15, 16, 31, 20_000):
        both.client.send_data(bytes(size))
        both.server.send_data(b"x" * size)
        both.run()
        assert both.server.read() == bytes(size)
        assert both.client.read() == b"x" * size


@every_suite
@pytest.mark.usefixtures("backend")
def test_two_ends_agree_and_resume(suite: CipherSuite) -> None:
    server = tlcp_server()
    first = link(tlcp_client(suite), server)
    talk(first)
    settled = first.client.established
    assert settled is not None
    assert settled.suite == suite
    assert settled.peer_encryption is not None
    assert first.server.established is not None
    assert first.server.established.peer_encryption is not None
    again = link(tlcp_client(suite), server, session=settled.session)
    talk(again)
    assert again.client.established is not None
    assert again.client.established.resumed
    assert again.server.established is not None
    assert again.server.established.peer_encryption is not None


def test_every_record_says_version_1_1() -> None:
    both = link(tlcp_client(), tlcp_server())
    talk(both)
    for records in both.seen.values():
        assert {record[1:3] for record in records} == {b"\x01\x01"}


def test_an_ecc_client_needs_no_certificate_if_none_is_asked_for() -> None:
    server = tlcp_server(client_authentication=ClientAuthentication.NONE)
    both = link(tlcp_client(credential=None), server)
    talk(both)
    assert both.server.established is not None
    assert both.server.established.peer is None


def test_an_ecc_client_may_show_its_signing_certificate_alone() -> None:
    both = link(tlcp_client(credential=world().client), tlcp_server())
    talk(both)
    assert both.server.established is not None
    assert both.server.established.peer is not None
    assert both.server.established.peer_encryption is None


def test_one_server_speaks_tlcp_and_tls_by_the_hello() -> None:
    server = tlcp_server()
    talk(link(tlcp_client(), server))
    talk(link(client_config(credential=world().client), server))
    only_tls = link(tlcp_client(), tlcp_server(suites=TLS12_SUITES))
    assert "TLCP" in str(only_tls.errors["server"])


EXTENSIONS = {
    "extended master secret": (23, b""),
    "session ticket": (35, b""),
    "application protocols": (16, encode_protocols(("h2",))),
    "supported versions": (43, b"\x02\x03\x04"),
    "signature schemes of GM/T 0024": (13, b"\0\2\7\4"),
    "malformed groups": (10, b"\1"),
    "unknown": (0x0A0A, b"x"),
}


@pytest.mark.parametrize("name", EXTENSIONS)
def test_an_extension_in_the_hello_changes_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard has none; stacks that send those of TLS get no answer and miss none."""
    number, body = EXTENSIONS[name]

    def make_offer(*arguments: object) -> Offer:
        offer = honest(*arguments)  # type: ignore[arg-type]
        offer.hello.extensions[number] = body
        return offer

    honest = classic_client.make_offer
    monkeypatch.setattr(classic_client, "make_offer", make_offer)
    server = tlcp_server(ticket_keys=TicketKeys(provider()), application_protocols=("mqtt",))
    talk(both := link(tlcp_client(), server))
    assert both.server.established is not None
    assert not both.server.established.extended_master_secret
    assert both.server.established.application_protocol is None


def test_ecdhe_wants_a_pair_of_the_client() -> None:
    with pytest.raises(UsageError, match="client pair"):
        link(tlcp_client(ECDHE, credential=world().client))
    no_request = tlcp_server(client_authentication=ClientAuthentication.NONE)
    both = link(tlcp_client(ECDHE), no_request)
    assert "no cipher suite" in str(both.errors["server"])


@pytest.mark.parametrize("has_prefix", [True, False])
def test_the_ecdhe_point_is_read_with_and_without_its_length(has_prefix: bool) -> None:
    compatibility = Compatibility(ecdhe_length_prefix=has_prefix)
    talk(link(tlcp_client(ECDHE, compatibility=compatibility), tlcp_server()))


def test_certificate_verify_is_taken_in_the_configured_forms_alone() -> None:
    bare = Compatibility(certificate_verify=(CertificateVerifyForm.BARE_DIGEST,))
    either = Compatibility(
        certificate_verify=(CertificateVerifyForm.HASHED_TWICE, CertificateVerifyForm.BARE_DIGEST)
    )
    refused = link(tlcp_client(compatibility=bare), tlcp_server())
    assert "CertificateVerify" in str(refused.errors["server"])
    talk(link(tlcp_client(compatibility=bare), tlcp_server(compatibility=either)))
    talk(link(tlcp_client(), tlcp_server(compatibility=either)))


WHOLE = Compatibility(certificate_verify=(CertificateVerifyForm.WHOLE_TRANSCRIPT,))


@pytest.mark.parametrize("suite", [ECC, ECDHE], ids=lambda suite: suite.name)
def test_gmssl_3_2_signs_and_checks_the_messages_themselves(suite: CipherSuite) -> None:
    both = link(tlcp_client(suite, compatibility=WHOLE), tlcp_server(compatibility=WHOLE))
    talk(both)
    client, server = ([record[5:] for record in both.seen[end]] for end in ("client", "server"))
    hello, certificate, keys, verify = client[:4]
    said = b"".join((hello, *server[:5], certificate, keys))
    assert (keys[0], verify[0]) == (16, 15)
    length = int.from_bytes(verify[4:6], "big")
    world().client_pair.key.public_key().verify(verify[6 : 6 + length], said)
    forms = tuple(CertificateVerifyForm)
    any_form = Compatibility(certificate_verify=forms)
    for form in forms:
        one = tlcp_client(suite, compatibility=Compatibility(certificate_verify=(form,)))
        talk(link(one, tlcp_server(compatibility=any_form)))


def test_each_form_of_certificate_verify_is_refused_where_another_is_configured() -> None:
    for theirs in CertificateVerifyForm:
        for ours in set(CertificateVerifyForm) - {theirs}:
            both = link(
                tlcp_client(compatibility=Compatibility(certificate_verify=(theirs,))),
                tlcp_server(compatibility=Compatibility(certificate_verify=(ours,))),
            )
            assert type(both.errors["server"]) is HandshakeProofFailed, (theirs, ours)


def test_messages_are_kept_only_where_they_are_signed_and_until_the_end() -> None:
    for compatibility, keeps in ((Compatibility(), False), (WHOLE, True)):
        server = Connection.server(tlcp_server(compatibility=compatibility))
        client = Connection.client(tlcp_client(compatibility=compatibility), SERVER_NAME)
        server.receive_data(client.data_to_send())
        transcript = server._driver.transcript
        if keeps:
            assert transcript.whole()[0] == 1
        else:
            with pytest.raises(InternalError):
                transcript.whole()
        both = Link(client, server).run()
        assert not both.errors
        with pytest.raises(InternalError):
            transcript.whole()


def test_a_signature_without_its_length_is_taken_only_where_configured() -> None:
    def early(_: int, raw: bytes) -> list[bytes]:
        return [raw[:1] + vector24(raw[6:])] if raw[0] == 15 else [raw]

    for bare, taken in ((False, False), (True, True)):
        server = tlcp_server(compatibility=Compatibility(bare_signature=bare))
        both = link13(tlcp_client(), server, says={"client": early})
        assert ("server" not in both.errors) == taken
        if taken:
            talk(both)
        else:
            assert type(both.errors["server"]) is DecodeError
            assert "without the length" in str(both.errors["server"])
    lenient = tlcp_server(compatibility=Compatibility(bare_signature=True))
    talk(link(tlcp_client(), lenient))

    def forged(_: int, raw: bytes) -> list[bytes]:
        return [raw[:1] + vector24(raw[6:-1] + bytes((raw[-1] ^ 1,)))] if raw[0] == 15 else [raw]

    both = link13(tlcp_client(), lenient, says={"client": forged})
    assert type(both.errors["server"]) is HandshakeProofFailed


# --- pairs -------------------------------------------------------------------------------


class _AnyPair:
    """A server that shows whatever certificates a test wants, in whatever order."""

    def __init__(self, signing: Credential, encryption: EncryptionCredential) -> None:
        self.chain, self.key, self.encryption = signing.chain, signing.key, encryption


def encryption_of(other: Credential) -> EncryptionCredential:
    return EncryptionCredential(other.chain[0], other.key)  # type: ignore[arg-type]


def strange_pairs() -> dict[str, tuple[object, RejectionReason]]:
    w = world()
    ours = w.server_pair
    assert ours.encryption is not None

    def alone(profile: str, name: str = "station") -> Credential:
        return credential(w.root, w.root_key, name, profile=profile, host=SERVER_NAME)

    swapped = Credential((ours.encryption.certificate,), ours.encryption.key)  # type: ignore[arg-type]
    foreign = pair(w.stranger, w.stranger_key, "station", host=SERVER_NAME)
    assert foreign.encryption is not None
    other_owner = encryption_of(alone("encryption", "somebody else"))
    elsewhere = credential(w.root, w.root_key, "station", profile="encryption", host="b.example")
    return {
        "order swapped": (
            _AnyPair(swapped, EncryptionCredential(ours.chain[0], ours.key)),  # type: ignore[arg-type]
            RejectionReason.WRONG_KEY_USAGE,
        ),
        "signing certificate twice": (
            _AnyPair(ours, EncryptionCredential(ours.chain[0], ours.key)),  # type: ignore[arg-type]
            RejectionReason.WRONG_KEY_USAGE,
        ),
        "two owners": (_AnyPair(ours, other_owner), RejectionReason.PAIR_MISMATCH),
        "encryption from another root": (
            _AnyPair(ours, foreign.encryption),
            RejectionReason.UNKNOWN_ISSUER,
        ),
        "encryption for another host": (
            _AnyPair(ours, encryption_of(elsewhere)),
            RejectionReason.WRONG_NAME,
        ),
    }


@pytest.mark.parametrize("case", strange_pairs())
def test_refuses_a_strange_pair(case: str) -> None:
    shown, reason = strange_pairs()[case]
    both = link(tlcp_client(), tlcp_server(credential=shown))
    error = both.errors["client"]
    assert isinstance(error, CertificateRejected)
    assert error.reason is reason


def test_refuses_one_certificate_where_a_pair_belongs() -> None:
    def cut(sender: str, number: int, record: bytes) -> bytes:
        if (sender, number) != ("server", 1):
            return record
        first = 3 + int.from_bytes(record[12:15], "big")
        body = first.to_bytes(3, "big") + record[12 : 12 + first]
        message = b"\x0b" + len(body).to_bytes(3, "big") + body
        return record[:3] + len(message).to_bytes(2, "big") + message

    both = link(tlcp_client(), tlcp_server(), change=cut)
    error = both.errors["client"]
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.PAIR_MISMATCH


# --- the client's key exchange -------------------------------------------------------------


def test_refuses_an_ecdhe_point_off_the_curve() -> None:
    change = in_message("client", 16, lambda body: body[:-1] + bytes((body[-1] ^ 1,)))
    error = link(tlcp_client(ECDHE), tlcp_server(), change=change).errors["server"]
    assert isinstance(error, PeerError)
    assert error.description is A.ILLEGAL_PARAMETER


# --- every message ---------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [ECC, ECDHE], ids=["ECC", "ECDHE"])
def test_refuses_any_changed_byte_of_any_handshake_record(suite: CipherSuite) -> None:
    honest = link(tlcp_client(suite), tlcp_server())
    for sender, records in honest.seen.items():
        for number, record in enumerate(records):
            length = len(record)
            for position in {4, 5, 8, length // 3, length // 2, length - 1}:

                def change(s: str, n: int, r: bytes, at=(sender, number, position)) -> bytes:  # noqa: ANN001
                    if (s, n) != at[:2]:
                        return r
                    data = bytearray(r)
                    data[min(at[2], len(r) - 1)] ^= 1
                    return bytes(data)

                both = link(tlcp_client(suite), tlcp_server(), change=change)
                done = both.client.is_established and both.server.is_established
                assert not done or both.errors, (sender, number, position)
                assert all(isinstance(e, MeterSealError) for e in both.errors.values())


def test_cbc_records_are_refused_alike_whatever_is_wrong() -> None:
    suite = next(suite for suite in TLCP_SUITES if suite.code == 0xE013)
    texts = set()
    for bit in range(0, 8 * 69, 11):
        both = link(tlcp_client(suite), tlcp_server())
        both.client.send_data(b"data")
        record = bytearray(both.client.data_to_send())
        record[5 + bit // 8 % (len(record) - 5)] ^= 1 << bit % 8
        with pytest.raises(PeerError) as caught:
            both.server.receive_data(bytes(record))
        texts.add((caught.value.description, str(caught.value)))
    assert texts == {(A.BAD_RECORD_MAC, "a record does not open")}


def test_a_tlcp_hello_to_a_server_that_has_no_pair_is_refused() -> None:
    both = link(tlcp_client(), tlcp_server(credential=world().server))
    assert "no cipher suite" in str(both.errors["server"])


def test_a_client_offers_one_protocol_at_a_time() -> None:
    mixed = tlcp_client(suites=(*TLCP_SUITES, *TLS12_SUITES))
    with pytest.raises(UsageError, match="one protocol"):
        Connection.client(mixed, SERVER_NAME)
