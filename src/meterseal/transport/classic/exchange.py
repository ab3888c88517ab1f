"""How the two ends come to a premaster secret: one strategy per kind of agreement.

A strategy hides what the flows should not have to know: which messages carry the key exchange,
what is signed in them, and how the premaster secret follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from meterseal.crypto.sm2 import DEFAULT_ID
from meterseal.errors import (
    CertificateRejected,
    HandshakeProofFailed,
    IllegalParameter,
    InternalError,
    InvalidKey,
    InvalidSignature,
    RejectionReason,
    UsageError,
)
from meterseal.transport.algorithms import find_signature
from meterseal.transport.classic.offer import choose_group, signatures_for
from meterseal.transport.codepoints import TLCP, NamedGroup
from meterseal.transport.flow import decrypt, sign_message
from meterseal.transport.messages import (
    ClientKeyExchange,
    EccClientKeyExchange,
    EccServerKeyExchange,
    EcdheClientKeyExchange,
    EcdheServerKeyExchange,
    Message,
    ServerKeyExchange,
    ecdh_parameters,
)
from meterseal.transport.suites import Agreement
from meterseal.transport.wire import vector24

if TYPE_CHECKING:
    from meterseal.crypto.provider import KeyShare, PairKeyShare
    from meterseal.transport.config import ClientConfig, EncryptionCredential, ServerConfig
    from meterseal.transport.extensions import Extensions
    from meterseal.transport.flow import Flow
    from meterseal.transport.identity import Peer
    from meterseal.transport.suites import CipherSuite
    from meterseal.x509 import VerifiedChain

M = TypeVar("M", bound=Message)

PRE_MASTER_LENGTH: Final = 48


@dataclass(frozen=True, slots=True)
class Randoms:
    """The client's and the server's 32 bytes."""

    client: bytes
    server: bytes

    @property
    def both(self) -> bytes:
        """Client first."""
        return self.client + self.server


@dataclass(frozen=True, slots=True)
class KeyExchangeProven:
    """Token: what the server sent was signed by the key of its verified certificate."""

    peer: Peer
    public: bytes = b""
    group: int = 0


class ServerExchange(Protocol):
    """The server's half."""

    client_message: type[Message]

    def announce(self, randoms: Randoms) -> Flow[Message]:
        """Make the ServerKeyExchange."""
        ...

    def conclude(self, message: Message, peer: Peer | None) -> Flow[bytes]:
        """Return the premaster secret from the ClientKeyExchange."""
        ...


class ClientExchange(Protocol):
    """The client's half."""

    server_message: type[Message]

    def check(self, message: Message, peer: Peer, randoms: Randoms) -> KeyExchangeProven:
        """Check the ServerKeyExchange, or raise `HandshakeProofFailed`."""
        ...

    def conclude(self, proven: KeyExchangeProven) -> tuple[Message, bytes]:
        """Return the ClientKeyExchange and the premaster secret."""
        ...


def server_exchange(
    suite: CipherSuite, config: ServerConfig, extensions: Extensions
) -> ServerExchange:
    """Return the server's strategy for a suite and the extensions of the client's hello."""
    if suite.agreement is Agreement.ECDHE:
        return _EcdheServer(suite, config, extensions)
    return _SERVERS[suite.agreement](config)


def client_exchange(suite: CipherSuite, config: ClientConfig) -> ClientExchange:
    """Return the client's strategy for a suite."""
    if suite.agreement is Agreement.ECDHE:
        return _EcdheClient(suite, config)
    return _CLIENTS[suite.agreement](config)


# --- TLS 1.2: ECDHE with a signed point (RFC 8422) ------------------------------------------


class _EcdheServer:
    client_message: type[Message] = ClientKeyExchange

    def __init__(self, suite: CipherSuite, config: ServerConfig, extensions: Extensions) -> None:
        self._key = config.credential.key
        self._scheme = signatures_for(suite, extensions, config)[0]
        self._group = choose_group(extensions, config.algorithms).code
        self._share = config.provider.key_share(self._group)

    def announce(self, randoms: Randoms) -> Flow[Message]:
        group, public, scheme = self._group, self._share.public, self._scheme
        content = randoms.both + ecdh_parameters(group, public)
        signature = yield from sign_message(self._key, content, scheme.identifier)
        return ServerKeyExchange(group, public, scheme.code, signature)

    def conclude(self, message: Message, peer: Peer | None) -> Flow[bytes]:  # noqa: ARG002
        yield from ()
        return _agree(self._share, _expect(message, ClientKeyExchange).public)


class _EcdheClient:
    server_message: type[Message] = ServerKeyExchange

    def __init__(self, suite: CipherSuite, config: ClientConfig) -> None:
        self._suite = suite
        self._provider = config.provider
        self._algorithms = config.algorithms

    def check(self, message: Message, peer: Peer, randoms: Randoms) -> KeyExchangeProven:
        received = _expect(message, ServerKeyExchange)
        if received.group not in [group.code for group in self._algorithms.groups_tls12]:
            raise IllegalParameter(f"the server chose group {received.group}, not offered")
        ours = self._algorithms.signatures_tls12
        scheme = find_signature(ours, received.algorithm, peer.signing.leaf.spki.algorithm)
        if scheme.authentication != self._suite.authentication:
            raise IllegalParameter(f"{scheme} do not go with {self._suite.name}")
        content = randoms.both + ecdh_parameters(received.group, received.public)
        _check_signature(peer, received.signature, content, scheme.identifier)
        return KeyExchangeProven(peer, received.public, received.group)

    def conclude(self, proven: KeyExchangeProven) -> tuple[Message, bytes]:
        share = self._provider.key_share(proven.group)
        return ClientKeyExchange(share.public), _agree(share, proven.public)


# --- TLCP ECC: the premaster under the server's encryption key ------------------------------


class _EccServer:
    client_message: type[Message] = EccClientKeyExchange

    def __init__(self, config: ServerConfig) -> None:
        self._key = config.credential.key
        self._encryption = _encryption(config.credential.encryption)
        self._random_bytes = config.provider.random_bytes

    def announce(self, randoms: Randoms) -> Flow[Message]:
        certificate = self._encryption.certificate.encode()
        content = randoms.both + vector24(certificate)
        return EccServerKeyExchange((yield from sign_message(self._key, content)))

    def conclude(self, message: Message, peer: Peer | None) -> Flow[bytes]:  # noqa: ARG002
        """Nothing tells a bad ciphertext from a wrong secret: both fail at Finished."""
        ciphertext = _expect(message, EccClientKeyExchange).encrypted_pre_master_secret
        substitute = _version() + self._random_bytes(PRE_MASTER_LENGTH - 2)
        plain = yield from decrypt(self._encryption.key, ciphertext)
        is_good = len(plain) == PRE_MASTER_LENGTH and plain[:2] == _version()
        return plain if is_good else substitute


class _EccClient:
    server_message: type[Message] = EccServerKeyExchange

    def __init__(self, config: ClientConfig) -> None:
        self._random_bytes = config.provider.random_bytes

    def check(self, message: Message, peer: Peer, randoms: Randoms) -> KeyExchangeProven:
        received = _expect(message, EccServerKeyExchange)
        content = randoms.both + vector24(_encryption_chain(peer).leaf.encode())
        _check_signature(peer, received.signature, content)
        return KeyExchangeProven(peer)

    def conclude(self, proven: KeyExchangeProven) -> tuple[Message, bytes]:
        pre_master = _version() + self._random_bytes(PRE_MASTER_LENGTH - 2)
        key = _encryption_chain(proven.peer).leaf.public_key()
        return EccClientKeyExchange(key.encrypt(pre_master)), pre_master


# --- TLCP ECDHE: SM2 key exchange; the server is A, the client B (GB/T 32918.3-2016) ---------


class _TlcpEcdheServer:
    client_message: type[Message] = EcdheClientKeyExchange

    def __init__(self, config: ServerConfig) -> None:
        self._key = config.credential.key
        encryption = _encryption(config.credential.encryption)
        self._share = config.provider.pair_key_share(encryption.key, is_initiator=True)

    def announce(self, randoms: Randoms) -> Flow[Message]:
        public = self._share.public
        content = randoms.both + ecdh_parameters(NamedGroup.CURVE_SM2, public)
        signature = yield from sign_message(self._key, content)
        return EcdheServerKeyExchange(NamedGroup.CURVE_SM2, public, signature)

    def conclude(self, message: Message, peer: Peer | None) -> Flow[bytes]:
        yield from ()
        if peer is None:
            raise CertificateRejected(RejectionReason.MISSING, "ECDHE suites need a client pair")
        return _agree_pair(self._share, peer, _expect(message, EcdheClientKeyExchange).public)


class _TlcpEcdheClient:
    server_message: type[Message] = EcdheServerKeyExchange

    def __init__(self, config: ClientConfig) -> None:
        credential = config.credential
        encryption = _encryption(credential.encryption if credential else None)
        self._share = config.provider.pair_key_share(encryption.key, is_initiator=False)
        self._has_prefix = config.compatibility.ecdhe_length_prefix
        self._groups_tls12 = [group.code for group in config.algorithms.groups_tls12]

    def check(self, message: Message, peer: Peer, randoms: Randoms) -> KeyExchangeProven:
        """Check the signature; with this one number TLS 1.2 signs the very same bytes."""
        received = _expect(message, EcdheServerKeyExchange)
        if received.group in self._groups_tls12:
            raise IllegalParameter(f"group {received.group} belongs to TLS 1.2, not to TLCP")
        content = randoms.both + ecdh_parameters(received.group, received.public)
        _check_signature(peer, received.signature, content)
        return KeyExchangeProven(peer, received.public)

    def conclude(self, proven: KeyExchangeProven) -> tuple[Message, bytes]:
        pre_master = _agree_pair(self._share, proven.peer, proven.public)
        message = EcdheClientKeyExchange(NamedGroup.CURVE_SM2, self._share.public, self._has_prefix)
        return message, pre_master


# --- shared ---------------------------------------------------------------------------------


def _version() -> bytes:
    return TLCP.to_bytes(2, "big")


def _expect(message: Message, kind: type[M]) -> M:
    if not isinstance(message, kind):
        raise InternalError(f"expected {kind.__name__}")
    return message


def _check_signature(
    peer: Peer, signature: bytes, content: bytes, identifier: bytes = DEFAULT_ID
) -> None:
    """For SM2 with Z under the identifier, by default the standard's (GB/T 32918.2-2016, 7.1)."""
    try:
        peer.verifier().verify(signature, content, identifier)
    except InvalidSignature:
        raise HandshakeProofFailed("the signature of ServerKeyExchange does not verify") from None


def _agree(share: KeyShare, public: bytes) -> bytes:
    try:
        return share.agree(public)
    except InvalidKey as error:
        raise IllegalParameter(f"the peer's ephemeral public value: {error}") from None


def _agree_pair(share: PairKeyShare, peer: Peer, public: bytes) -> bytes:
    static = _encryption_chain(peer).leaf.public_key()
    try:
        return share.agree(static, public, PRE_MASTER_LENGTH)
    except InvalidKey as error:
        raise IllegalParameter(f"the peer's ephemeral public value: {error}") from None


def _encryption(credential: EncryptionCredential | None) -> EncryptionCredential:
    if credential is None:
        raise UsageError("TLCP needs a signing and an encryption certificate; there is only one")
    return credential


def _encryption_chain(peer: Peer) -> VerifiedChain:
    if peer.encryption is None:
        raise CertificateRejected(
            RejectionReason.MISSING, "the peer showed no encryption certificate"
        )
    return peer.encryption


_SERVERS: Final[dict[Agreement, type[_EccServer | _TlcpEcdheServer]]] = {
    Agreement.TLCP_ECC: _EccServer,
    Agreement.TLCP_ECDHE: _TlcpEcdheServer,
}
_CLIENTS: Final[dict[Agreement, type[_EccClient | _TlcpEcdheClient]]] = {
    Agreement.TLCP_ECC: _EccClient,
    Agreement.TLCP_ECDHE: _TlcpEcdheClient,
}
