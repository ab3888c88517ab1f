"""A signature that does not verify never leaves: neither the core nor a key elsewhere."""

import pytest

from meterseal.crypto import sm2
from meterseal.crypto.checked import VerifyingSigner
from meterseal.errors import FaultDetected, InvalidSignature
from meterseal.transport import Credential
from meterseal.x509 import Name, create_request, issue_crl
from meterseal.x509.issue import build_certificate
from support import pki

DIGEST = bytes(range(32))


class Faulty:
    """A key whose signatures, once made, have one bit turned."""

    def __init__(self, key: sm2.PrivateKey) -> None:
        self.key = key
        self.made = 0

    def public_key(self) -> sm2.PublicKey:
        return self.key.public_key()

    def sign(self, message: bytes, identifier: bytes = sm2.DEFAULT_ID) -> bytes:
        return self._turned(self.key.sign(message, identifier))

    def sign_digest(self, digest: bytes) -> bytes:
        return self._turned(self.key.sign_digest(digest))

    def _turned(self, signature: bytes) -> bytes:
        self.made += 1
        return signature[:20] + bytes((signature[20] ^ 1,)) + signature[21:]


def test_a_good_signature_comes_out_as_it_is() -> None:
    key = sm2.PrivateKey.generate()
    signer = VerifyingSigner(key)
    assert signer.public_key() == key.public_key()
    key.public_key().verify(signer.sign(b"m"), b"m")
    key.public_key().verify(signer.sign(b"m", b"meter 7"), b"m", b"meter 7")
    key.public_key().verify_digest(signer.sign_digest(DIGEST), DIGEST)


def test_a_signature_with_a_turned_bit_does_not_come_out() -> None:
    faulty = Faulty(sm2.PrivateKey.generate())
    with pytest.raises(InvalidSignature):
        faulty.public_key().verify(faulty.sign(b"m"), b"m")
    signer = VerifyingSigner(faulty)
    for act in (lambda: signer.sign(b"m"), lambda: signer.sign_digest(DIGEST)):
        with pytest.raises(FaultDetected, match="does not verify"):
            act()
    assert faulty.made == 3


def test_a_ca_gives_out_nothing_that_does_not_verify() -> None:
    ca = pki.root()
    faulty: sm2.PrivateKey = Faulty(ca.key)  # type: ignore[assignment]
    name, moment = ca.certificate.subject, pki.NOW
    with pytest.raises(FaultDetected):
        create_request(faulty, Name.parse("/CN=asks"))
    with pytest.raises(FaultDetected):
        issue_crl(
            (), ca_certificate=ca.certificate, ca_key=faulty, this_update=moment, days=1, number=1
        )
    with pytest.raises(FaultDetected):
        build_certificate(
            ca.key.public_key(),
            name,
            issuer=name,
            issuer_key=faulty,
            not_before=moment,
            days=1,
            extensions=(),
            serial_number=1,
        )


def test_a_credential_takes_it_for_handshakes() -> None:
    leaf = pki.server(pki.root())
    assert Credential((leaf.certificate,), VerifyingSigner(leaf.key)).key is not leaf.key
