"""A second provider, for tests alone: P-256, ECDSA, AES-128-GCM and SHA-256 of `cryptography`.

With it our state machines, record layer and path validation speak ordinary TLS, so that peers and
suites made for that can judge them. It is neither constant in time nor careful with its secrets.
"""

from support.nist.algorithms import GROUP, NIST_ALGORITHMS, TLS12, TLS13
from support.nist.keys import EcdsaSigner
from support.nist.provider import NistProvider

__all__ = ["GROUP", "NIST_ALGORITHMS", "TLS12", "TLS13", "EcdsaSigner", "NistProvider"]
