"""From the flags of a case to the parts of a configuration."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization

from meterseal.transport import Credential
from meterseal.x509 import TrustStore, load_certificates
from peers.bogo import policies
from peers.bogo.options import TLS12, TLS13, Options, Unimplemented
from support.nist import families
from support.nist.groups import GROUPS, MLKEM1024, P256, P384, X25519, X25519MLKEM768
from support.nist.signing import AnySigner

if TYPE_CHECKING:
    from meterseal.transport.algorithms import Algorithms, Signature
    from meterseal.transport.suites import CipherSuite

_DEFAULT_GROUPS = (X25519MLKEM768, X25519, P256, P384)
_LATTICES = (X25519MLKEM768, MLKEM1024)
_PSS_OF_64_BYTES, _LEAST_FOR_64_BYTES = 0x0806, 150  # RSA keys of 1,024 bits cannot hold it


# What BoringSSL takes and signs with by default, in the order in which it prefers them.
_VERIFIED = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201)
_SIGNED = (
    0x0904, 0x0905, 0x0906, 0x0807, 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0603, 0x0806,
    0x0601, 0x0203, 0x0201,
)  # fmt: skip


def family(options: Options) -> Algorithms:
    """The algorithms of one connection; it signs and verifies by one list."""
    policy = policies.of(options)
    verified = options.verify_prefs or policy.restrict_schemes(_VERIFIED)
    signed = options.signing_prefs or policy.restrict_schemes(_SIGNED)
    is_server, has_key = options.server, bool(options.cert_file)
    asks = options.verify_peer or options.require_any_client_certificate
    algorithms = families.family(
        dict.fromkeys((*signed, *verified) if has_key else verified),
        groups(options),
        client_signs=asks if is_server else has_key,
    )
    if not has_key:
        return algorithms
    key = load_certificates(Path(options.cert_file).read_bytes())[0].spki
    too_small = _PSS_OF_64_BYTES if len(key.key) < _LEAST_FOR_64_BYTES else 0

    def wanted(schemes: tuple[Signature, ...]) -> tuple[Signature, ...]:
        """What is taken, and beside that what our key signs with."""
        taken = () if is_server and not asks else verified
        return tuple(
            scheme
            for scheme in schemes
            if scheme.code in taken or (scheme.code in signed and scheme.is_made_by(key.algorithm))
            if scheme.code != too_small
        )

    return replace(
        algorithms,
        signatures_tls13=wanted(algorithms.signatures_tls13),
        signatures_tls12=wanted(algorithms.signatures_tls12),
    )


def credential(options: Options, algorithms: Algorithms) -> Credential | None:
    if not options.cert_file:
        return None
    key: Any = serialization.load_pem_private_key(Path(options.key_file).read_bytes(), None)
    chain = load_certificates(Path(options.cert_file).read_bytes())
    response = None
    if options.ocsp_response and not options.decline_ocsp_callback:
        response = base64.b64decode(options.ocsp_response)
    return Credential(
        tuple(chain), AnySigner(key), scheme=algorithms.certificates, ocsp_response=response
    )


def trust(options: Options) -> TrustStore:
    if options.verify_fail:
        if options.is_resumption and not options.reverify_on_resume:
            raise Unimplemented("who is resumed is always verified again")
        return TrustStore([])
    if not options.trust_cert:
        return TrustStore([])
    return TrustStore.load(Path(options.trust_cert).read_bytes())


def suites(options: Options, algorithms: Algorithms) -> tuple[CipherSuite, ...]:
    versions = {
        version
        for version, is_off in ((TLS13, options.no_tls13), (TLS12, options.no_tls12))
        if not is_off and options.min_version <= version <= options.max_version
    }
    if not algorithms.groups_tls12:
        versions.discard(TLS12)
    named = policies.of(options).suites or ciphers(options) or tuple(algorithms.suites)
    suites = [algorithms.suites[code] for code in named]
    spoken = tuple(suite for suite in suites if suite.version in versions)
    if not spoken:
        raise Unimplemented("versions before TLS 1.2 are absent")
    return spoken


def ciphers(options: Options) -> tuple[int, ...]:
    """The suites of TLS 1.2 that a case names, after all those of TLS 1.3."""
    if not options.cipher:
        return ()
    codes = {suite.name: suite.code for suite in families.SUITES.values()}
    names = options.cipher.split(":")
    if not set(names) <= set(codes):
        raise Unimplemented(f"suites are named one by one, not by {options.cipher}")
    first = [suite.code for suite in families.SUITES.values() if suite.version == TLS13]
    return (*first, *(codes[name] for name in names))


def groups(options: Options) -> tuple[int, ...]:
    groups = tuple(options.curves) or policies.of(options).groups or _DEFAULT_GROUPS
    if not set(groups) <= set(GROUPS):
        raise Unimplemented("groups are X25519, ML-KEM and those of NIST")
    return groups


def key_shares(options: Options) -> tuple[int, ...]:
    if options.no_key_shares:
        return ()
    if options.key_shares:
        return tuple(options.key_shares)
    # As BoringSSL does: the first, and the first of the other kind, lattice or curve.
    first, *others = groups(options)
    other = [group for group in others if (group in _LATTICES) != (first in _LATTICES)]
    return (first, *other[:1])
