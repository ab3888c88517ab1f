"""The NIST family as data: one suite of each version, P-256, ECDSA with SHA-256."""

from __future__ import annotations

from meterseal.transport import codepoints
from meterseal.transport.algorithms import Algorithms, Group, Signature
from meterseal.transport.suites import Agreement, CipherSuite
from support.nist.keys import EcdsaScheme

TLS13 = CipherSuite(
    code=0x1301,
    name="TLS_AES_128_GCM_SHA256",
    version=codepoints.TLS13,
    agreement=Agreement.TLS13,
    hash_name="sha256",
    protection="aes-128-gcm",
)
TLS12 = CipherSuite(
    code=0xC02B,
    name="TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    version=codepoints.TLS12,
    agreement=Agreement.ECDHE,
    hash_name="sha256",
    protection="aes-128-gcm",
)
GROUP = Group(0x0017, "secp256r1")
_ECDSA = Signature(0x0403, "ECDSA signatures on P-256 with SHA-256")
NIST_ALGORITHMS = Algorithms(
    suites={suite.code: suite for suite in (TLS13, TLS12)},
    hash_name="sha256",
    signatures_tls13=(_ECDSA,),
    signatures_tls12=(_ECDSA,),
    group_tls13=GROUP,
    groups_tls12=(GROUP,),
    certificates=EcdsaScheme(),
)
