"""P-256 certificates made by `cryptography`, as both ends want them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meterseal.transport import Credential
from meterseal.x509 import Certificate, TrustStore
from support.nist.algorithms import NIST_ALGORITHMS
from support.nist.keys import EcdsaSigner

DAY = timedelta(days=1)
HOST = "station.example"


@dataclass(frozen=True)
class Held:
    """A certificate and its key, for us and in files for others."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def ours(self) -> Certificate:
        return Certificate.decode(self.certificate.public_bytes(serialization.Encoding.DER))

    @property
    def credential(self) -> Credential:
        return Credential((self.ours,), EcdsaSigner(self.key), scheme=NIST_ALGORITHMS.certificates)

    @property
    def pem(self) -> bytes:
        certificate = self.certificate.public_bytes(serialization.Encoding.PEM)
        return certificate + self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@dataclass(frozen=True)
class NistWorld:
    """A root, a server called station.example, a client called meter-1; and a stranger's root."""

    root: Held
    server: Held
    client: Held
    stranger: Held

    @property
    def trust(self) -> TrustStore:
        return TrustStore([self.root.ours])


@cache
def nist_world() -> NistWorld:
    ca = make("root")
    return NistWorld(
        root=ca,
        server=make("station", ca, ExtendedKeyUsageOID.SERVER_AUTH),
        client=make("meter-1", ca, ExtendedKeyUsageOID.CLIENT_AUTH),
        stranger=make("stranger"),
    )


def make(
    common: str,
    issuer: Held | None = None,
    purpose: x509.ObjectIdentifier | None = None,
    *,
    curve: ec.EllipticCurve | None = None,
) -> Held:
    """A root without `issuer`, else an end entity for `purpose`."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    signer = issuer.key if issuer else key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    now = datetime.now(UTC)
    authority = issuer.certificate.public_key() if issuer else key.public_key()
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority)  # type: ignore[arg-type]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 30 * DAY)
        .add_extension(x509.BasicConstraints(issuer is None, None), critical=True)
        .add_extension(_usage(is_ca=issuer is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
    )
    if purpose is not None:
        names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(names, critical=False)
    return Held(builder.sign(signer, hashes.SHA256()), key)


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
