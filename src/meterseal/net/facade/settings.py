"""What a context is told before its sessions: identity, trust, suites, protocols, key log."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path
from ssl import Purpose
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from meterseal.crypto.sm_provider import SmProvider
from meterseal.net.facade.credentials import Identity, load_identity, read_file
from meterseal.net.facade.errors import as_ssl_errors, ssl_error
from meterseal.net.facade.peer import certificate_dict
from meterseal.net.facade.trust import Trusted
from meterseal.transport import SUITES, TLS12_CBC_SUITES, Compatibility, SessionCache, TicketKeys
from meterseal.transport.codepoints import TLCP, TLS12, TLS13
from meterseal.transport.suite_names import find_suite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer

    from meterseal.net.facade.credentials import Password, Path_
    from meterseal.transport import CipherSuite, ClientConfig, ServerConfig
    from meterseal.x509 import Certificate

__all__ = ["Protocol", "Settings"]

Protocol = Literal["auto", "tlcp", "tls12-sm", "tls13-sm"]

_VERSIONS: Final = {"tlcp": TLCP, "tls12-sm": TLS12, "tls13-sm": TLS13}
_SEPARATORS: Final = re.compile(r"[:,;\s]+")
_WHOLE_LISTS: Final = frozenset({"ALL", "DEFAULT", "HIGH"})


class Settings(ssl.SSLContext):
    """The settings of `SecureContext`, in the shape of `ssl.SSLContext`."""

    compatibility: Compatibility
    common_name_fallback: bool
    ocsp_response: bytes | None
    request_ocsp: bool
    fallback: ssl.SSLContext | None

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
        self.fallback = None
        self._suites = _default_suites(sm_protocol)
        self._trusted = Trusted()
        self._identity = Identity()
        self._protocols: tuple[str, ...] = ()
        self._key_log_name: str | None = None
        self._provider = SmProvider()
        self._session_cache = SessionCache()
        self._ticket_keys = TicketKeys(self._provider)
        self._config: ClientConfig | ServerConfig | None = None

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

        Revocation lists in PEM that stand there are looked at as `verify_flags` says:
        `VERIFY_CRL_CHECK_LEAF` demands a list of the issuer of the peer's certificate,
        `VERIFY_CRL_CHECK_CHAIN` of every issuer; without a flag a list counts where there is one.
        Raises `OSError`, and `ssl.SSLError` if there is neither certificate nor list.
        """
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        if cafile is not None:
            self._trust(read_file(cafile), os.fsdecode(cafile))
        if capath is not None:
            for path in sorted(Path(os.fsdecode(capath)).iterdir()):
                if path.is_file():
                    self._trust(read_file(path), str(path))
        if cadata is not None:
            data = cadata.encode("ascii") if isinstance(cadata, str) else bytes(cadata)
            self._trust(data, "cadata")

    def load_default_certs(self, purpose: Purpose = Purpose.SERVER_AUTH) -> None:
        """Trust the SM2 certificates of the system's bundle."""
        if purpose not in {Purpose.SERVER_AUTH, Purpose.CLIENT_AUTH}:
            raise TypeError(purpose)
        self.set_default_verify_paths()

    def set_default_verify_paths(self) -> None:
        """Trust the SM2 certificates of the system's bundle."""
        bundle = ssl.get_default_verify_paths().cafile
        if bundle is not None:
            self._trust(read_file(bundle), bundle)

    def cert_store_stats(self) -> dict[str, int]:
        """Return how many certificates are trusted, how many of them are CAs; how many lists."""
        anchors, crls = self._trusted.anchors, self._trusted.crls
        authorities = sum(map(_is_authority, anchors))
        return {"x509": len(anchors), "crl": len(crls), "x509_ca": authorities}

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        """Return the trusted CA certificates as dicts, or as DER."""
        return [
            certificate.encode() if binary_form else certificate_dict(certificate)
            for certificate in self._trusted.anchors
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

    # --- inside --------------------------------------------------------------------------

    def _trust(self, data: bytes, where: str) -> None:
        self._trusted = self._trusted.joined(data, where)

    def _suites_named(self, name: str) -> tuple[CipherSuite, ...]:
        allowed = _suites_of(self.sm_protocol)
        if name.upper() in _WHOLE_LISTS:
            return _default_suites(self.sm_protocol)
        suite = find_suite(name)
        if suite is None:
            raise ssl_error("NO_CIPHER_MATCH", f"no cipher suite is called {name!r}")
        if suite not in allowed:
            raise ssl_error(
                "NO_CIPHER_MATCH",
                f"{suite.name} belongs to {_protocol_of(suite)}, the context to {self.sm_protocol}",
            )
        return (suite,)

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


def _default_suites(protocol: str) -> tuple[CipherSuite, ...]:
    """Without the CBC suite of TLS 1.2, unless everything may be spoken."""
    suites = _suites_of(protocol)
    if protocol == "auto":
        return suites
    return tuple(suite for suite in suites if suite not in TLS12_CBC_SUITES)


def _protocol_of(suite: CipherSuite) -> str:
    return next(name for name, version in _VERSIONS.items() if version == suite.version)


def _is_authority(certificate: Certificate) -> bool:
    constraints = certificate.basic_constraints
    return constraints is not None and constraints.ca
