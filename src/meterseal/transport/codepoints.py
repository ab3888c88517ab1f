"""Registered numbers: content types, messages, extensions, suites, groups, signature schemes.

On the hot path plain integers are compared; the enum members are for people.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from meterseal.transport import ext

TLCP: Final = 0x0101  # GB/T 38636-2020, 6.3.3
TLS12: Final = 0x0303
TLS13: Final = 0x0304

MAX_FRAGMENT: Final = 1 << 14  # RFC 5246, 6.2.1
MAX_PROTECTED_FRAGMENT: Final = MAX_FRAGMENT + 2048  # RFC 5246, 6.2.3
MAX_TLS13_FRAGMENT: Final = MAX_FRAGMENT + 256  # RFC 8446, 5.2
HEADER_LENGTH: Final = 5


class ContentType(IntEnum):
    """What a record carries (RFC 5246, 6.2.1)."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


CHANGE_CIPHER_SPEC: Final = 20
ALERT: Final = 21
HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23


class HandshakeType(IntEnum):
    """What a handshake message is (RFC 5246, 7.4; RFC 5077, 3.3; RFC 6066, 8; RFC 8446, 4)."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    NEW_SESSION_TICKET = 4
    ENCRYPTED_EXTENSIONS = 8
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20
    CERTIFICATE_STATUS = 22
    KEY_UPDATE = 24
    MESSAGE_HASH = 254


class ExtensionType(IntEnum):
    """Hello extensions that we read or write; `ext` has them as plain integers."""

    SERVER_NAME = ext.SERVER_NAME
    STATUS_REQUEST = ext.STATUS_REQUEST
    SUPPORTED_GROUPS = ext.SUPPORTED_GROUPS
    EC_POINT_FORMATS = ext.EC_POINT_FORMATS
    SIGNATURE_ALGORITHMS = ext.SIGNATURE_ALGORITHMS
    APPLICATION_LAYER_PROTOCOL_NEGOTIATION = ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION
    PADDING = ext.PADDING
    EXTENDED_MASTER_SECRET = ext.EXTENDED_MASTER_SECRET
    SESSION_TICKET = ext.SESSION_TICKET
    PRE_SHARED_KEY = ext.PRE_SHARED_KEY
    EARLY_DATA = ext.EARLY_DATA
    SUPPORTED_VERSIONS = ext.SUPPORTED_VERSIONS
    COOKIE = ext.COOKIE
    PSK_KEY_EXCHANGE_MODES = ext.PSK_KEY_EXCHANGE_MODES
    CERTIFICATE_AUTHORITIES = ext.CERTIFICATE_AUTHORITIES
    KEY_SHARE = ext.KEY_SHARE
    RENEGOTIATION_INFO = ext.RENEGOTIATION_INFO


class CipherSuiteCode(IntEnum):
    """Cipher suites by their code point."""

    TLS_SM4_GCM_SM3 = 0x00C6
    TLS_SM4_CCM_SM3 = 0x00C7
    ECDHE_SM4_CBC_SM3 = 0xE011
    ECC_SM4_CBC_SM3 = 0xE013
    ECDHE_SM4_GCM_SM3 = 0xE051
    ECC_SM4_GCM_SM3 = 0xE053
    ECDHE_SM2_WITH_SMS4_SM3 = 0xE102
    ECDHE_SM2_WITH_SMS4_GCM_SM3 = 0xE107


RENEGOTIATION_SCSV: Final = 0x00FF  # RFC 5746, 3.3
FALLBACK_SCSV: Final = 0x5600  # RFC 7507, 2


class NamedGroup(IntEnum):
    """Named groups. GmSSL 2 numbered the SM2 curve 30, a number that IANA gave to x448.

    41 is the standard number (RFC 8998, 2). 4590 joins it with ML-KEM-768
    (draft-yang-tls-hybrid-sm2-mlkem-03).
    """

    SM2P256V1_GMSSL = 30
    CURVE_SM2 = 41
    CURVE_SM2_MLKEM768 = 4590


class SignatureScheme(IntEnum):
    """Signature schemes. 0707 is hash sm3 = 7 with signature sm2sign = 7 (GmSSL 2).

    0708 is RFC 8998's, under an identifier of its own.
    """

    SM2SIGN_SM3_GMSSL = 0x0707
    SM2SIG_SM3 = 0x0708


NAMED_CURVE: Final = 3  # RFC 8422, 5.4
UNCOMPRESSED: Final = 0  # RFC 8422, 5.1.2
NULL_COMPRESSION: Final = 0
RSA_SIGN: Final = 1
ECDSA_SIGN: Final = 64  # RFC 8422, 5.5

STATUS_OCSP: Final = 1  # RFC 6066, 8
PSK_DHE_KE: Final = 1  # RFC 8446, 4.2.9

LEVEL_WARNING: Final = 1
LEVEL_FATAL: Final = 2
