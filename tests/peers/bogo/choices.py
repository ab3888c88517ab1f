"""From the flags of a case to the parts of a configuration."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509 as reference
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from meterseal.transport import Credential
from meterseal.x509 import TrustStore, load_certificates
from peers.bogo.options import TLS12, TLS13, Options, Unimplemented
from support.nist import EcdsaSigner
from support.nist.families import ECDSA, GROUPS, P256, P384, RSA, X25519, RsaSigner

if TYPE_CHECKING:
    from meterseal.transport.algorithms import Algorithms
    from support.nist.families import Family


def family(options: Options) -> Family:
    """One family signs with one kind of key: that of our certificate and of those we verify."""
    needed = []
    if options.cert_file:
        needed.append(_kind(_load_key(options).public_key()))
    if options.trust_cert and (not options.server or _asks_for_certificate(options)):
        needed.append(_kind(_load_root(options).public_key()))
    if len({id(family) for family in needed}) > 1:
        raise Unimplemented("both ends of a family sign with one kind of key")
    family = needed[0] if needed else RSA
    scheme = family.algorithms.signature_tls13.code
    for preferences in (options.verify_prefs, options.signing_prefs):
        if preferences and preferences != [scheme]:
            raise Unimplemented("a family has one signature scheme")
    return family


def _asks_for_certificate(options: Options) -> bool:
    return options.verify_peer or options.require_any_client_certificate


def _kind(key: object) -> Family:
    if isinstance(key, rsa.RSAPublicKey):
        return RSA
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return ECDSA
    raise Unimplemented("keys are RSA or on P-256")


def _load_key(options: Options) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        data = Path(options.key_file).read_bytes()
        key = serialization.load_pem_private_key(data, None)
    except ValueError:
        raise Unimplemented("keys are RSA or on P-256") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Unimplemented("keys are RSA or on P-256")
    return key


def _load_root(options: Options) -> reference.Certificate:
    return reference.load_pem_x509_certificate(Path(options.trust_cert).read_bytes())


def credential(options: Options, algorithms: Algorithms) -> Credential | None:
    if not options.cert_file:
        return None
    key = _load_key(options)
    signer = RsaSigner(key) if isinstance(key, rsa.RSAPrivateKey) else EcdsaSigner(key)
    chain = load_certificates(Path(options.cert_file).read_bytes())
    response = None
    if options.ocsp_response and not options.decline_ocsp_callback:
        response = base64.b64decode(options.ocsp_response)
    return Credential(tuple(chain), signer, scheme=algorithms.certificates, ocsp_response=response)


def trust(options: Options) -> TrustStore:
    if options.verify_fail:
        if options.is_resumption and not options.reverify_on_resume:
            raise Unimplemented("who is resumed is always verified again")
        return TrustStore([])
    if not options.trust_cert:
        return TrustStore([])
    return TrustStore.load(Path(options.trust_cert).read_bytes())


def suites(options: Options, algorithms: Algorithms) -> tuple[object, ...]:
    versions = {
        version
        for version, is_off in ((TLS13, options.no_tls13), (TLS12, options.no_tls12))
        if not is_off and options.min_version <= version <= options.max_version
    }
    suites = tuple(suite for suite in algorithms.suites.values() if suite.version in versions)
    if not suites:
        raise Unimplemented("versions before TLS 1.2 are absent")
    return suites


def groups(options: Options) -> tuple[int, ...]:
    groups = tuple(options.curves) or (X25519, P256, P384)
    if not set(groups) <= set(GROUPS):
        raise Unimplemented("groups are X25519 and those of NIST")
    return groups


def key_shares(options: Options) -> tuple[int, ...]:
    if options.no_key_shares:
        return ()
    return tuple(options.key_shares) or groups(options)[:1]
