"""Every exception of meterseal, in one tree; a transport error carries its alert.

MeterSealError
├── UsageError               you: an argument, a length or a state that the call cannot accept
│   └── InvalidKey           a scalar, point or key file that is no valid key
├── MalformedData            bytes that do not follow their encoding (DER, PEM, key files)
├── InvalidSignature         a signature does not verify
├── InvalidTag               an authentication tag does not match
├── DecryptionFailed         a ciphertext or an encrypted key does not decrypt
├── RandomnessFailure        the generator or its entropy source failed
├── KeyExhausted             a key has protected as much as it may
├── FaultDetected            a computation with a private key went wrong; its result is thrown away
├── PeerError                they: what the peer sent, answered with `alert`
│   ├── DecodeError          a message that does not follow its structure
│   ├── IllegalParameter     a well-formed value that may not stand there
│   ├── UnsupportedExtension an extension in an answer that nobody asked for
│   ├── MissingExtension     an extension that must be there is not
│   ├── UnexpectedMessage    a message that this point does not allow
│   ├── Incompatible         no protocol, suite, group or signature scheme in common
│   │   ├── UnsupportedVersion
│   │   ├── InappropriateFallback
│   │   └── NoApplicationProtocol
│   ├── InsufficientSecurity weaker than our policy
│   ├── NoRenegotiation      a second handshake on a running session
│   ├── RenegotiationMismatch  a first handshake that claims to be a second one
│   ├── BadRecord            a record that does not open
│   ├── RecordOverflow       a record or message beyond its limit
│   ├── HandshakeProofFailed a signature or Finished that does not prove what it must
│   └── CertificateRejected  a certificate or chain we do not accept, with its `reason`
│       └── CertificateRequired
├── AlertReceived            what the peer told us
├── Truncated                the stream ended without close_notify
├── ConnectionEnded          the session is over: nothing more can be sent
├── HandshakeTimeout         the peer did not finish the handshake in time
├── MeterError               a meter on a field bus did not do what was asked
│   ├── MeterSilent          it did not answer in time
│   ├── MeterRefused         it answered that it will not, with its error `code`
│   └── UnsupportedMeter     it speaks an old protocol, or not as its register map says
└── InternalError            a defect of meterseal; please report it
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import ClassVar

__all__ = [
    "AlertDescription",
    "AlertReceived",
    "BadRecord",
    "CertificateRejected",
    "CertificateRequired",
    "ConnectionEnded",
    "DecodeError",
    "DecryptionFailed",
    "FaultDetected",
    "HandshakeProofFailed",
    "HandshakeTimeout",
    "IllegalParameter",
    "InappropriateFallback",
    "Incompatible",
    "InsufficientSecurity",
    "InternalError",
    "InvalidKey",
    "InvalidSignature",
    "InvalidTag",
    "KeyExhausted",
    "MalformedData",
    "MeterError",
    "MeterRefused",
    "MeterSealError",
    "MeterSilent",
    "MissingExtension",
    "NoApplicationProtocol",
    "NoRenegotiation",
    "PeerError",
    "RandomnessFailure",
    "RecordOverflow",
    "RejectionReason",
    "RenegotiationMismatch",
    "Truncated",
    "UnexpectedMessage",
    "UnsupportedExtension",
    "UnsupportedMeter",
    "UnsupportedVersion",
    "UsageError",
]


class AlertDescription(IntEnum):
    """Alert codes (RFC 5246, 7.2; RFC 8446, 6; GB/T 38636-2020, 6.4.3)."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    DECRYPTION_FAILED = 21
    RECORD_OVERFLOW = 22
    DECOMPRESSION_FAILURE = 30
    HANDSHAKE_FAILURE = 40
    NO_CERTIFICATE = 41
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    INAPPROPRIATE_FALLBACK = 86
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110
    UNRECOGNIZED_NAME = 112
    BAD_CERTIFICATE_STATUS_RESPONSE = 113
    UNKNOWN_PSK_IDENTITY = 115
    CERTIFICATE_REQUIRED = 116
    NO_APPLICATION_PROTOCOL = 120


class MeterSealError(Exception):
    """The root of everything meterseal raises on purpose."""


class UsageError(MeterSealError, ValueError):
    """An argument, a length or a state that the call cannot accept."""


class InvalidKey(UsageError):
    """A scalar, a point or a key file that is no valid key."""


class MalformedData(MeterSealError, ValueError):
    """Bytes that do not follow their encoding."""


class InvalidSignature(MeterSealError):
    """A signature does not verify."""


class InvalidTag(MeterSealError):
    """An authentication tag does not match."""


class DecryptionFailed(MeterSealError):
    """A ciphertext or an encrypted key does not decrypt."""


class RandomnessFailure(MeterSealError):
    """The random generator or its entropy source failed."""


class KeyExhausted(MeterSealError):
    """A key has protected as many records or bytes as it may."""


class FaultDetected(MeterSealError):
    """A computation with a private key went wrong; its result is thrown away.

    The machine cannot be trusted: memory or processor made an error, or someone made it do so.
    """


class PeerError(MeterSealError):
    """The peer sent something that it must not have sent."""

    alert: ClassVar[AlertDescription] = AlertDescription.HANDSHAKE_FAILURE

    @property
    def description(self) -> AlertDescription:
        """The alert that answers this error."""
        return self.alert


class DecodeError(PeerError):
    """A message does not follow its structure: wrong length, missing or left-over bytes."""

    alert = AlertDescription.DECODE_ERROR


class IllegalParameter(PeerError):
    """A well-formed value that may not stand there."""

    alert = AlertDescription.ILLEGAL_PARAMETER


class UnsupportedExtension(PeerError):
    """The peer answered with an extension that we had not offered."""

    alert = AlertDescription.UNSUPPORTED_EXTENSION


class MissingExtension(PeerError):
    """A hello without an extension that its protocol demands."""

    alert = AlertDescription.MISSING_EXTENSION


class UnexpectedMessage(PeerError):
    """The peer sent a message that this point of the session does not allow."""

    alert = AlertDescription.UNEXPECTED_MESSAGE


class Incompatible(PeerError):
    """No protocol, suite, group or signature scheme in common."""

    alert = AlertDescription.HANDSHAKE_FAILURE


class UnsupportedVersion(Incompatible):
    """The peer speaks no protocol version that we may use."""

    alert = AlertDescription.PROTOCOL_VERSION


class InappropriateFallback(Incompatible):
    """The client came back with less than both ends can do (RFC 7507)."""

    alert = AlertDescription.INAPPROPRIATE_FALLBACK


class NoApplicationProtocol(Incompatible):
    """Both ends name application protocols, and none in common (RFC 7301, 3.2)."""

    alert = AlertDescription.NO_APPLICATION_PROTOCOL


class InsufficientSecurity(PeerError):
    """What the peer offers is weaker than our policy."""

    alert = AlertDescription.INSUFFICIENT_SECURITY


class NoRenegotiation(PeerError):
    """The peer asked for a second handshake on a running session."""

    alert = AlertDescription.NO_RENEGOTIATION


class RenegotiationMismatch(PeerError):
    """The peer takes a first handshake for a second one: somebody may stand between (RFC 5746)."""

    alert = AlertDescription.HANDSHAKE_FAILURE


class BadRecord(PeerError):
    """A record does not open. Says nothing more on purpose."""

    alert = AlertDescription.BAD_RECORD_MAC


class RecordOverflow(PeerError):
    """A record or a message is longer than its limit."""

    alert = AlertDescription.RECORD_OVERFLOW


class HandshakeProofFailed(PeerError):
    """A signature or a Finished does not prove what it must."""

    alert = AlertDescription.DECRYPT_ERROR


class RejectionReason(Enum):
    """Why a certificate or a chain was not accepted."""

    MALFORMED = "malformed"
    UNSUPPORTED_KEY = "unsupported key"
    UNSUPPORTED_ALGORITHM = "unsupported signature algorithm"
    BAD_SIGNATURE = "bad signature"
    NOT_YET_VALID = "not yet valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "revocation unknown"
    UNKNOWN_ISSUER = "unknown issuer"
    NOT_A_CA = "issuer is not a CA"
    PATH_TOO_LONG = "path too long"
    WRONG_KEY_USAGE = "wrong key usage"
    WRONG_EXTENDED_KEY_USAGE = "wrong extended key usage"
    WRONG_NAME = "wrong name"
    NAME_CONSTRAINT = "name constraint"
    UNKNOWN_CRITICAL_EXTENSION = "unknown critical extension"
    TOO_MUCH_WORK = "budget exceeded"
    MISSING = "missing"
    PAIR_MISMATCH = "certificate pair mismatch"


_REJECTION_ALERTS = {
    RejectionReason.MALFORMED: AlertDescription.BAD_CERTIFICATE,
    RejectionReason.UNSUPPORTED_KEY: AlertDescription.UNSUPPORTED_CERTIFICATE,
    RejectionReason.UNSUPPORTED_ALGORITHM: AlertDescription.UNSUPPORTED_CERTIFICATE,
    RejectionReason.WRONG_KEY_USAGE: AlertDescription.UNSUPPORTED_CERTIFICATE,
    RejectionReason.WRONG_EXTENDED_KEY_USAGE: AlertDescription.UNSUPPORTED_CERTIFICATE,
    RejectionReason.UNKNOWN_CRITICAL_EXTENSION: AlertDescription.UNSUPPORTED_CERTIFICATE,
    RejectionReason.NOT_YET_VALID: AlertDescription.CERTIFICATE_EXPIRED,
    RejectionReason.EXPIRED: AlertDescription.CERTIFICATE_EXPIRED,
    RejectionReason.REVOKED: AlertDescription.CERTIFICATE_REVOKED,
    RejectionReason.REVOCATION_UNKNOWN: AlertDescription.CERTIFICATE_UNKNOWN,
    RejectionReason.UNKNOWN_ISSUER: AlertDescription.UNKNOWN_CA,
    RejectionReason.NOT_A_CA: AlertDescription.UNKNOWN_CA,
    RejectionReason.PATH_TOO_LONG: AlertDescription.UNKNOWN_CA,
    RejectionReason.MISSING: AlertDescription.HANDSHAKE_FAILURE,
}


class CertificateRejected(PeerError):
    """A certificate or a chain that we do not accept.

    `reason` says which rule it broke, `subject` which certificate (or is empty).
    """

    alert = AlertDescription.BAD_CERTIFICATE

    def __init__(self, reason: RejectionReason, detail: str = "", subject: str = "") -> None:
        self.reason = reason
        self.detail = detail
        self.subject = subject
        text = f"certificate rejected: {reason.value}"
        if detail:
            text += f": {detail}"
        if subject:
            text += f" [{subject}]"
        super().__init__(text)

    @property
    def description(self) -> AlertDescription:
        """The alert for this reason (RFC 5246, 7.2.2)."""
        return _REJECTION_ALERTS.get(self.reason, self.alert)


class CertificateRequired(CertificateRejected):
    """A client of TLS 1.3 showed no certificate where one is demanded (RFC 8446, 4.4.2.4)."""

    def __init__(self) -> None:
        super().__init__(RejectionReason.MISSING, "the client showed no certificate")

    @property
    def description(self) -> AlertDescription:
        """The alert of its own."""
        return AlertDescription.CERTIFICATE_REQUIRED


class AlertReceived(MeterSealError):
    """The peer ended the session with a fatal alert; `code` is its number."""

    def __init__(self, code: int) -> None:
        self.code = code
        try:
            name = AlertDescription(code).name.lower()
        except ValueError:
            name = "unknown"
        super().__init__(f"the peer sent the fatal alert {name} ({code})")


class Truncated(MeterSealError):
    """The stream ended without close_notify: data may be missing."""


class ConnectionEnded(MeterSealError):
    """The session is over: nothing more can be sent."""


class HandshakeTimeout(MeterSealError, TimeoutError):
    """The peer did not finish the handshake in time."""


class MeterError(MeterSealError):
    """A meter on a field bus did not do what was asked."""


class MeterSilent(MeterError, TimeoutError):
    """The meter did not answer in time."""


class MeterRefused(MeterError):
    """The meter answered that it will not; `code` is the error of its protocol."""

    def __init__(self, text: str, code: int) -> None:
        self.code = code
        super().__init__(text)


class UnsupportedMeter(MeterError):
    """The meter speaks an old protocol, or its values are not laid out as the map says."""


class InternalError(MeterSealError):
    """A defect of meterseal; please report it."""
