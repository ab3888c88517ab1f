"""The cipher suites as data: what each is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from meterseal.transport.codepoints import TLCP, TLS12, TLS13, CipherSuiteCode


class Agreement(Enum):
    """How the two ends come to the premaster secret."""

    ECDHE = "ECDHE with a signed point"
    TLCP_ECC = "premaster under the server's encryption key"
    TLCP_ECDHE = "SM2 key exchange of both ends' encryption keys"
    TLS13 = "a key share in each hello"


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """One suite: its code point, its name, and the algorithms the provider is asked for.

    `authentication` is that of the signatures which a suite of TLS 1.2 goes with.
    """

    code: int
    name: str
    version: int
    agreement: Agreement
    hash_name: str
    protection: str
    authentication: str = ""

    @property
    def is_aead(self) -> bool:
        """Whether records are encrypted and authenticated in one; else MAC, then encrypt."""
        return "-cbc" not in self.protection


def _tlcp(code: CipherSuiteCode, agreement: Agreement, protection: str) -> CipherSuite:
    return CipherSuite(code, code.name, TLCP, agreement, "sm3", protection)


def _tls13(code: CipherSuiteCode, protection: str) -> CipherSuite:
    return CipherSuite(code, code.name, TLS13, Agreement.TLS13, "sm3", protection)


SUITES: Final[dict[int, CipherSuite]] = {
    suite.code: suite
    for suite in (
        _tls13(CipherSuiteCode.TLS_SM4_GCM_SM3, "sm4-gcm"),
        _tls13(CipherSuiteCode.TLS_SM4_CCM_SM3, "sm4-ccm"),
        CipherSuite(
            code=CipherSuiteCode.ECDHE_SM2_WITH_SMS4_GCM_SM3,
            name="ECDHE-SM2-WITH-SMS4-GCM-SM3",
            version=TLS12,
            agreement=Agreement.ECDHE,
            hash_name="sm3",
            protection="sm4-gcm",
        ),
        CipherSuite(
            code=CipherSuiteCode.ECDHE_SM2_WITH_SMS4_SM3,
            name="ECDHE-SM2-WITH-SMS4-SM3",
            version=TLS12,
            agreement=Agreement.ECDHE,
            hash_name="sha256",  # it keeps the default PRF of TLS 1.2 (RFC 5246, 5)
            protection="sm4-cbc-sm3",
        ),
        _tlcp(CipherSuiteCode.ECDHE_SM4_GCM_SM3, Agreement.TLCP_ECDHE, "sm4-gcm"),
        _tlcp(CipherSuiteCode.ECC_SM4_GCM_SM3, Agreement.TLCP_ECC, "sm4-gcm"),
        _tlcp(CipherSuiteCode.ECDHE_SM4_CBC_SM3, Agreement.TLCP_ECDHE, "sm4-cbc-sm3"),
        _tlcp(CipherSuiteCode.ECC_SM4_CBC_SM3, Agreement.TLCP_ECC, "sm4-cbc-sm3"),
    )
}
