"""What `ssl.SSLObject` and `ssl.SSLSocket` tell about a session, told of ours."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, overload

from meterseal.crypto import sm3
from meterseal.net.facade.peer import certificate_dict
from meterseal.transport.codepoints import TLCP, TLS12, TLS13

if TYPE_CHECKING:
    from meterseal.net.context import SecureContext
    from meterseal.net.facade.either import EitherEngine
    from meterseal.net.facade.engine import Engine
    from meterseal.transport import HandshakeCompleted
    from meterseal.transport import Session as EngineSession

__all__ = ["CHANNEL_BINDING_TYPES", "Face", "Session"]

CHANNEL_BINDING_TYPES: Final = ("tls-unique", "tls-server-end-point")
_VERSIONS: Final = {TLCP: "TLCPv1.1", TLS12: "TLSv1.2", TLS13: "TLSv1.3"}
_SECRET_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class Session:
    """A session to resume, with the attributes of `ssl.SSLSession`; times in seconds."""

    resumable: EngineSession = field(repr=False)
    context: SecureContext = field(repr=False)

    @property
    def id(self) -> bytes:
        """The session identifier; empty for a session that is kept in a ticket."""
        return self.resumable.session_id

    @property
    def time(self) -> int:
        """When it was made, in seconds since 1970."""
        return int(self.resumable.created)

    @property
    def timeout(self) -> int:
        """How long it may be resumed."""
        return self.resumable.lifetime

    @property
    def has_ticket(self) -> bool:
        """Whether it is kept in a ticket."""
        return bool(self.resumable.ticket)

    @property
    def ticket_lifetime_hint(self) -> int:
        """How long the ticket may be used."""
        return self.resumable.lifetime if self.has_ticket else 0


class Face:
    """Questions about a session; `_engine` answers them and is `None` without a session.

    `isinstance` takes an object for `_seen_as`, its twin in the `ssl` module: httpcore asks so
    before it looks at the application protocol, websockets before it shakes hands, asyncio to
    refuse sockets that are wrapped already. Nothing is inherited from the twin.
    """

    _seen_as: ClassVar[type]
    _engine: Engine | EitherEngine | None
    _context: SecureContext
    server_side: bool
    server_hostname: str | None

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return self._seen_as

    @property
    def _sslobj(self) -> Self | None:
        """What httpcore asks for the application protocol."""
        return self if self._engine else None

    @property
    def context(self) -> SecureContext:
        """The context that made this; an `sni_callback` may put another in its place."""
        return self._context

    @context.setter
    def context(self, context: SecureContext) -> None:
        self._context = context

    @property
    def session(self) -> Session | None:
        """The session that a later connection may resume."""
        resumable = self._engine.session if self._engine else None
        return Session(resumable, self._context) if resumable else None

    @property
    def session_reused(self) -> bool:
        """Whether the handshake resumed an earlier session."""
        if self._foreign is not None:
            return bool(self._foreign.session_reused)
        return bool(self._established and self._established.resumed)

    def version(self) -> str | None:
        """Return `TLCPv1.1`, `TLSv1.2` or `TLSv1.3`; None before the handshake."""
        if self._foreign is not None:
            return self._foreign.version()
        established = self._established
        return _VERSIONS[established.suite.version] if established else None

    def cipher(self) -> tuple[str, str, int] | None:
        """Return the suite's name, the version and the bits of its key."""
        if self._foreign is not None:
            return self._foreign.cipher()
        established = self._established
        if established is None:
            return None
        return established.suite.name, _VERSIONS[established.suite.version], _SECRET_BITS

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """Return the suite in use, on a server; what else the client offered is not kept."""
        cipher = self.cipher()
        return [cipher] if cipher and self.server_side else None

    def compression(self) -> None:
        """Return None: there is no compression."""

    def selected_alpn_protocol(self) -> str | None:
        """Return the application protocol that was agreed on (RFC 7301); TLCP has none."""
        if self._foreign is not None:
            return self._foreign.selected_alpn_protocol()
        established = self._established
        return established.application_protocol if established else None

    def selected_npn_protocol(self) -> None:
        """Return None: the extension was withdrawn long ago."""

    @overload
    def getpeercert(self, binary_form: Literal[False] = False) -> dict[str, Any] | None: ...
    @overload
    def getpeercert(self, binary_form: Literal[True]) -> bytes | None: ...
    @overload
    def getpeercert(self, binary_form: bool) -> dict[str, Any] | bytes | None: ...
    def getpeercert(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """Return the peer's signing certificate, as a dict or as DER; None if it showed none.

        Raises `ValueError` before the handshake.
        """
        if self._foreign is not None:
            return self._foreign.getpeercert(binary_form)
        peer = self._require_established().peer
        if peer is None:
            return None
        return peer.leaf.encode() if binary_form else certificate_dict(peer.leaf)

    def get_verified_chain(self) -> list[bytes]:
        """Return the peer's chain from its certificate to the trusted one, each as DER."""
        peer = self._require_established().peer
        return [certificate.encode() for certificate in peer.chain] if peer else []

    def ocsp_response(self) -> bytes | None:
        """Return the OCSP response (DER) that came with the server's certificate, if one did.

        What it says is not judged, and a resumed session has none. Raises `ValueError` before the
        handshake.
        """
        return self._require_established().ocsp_response

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """Return what ties a login to this session, or None if there is nothing of that type.

        `tls-server-end-point` is the SM3 of the server's signing certificate (RFC 5929, 4.1).
        `tls-unique` is never given: it is unsafe with resumption (RFC 7627, 1). TLCP has neither:
        its master secret is not bound to the handshake. Raises `ValueError` for other types.
        """
        if self._foreign is not None:
            return self._foreign.get_channel_binding(cb_type)
        if cb_type not in CHANNEL_BINDING_TYPES:
            raise ValueError(f"{cb_type} channel binding type not implemented")
        established = self._established
        if cb_type == "tls-unique" or established is None or established.suite.version == TLCP:
            return None
        if self.server_side:
            certificate = self._context.own_certificate()
        else:
            certificate = established.peer.leaf if established.peer else None
        return sm3.sm3(certificate.encode()).digest() if certificate else None

    def verify_client_post_handshake(self) -> None:
        """Raise: a client is asked for its certificate during the handshake or never."""
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, "post-handshake authentication is not supported")

    @property
    def _foreign(self) -> ssl.SSLObject | None:
        """The session of the `ssl` module that a server's `fallback` context serves."""
        return self._engine.foreign if self._engine else None

    @property
    def _established(self) -> HandshakeCompleted | None:
        return self._engine.established if self._engine else None

    def _require_established(self) -> HandshakeCompleted:
        established = self._established
        if established is None:
            raise ValueError("handshake not done yet")
        return established
