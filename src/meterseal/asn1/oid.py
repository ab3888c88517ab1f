"""OBJECT IDENTIFIERs: their codec (ITU-T X.690, 8.19) and the names of those we meet.

Identifiers are dotted strings everywhere. `GM` is the arc of the Chinese commercial ciphers
(GB/T 33560).
"""

from __future__ import annotations

from meterseal.errors import MalformedData

__all__ = ["NAMES", "decode", "encode", "name_of"]

_MAX_CONTENTS = 64
_LAST_BYTE = 0x80
_ROOT_ARCS = 3
_SECOND_ARCS = 40

GM = "1.2.156.10197"

# Keys and curves.
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
SM2_CURVE = f"{GM}.1.301"
P256_CURVE = "1.2.840.10045.3.1.7"
RSA_ENCRYPTION = "1.2.840.113549.1.1.1"

# Signatures and digests.
SM2_WITH_SM3 = f"{GM}.1.501"
SM3 = f"{GM}.1.401"

# Password-based encryption. HMAC-SM3 has two identifiers in use.
HMAC_SM3 = f"{GM}.1.401.2"
HMAC_SM3_OPENSSL = f"{GM}.1.401.3.1"
HMAC_SHA1 = "1.2.840.113549.2.7"
HMAC_SHA224 = "1.2.840.113549.2.8"
HMAC_SHA256 = "1.2.840.113549.2.9"
HMAC_SHA384 = "1.2.840.113549.2.10"
HMAC_SHA512 = "1.2.840.113549.2.11"
PBES2 = "1.2.840.113549.1.5.13"
PBKDF2 = "1.2.840.113549.1.5.12"
SM4_CBC = f"{GM}.1.104.2"
AES128_CBC = "2.16.840.1.101.3.4.1.2"
AES192_CBC = "2.16.840.1.101.3.4.1.22"
AES256_CBC = "2.16.840.1.101.3.4.1.42"

# Certificate extensions (RFC 5280, 4.2).
SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
KEY_USAGE = "2.5.29.15"
SUBJECT_ALT_NAME = "2.5.29.17"
BASIC_CONSTRAINTS = "2.5.29.19"
NAME_CONSTRAINTS = "2.5.29.30"
AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
POLICY_CONSTRAINTS = "2.5.29.36"
EXTENDED_KEY_USAGE = "2.5.29.37"
INHIBIT_ANY_POLICY = "2.5.29.54"
CRL_NUMBER = "2.5.29.20"
CRL_REASON = "2.5.29.21"
INVALIDITY_DATE = "2.5.29.24"
DELTA_CRL_INDICATOR = "2.5.29.27"
ISSUING_DISTRIBUTION_POINT = "2.5.29.28"
CERTIFICATE_ISSUER = "2.5.29.29"
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"

# Purposes of extended key usage.
ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"
AUTHORITY_INFORMATION_ACCESS = "1.3.6.1.5.5.7.1.1"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"

# Attributes of names (RFC 4519; RFC 5280, appendix A).
COMMON_NAME = "2.5.4.3"
COUNTRY = "2.5.4.6"
EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25"

# What people read: the names GmSSL prints where it has one, else those of the standard.
NAMES: dict[str, str] = {
    EC_PUBLIC_KEY: "id-ecPublicKey",
    SM2_CURVE: "sm2p256v1",
    P256_CURVE: "prime256v1",
    RSA_ENCRYPTION: "rsaEncryption",
    f"{GM}.1.301.1": "sm2sign",
    f"{GM}.1.301.2": "sm2exchange",
    f"{GM}.1.301.3": "sm2encrypt",
    SM2_WITH_SM3: "sm2sign-with-sm3",
    f"{GM}.1.502": "sm2sign-with-sha1",
    f"{GM}.1.503": "sm2sign-with-sha256",
    f"{GM}.1.104.1": "sm4-ecb",
    SM4_CBC: "sm4-cbc",
    f"{GM}.1.104.7": "sm4-ctr",
    f"{GM}.1.104.8": "sm4-gcm",
    f"{GM}.1.104.9": "sm4-ccm",
    SM3: "sm3",
    HMAC_SM3: "hmac-sm3",
    HMAC_SM3_OPENSSL: "hmacWithSM3",
    HMAC_SHA1: "hmacWithSHA1",
    HMAC_SHA224: "hmacWithSHA224",
    HMAC_SHA256: "hmacWithSHA256",
    HMAC_SHA384: "hmacWithSHA384",
    HMAC_SHA512: "hmacWithSHA512",
    PBES2: "PBES2",
    PBKDF2: "PBKDF2",
    AES128_CBC: "aes-128-cbc",
    AES192_CBC: "aes-192-cbc",
    AES256_CBC: "aes-256-cbc",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    SUBJECT_KEY_IDENTIFIER: "X509v3 Subject Key Identifier",
    KEY_USAGE: "X509v3 Key Usage",
    SUBJECT_ALT_NAME: "X509v3 Subject Alternative Name",
    BASIC_CONSTRAINTS: "X509v3 Basic Constraints",
    NAME_CONSTRAINTS: "X509v3 Name Constraints",
    AUTHORITY_KEY_IDENTIFIER: "X509v3 Authority Key Identifier",
    EXTENDED_KEY_USAGE: "X509v3 Extended Key Usage",
    CRL_NUMBER: "X509v3 CRL Number",
    CRL_REASON: "X509v3 CRL Reason Code",
    INVALIDITY_DATE: "Invalidity Date",
    DELTA_CRL_INDICATOR: "X509v3 Delta CRL Indicator",
    ISSUING_DISTRIBUTION_POINT: "X509v3 Issuing Distribution Point",
    CERTIFICATE_ISSUER: "X509v3 Certificate Issuer",
    "2.5.29.31": "X509v3 CRL Distribution Points",
    "2.5.29.32": "X509v3 Certificate Policies",
    POLICY_CONSTRAINTS: "X509v3 Policy Constraints",
    INHIBIT_ANY_POLICY: "X509v3 Inhibit Any Policy",
    AUTHORITY_INFORMATION_ACCESS: "Authority Information Access",
    EXTENSION_REQUEST: "Requested Extensions",
    ANY_EXTENDED_KEY_USAGE: "Any Extended Key Usage",
    SERVER_AUTH: "TLS Web Server Authentication",
    CLIENT_AUTH: "TLS Web Client Authentication",
    "1.3.6.1.5.5.7.3.3": "Code Signing",
    "1.3.6.1.5.5.7.3.4": "E-mail Protection",
    "1.3.6.1.5.5.7.3.8": "Time Stamping",
    "1.3.6.1.5.5.7.3.9": "OCSP Signing",
    COMMON_NAME: "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    COUNTRY: "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "2.5.4.46": "dnQualifier",
    "2.5.4.97": "organizationIdentifier",
    EMAIL_ADDRESS: "emailAddress",
    DOMAIN_COMPONENT: "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}


def name_of(identifier: str) -> str:
    """Return the name of an identifier, or the dotted string itself."""
    return NAMES.get(identifier, identifier)


def encode(identifier: str) -> bytes:
    """Encode a dotted string to the contents of an OBJECT IDENTIFIER.

    Raises MalformedData if it is no valid identifier.
    """
    parts = identifier.split(".")
    if not all(part.isascii() and part.isdigit() and str(int(part)) == part for part in parts):
        raise MalformedData(f"object identifier {identifier!r} is not a dotted list of numbers")
    arcs = [int(part) for part in parts]
    fits_root = len(arcs) > 1 and arcs[0] < _ROOT_ARCS
    if not fits_root or (arcs[0] < _ROOT_ARCS - 1 and arcs[1] >= _SECOND_ARCS):
        raise MalformedData(f"object identifier {identifier!r} does not begin with two valid arcs")
    first = arcs[0] * _SECOND_ARCS + arcs[1]
    contents = b"".join(_base128(arc) for arc in [first, *arcs[2:]])
    if len(contents) > _MAX_CONTENTS:
        raise MalformedData(f"object identifier is longer than {_MAX_CONTENTS} bytes")
    return contents


def decode(contents: bytes) -> str:
    """Decode the contents of an OBJECT IDENTIFIER to a dotted string.

    Raises MalformedData for empty, over-long, unfinished or padded contents.
    """
    if not contents or len(contents) > _MAX_CONTENTS:
        raise MalformedData(
            f"object identifier of {len(contents)} bytes; expected 1 to {_MAX_CONTENTS}"
        )
    if contents[-1] & _LAST_BYTE:
        raise MalformedData("object identifier ends inside an arc")
    arcs: list[int] = []
    arc, fresh = 0, True
    for byte in contents:
        if fresh and byte == _LAST_BYTE:
            raise MalformedData("object identifier has an arc with a padding byte")
        arc = arc << 7 | byte & 0x7F
        fresh = not byte & _LAST_BYTE
        if fresh:
            arcs.append(arc)
            arc = 0
    root = min(arcs[0] // _SECOND_ARCS, _ROOT_ARCS - 1)
    return ".".join(map(str, [root, arcs[0] - root * _SECOND_ARCS, *arcs[1:]]))


def _base128(arc: int) -> bytes:
    groups = [arc & 0x7F]
    while arc := arc >> 7:
        groups.append(arc & 0x7F | _LAST_BYTE)
    return bytes(reversed(groups))
