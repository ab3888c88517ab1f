"""The steps that both flows are made of (RFC 8446, 4.4).

A check that must not be skipped returns a token, which a later step demands.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.errors import DecodeError, HandshakeProofFailed, InvalidSignature
from meterseal.transport.algorithms import find_signature
from meterseal.transport.events import HandshakeCompleted
from meterseal.transport.flow import receive, sign_message
from meterseal.transport.messages import CertificateVerify, Tls13Finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import Exporter, KeySchedule, Signer
    from meterseal.transport.algorithms import Signature
    from meterseal.transport.driver import Driver
    from meterseal.transport.flow import Flow
    from meterseal.transport.identity import Peer
    from meterseal.transport.suites import CipherSuite

SERVER_CONTEXT: Final = b"TLS 1.3, server CertificateVerify"
CLIENT_CONTEXT: Final = b"TLS 1.3, client CertificateVerify"


@dataclass(frozen=True, slots=True)
class PeerProven:
    """Token: the peer holds the key of its verified certificate, or of the session resumed."""

    peer: Peer | None


@dataclass(frozen=True, slots=True)
class FinishedValid:
    """Token: the peer's Finished proved the whole handshake."""


# --- CertificateVerify -------------------------------------------------------------------


def signed_content(context: bytes, transcript_hash: bytes) -> bytes:
    """What a CertificateVerify signs (4.4.3)."""
    return b" " * 64 + context + b"\0" + transcript_hash


def send_certificate_verify(
    driver: Driver, key: Signer, scheme: Signature, context: bytes
) -> Flow[None]:
    """Prove that we hold the key of the certificate just shown."""
    content = signed_content(context, driver.transcript.digest())
    signature = yield from sign_message(key, content, scheme.identifier)
    driver.send(CertificateVerify(scheme.code, signature))


def receive_certificate_verify(
    driver: Driver, peer: Peer, signatures: tuple[Signature, ...], context: bytes
) -> Flow[PeerProven]:
    """Wait for the proof that the peer holds the key of its certificate."""
    content = signed_content(context, driver.transcript.digest())
    verify = yield from receive(CertificateVerify)
    scheme = find_signature(signatures, verify.algorithm, peer.signing.leaf.spki.algorithm)
    try:
        peer.verifier().verify(verify.signature, content, scheme.identifier)
    except InvalidSignature:
        raise HandshakeProofFailed("the signature of CertificateVerify does not verify") from None
    return PeerProven(peer)


# --- Finished ----------------------------------------------------------------------------


def send_finished(driver: Driver, schedule: KeySchedule, *, of_client: bool) -> None:
    """Prove the handshake so far."""
    driver.send(Tls13Finished(schedule.verify_data(of_client, driver.transcript.digest())))


def receive_finished(
    driver: Driver, schedule: KeySchedule, *, of_client: bool
) -> Flow[FinishedValid]:
    """Wait for the peer's proof."""
    expected = schedule.verify_data(of_client, driver.transcript.digest())
    finished = yield from receive(Tls13Finished)
    if len(finished.verify_data) != len(expected):
        raise DecodeError(f"a Finished of {len(finished.verify_data)} bytes")
    if not hmac.compare_digest(finished.verify_data, expected):
        raise HandshakeProofFailed("the peer's Finished does not fit this handshake")
    return FinishedValid()


# --- the end -----------------------------------------------------------------------------


def log_traffic(
    key_log: Callable[[str], None] | None, client_random: bytes, schedule: KeySchedule, stage: str
) -> None:
    """Write the lines that let a protocol analyser decrypt a stage, if they were asked for."""
    if key_log is None:
        return
    for side, secret in zip(("CLIENT", "SERVER"), schedule.traffic_secrets(), strict=True):
        key_log(f"{side}_{stage} {client_random.hex()} {secret.hex()}")


def release_exporter(driver: Driver, exporter: Exporter) -> None:
    """Make keys for other uses possible; no context and an empty one are the same (7.5)."""

    def export(label: bytes, context: bytes | None, length: int) -> bytes:
        return exporter.export(label, context or b"", length)

    driver.export = export


def log_exporter(
    key_log: Callable[[str], None] | None, client_random: bytes, exporter: Exporter
) -> None:
    """Write the line of the exporter, if it was asked for."""
    if key_log is not None:
        key_log(f"EXPORTER_SECRET {client_random.hex()} {exporter.to_bytes().hex()}")


def complete(  # noqa: PLR0913  (the sum of the handshake)
    driver: Driver,
    proofs: tuple[PeerProven, FinishedValid],  # nobody completes a handshake without them
    *,
    suite: CipherSuite,
    group: int,
    server_name: str | None,
    application_protocol: str | None,
    resumed: bool,
    ocsp_response: bytes | None = None,
) -> None:
    """Tell the owner of the connection that the session is established."""
    peer = proofs[0].peer
    driver.events.append(
        HandshakeCompleted(
            suite=suite,
            peer=peer.signing if peer else None,
            peer_encryption=None,
            server_name=server_name,
            resumed=resumed,
            extended_master_secret=True,
            session=None,
            application_protocol=application_protocol,
            group=group,
            ocsp_response=ocsp_response,
        )
    )
    driver.establish()
