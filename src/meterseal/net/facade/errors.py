"""Our errors as those of the `ssl` module, which every client library catches.

The original is the `__cause__`; `reason` and `library` are set as `ssl` sets them.
"""

from __future__ import annotations

import re
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from meterseal.errors import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    ConnectionEnded,
    MeterSealError,
    PeerError,
    RejectionReason,
    Truncated,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NameRefused", "as_ssl_error", "as_ssl_errors", "ssl_error", "want_read", "want_write"]

E = TypeVar("E", bound=ssl.SSLError)

_LIBRARY: Final = "METERSEAL"
_UNSPECIFIED: Final = 1

# The numbers that OpenSSL gives to the results of a verification (X509_V_ERR_...).
_VERIFY_CODES: Final = {
    RejectionReason.REVOCATION_UNKNOWN: 3,
    RejectionReason.BAD_SIGNATURE: 7,
    RejectionReason.NOT_YET_VALID: 9,
    RejectionReason.EXPIRED: 10,
    RejectionReason.UNKNOWN_ISSUER: 20,
    RejectionReason.TOO_MUCH_WORK: 22,
    RejectionReason.REVOKED: 23,
    RejectionReason.NOT_A_CA: 24,
    RejectionReason.PATH_TOO_LONG: 25,
    RejectionReason.WRONG_KEY_USAGE: 26,
    RejectionReason.WRONG_EXTENDED_KEY_USAGE: 26,
    RejectionReason.UNKNOWN_CRITICAL_EXTENSION: 34,
    RejectionReason.NAME_CONSTRAINT: 47,
    RejectionReason.WRONG_NAME: 62,
}
# What it says of them, where programs are likely to compare the text.
_VERIFY_MESSAGES: Final = {
    RejectionReason.REVOCATION_UNKNOWN: "unable to get certificate CRL",
    RejectionReason.REVOKED: "certificate revoked",
}


class NameRefused(PeerError):
    """An `sni_callback` refused the name that the client asked for, with an alert of its choice."""

    def __init__(self, name: str | None, code: int) -> None:
        self._alert = AlertDescription(code)
        super().__init__(f"the name {name!r} is not served here")

    @property
    def description(self) -> AlertDescription:
        """The alert that the callback returned."""
        return self._alert


def ssl_error(reason: str, text: str) -> ssl.SSLError:
    """Make an `SSLError` as the module itself would."""
    return _marked(ssl.SSLError(ssl.SSL_ERROR_SSL, f"[{_LIBRARY}: {reason}] {text}"), reason)


def as_ssl_error(error: MeterSealError) -> ssl.SSLError:
    """Make the error of the `ssl` module that says the same; raise it `from` the original."""
    text = str(error)
    if isinstance(error, Truncated):
        reason = "UNEXPECTED_EOF_WHILE_READING"
        return _marked(
            ssl.SSLEOFError(ssl.SSL_ERROR_EOF, f"EOF occurred in violation of protocol: {text}"),
            reason,
        )
    if isinstance(error, ConnectionEnded):
        closed = ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, text)
        return _marked(closed, "PROTOCOL_IS_SHUTDOWN")
    if isinstance(error, CertificateRejected) and error.reason is not RejectionReason.MISSING:
        return _rejected(error)
    if isinstance(error, AlertReceived):
        return ssl_error(_alert_reason(error.code), text)
    return ssl_error(_shout(type(error).__name__), text)


@contextmanager
def as_ssl_errors() -> Iterator[None]:
    """Let errors of ours leave the block as those of the `ssl` module."""
    try:
        yield
    except MeterSealError as error:
        raise as_ssl_error(error) from error


def want_read() -> ssl.SSLWantReadError:
    """The answer to a call that cannot go on before more arrives."""
    return _marked(
        ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "The operation did not complete (read)"), ""
    )


def want_write() -> ssl.SSLWantWriteError:
    """The answer to a call that cannot go on before the kernel takes more."""
    return _marked(
        ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)"),
        "",
    )


def _rejected(error: CertificateRejected) -> ssl.SSLError:
    reason = "CERTIFICATE_VERIFY_FAILED"
    text = f"[{_LIBRARY}: {reason}] certificate verify failed: {error}"
    failure = _marked(ssl.SSLCertVerificationError(ssl.SSL_ERROR_SSL, text), reason)
    failure.verify_code = _VERIFY_CODES.get(error.reason, _UNSPECIFIED)
    said = _VERIFY_MESSAGES.get(error.reason)
    failure.verify_message = said or error.detail or error.reason.value
    return failure


def _alert_reason(code: int) -> str:
    try:
        return "ALERT_" + AlertDescription(code).name
    except ValueError:
        return f"ALERT_{code}"


def _shout(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def _marked(error: E, reason: str) -> E:
    error.library = _LIBRARY
    error.reason = reason
    return error
