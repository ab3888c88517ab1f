"""Certificate requests: PKCS#10 (RFC 2986)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.crypto.checked import VerifyingSigner
from meterseal.errors import InvalidSignature, MalformedData
from meterseal.x509 import extensions as ext
from meterseal.x509 import pem
from meterseal.x509.certificate import MAX_CERTIFICATE_SIZE
from meterseal.x509.name import Name
from meterseal.x509.spki import SM2_WITH_SM3, AlgorithmIdentifier, SubjectPublicKeyInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.asn1.der import Buffer, Reader
    from meterseal.crypto import sm2
    from meterseal.x509.general_name import GeneralName

__all__ = ["CertificateRequest", "create_request", "load_request"]

_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A subject's wish for a certificate, signed with the key that it names."""

    encoding: bytes = field(repr=False)
    info: bytes = field(repr=False)
    subject: Name
    spki: SubjectPublicKeyInfo = field(repr=False)
    extensions: tuple[ext.Extension, ...] = field(repr=False)
    signature_algorithm: AlgorithmIdentifier = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: Buffer) -> Self:
        """Decode a request from DER; the signature is checked by `verify`. Raises MalformedData."""
        if len(data) > MAX_CERTIFICATE_SIZE:
            raise MalformedData(f"a request of {len(data)} bytes; limit {MAX_CERTIFICATE_SIZE}")
        encoding = bytes(data)
        reader = der.Reader(encoding, "certificate request")
        outer = reader.sequence("certificate request")
        reader.finish()
        info = outer.element(der.SEQUENCE)
        algorithm = AlgorithmIdentifier.read(outer)
        signature = outer.bit_string()
        outer.finish()
        body = der.Reader(info.contents, "certificate request")
        body.small_integer(0)
        subject = Name.read(body, "subject")
        spki = SubjectPublicKeyInfo.read(body)
        extensions = _read_attributes(body)
        body.finish()
        for extension in extensions:
            if extension.oid in ext.DECODERS:
                ext.DECODERS[extension.oid](extension.value)
        return cls(encoding, info.encoding, subject, spki, extensions, algorithm, signature)

    @property
    def subject_alt_name(self) -> ext.SubjectAltName | None:
        """The Subject Alternative Name that is asked for, if any."""
        for extension in self.extensions:
            if extension.oid == oids.SUBJECT_ALT_NAME:
                return ext.SubjectAltName.decode(extension.value)
        return None

    def public_key(self) -> sm2.PublicKey:
        """Return the subject's SM2 key. Raises InvalidKey for other keys."""
        return self.spki.public_key()

    def verify(self) -> None:
        """Verify that the subject holds its key. Raises InvalidSignature or InvalidKey."""
        if self.signature_algorithm != SM2_WITH_SM3:
            raise InvalidSignature(
                f"the request is signed with {self.signature_algorithm}; expected {SM2_WITH_SM3}"
            )
        self.public_key().verify(self.signature, self.info)

    def encode(self) -> bytes:
        """Return the DER it was decoded from."""
        return self.encoding

    def to_pem(self) -> str:
        """Return the request as one PEM block."""
        return pem.encode("CERTIFICATE REQUEST", self.encoding)

    def to_text(self) -> str:
        """Return the text form that GmSSL and OpenSSL print."""
        from meterseal.x509.text import request_text  # noqa: PLC0415

        return request_text(self)


def create_request(
    key: sm2.PrivateKey, subject: Name, *, alt_names: Iterable[GeneralName] = ()
) -> CertificateRequest:
    """Build and sign a request for the key's public key."""
    names = tuple(alt_names)
    wanted = b""
    if names:
        value = ext.SubjectAltName(names).encode()
        extensions = (ext.Extension(oids.SUBJECT_ALT_NAME, critical=False, value=value),)
        wanted = der.sequence(
            der.object_identifier(oids.EXTENSION_REQUEST),
            der.set_of([ext.encode_extensions(extensions)]),
        )
    info = der.sequence(
        der.integer(0),
        subject.encode(),
        SubjectPublicKeyInfo.of(key.public_key()).encoding,
        der.explicit(0, wanted),
    )
    signature = der.bit_string(VerifyingSigner(key).sign(info))
    return CertificateRequest.decode(der.sequence(info, SM2_WITH_SM3.encode(), signature))


def load_request(data: Buffer) -> CertificateRequest:
    """Load a request from PEM or DER. Raises MalformedData."""
    if not pem.is_pem(data):
        return CertificateRequest.decode(data)
    blocks = [block for block in pem.decode(data) if block.label in _LABELS]
    if len(blocks) != 1:
        raise MalformedData(f"expected one CERTIFICATE REQUEST block, found {len(blocks)}")
    return CertificateRequest.decode(blocks[0].contents)


def _read_attributes(body: Reader) -> tuple[ext.Extension, ...]:
    """Read the attributes [0]; some writers leave the empty field out, which is accepted."""
    attributes = body.explicit(0, "attributes")
    extensions: tuple[ext.Extension, ...] = ()
    while attributes is not None and not attributes.at_end:
        attribute = attributes.sequence("attribute")
        identifier = attribute.object_identifier()
        values = attribute.set("attribute")
        attribute.finish()
        if identifier != oids.EXTENSION_REQUEST:
            continue
        if extensions:
            raise MalformedData("the request asks for extensions twice")
        extensions = ext.decode_extensions(values)
        values.finish()
    return extensions
