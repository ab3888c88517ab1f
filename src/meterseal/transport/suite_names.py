"""Cipher suites by every name in use, since stacks and standards call them differently."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from meterseal.transport.suites import SUITES

if TYPE_CHECKING:
    from meterseal.transport.suites import CipherSuite

__all__ = ["find_suite"]

_CODE_POINT: Final = re.compile(r"(?:0X)?([0-9A-F]{4})")
_PREFIX: Final = re.compile(r"^(?:TLS|TLCP|GMTLS|NTLS)_(?:CIPHER_)?")

# Names without prefix, with underscores. GB/T 38636-2020 has the first of each line, GM/T 0024-2014
# the one without a mode, Tongsuo those with SM2. E107 is GmSSL 2's own; only its spelling of the
# cipher, SMS4, tells its name from Tongsuo's for E051, except where WITH stands.
_ALIASES: Final = {
    "ECDHE_SM4_CBC_SM3": 0xE011,
    "ECDHE_SM4_SM3": 0xE011,
    "ECDHE_SM2_SM4_CBC_SM3": 0xE011,
    "ECDHE_SM2_WITH_SM4_SM3": 0xE011,
    "ECDHE_WITH_SM4_CBC_SM3": 0xE011,
    "ECDHE_WITH_SM4_SM3": 0xE011,
    "ECC_SM4_CBC_SM3": 0xE013,
    "ECC_SM4_SM3": 0xE013,
    "ECC_SM2_SM4_CBC_SM3": 0xE013,
    "ECC_SM2_WITH_SM4_SM3": 0xE013,
    "ECC_SM2_WITH_SM4_CBC_SM3": 0xE013,
    "ECC_WITH_SM4_CBC_SM3": 0xE013,
    "ECC_WITH_SM4_SM3": 0xE013,
    "ECDHE_SM4_GCM_SM3": 0xE051,
    "ECDHE_SM2_SM4_GCM_SM3": 0xE051,
    "ECDHE_WITH_SM4_GCM_SM3": 0xE051,
    "ECC_SM4_GCM_SM3": 0xE053,
    "ECC_SM2_SM4_GCM_SM3": 0xE053,
    "ECC_SM2_WITH_SM4_GCM_SM3": 0xE053,
    "ECC_WITH_SM4_GCM_SM3": 0xE053,
    "ECDHE_SM2_WITH_SMS4_SM3": 0xE102,
    "ECDHE_SM2_WITH_SMS4_CBC_SM3": 0xE102,
    "ECDHE_SM2_WITH_SMS4_GCM_SM3": 0xE107,
    "ECDHE_SM2_WITH_SM4_GCM_SM3": 0xE107,
    "SM4_GCM_SM3": 0x00C6,
    "SM4_CCM_SM3": 0x00C7,
}


def find_suite(name: str) -> CipherSuite | None:
    """Return the suite of a name or of a code point such as `E013`; None for one we lack.

    Hyphens, underscores and case do not matter, nor does a prefix such as `TLCP_`.
    """
    text = name.strip().upper().replace("-", "_")
    code = _CODE_POINT.fullmatch(text)
    if code:
        return SUITES.get(int(code[1], 16))
    bare = _PREFIX.sub("", text)
    own = {
        _PREFIX.sub("", suite.name.upper().replace("-", "_")): suite for suite in SUITES.values()
    }
    return own.get(bare) or SUITES.get(_ALIASES.get(bare, 0))
