"""From the files of an `Identity` to what transports and signers take."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from meterseal.errors import UsageError
from meterseal.net.context import SecureContext
from meterseal.x509 import load_certificates, load_private_key

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.collection.config import HttpsSettings, Identity, ServerIdentity
    from meterseal.crypto.sm2 import PrivateKey, PublicKey
    from meterseal.x509 import Certificate

__all__ = [
    "client_context",
    "https_context",
    "link_context",
    "renew_https",
    "server_context",
    "signing_identity",
    "station_keys",
]


def link_context(identity: Identity, protocol: str) -> ssl.SSLContext | None:
    """Return the context of an uplink's protocol; None for a plain one."""
    if protocol == "plain":
        return None
    if protocol == "international":
        return ssl.create_default_context()
    return client_context(identity, protocol)


def client_context(identity: Identity, protocol: str) -> SecureContext:
    """Return a context for a client with a certificate. Raises `OSError`, `ssl.SSLError`."""
    context = SecureContext(ssl.PROTOCOL_TLS_CLIENT, sm_protocol=protocol)  # type: ignore[arg-type]
    _load(context, identity)
    return context


def server_context(identity: Identity, protocol: str) -> SecureContext:
    """Return a context for a server that lets in clients of its CA only."""
    context = SecureContext(ssl.PROTOCOL_TLS_SERVER, sm_protocol=protocol)  # type: ignore[arg-type]
    _load(context, identity)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def https_context(settings: HttpsSettings) -> ssl.SSLContext:
    """Return a context for a server that anybody may ask. Raises `OSError`, `ssl.SSLError`."""
    international = None
    if settings.international is not None:
        international = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context = international
    if settings.sm is not None:
        context = SecureContext(ssl.PROTOCOL_TLS_SERVER, sm_protocol="auto")
        context.fallback = international
    if context is None:
        raise UsageError("HTTPS needs a certificate")
    _load_https(context, settings)
    return context


def renew_https(context: ssl.SSLContext, settings: HttpsSettings) -> None:
    """Load the files of an `https_context` anew; its connections stay, new ones see the new files.

    Raises `OSError`, `ssl.SSLError`; the context is then what it was.
    """
    https_context(settings)  # what is wrong shows here, not in the context that serves
    _load_https(context, settings)


def signing_identity(identity: Identity) -> tuple[PrivateKey, list[Certificate]]:
    """Return the signing key and the chain, the key's own certificate first.

    Of a pair the encryption certificate is left out. Raises `UsageError` where none fits the key.
    """
    key = load_private_key(identity.key.read_bytes())
    chain = load_certificates(identity.certificate.read_bytes())
    own = [each for each in chain if each.spki.key == key.public_key().to_bytes()]
    if not own:
        raise UsageError(f"{identity.certificate} has no certificate for {identity.key}")
    issuers = [each for each in chain if (c := each.basic_constraints) is not None and c.ca]
    return key, [own[0], *issuers]


def station_keys(path: Path) -> dict[bytes, PublicKey]:
    """Return the keys of the stations' certificates, by fingerprint; CAs are passed over."""
    return {
        each.fingerprint(): each.public_key()
        for each in load_certificates(path.read_bytes())
        if (constraints := each.basic_constraints) is None or not constraints.ca
    }


def _load_https(context: ssl.SSLContext, settings: HttpsSettings) -> None:
    international: ssl.SSLContext | None = context
    if isinstance(context, SecureContext):
        if settings.sm is not None:
            _load_chain(context, settings.sm)
        international = context.fallback
    if international is not None and settings.international is not None:
        identity = settings.international
        international.load_cert_chain(identity.certificate, identity.key)


def _load_chain(context: SecureContext, identity: Identity | ServerIdentity) -> None:
    if identity.encryption_key is None:
        context.load_cert_chain(identity.certificate, identity.key)
    else:
        context.load_cert_chain(identity.certificate, identity.key, enc_key=identity.encryption_key)


def _load(context: SecureContext, identity: Identity) -> None:
    _load_chain(context, identity)
    context.load_verify_locations(identity.ca)
    for crl in identity.crls:
        context.load_verify_locations(crl)
