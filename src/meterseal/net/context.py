"""An `ssl.SSLContext` with our engine under it: pass it wherever a library takes a context.

    context = meterseal.create_default_context(cafile="ca.pem", protocol="tlcp")
    httpx.Client(verify=context)

docs/guide/facade.md says which libraries are tested with it and where it differs from `ssl`.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from ssl import Purpose
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, cast

from meterseal.crypto.provider import SmProvider
from meterseal.net.facade.credentials import Identity, load_anchors, load_identity, read_file
from meterseal.net.facade.engine import Engine
from meterseal.net.facade.errors import NameRefused, as_ssl_errors, ssl_error
from meterseal.net.facade.face import Face, Session
from meterseal.net.facade.names import normalized_host
from meterseal.net.facade.object import WrappedObject
from meterseal.net.facade.peer import certificate_dict
from meterseal.net.facade.socket import WrappedSocket
from meterseal.transport import (
    SUITES,
    ClientAuthentication,
    ClientConfig,
    Compatibility,
    Connection,
    ServerConfig,
    SessionCache,
    TicketKeys,
)
from meterseal.transport.codepoints import TLCP, TLS12, TLS13
from meterseal.transport.suite_names import find_suite
from meterseal.x509 import TrustStore

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from typing_extensions import Buffer

    from meterseal.net.facade.credentials import Password, Path_
    from meterseal.transport import CipherSuite
    from meterseal.x509 import Certificate

    NameCallback: TypeAlias = Callable[[Face, str | None, "SecureContext"], int | None]

__all__ = ["Purpose", "SecureContext", "create_default_context"]

Protocol = Literal["auto", "tlcp", "tls12-sm", "tls13-sm"]

_VERSIONS: Final = {"tlcp": TLCP, "tls12-sm": TLS12, "tls13-sm": TLS13}
_SEPARATORS: Final = re.compile(r"[:,;\s]+")
_WHOLE_LISTS: Final = frozenset({"ALL", "DEFAULT", "HIGH"})
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


class SecureContext(ssl.SSLContext):
    """Settings of many sessions, in the shape of `ssl.SSLContext`.

    `check_hostname` and `verify_mode` keep their meaning, except that a client always verifies:
    with `CERT_NONE` it refuses to connect (a server's own certificate can be trusted by
    `load_verify_locations` instead). `compatibility` says how to deal with stacks that read TLCP in
    their own way, `common_name_fallback` whether a certificate without alternative names speaks for
    its common name. A server hands `ocsp_response` (DER) to clients of TLS that ask for it; a
    client asks with `request_ocsp` and finds it in `ocsp_response()` of the session, unjudged.
    Settings of OpenSSL (`options`, `minimum_version`, `set_ecdh_curve`, ...) can be made and change
    nothing.
    """

    sslsocket_class = WrappedSocket  # type: ignore[assignment]
    sslobject_class = WrappedObject  # type: ignore[assignment]

    compatibility: Compatibility
    common_name_fallback: bool
    ocsp_response: bytes | None
    request_ocsp: bool

    def __new__(
        cls, protocol: int = ssl.PROTOCOL_TLS_CLIENT, *, sm_protocol: Protocol = "auto"
    ) -> Self:
        """Make a context of `ssl.PROTOCOL_TLS_CLIENT` or `ssl.PROTOCOL_TLS_SERVER`."""
        if protocol not in {ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER}:
            raise ValueError("expected PROTOCOL_TLS_CLIENT or PROTOCOL_TLS_SERVER")
        self = super().__new__(cls, protocol)
        self._set_up(sm_protocol)
        return self

    def __init__(
        self, protocol: int = ssl.PROTOCOL_TLS_CLIENT, *, sm_protocol: Protocol = "auto"
    ) -> None:
        """Everything is done when the object is made."""

    def _set_up(self, sm_protocol: Protocol) -> None:
        self.sm_protocol: Protocol = sm_protocol
        self.compatibility = Compatibility()
        self.common_name_fallback = False
        self.ocsp_response = None
        self.request_ocsp = False
        self._suites = _suites_of(sm_protocol)
        self._anchors: dict[Certificate, None] = {}
        self._trust = TrustStore([])
        self._identity = Identity()
        self._protocols: tuple[str, ...] = ()
        self._key_log_name: str | None = None
        self._provider = SmProvider()
        self._session_cache = SessionCache()
        self._ticket_keys = TicketKeys(self._provider)

    # --- identity and trust --------------------------------------------------------------

    def load_cert_chain(  # noqa: PLR0913  (the arguments of the ssl module, and a pair's)
        self,
        certfile: Path_ | None = None,
        keyfile: Path_ | None = None,
        password: Password | None = None,
        *,
        sign: Path_ | None = None,
        sign_key: Path_ | None = None,
        enc: Path_ | None = None,
        enc_key: Path_ | None = None,
    ) -> None:
        """Load our certificates and keys: from one bundle, from two files, or a pair from four.

        The names only say where to look; key usage decides which certificate signs. A later call
        that brings an encryption certificate alone completes the pair. Raises `OSError` and
        `ssl.SSLError`.
        """
        given = (certfile, keyfile, sign, sign_key, enc, enc_key)
        paths = [path for path in given if path is not None]
        if not paths:
            raise TypeError("load_cert_chain needs a file")
        self._identity = self._identity.joined(load_identity(paths, password))
        with as_ssl_errors():
            self._identity.credential()

    def load_verify_locations(
        self,
        cafile: Path_ | None = None,
        capath: Path_ | None = None,
        cadata: str | Buffer | None = None,
    ) -> None:
        """Trust the SM2 certificates of a file, of the files in a folder, or of PEM text or DER.

        Raises `OSError`, and `ssl.SSLError` if there are none.
        """
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        if cafile is not None:
            self._trust_also(load_anchors(read_file(cafile), os.fsdecode(cafile)))
        if capath is not None:
            for path in sorted(Path(os.fsdecode(capath)).iterdir()):
                if path.is_file():
                    self._trust_also(load_anchors(read_file(path), str(path)))
        if cadata is not None:
            data = cadata.encode("ascii") if isinstance(cadata, str) else bytes(cadata)
            self._trust_also(load_anchors(data, "cadata"))

    def load_default_certs(self, purpose: Purpose = Purpose.SERVER_AUTH) -> None:
        """Trust the SM2 certificates of the system's bundle."""
        if purpose not in {Purpose.SERVER_AUTH, Purpose.CLIENT_AUTH}:
            raise TypeError(purpose)
        self.set_default_verify_paths()

    def set_default_verify_paths(self) -> None:
        """Trust the SM2 certificates of the system's bundle."""
        bundle = ssl.get_default_verify_paths().cafile
        if bundle is not None:
            self._trust_also(load_anchors(read_file(bundle), bundle))

    def cert_store_stats(self) -> dict[str, int]:
        """Return how many certificates are trusted and how many of them are CAs."""
        authorities = sum(_is_authority(certificate) for certificate in self._anchors)
        return {"x509": len(self._anchors), "crl": 0, "x509_ca": authorities}

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        """Return the trusted CA certificates as dicts, or as DER."""
        return [
            certificate.encode() if binary_form else certificate_dict(certificate)
            for certificate in self._anchors
            if _is_authority(certificate)
        ]

    def own_certificate(self) -> Certificate | None:
        """The signing certificate that we show."""
        return self._identity.certificate

    # --- suites and protocols ------------------------------------------------------------

    def set_ciphers(self, ciphers: str, /) -> None:
        """Use these suites, in this order; any name or code point in use is understood.

        Raises `ssl.SSLError` for an unknown one and for one of another protocol.
        """
        chosen: dict[CipherSuite, None] = {}
        for name in filter(None, _SEPARATORS.split(ciphers)):
            chosen |= dict.fromkeys(self._suites_named(name))
        if not chosen:
            raise ssl_error("NO_CIPHER_MATCH", "no cipher suite is named")
        self._suites = tuple(chosen)

    def get_ciphers(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the suites in use, each with its code point as `id`, its name and protocol."""
        return [
            {"id": suite.code, "name": suite.name, "protocol": _protocol_of(suite),
             "strength_bits": 128, "alg_bits": 128, "aead": suite.protection != "sm4-cbc-sm3"}
            for suite in self._suites
        ]  # fmt: skip

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Offer or accept these application protocols (RFC 7301); TLCP has no place for them.

        Raises `ssl.SSLError` for a name that is not of 1 to 255 ASCII characters.
        """
        protocols = tuple(alpn_protocols)
        for name in protocols:
            if not name.isascii() or not 0 < len(name) < 256:  # noqa: PLR2004  (a byte)
                raise ssl.SSLError("ALPN protocols must be 1 to 255 bytes long")
        self._protocols = protocols

    @property  # type: ignore[override]
    def keylog_filename(self) -> str | None:
        """The file that receives the secrets of every session, for protocol analysers."""
        return self._key_log_name

    @keylog_filename.setter
    def keylog_filename(self, name: Path_ | None) -> None:
        if name is not None:
            os.close(_open_key_log(os.fsdecode(name)))  # says now what will not work
        self._key_log_name = None if name is None else os.fsdecode(name)

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
    ) -> Engine:
        """Begin a session; raises `ssl.SSLError` if the settings do not allow one."""
        with as_ssl_errors():
            if server_side:
                return Engine(Connection.server(self._listening_config(face)))
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
        return ClientConfig(
            trust=self._trust,
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

    def server_config(self) -> ServerConfig:
        """Return these settings as the transport's; raises `ssl.SSLError` without a certificate."""
        credential = self._identity.credential()
        if credential is None:
            raise ssl_error("NO_CERTIFICATE_SET", "a server needs a certificate: load_cert_chain")
        return ServerConfig(
            credential=replace(credential, ocsp_response=self.ocsp_response),
            suites=self._suites,
            trust=self._trust,
            client_authentication=_CLIENT_MODES[self.verify_mode],
            application_protocols=self._protocols,
            session_cache=self._session_cache,
            ticket_keys=self._ticket_keys,
            compatibility=self.compatibility,
            provider=self._provider,
            key_log=self._key_log(),
        )

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

    def _trust_also(self, certificates: list[Certificate]) -> None:
        if all(certificate in self._anchors for certificate in certificates):
            return
        self._anchors = self._anchors | dict.fromkeys(certificates)
        self._trust = TrustStore(self._anchors)

    def _suites_named(self, name: str) -> tuple[CipherSuite, ...]:
        allowed = _suites_of(self.sm_protocol)
        if name.upper() in _WHOLE_LISTS:
            return allowed
        suite = find_suite(name)
        if suite is None:
            raise ssl_error("NO_CIPHER_MATCH", f"no cipher suite is called {name!r}")
        if suite not in allowed:
            raise ssl_error(
                "NO_CIPHER_MATCH",
                f"{suite.name} belongs to {_protocol_of(suite)}, the context to {self.sm_protocol}",
            )
        return (suite,)

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

    def _key_log(self) -> Any:  # noqa: ANN401  (a writer of lines, or None)
        name = self._key_log_name
        if name is None:
            return None

        def write(line: str) -> None:
            with os.fdopen(_open_key_log(name), "a") as file:
                file.write(line + "\n")

        return write


def _open_key_log(name: str) -> int:
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _suites_of(protocol: str) -> tuple[CipherSuite, ...]:
    if protocol == "auto":
        return tuple(SUITES.values())
    suites = tuple(s for s in SUITES.values() if s.version == _VERSIONS.get(protocol))
    if not suites:
        raise ValueError(f"expected a protocol of auto, {', '.join(_VERSIONS)}; not {protocol!r}")
    return suites


def _protocol_of(suite: CipherSuite) -> str:
    return next(name for name, version in _VERSIONS.items() if version == suite.version)


def _is_authority(certificate: Certificate) -> bool:
    constraints = certificate.basic_constraints
    return constraints is not None and constraints.ca
