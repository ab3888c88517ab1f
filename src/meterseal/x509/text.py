"""The text form of certificates and requests, laid out as GmSSL 2 prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.asn1 import oid as oids
from meterseal.errors import InvalidKey
from meterseal.x509 import extensions as ext

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from meterseal.x509.certificate import Certificate
    from meterseal.x509.request import CertificateRequest
    from meterseal.x509.spki import SubjectPublicKeyInfo

_KEY_BYTES_PER_LINE = 15
_SIGNATURE_BYTES_PER_LINE = 18
_SHORT_SERIAL_BITS = 63
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_USAGES = {
    ext.KeyUsage.DIGITAL_SIGNATURE: "Digital Signature",
    ext.KeyUsage.NON_REPUDIATION: "Non Repudiation",
    ext.KeyUsage.KEY_ENCIPHERMENT: "Key Encipherment",
    ext.KeyUsage.DATA_ENCIPHERMENT: "Data Encipherment",
    ext.KeyUsage.KEY_AGREEMENT: "Key Agreement",
    ext.KeyUsage.KEY_CERT_SIGN: "Certificate Sign",
    ext.KeyUsage.CRL_SIGN: "CRL Sign",
    ext.KeyUsage.ENCIPHER_ONLY: "Encipher Only",
    ext.KeyUsage.DECIPHER_ONLY: "Decipher Only",
}


def certificate_text(certificate: Certificate) -> str:
    """Return the text form of a certificate."""
    return "\n".join(_certificate_lines(certificate)) + "\n"


def request_text(request: CertificateRequest) -> str:
    """Return the text form of a certificate request."""
    return "\n".join(_request_lines(request)) + "\n"


def _certificate_lines(certificate: Certificate) -> Iterator[str]:
    yield "Certificate:"
    yield "    Data:"
    yield f"        Version: {certificate.version} ({certificate.version - 1:#x})"
    yield from _serial_lines(certificate.serial_number)
    yield f"    Signature Algorithm: {certificate.tbs_algorithm}"
    yield f"        Issuer: {certificate.issuer}"
    yield "        Validity"
    yield f"            Not Before: {_time(certificate.not_before)}"
    yield f"            Not After : {_time(certificate.not_after)}"
    yield f"        Subject: {certificate.subject}"
    yield from _key_lines(certificate.spki)
    if certificate.extensions:
        yield "        X509v3 extensions:"
        yield from _extension_lines(certificate.extensions)
    yield from _signature_lines(str(certificate.signature_algorithm), certificate.signature)


def _request_lines(request: CertificateRequest) -> Iterator[str]:
    yield "Certificate Request:"
    yield "    Data:"
    yield "        Version: 1 (0x0)"
    yield f"        Subject: {request.subject}"
    yield from _key_lines(request.spki)
    yield "        Attributes:"
    if not request.extensions:
        yield "            a0:00"
    else:
        yield "        Requested Extensions:"
        yield from _extension_lines(request.extensions)
    yield from _signature_lines(str(request.signature_algorithm), request.signature)


def _serial_lines(serial: int) -> Iterator[str]:
    if abs(serial).bit_length() <= _SHORT_SERIAL_BITS:
        yield f"        Serial Number: {serial} ({serial:#x})"
        return
    magnitude = abs(serial)
    sign = " (Negative)" if serial < 0 else ""
    text = magnitude.to_bytes((magnitude.bit_length() + 7) // 8).hex(":")
    yield "        Serial Number:"
    yield f"           {sign} {text}"


def _key_lines(spki: SubjectPublicKeyInfo) -> Iterator[str]:
    yield "        Subject Public Key Info:"
    yield f"            Public Key Algorithm: {spki.algorithm}"
    try:
        point = spki.public_key().to_bytes()
    except InvalidKey as error:
        yield f"                Unable to use the public key: {error}"
        return
    yield "                Public-Key: (256 bit)"
    yield "                pub:"
    yield from _hex_lines(point, _KEY_BYTES_PER_LINE, " " * 20)
    yield "                ASN1 OID: sm2p256v1"
    yield "                NIST CURVE: SM2"


def _extension_lines(extensions: tuple[ext.Extension, ...]) -> Iterator[str]:
    for extension in extensions:
        critical = "critical" if extension.critical else ""
        yield f"            {oids.name_of(extension.oid)}: {critical}"
        for line in _value_lines(extension):
            yield f"                {line}" if line else ""


def _value_lines(extension: ext.Extension) -> list[str]:  # noqa: PLR0911 (one line a type)
    decode = ext.DECODERS.get(extension.oid)
    if decode is None:
        return [extension.value.hex(":").upper()]
    match decode(extension.value):
        case ext.BasicConstraints(ca, path_length):
            length = "" if path_length is None else f", pathlen:{path_length}"
            return [f"CA:{str(ca).upper()}{length}"]
        case ext.KeyUsage() as usage:
            return [", ".join(text for flag, text in _USAGES.items() if flag in usage)]
        case ext.ExtendedKeyUsage(purposes):
            return [", ".join(map(oids.name_of, purposes))]
        case ext.SubjectAltName(names):
            return [", ".join(map(str, names))]
        case ext.SubjectKeyIdentifier(identifier):
            return [identifier.hex(":").upper()]
        case ext.AuthorityKeyIdentifier() as authority:
            return _authority_lines(authority)
        case ext.NameConstraints(permitted, excluded):
            lines = ["Permitted:", *(f"  {name}" for name in permitted)] if permitted else []
            if excluded:
                lines += ["Excluded:", *(f"  {name}" for name in excluded)]
            return [*lines, ""]
    return []


def _authority_lines(authority: ext.AuthorityKeyIdentifier) -> list[str]:
    """Return the lines of the value and, as GmSSL has it, an empty line after it."""
    lines = []
    if authority.key_identifier is not None:
        lines.append("keyid:" + authority.key_identifier.hex(":").upper())
    lines.extend(str(name) for name in authority.issuer)
    if authority.serial_number is not None:
        lines.append(f"serial:{authority.serial_number:X}")
    return [*lines, ""]


def _signature_lines(algorithm: str, signature: bytes) -> Iterator[str]:
    yield f"    Signature Algorithm: {algorithm}"
    yield from _hex_lines(signature, _SIGNATURE_BYTES_PER_LINE, " " * 9)


def _hex_lines(data: bytes, per_line: int, indent: str) -> Iterator[str]:
    for start in range(0, len(data), per_line):
        colon = ":" if start + per_line < len(data) else ""
        yield indent + data[start : start + per_line].hex(":") + colon


def _time(moment: datetime) -> str:
    clock = f"{moment:%H:%M:%S}"
    return f"{_MONTHS[moment.month - 1]} {moment.day:2} {clock} {moment.year} GMT"
