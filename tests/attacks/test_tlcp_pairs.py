"""Two certificates and what binds them: swaps in the ECC suites, the SM2 key exchange of ECDHE.

Whoever puts an encryption key of its own beside the server's signing certificate reads the whole
session; only the signature of ServerKeyExchange stands against it, and the pair's own checks
(`tests/transport/test_pair_matrix.py`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meterseal.crypto import sm2
from meterseal.crypto.sm_provider import SmProvider
from meterseal.errors import (
    AlertDescription,
    BadRecord,
    CertificateRejected,
    HandshakeProofFailed,
    IllegalParameter,
    PeerError,
    RejectionReason,
)
from meterseal.lab.attack.liar import Liar
from meterseal.lab.attack.wire import in_message
from meterseal.transport import ClientAuthentication, Credential, EncryptionCredential
from meterseal.transport.wire import vector24
from support.identities import NOW, credential, pair, world
from support.tlcp import ECC, ECDHE, tlcp_client, tlcp_server
from support.wire import SERVER_NAME, Link, link

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import Decryptor, PairKeyShare

A = AlertDescription
OURS = world().server_pair
assert OURS.encryption is not None
SIGNING, ENCRYPTION = OURS.chain[0].encode(), OURS.encryption.certificate.encode()


def another_encryption(*, ca_is_trusted: bool = True) -> EncryptionCredential:
    """A certificate of the same owner for another key: an old one, say, that became known."""
    w = world()
    ca, key = (w.root, w.root_key) if ca_is_trusted else (w.stranger, w.stranger_key)
    other = credential(ca, key, "station", profile="encryption", host=SERVER_NAME)
    return EncryptionCredential(other.chain[0], other.key)  # type: ignore[arg-type]


ANOTHER = another_encryption()


def certificates(*entries: bytes) -> bytes:
    return vector24(b"".join(vector24(entry) for entry in entries))


def refused_by_client(change: Callable[[str, int, bytes], bytes]) -> PeerError:
    error = link(tlcp_client(), tlcp_server(), change=change).errors["client"]
    assert isinstance(error, PeerError)
    return error


# --- the encryption certificate ------------------------------------------------------------


def test_an_encryption_certificate_put_in_on_the_way_is_refused() -> None:
    """It is genuine, of the right owner and CA; but the server did not sign it."""
    shown = certificates(SIGNING, ANOTHER.certificate.encode())
    error = refused_by_client(in_message("server", 11, lambda _: shown))
    assert isinstance(error, HandshakeProofFailed)
    assert "ServerKeyExchange" in str(error)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ((ENCRYPTION, SIGNING), RejectionReason.WRONG_KEY_USAGE),
        ((SIGNING, SIGNING), RejectionReason.WRONG_KEY_USAGE),
        ((ENCRYPTION, ENCRYPTION), RejectionReason.WRONG_KEY_USAGE),
        ((SIGNING,), RejectionReason.PAIR_MISMATCH),
        ((ENCRYPTION,), RejectionReason.PAIR_MISMATCH),
        (
            (SIGNING, another_encryption(ca_is_trusted=False).certificate.encode()),
            RejectionReason.UNKNOWN_ISSUER,
        ),
        ((), RejectionReason.MISSING),
    ],
    ids=["swapped", "signing twice", "encryption twice", "signing alone", "encryption alone",
         "another CA", "none"],
)  # fmt: skip
def test_certificates_in_other_places_are_refused(
    shown: tuple[bytes, ...], reason: RejectionReason
) -> None:
    error = refused_by_client(in_message("server", 11, lambda _: certificates(*shown)))
    assert isinstance(error, CertificateRejected)
    assert error.reason is reason


def test_any_other_length_of_the_encryption_certificate_is_refused() -> None:
    """One byte changed in the three of its length, in the message."""
    place = 3 + 3 + len(SIGNING)

    def change(body: bytes, at: int, bit: int) -> bytes:
        return body[:at] + bytes((body[at] ^ 1 << bit,)) + body[at + 1 :]

    for at in range(place, place + 3):
        for bit in range(8):
            error = refused_by_client(
                in_message("server", 11, lambda body, a=at, b=bit: change(body, a, b))
            )
            assert error.description in {A.DECODE_ERROR, A.BAD_CERTIFICATE}, (at, bit)


def lying(lie: Callable[[bytes], bytes]) -> Link:
    """The server signs something else in its ServerKeyExchange."""
    key = OURS.key
    assert isinstance(key, sm2.PrivateKey)
    liar = Liar(key, lambda content, name: (lie(content), name))
    return link(tlcp_client(), tlcp_server(credential=replace(OURS, key=liar)))


LENGTH = len(ENCRYPTION).to_bytes(3, "big")
LIES: dict[str, Callable[[bytes], bytes]] = {
    "another encryption certificate": lambda c: c[:64] + vector24(ANOTHER.certificate.encode()),
    "the signing certificate": lambda c: c[:64] + vector24(SIGNING),
    "both certificates": lambda c: c[:64] + vector24(SIGNING) + c[64:],
    "no certificate": lambda c: c[:64],
    "no length": lambda c: c[:64] + c[67:],
    "a length of two bytes": lambda c: c[:64] + c[65:],
    "another length": lambda c: c[:64] + bytes((LENGTH[0], LENGTH[1], LENGTH[2] ^ 1)) + c[67:],
    "randoms swapped": lambda c: c[32:64] + c[:32] + c[64:],
    "the client's random twice": lambda c: c[:32] + c[:32] + c[64:],
    "no randoms": lambda c: c[64:],
    "randoms of another session": lambda c: bytes(64) + c[64:],
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_key_exchange_over_anything_else_is_refused(lie: str) -> None:
    error = lying(LIES[lie]).errors["client"]
    assert isinstance(error, HandshakeProofFailed)
    assert error.description is A.DECRYPT_ERROR


def test_the_encryption_key_does_not_sign_for_the_signing_key() -> None:
    assert isinstance(OURS.key, sm2.PrivateKey)
    assert OURS.encryption is not None
    assert isinstance(OURS.encryption.key, sm2.PrivateKey)
    liar = Liar(OURS.key, key=OURS.encryption.key)
    both = link(tlcp_client(), tlcp_server(credential=replace(OURS, key=liar)))
    assert isinstance(both.errors["client"], HandshakeProofFailed)


# --- the key exchange of ECDHE -------------------------------------------------------------


class Odd(SmProvider):
    """Makes its side of the key exchange in another way."""

    def __init__(self, make: Callable[[sm2.PrivateKey, bool], PairKeyShare]) -> None:
        super().__init__(clock=NOW.timestamp)
        self._make = make

    def pair_key_share(self, key: Decryptor, *, is_initiator: bool) -> PairKeyShare:
        assert isinstance(key, sm2.PrivateKey)
        return self._make(key, is_initiator)


class Share:
    """One side of the key exchange with any public value and any identifiers."""

    def __init__(
        self,
        key: sm2.PrivateKey,
        *,
        is_initiator: bool,
        own: bytes = sm2.DEFAULT_ID,
        peer: bytes = sm2.DEFAULT_ID,
        public: bytes | None = None,
    ) -> None:
        self._exchange = sm2.KeyExchange(key, initiator=is_initiator, distinguishing_id=own)
        self._peer = peer
        self.public = public or self._exchange.ephemeral_public_key.to_bytes()

    def agree(self, peer: sm2.PublicKey, peer_public: bytes, length: int, /) -> bytes:
        point = sm2.PublicKey.from_bytes(peer_public)
        return self._exchange.agree(peer, point, length, self._peer).key


SM2_EXCHANGES: dict[str, Callable[[sm2.PrivateKey, bool], PairKeyShare]] = {
    "roles swapped": lambda key, first: Share(key, is_initiator=not first),
    "another identifier of its own": lambda key, first: Share(
        key, is_initiator=first, own=b"TLSv1.3+GM+Cipher+Suite"
    ),
    "another identifier for the peer": lambda key, first: Share(
        key, is_initiator=first, peer=b"meter-1"
    ),
    "another static key": lambda _, first: Share(sm2.PrivateKey.generate(), is_initiator=first),
}


@pytest.mark.parametrize("who", ["client", "server"])
@pytest.mark.parametrize("how", SM2_EXCHANGES)
def test_an_exchange_made_otherwise_gives_other_keys(how: str, who: str) -> None:
    odd = {"provider": Odd(SM2_EXCHANGES[how])}
    client = tlcp_client(ECDHE, **(odd if who == "client" else {}))
    both = link(client, tlcp_server(**(odd if who == "server" else {})))
    assert isinstance(both.errors["server"], BadRecord)
    assert not both.client.is_established
    assert not both.server.is_established


def test_both_ends_swapping_roles_is_another_protocol_with_itself() -> None:
    """The control of the test before: it is the roles that differ, nothing else."""
    odd = {"provider": Odd(SM2_EXCHANGES["roles swapped"])}
    assert not link(tlcp_client(ECDHE, **odd), tlcp_server(**odd)).errors


NO_POINTS = {
    "off the curve": b"\x04" + bytes(63) + b"\x01",
    "zeros": b"\x04" + bytes(64),
    "infinity": bytes(65),
    "beyond the prime": b"\x04" + b"\xff" * 64,
    "hybrid form": b"\x06" + sm2.PrivateKey.generate().public_key().to_bytes()[1:],
    "of P-256": bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    ),
}


@pytest.mark.parametrize("who", ["client", "server"])
@pytest.mark.parametrize("point", NO_POINTS)
def test_an_ephemeral_value_that_is_no_point_is_refused_though_it_is_signed(
    point: str, who: str
) -> None:
    value = NO_POINTS[point]
    odd = {"provider": Odd(lambda key, first: Share(key, is_initiator=first, public=value))}
    client = tlcp_client(ECDHE, **(odd if who == "client" else {}))
    both = link(client, tlcp_server(**(odd if who == "server" else {})))
    error = both.errors["server" if who == "client" else "client"]
    assert isinstance(error, IllegalParameter)
    assert "ephemeral" in str(error)


@pytest.mark.parametrize(
    "mode", [ClientAuthentication.OPTIONAL, ClientAuthentication.REQUIRED], ids=lambda m: m.value
)
def test_a_client_without_a_pair_cannot_use_ecdhe(mode: ClientAuthentication) -> None:
    """Its encryption key takes part in the agreement: without it nobody is authenticated."""
    ours = world().client_pair
    assert ours.encryption is not None
    for shown in ((), (ours.chain[0].encode(),)):
        change = in_message("client", 11, lambda _, s=shown: certificates(*s))
        both = link(tlcp_client(ECDHE), tlcp_server(client_authentication=mode), change=change)
        error = both.errors["server"]
        assert isinstance(error, CertificateRejected)
        assert error.reason is RejectionReason.MISSING


def test_another_clients_encryption_certificate_gives_other_keys() -> None:
    """Of the same name, genuine: still only who has its key can finish."""
    other = pair(world().root, world().root_key, "meter-1")
    assert other.encryption is not None
    shown = (world().client_pair.chain[0].encode(), other.encryption.certificate.encode())
    change = in_message("client", 11, lambda _: certificates(*shown))
    error = link(tlcp_client(ECDHE), tlcp_server(), change=change).errors["server"]
    assert isinstance(error, HandshakeProofFailed)


def test_a_thief_of_an_encryption_certificate_is_refused() -> None:
    """It signs with a key of its own and shows a certificate whose key it has not."""
    ours = world().client_pair
    assert ours.encryption is not None
    assert isinstance(ours.key, sm2.PrivateKey)
    thief_key = sm2.PrivateKey.generate()
    odd = Odd(lambda _, first: Share(thief_key, is_initiator=first))
    both = link(tlcp_client(ECDHE, provider=odd), tlcp_server())
    assert isinstance(both.errors["server"], BadRecord)


def test_an_ecc_suite_proves_no_encryption_key_of_the_client() -> None:
    """Said in SECURITY.md: there the client's encryption certificate is shown and not used."""
    strange = pair(world().root, world().root_key, "meter-1").encryption
    assert strange is not None
    assert isinstance(strange.key, sm2.PrivateKey)
    keyless = replace(strange, key=Liar(strange.key))  # type: ignore[arg-type]
    mixed = Credential(world().client_pair.chain, world().client_pair.key, keyless)
    both = link(tlcp_client(ECC, credential=mixed), tlcp_server())
    assert not both.errors
    assert both.server.established is not None
    shown = both.server.established.peer_encryption
    assert shown is not None
    assert shown.leaf == strange.certificate
