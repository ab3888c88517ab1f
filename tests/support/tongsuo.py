"""TLCP and TLS 1.3 of the stack in the wheel of `tongsuopy` (BabaSSL 8.3), through memory BIOs.

Its Python face shows no TLS; its C symbols do.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

import tongsuopy.backends._tongsuo as wheel

from meterseal.x509 import dump_private_key

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.transport import Credential

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_PEM, _VERIFY = 1, 1 | 2
_WANTS = (2, 3)
_SET_GROUPS = 92
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "NTLS_method": (_POINTER,),
    "SSL_CTX_new": (_POINTER, _POINTER),
    "SSL_CTX_free": (None, _POINTER),
    "SSL_CTX_enable_ntls": (None, _POINTER),
    "SSL_CTX_use_sign_certificate_file": (_INT, _POINTER, _TEXT, _INT),
    "SSL_CTX_use_sign_PrivateKey_file": (_INT, _POINTER, _TEXT, _INT),
    "SSL_CTX_use_enc_certificate_file": (_INT, _POINTER, _TEXT, _INT),
    "SSL_CTX_use_enc_PrivateKey_file": (_INT, _POINTER, _TEXT, _INT),
    "SSL_CTX_set_cipher_list": (_INT, _POINTER, _TEXT),
    "SSL_CTX_load_verify_locations": (_INT, _POINTER, _TEXT, _TEXT),
    "SSL_CTX_set_verify": (None, _POINTER, _INT, _POINTER),
    "SSL_CTX_set_session_id_context": (_INT, _POINTER, _TEXT, ctypes.c_uint),
    "SSL_new": (_POINTER, _POINTER),
    "SSL_free": (None, _POINTER),
    "TLS_method": (_POINTER,),
    "SSL_CTX_set_ciphersuites": (_INT, _POINTER, _TEXT),
    "SSL_CTX_use_certificate_file": (_INT, _POINTER, _TEXT, _INT),
    "SSL_CTX_use_PrivateKey_file": (_INT, _POINTER, _TEXT, _INT),
    "SSL_CTX_ctrl": (ctypes.c_long, _POINTER, _INT, ctypes.c_long, _TEXT),
    "SSL_key_update": (_INT, _POINTER, _INT),
    "BIO_s_mem": (_POINTER,),
    "BIO_new": (_POINTER, _POINTER),
    "BIO_read": (_INT, _POINTER, _TEXT, _INT),
    "BIO_write": (_INT, _POINTER, _TEXT, _INT),
    "SSL_set_bio": (None, _POINTER, _POINTER, _POINTER),
    "SSL_set_connect_state": (None, _POINTER),
    "SSL_set_accept_state": (None, _POINTER),
    "SSL_do_handshake": (_INT, _POINTER),
    "SSL_get_error": (_INT, _POINTER, _INT),
    "SSL_read": (_INT, _POINTER, _TEXT, _INT),
    "SSL_write": (_INT, _POINTER, _TEXT, _INT),
    "SSL_get1_session": (_POINTER, _POINTER),
    "SSL_set_session": (_INT, _POINTER, _POINTER),
    "SSL_session_reused": (_INT, _POINTER),
    "ERR_get_error": (ctypes.c_ulong,),
    "ERR_error_string_n": (None, ctypes.c_ulong, _TEXT, ctypes.c_size_t),
}


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(wheel.__file__))
    for name, (result, *arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class TongsuoFailed(Exception):
    """The library said no; the text is its error queue."""


def _errors() -> str:
    lines = []
    while code := _library().ERR_get_error():
        text = ctypes.create_string_buffer(256)
        _library().ERR_error_string_n(code, text, 256)
        lines.append(text.value.decode())
    return "; ".join(lines)


def _must(result: int) -> None:
    if result != 1:
        raise TongsuoFailed(_errors())


def write_pair(folder: Path, credential: Credential) -> None:
    """Write a TLCP pair as the four files the library reads."""
    encryption = credential.encryption
    assert encryption is not None
    (folder / "sign.pem").write_text(credential.chain[0].to_pem())
    (folder / "enc.pem").write_text(encryption.certificate.to_pem())
    (folder / "sign.key").write_bytes(dump_private_key(credential.key))  # type: ignore[arg-type]
    (folder / "enc.key").write_bytes(dump_private_key(encryption.key))  # type: ignore[arg-type]


class Tongsuo:
    """One end of a TLCP connection: bytes in, bytes out."""

    def __init__(
        self,
        folder: Path,
        ca: Path,
        ciphers: str,
        *,
        is_server: bool,
        session: int | None = None,
        asks: bool = True,
    ) -> None:
        library = _library()
        context = library.SSL_CTX_new(library.NTLS_method())
        library.SSL_CTX_enable_ntls(context)
        for kind in ("sign", "enc"):
            certificate = str(folder / f"{kind}.pem").encode()
            key = str(folder / f"{kind}.key").encode()
            _must(
                getattr(library, f"SSL_CTX_use_{kind}_certificate_file")(context, certificate, _PEM)
            )
            _must(getattr(library, f"SSL_CTX_use_{kind}_PrivateKey_file")(context, key, _PEM))
        _must(library.SSL_CTX_set_cipher_list(context, ciphers.encode()))
        _must(library.SSL_CTX_load_verify_locations(context, str(ca).encode(), None))
        library.SSL_CTX_set_verify(context, _VERIFY if asks or not is_server else 0, None)
        library.SSL_CTX_set_session_id_context(context, b"tests", 5)
        self._context = context
        self.is_done = False
        self._open(is_server=is_server, session=session)

    def _open(self, *, is_server: bool, session: int | None) -> None:
        library = _library()
        self._ssl = library.SSL_new(self._context)
        self._in, self._out = (library.BIO_new(library.BIO_s_mem()) for _ in range(2))
        library.SSL_set_bio(self._ssl, self._in, self._out)
        if session is not None:
            _must(library.SSL_set_session(self._ssl, session))
        (library.SSL_set_accept_state if is_server else library.SSL_set_connect_state)(self._ssl)

    def again(self, *, is_server: bool, session: int | None = None) -> Tongsuo:
        """A new connection under the same context, so that sessions can be resumed."""
        other = object.__new__(Tongsuo)
        other._context = self._context
        other.is_done = False
        other._open(is_server=is_server, session=session)
        return other

    def step(self) -> None:
        """Take the handshake as far as it goes."""
        if self.is_done:
            return
        library = _library()
        result = library.SSL_do_handshake(self._ssl)
        if result == 1:
            self.is_done = True
        elif library.SSL_get_error(self._ssl, result) not in _WANTS:
            raise TongsuoFailed(_errors())

    def receive_data(self, data: bytes) -> None:
        """Give it bytes from the peer."""
        _library().BIO_write(self._in, data, len(data))

    def data_to_send(self) -> bytes:
        """The bytes for the peer."""
        buffer, output = ctypes.create_string_buffer(65536), b""
        while (size := _library().BIO_read(self._out, buffer, 65536)) > 0:
            output += buffer.raw[:size]
        return output

    def write(self, data: bytes) -> None:
        """Send application data."""
        if _library().SSL_write(self._ssl, data, len(data)) != len(data):
            raise TongsuoFailed(_errors())

    def read(self) -> bytes:
        """The application data received so far."""
        buffer = ctypes.create_string_buffer(65536)
        size = _library().SSL_read(self._ssl, buffer, 65536)
        return buffer.raw[: max(size, 0)]

    @property
    def session(self) -> int:
        """Its session, to be offered again."""
        return int(_library().SSL_get1_session(self._ssl))

    @property
    def is_resumed(self) -> bool:
        """Whether its handshake was an abbreviated one."""
        return bool(_library().SSL_session_reused(self._ssl))


class Tongsuo13(Tongsuo):
    """One end of a TLS 1.3 connection with SM suites, over curveSM2 alone."""

    def __init__(
        self, folder: Path, ca: Path, suites: str, *, is_server: bool, asks: bool = False
    ) -> None:
        library = _library()
        context = library.SSL_CTX_new(library.TLS_method())
        _must(library.SSL_CTX_set_ciphersuites(context, suites.encode()))
        _must(library.SSL_CTX_ctrl(context, _SET_GROUPS, 0, b"SM2"))
        _must(
            library.SSL_CTX_use_certificate_file(context, str(folder / "sign.pem").encode(), _PEM)
        )
        _must(library.SSL_CTX_use_PrivateKey_file(context, str(folder / "sign.key").encode(), _PEM))
        _must(library.SSL_CTX_load_verify_locations(context, str(ca).encode(), None))
        library.SSL_CTX_set_verify(context, _VERIFY if asks or not is_server else 0, None)
        library.SSL_CTX_set_session_id_context(context, b"tests", 5)
        self._context = context
        self.is_done = False
        self._open(is_server=is_server, session=None)

    def again(self, *, is_server: bool, session: int | None = None) -> Tongsuo13:
        """A new connection under the same context, so that sessions can be resumed."""
        other = object.__new__(Tongsuo13)
        other._context = self._context
        other.is_done = False
        other._open(is_server=is_server, session=session)
        return other

    def update_keys(self, *, request_peer: bool) -> None:
        """Change its write keys with what it writes next."""
        _must(_library().SSL_key_update(self._ssl, int(request_peer)))
