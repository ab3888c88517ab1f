"""The algorithms that suites from outside are written for, as families for the provider seam."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from meterseal.transport import codepoints
from meterseal.transport.algorithms import Algorithms
from meterseal.transport.suites import Agreement, CipherSuite
from support.nist.groups import GROUPS, MLKEM1024, X25519MLKEM768
from support.nist.provider import NistProvider
from support.nist.schedule import HASHES
from support.nist.signing import AnyScheme, of_tls12, of_tls13

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# --- suites ------------------------------------------------------------------------------


def _tls13(code: int, name: str, protection: str) -> CipherSuite:
    version, agreement = codepoints.TLS13, Agreement.TLS13
    return CipherSuite(code, f"TLS_{name}", version, agreement, HASHES[protection], protection)


def _tls12(code: int, name: str, protection: str) -> CipherSuite:
    return CipherSuite(
        code=code,
        name=f"TLS_ECDHE_{name}",
        version=codepoints.TLS12,
        agreement=Agreement.ECDHE,
        hash_name=HASHES.get(protection, "sha256"),
        protection=protection,
        authentication=name.partition("_")[0],
    )


SUITES = {
    suite.code: suite
    for suite in (
        _tls13(0x1301, "AES_128_GCM_SHA256", "aes-128-gcm"),
        _tls13(0x1302, "AES_256_GCM_SHA384", "aes-256-gcm"),
        _tls13(0x1303, "CHACHA20_POLY1305_SHA256", "chacha20-poly1305"),
        _tls12(0xC02B, "ECDSA_WITH_AES_128_GCM_SHA256", "aes-128-gcm"),
        _tls12(0xC02F, "RSA_WITH_AES_128_GCM_SHA256", "aes-128-gcm"),
        _tls12(0xC02C, "ECDSA_WITH_AES_256_GCM_SHA384", "aes-256-gcm"),
        _tls12(0xC030, "RSA_WITH_AES_256_GCM_SHA384", "aes-256-gcm"),
        _tls12(0xCCA9, "ECDSA_WITH_CHACHA20_POLY1305_SHA256", "chacha20-poly1305"),
        _tls12(0xCCA8, "RSA_WITH_CHACHA20_POLY1305_SHA256", "chacha20-poly1305"),
        _tls12(0xC009, "ECDSA_WITH_AES_128_CBC_SHA", "aes-128-cbc-sha1"),
        _tls12(0xC013, "RSA_WITH_AES_128_CBC_SHA", "aes-128-cbc-sha1"),
        _tls12(0xC023, "ECDSA_WITH_AES_128_CBC_SHA256", "aes-128-cbc-sha256"),
        _tls12(0xC027, "RSA_WITH_AES_128_CBC_SHA256", "aes-128-cbc-sha256"),
        _tls12(0xC00A, "ECDSA_WITH_AES_256_CBC_SHA", "aes-256-cbc-sha1"),
        _tls12(0xC014, "RSA_WITH_AES_256_CBC_SHA", "aes-256-cbc-sha1"),
    )
}

# --- families ----------------------------------------------------------------------------


def family(
    schemes: Iterable[int], groups: Collection[int], *, client_signs: bool = False
) -> Algorithms:
    """All suites, with these signature schemes and groups, in the order of preference."""
    codes = tuple(schemes)
    known = [GROUPS[group] for group in groups]
    classic = [group for group in known if group.code not in {X25519MLKEM768, MLKEM1024}]
    return Algorithms(
        suites=SUITES,
        hash_name="sha256",
        signatures_tls13=of_tls13(codes, client_signs=client_signs),
        signatures_tls12=of_tls12(codes),
        group_tls13=known[0],
        groups_tls12=tuple(classic),
        certificates=AnyScheme(),
        signs_messages=True,
    )


def with_suites(algorithms: Algorithms, *codes: int) -> Algorithms:
    """The family with these suites alone."""
    return replace(algorithms, suites={code: SUITES[code] for code in codes})


class RunnerProvider(NistProvider):
    """The NIST provider with a clock that only a case puts forward."""

    def __init__(self) -> None:
        self.delay, start = 0.0, time.time()
        super().__init__(lambda: start + self.delay)
