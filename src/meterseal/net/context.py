"""An `ssl.SSLContext` with our engine under it: pass it wherever a library takes a context.

    context = meterseal.create_default_context(cafile="ca.pem", protocol="tlcp")
    httpx.Client(verify=context)

docs/guide/facade.md says which libraries are tested with it and where it differs from `ssl`.
"""

from __future__ import annotations

import os
import ssl
import sys
from dataclasses import replace
from ssl import Purpose
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from meterseal.net.facade.either import EitherEngine
from meterseal.net.facade.engine import Engine
from meterseal.net.facade.errors import NameRefused, as_ssl_errors, ssl_error
from meterseal.net.facade.face import Face, Session
from meterseal.net.facade.names import normalized_host
from meterseal.net.facade.object import WrappedObject
from meterseal.net.facade.settings import Protocol, Settings
from meterseal.net.facade.socket import WrappedSocket
from meterseal.net.facade.trust import revocation_policy
from meterseal.transport import ClientAuthentication, ClientConfig, Connection, ServerConfig
from meterseal.transport.codepoints import TLCP

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from typing_extensions import Buffer

    from meterseal.net.facade.credentials import Path_
    from meterseal.transport import CipherSuite

    NameCallback: TypeAlias = Callable[[Face, str | None, "SecureContext"], int | None]

__all__ = ["Purpose", "SecureContext", "create_default_context"]

_CLIENT_MODES: Final = {
    ssl.CERT_NONE: ClientAuthentication.NONE,
    ssl.CERT_OPTIONAL: ClientAuthentication.OPTIONAL,
    ssl.CERT_REQUIRED: ClientAuthentication.REQUIRED,
}


def create_default_context(
    purpose: Purpose = Purpose.SERVER_AUTH,
    *,
    protocol: Protocol = "auto",
    cafile: Path_ | None = None,
    capath: Path_ | None = None,
    cadata: str | Buffer | None = None,
) -> SecureContext:
    """Return a context for clients (`Purpose.SERVER_AUTH`) or servers (`Purpose.CLIENT_AUTH`).

    With `auto` a client offers TLS 1.3 and TLS 1.2, a server speaks TLCP too; a client that is to
    speak TLCP says so, since its hello has no room for both.

    Without a source of trust a client trusts the SM2 roots of the system, of which there are seldom
    any. The file named by SSLKEYLOGFILE receives the secrets, as with `ssl`. Raises `ValueError`
    for an unknown protocol, `OSError` and `ssl.SSLError` for the files.
    """
    if purpose not in {Purpose.SERVER_AUTH, Purpose.CLIENT_AUTH}:
        raise ValueError(f"expected a purpose of the ssl module, received {purpose!r}")
    side = ssl.PROTOCOL_TLS_CLIENT if purpose is Purpose.SERVER_AUTH else ssl.PROTOCOL_TLS_SERVER
    context = SecureContext(side, sm_protocol=protocol)
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(purpose)
    key_log = os.environ.get("SSLKEYLOGFILE")
    if key_log and not sys.flags.ignore_environment:
        context.keylog_filename = key_log
    return context


class SecureContext(Settings):
    """Settings of many sessions, in the shape of `ssl.SSLContext`.

    `check_hostname`, `verify_mode` and the revocation checks of `verify_flags` keep their meaning,
    except that a client always verifies: with `CERT_NONE` it refuses to connect (a server's own
    certificate can be trusted by `load_verify_locations` instead). `compatibility` says how to deal
    with stacks that read TLCP in their own way, `common_name_fallback` whether a certificate
    without alternative names speaks for its common name. A server hands `ocsp_response` (DER) to
    clients of TLS that ask for it; a client asks with `request_ocsp` and finds it in
    `ocsp_response()` of the session, unjudged. A server hands clients that offer no suite of ours
    to `fallback`, a context of the `ssl` module, on the same port. Settings of OpenSSL (`options`,
    `minimum_version`, `set_ecdh_curve`, ...) can be made and change nothing.
    """

    sslsocket_class = WrappedSocket  # type: ignore[assignment]
    sslobject_class = WrappedObject  # type: ignore[assignment]

    # --- sessions ------------------------------------------------------------------------

    def wrap_bio(  # type: ignore[override]
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: Session | None = None,
    ) -> WrappedObject:
        """Return an object in the shape of `ssl.SSLObject` between two memory BIOs."""
        return WrappedObject(
            self,
            incoming,
            outgoing,
            server_side=server_side,
            server_hostname=self._checked_host(server_hostname, server_side=server_side),
            session=self._checked_session(session, server_side=server_side),
        )

    def wrap_socket(  # type: ignore[override]  # noqa: PLR0913, PLR0917  (as the ssl module)
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: Session | None = None,
    ) -> WrappedSocket:
        """Return a socket in the shape of `ssl.SSLSocket`; `sock` is detached.

        A listening socket becomes one whose `accept` returns wrapped sockets.
        """
        return WrappedSocket(
            self,
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=self._checked_host(server_hostname, server_side=server_side),
            session=self._checked_session(session, server_side=server_side),
        )

    def new_engine(
        self, face: Face, *, server_side: bool, server_hostname: str | None, session: Session | None
    ) -> Engine | EitherEngine:
        """Begin a session; raises `ssl.SSLError` if the settings do not allow one."""
        with as_ssl_errors():
            if server_side:
                config = self._listening_config(face)
                if self.fallback is not None:
                    return EitherEngine(
                        config, lambda: Engine(Connection.server(config)), self.fallback
                    )
                return Engine(Connection.server(config))
            resumable = session.resumable if session else None
            return Engine(Connection.client(self.client_config(), server_hostname, resumable))

    def client_config(self) -> ClientConfig:
        """Return these settings as the transport's; raises `ssl.SSLError` if it must not be."""
        if self.verify_mode == ssl.CERT_NONE:
            raise ssl_error(
                "VERIFICATION_REQUIRED",
                "meterseal does not connect without verifying the server: trust its certificate "
                "or its CA with load_verify_locations, and leave verify_mode at CERT_REQUIRED",
            )
        config = ClientConfig(
            trust=self._trusted.store,
            crls=tuple(self._trusted.crls),
            revocation=revocation_policy(self.verify_flags),
            suites=self._offered_suites(),
            credential=self._identity.credential(),
            application_protocols=self._protocols,
            check_name=self.check_hostname,
            common_name_fallback=self.common_name_fallback,
            request_ocsp=self.request_ocsp,
            compatibility=self.compatibility,
            provider=self._provider,
            key_log=self._key_log(),
        )
        return cast("ClientConfig", self._kept(config))

    def server_config(self) -> ServerConfig:
        """Return these settings as the transport's; raises `ssl.SSLError` without a certificate."""
        credential = self._identity.credential()
        if credential is None:
            raise ssl_error("NO_CERTIFICATE_SET", "a server needs a certificate: load_cert_chain")
        config = ServerConfig(
            credential=replace(credential, ocsp_response=self.ocsp_response),
            suites=self._suites,
            trust=self._trusted.store,
            crls=tuple(self._trusted.crls),
            revocation=revocation_policy(self.verify_flags),
            client_authentication=_CLIENT_MODES[self.verify_mode],
            application_protocols=self._protocols,
            session_cache=self._session_cache,
            ticket_keys=self._ticket_keys,
            compatibility=self.compatibility,
            provider=self._provider,
            key_log=self._key_log(),
        )
        return cast("ServerConfig", self._kept(config))

    def _kept(self, config: ClientConfig | ServerConfig) -> ClientConfig | ServerConfig:
        """The configuration of before, with what was worked out from it, if nothing has changed."""
        if self._config is None or config != self._config:
            self._config = config
        return self._config

    def _listening_config(self, face: Face) -> ServerConfig:
        config = self.server_config()
        ask = cast("NameCallback | None", self.sni_callback)
        if ask is None:
            return config

        def select(name: str | None) -> ServerConfig:
            alert = ask(face, name, self)  # may set `face.context`
            if alert is not None:
                raise NameRefused(name, alert)
            return face.context.server_config()

        return replace(config, select=select)

    # --- inside --------------------------------------------------------------------------

    def _offered_suites(self) -> tuple[CipherSuite, ...]:
        """What a client offers: the suites of the protocol that stands first."""
        first = self._suites[0].version
        return tuple(suite for suite in self._suites if (suite.version == TLCP) == (first == TLCP))

    def _checked_host(self, name: str | bytes | None, *, server_side: bool) -> str | None:
        if server_side != (self.protocol == ssl.PROTOCOL_TLS_SERVER):
            kind, other = ("server", "CLIENT") if server_side else ("client", "SERVER")
            raise ssl.SSLError(f"Cannot create a {kind} socket with a PROTOCOL_TLS_{other} context")
        if server_side:
            if name:
                raise ValueError("server_hostname can only be specified in client mode")
            return None
        if self.check_hostname and not name:
            raise ValueError("check_hostname requires server_hostname")
        return normalized_host(name)

    def _checked_session(self, session: Session | None, *, server_side: bool) -> Session | None:
        if session is None:
            return None
        if server_side:
            raise ValueError("session can only be specified in client mode")
        if not isinstance(session, Session):
            raise TypeError("expected a session of a meterseal context")
        if session.context is not self:
            raise ValueError("Session refers to a different SSLContext.")
        return session
