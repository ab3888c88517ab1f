"""What a client or a server is willing to do: values, shared by many connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from meterseal.crypto.sm_provider import SmProvider
from meterseal.errors import InvalidKey, UsageError
from meterseal.transport.algorithms import SM_ALGORITHMS, Algorithms
from meterseal.transport.codepoints import TLCP, TLS12, TLS13, NamedGroup
from meterseal.transport.once import Memory, once
from meterseal.transport.session import DEFAULT_LIFETIME, SessionCache, TicketKeys
from meterseal.transport.suites import SUITES, CipherSuite
from meterseal.x509 import RevocationPolicy, Strictness, TrustStore, sort_pair
from meterseal.x509.signature import SM2_SCHEME, SignatureScheme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meterseal.crypto.provider import Decryptor, Provider, Signer, Verifier
    from meterseal.transport.events import Observer
    from meterseal.x509 import Certificate, CertificateRevocationList

__all__ = [
    "TLCP_SUITES",
    "TLS12_CBC_SUITES",
    "TLS12_SUITES",
    "TLS13_SUITES",
    "CertificateVerifyForm",
    "ClientAuthentication",
    "ClientConfig",
    "Compatibility",
    "Credential",
    "EncryptionCredential",
    "Limits",
    "ServerConfig",
]

GROUPS: Final = (int(NamedGroup.CURVE_SM2_MLKEM768), int(NamedGroup.CURVE_SM2))
_MAX_STATUS: Final = 8 * 1024  # room for it in the message that shows certificates
TLS13_SUITES: Final = tuple(suite for suite in SUITES.values() if suite.version == TLS13)
TLS12_SUITES: Final = tuple(
    suite for suite in SUITES.values() if suite.version == TLS12 and suite.is_aead
)
TLS12_CBC_SUITES: Final = tuple(
    suite for suite in SUITES.values() if suite.version == TLS12 and not suite.is_aead
)
"""Authentication before encryption: offered only where it is asked for."""
TLCP_SUITES: Final = tuple(suite for suite in SUITES.values() if suite.version == TLCP)


@dataclass(frozen=True, slots=True)
class EncryptionCredential:
    """The encryption certificate of a TLCP pair and its key; `InvalidKey` if they do not fit."""

    certificate: Certificate
    key: Decryptor

    def __post_init__(self) -> None:
        _require_pair(self.certificate, self.key.public_key(), SM2_SCHEME)


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate chain, own certificate first, and the key that belongs to it.

    `encryption` is the other half of a TLCP pair, `scheme` the kind of signature that the key
    makes. `ocsp_response` (DER, RFC 6960) is what a responder says about the certificate: a server
    hands it to clients of TLS that ask for it. Raises `InvalidKey` if the key is not the
    certificate's.
    """

    chain: tuple[Certificate, ...]
    key: Signer
    encryption: EncryptionCredential | None = None
    scheme: SignatureScheme = SM2_SCHEME
    ocsp_response: bytes | None = None

    def __post_init__(self) -> None:
        if not self.chain:
            raise UsageError("a credential needs at least one certificate")
        if self.ocsp_response is not None and not 0 < len(self.ocsp_response) <= _MAX_STATUS:
            raise UsageError(f"an OCSP response of {len(self.ocsp_response)} bytes")
        _require_pair(self.chain[0], self.key.public_key(), self.scheme)

    @classmethod
    def of_pair(
        cls, certificates: Iterable[Certificate], key: Signer, encryption_key: Decryptor
    ) -> Credential:
        """Make the credential of a TLCP pair from its certificates, in any order, and its keys.

        Raises UsageError for certificates that are no pair, InvalidKey for keys that are not its.
        """
        pair = sort_pair(certificates)
        if key.public_key() == pair.encryption.public_key():
            raise InvalidKey(
                f"the key of the encryption certificate of {pair.encryption.subject} was given to "
                "sign with"
            )
        encryption = EncryptionCredential(pair.encryption, encryption_key)
        return cls((pair.signing, *pair.issuers), key, encryption)


def _require_pair(certificate: Certificate, key: Verifier, scheme: SignatureScheme) -> None:
    if key != scheme.verifier(certificate.spki):
        raise InvalidKey(
            f"the private key does not belong to the certificate of {certificate.subject}"
        )


class CertificateVerifyForm(Enum):
    """What a CertificateVerify signs."""

    HASHED_TWICE = "SM3(Z, SM3(transcript))"  # GB/T 38636-2020, 6.4.5.9
    BARE_DIGEST = "SM3(transcript)"  # GmSSL 2
    WHOLE_TRANSCRIPT = "SM3(Z, transcript)"  # GmSSL 3.2


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Where stacks disagree (docs/decisions/0003-tlcp-variants.md, 0004-tls13.md).

    `ecdhe_length_prefix`: put the standard's two-byte length before the client's ECDHE point;
    most stacks refuse it, GmSSL 3.3 demands it. Both are read. `certificate_verify`: the forms
    that a server accepts, the first of which a client sends. `bare_signature`: a server also takes
    a CertificateVerify without the length before its signature, as early GmSSL 3 wrote it.

    `middleboxes`: a client of TLS 1.3 sends what pleases them (RFC 8446, D.4), which a server of
    GmSSL 3.3 does not take from a client that shows a certificate.
    """

    ecdhe_length_prefix: bool = False
    certificate_verify: tuple[CertificateVerifyForm, ...] = (CertificateVerifyForm.HASHED_TWICE,)
    bare_signature: bool = False
    middleboxes: bool = True

    def needs_whole(self, version: int) -> bool:
        """Whether a session of `version` has to keep the messages that are signed."""
        return version == TLCP and CertificateVerifyForm.WHOLE_TRANSCRIPT in self.certificate_verify


class ClientAuthentication(Enum):
    """Whether a server asks the client who it is."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may cost us. Lengths in bytes.

    `certificates` is for the message that shows them: decoded they take up to 32 times as much.
    """

    handshake_message: int = 64 * 1024
    certificates: int = 16 * 1024
    warnings: int = 4
    empty_records: int = 32
    key_updates: int = 32
    tickets: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """A client's policy.

    `suites` are offered in this order, those of TLS 1.3 and TLS 1.2 in one hello; TLCP stands
    alone.

    `groups` and `key_shares` are for TLS 1.3: what may be agreed, and for which of these a share
    goes into the first hello (all of them by default). `application_protocols` are offered in their
    order (RFC 7301).

    `common_name_fallback` accepts the subject's common name for a certificate that carries no
    alternative name at all, as the certificates of the published design do. `time_in_random` puts
    the UTC seconds into the first four bytes of the random, as that design does.
    `crls` are the revocation lists to look at, as `revocation` says, on resumption too.
    `strictness` is demanded of the issuers of chains.
    `request_ocsp` asks a server of TLS for the OCSP response about its certificate; whether there
    is one and what it says is not judged, `HandshakeCompleted` hands it out.
    `offer_extended_master_secret` is there for servers that fail at an extension they do not know.
    `observer` sees every handshake message and alert in the clear (`trace.Trace`).

    `algorithms` says what `provider` computes.
    """

    trust: TrustStore
    suites: tuple[CipherSuite, ...] = TLS12_SUITES
    credential: Credential | None = None
    groups: tuple[int, ...] = GROUPS
    key_shares: tuple[int, ...] | None = None
    application_protocols: tuple[str, ...] = ()
    check_name: bool = True
    common_name_fallback: bool = False
    crls: Sequence[CertificateRevocationList] = ()
    revocation: RevocationPolicy = RevocationPolicy.IF_AVAILABLE
    strictness: Strictness = Strictness.TOLERANT
    request_ocsp: bool = False
    offer_tickets: bool = True
    offer_extended_master_secret: bool = True
    require_extended_master_secret: bool = False
    require_secure_renegotiation: bool = True
    time_in_random: bool = True
    compatibility: Compatibility = field(default_factory=Compatibility)
    limits: Limits = field(default_factory=Limits)
    provider: Provider = field(default_factory=SmProvider)
    algorithms: Algorithms = SM_ALGORITHMS
    key_log: Callable[[str], None] | None = None
    observer: Observer | None = None
    memory: Memory = field(default_factory=dict, init=False, repr=False, compare=False)

    def policy_digest(self) -> bytes:
        """What a session must have been made under to be offered under this configuration."""
        return once(self, _client_policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """A server's policy.

    `suites` are chosen from in this order. The ClientHello decides whether TLCP or TLS is spoken;
    of TLS it is the highest version that both know. `groups` are those of TLS 1.3: one whose share
    is in the hello is taken before one that must be asked for. Of `application_protocols` the first
    is taken that the client offers too.

    `trust` holds the roots that may vouch for clients; `crls` are the revocation lists to look at,
    as `revocation` says, on resumption too; `strictness` is demanded of the issuers. `select` is
    told the name that the client asks for, if any, and returns the configuration to go on with.

    `session_cache` and `ticket_keys` are shared by the connections of one server; `None` turns
    that kind of resumption off.
    """

    credential: Credential
    suites: tuple[CipherSuite, ...] = TLS12_SUITES
    trust: TrustStore = field(default_factory=lambda: TrustStore([]))
    client_authentication: ClientAuthentication = ClientAuthentication.NONE
    crls: Sequence[CertificateRevocationList] = ()
    revocation: RevocationPolicy = RevocationPolicy.IF_AVAILABLE
    strictness: Strictness = Strictness.TOLERANT
    groups: tuple[int, ...] = GROUPS
    application_protocols: tuple[str, ...] = ()
    session_cache: SessionCache | None = field(default_factory=SessionCache)
    ticket_keys: TicketKeys | None = None
    session_lifetime: int = DEFAULT_LIFETIME
    require_extended_master_secret: bool = False
    time_in_random: bool = True
    compatibility: Compatibility = field(default_factory=Compatibility)
    limits: Limits = field(default_factory=Limits)
    provider: Provider = field(default_factory=SmProvider)
    algorithms: Algorithms = SM_ALGORITHMS
    select: Callable[[str | None], ServerConfig] | None = None
    key_log: Callable[[str], None] | None = None
    observer: Observer | None = None
    memory: Memory = field(default_factory=dict, init=False, repr=False, compare=False)

    def policy_digest(self) -> bytes:
        """What a session must have been made under to be resumed under this configuration."""
        return once(self, _server_policy)


def versions(config: ClientConfig | ServerConfig) -> frozenset[int]:
    """The versions of the suites."""
    return once(config, _versions)


def _versions(config: ClientConfig | ServerConfig) -> frozenset[int]:
    return frozenset(suite.version for suite in config.suites)


def _client_policy(config: ClientConfig) -> bytes:
    return _digest(config, bytes((config.check_name, config.common_name_fallback)))


def _server_policy(config: ServerConfig) -> bytes:
    return _digest(config, config.client_authentication.value.encode())


def _digest(config: ClientConfig | ServerConfig, extra: bytes) -> bytes:
    """Of trust, `extra` and both our certificates: the premaster went under one of them."""
    policy = config.provider.new_hash(config.algorithms.hash_name)
    for fingerprint in config.trust.fingerprints():
        policy.update(fingerprint)
    policy.update(extra)
    if config.credential is not None:
        policy.update(config.credential.chain[0].encode())
        if config.credential.encryption is not None:
            policy.update(config.credential.encryption.certificate.encode())
    return policy.digest()
