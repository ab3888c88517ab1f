"""What `wrap_socket` returns: a socket in the shape of `ssl.SSLSocket`."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from typing import TYPE_CHECKING, Any, NoReturn

from meterseal.net.facade.carrier import Carrier
from meterseal.net.facade.errors import ssl_error
from meterseal.net.facade.face import Face

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from meterseal.net.context import SecureContext
    from meterseal.net.facade.face import Session

__all__ = ["WrappedSocket"]


class WrappedSocket(Face, Carrier):
    """A session over a connected socket, or a listening one that accepts such.

    As with `ssl.SSLSocket`, `close` says nothing to the peer; `shutdown` says close_notify first if
    the kernel takes it at once.
    """

    _seen_as = ssl.SSLSocket

    def __init__(  # noqa: PLR0913  (the arguments of `wrap_socket`)
        self,
        context: SecureContext,
        sock: socket.socket,
        *,
        server_side: bool,
        do_handshake_on_connect: bool,
        suppress_ragged_eofs: bool,
        server_hostname: str | None,
        session: Session | None,
    ) -> None:
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_STREAM:
            raise NotImplementedError("only stream sockets are supported")
        timeout = sock.gettimeout()
        super().__init__(sock)
        self._context = context
        self._offered = session
        self.server_side = server_side
        self.server_hostname = server_hostname
        self.do_handshake_on_connect = do_handshake_on_connect
        self.suppress_ragged_eofs = suppress_ragged_eofs
        self._rest = b""  # what came after the peer's close_notify
        try:
            if self._is_connected():
                self.settimeout(timeout)
                self._begin()
            else:
                self._refuse_early_data()
                self.settimeout(timeout)
        except BaseException:
            self.close()
            raise

    # --- connecting ----------------------------------------------------------------------

    def connect(self, address: Any, /) -> None:  # noqa: ANN401  (as wide as the socket's)
        """Connect, and shake hands unless told otherwise."""
        self._require_unconnected_client()
        super().connect(address)
        self._begin()

    def connect_ex(self, address: Any, /) -> int:  # noqa: ANN401
        """Connect as `connect`; returns the error number of the connection instead of raising."""
        self._require_unconnected_client()
        result = super().connect_ex(address)
        if not result:
            self._begin()
        return result

    def accept(self) -> tuple[WrappedSocket, Any]:
        """Accept a client and wrap it as this socket is wrapped."""
        plain, address = super().accept()
        wrapped = self._context.wrap_socket(
            plain,
            server_side=True,
            do_handshake_on_connect=self.do_handshake_on_connect,
            suppress_ragged_eofs=self.suppress_ragged_eofs,
        )
        return wrapped, address

    def do_handshake(self, block: bool = False) -> None:
        """Complete the handshake within the socket's timeout.

        Without blocking it raises `SSLWantReadError` or `SSLWantWriteError` where it has to wait.
        """
        timeout = self.gettimeout()
        if self._engine is None:
            self.getpeername()  # raises what is wrong with a socket that is not connected
            self._new_engine()
        if timeout == 0.0 and block:
            self.settimeout(None)
        try:
            self._drive(self._session_engine().handshake, self._deadline(), self._push)
            self._push(self._deadline())
        finally:
            if timeout == 0.0 and block:
                self.settimeout(timeout)

    def unwrap(self) -> socket.socket:
        """Say close_notify, wait for the peer's, and return the socket without protection."""
        if self._engine is None:
            raise ValueError(f"No SSL wrapper around {self}")
        engine = self._engine
        self._drive(engine.shut_down, self._deadline(), self._push)
        self._push(self._deadline())
        self._rest = engine.take_rest()
        self._engine = None
        return self

    def shutdown(self, how: int, /) -> None:
        """Shut down the TCP connection, saying close_notify before its sending half ends."""
        if self._engine is not None and how in {socket.SHUT_WR, socket.SHUT_RDWR}:
            self._engine.say_close()
            self._push_what_fits()
        super().shutdown(how)

    # --- reading -------------------------------------------------------------------------

    def read(self, len: int = 1024, buffer: Buffer | None = None) -> bytes | int:  # noqa: A002
        """Read at most `len` bytes; with a buffer into it, returning how many they are."""
        if self._engine is None:
            raise ValueError("Read on closed or unwrapped SSL socket.")
        return self.recv(len) if buffer is None else self.recv_into(buffer, len)

    def recv(self, bufsize: int = 1024, flags: int = 0, /) -> bytes:
        """Read at most `bufsize` bytes; empty at the end.

        The end of the stream without close_notify raises `SSLEOFError` unless it is suppressed.
        """
        if self._engine is None:
            return self._recv_plain(bufsize, flags)
        self._refuse_flags(flags, "recv")
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        if bufsize == 0:
            return b""
        try:
            self._ensure_handshake()
            engine = self._engine
            return self._drive(
                lambda: engine.read(bufsize), self._deadline(), lambda _: self._push_what_fits()
            )
        except ssl.SSLEOFError:
            if self.suppress_ragged_eofs:
                return b""
            raise

    def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int:
        """Read into a buffer; returns how many bytes."""
        with memoryview(buffer) as view, view.cast("B") as target:
            size = min(nbytes, target.nbytes) if nbytes else target.nbytes
            data = self.recv(size, flags)
            target[: len(data)] = data
            return len(data)

    def pending(self) -> int:
        """How many bytes can be read without the kernel.

        Everything that the kernel has handed out is opened at once, so a program that asks here
        before it waits in `select` never sleeps over data.
        """
        return self._engine.pending if self._engine is not None else len(self._rest)

    # --- writing -------------------------------------------------------------------------

    def write(self, data: Buffer) -> int:
        """Send as `send` does."""
        if self._engine is None:
            raise ValueError("Write on closed or unwrapped SSL socket.")
        return self.send(data)

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """Send some of `data`; returns how many bytes.

        Raises `SSLWantWriteError` or `TimeoutError` if the kernel does not take a whole record in
        time; the call must then be repeated with the same data.
        """
        if self._engine is None:
            return super().send(data, flags)
        self._refuse_flags(flags, "send")
        self._ensure_handshake()
        with memoryview(data) as view, view.cast("B") as raw:
            return self._send(raw) if raw.nbytes else 0

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        """Send all of `data`."""
        if self._engine is None:
            super().sendall(data, flags)
            return
        self._refuse_flags(flags, "sendall")
        with memoryview(data) as view, view.cast("B") as raw:
            sent = 0
            while sent < raw.nbytes:
                sent += self.send(raw[sent:])

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:  # noqa: ANN401
        """Send a file; the kernel's own sendfile would send it unprotected."""
        if self._engine is None:
            return super().sendfile(file, offset, count)
        return int(self._sendfile_use_send(file, offset, count))  # type: ignore[attr-defined]

    # --- what makes no sense here --------------------------------------------------------

    def dup(self) -> NoReturn:
        """Raise: two sockets cannot share one session."""
        raise NotImplementedError("Can't dup() a wrapped socket")

    def sendto(self, *args: Any) -> int:  # noqa: ANN401
        """Raise while the socket is wrapped."""
        self._refuse("sendto")
        return super().sendto(*args)

    def recvfrom(self, bufsize: int = 1024, flags: int = 0, /) -> tuple[bytes, Any]:
        """Raise while the socket is wrapped."""
        self._refuse("recvfrom")
        return super().recvfrom(bufsize, flags)

    def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Raise while the socket is wrapped."""
        self._refuse("recvfrom_into")
        return super().recvfrom_into(buffer, nbytes, flags)

    def sendmsg(self, *_: Any) -> NoReturn:  # noqa: ANN401
        """Raise: it would send the data unprotected."""
        raise NotImplementedError("sendmsg not allowed on a wrapped socket")

    def recvmsg(self, *_: Any) -> NoReturn:  # noqa: ANN401
        """Raise: it would hand out protected bytes."""
        raise NotImplementedError("recvmsg not allowed on a wrapped socket")

    def recvmsg_into(self, *_: Any) -> NoReturn:  # noqa: ANN401
        """Raise: it would hand out protected bytes."""
        raise NotImplementedError("recvmsg_into not allowed on a wrapped socket")

    # --- inside --------------------------------------------------------------------------

    def _begin(self) -> None:
        self._new_engine()
        if not self.do_handshake_on_connect:
            return
        if self.gettimeout() == 0.0:
            raise ValueError(
                "do_handshake_on_connect should not be specified for non-blocking sockets"
            )
        self.do_handshake()

    def _new_engine(self) -> None:
        self._engine = self._context.new_engine(
            self,
            server_side=self.server_side,
            server_hostname=self.server_hostname,
            session=self._offered,
        )

    def _is_connected(self) -> bool:
        try:
            self.getpeername()
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            return False
        return True

    def _refuse_early_data(self) -> None:
        """Bytes of a peer that has gone already must not pass for protected ones."""
        self.setblocking(False)
        with contextlib.suppress(OSError):
            if super().recv(1):
                raise ssl_error(
                    "CLOSED_BEFORE_HANDSHAKE", "closed before the handshake, with data received"
                )

    def _require_unconnected_client(self) -> None:
        if self.server_side:
            raise ValueError("can't connect in server-side mode")
        if self._engine is not None:
            raise ValueError("attempt to connect already-connected SSLSocket!")

    def _ensure_handshake(self) -> None:
        if self._session_engine().established is None:
            self.do_handshake()

    def _refuse_flags(self, flags: int, call: str) -> None:
        if flags:
            raise ValueError(f"non-zero flags not allowed in calls to {call}() on {type(self)}")

    def _refuse(self, call: str) -> None:
        if self._engine is not None:
            raise ValueError(f"{call} not allowed on instances of {type(self)}")

    def _recv_plain(self, bufsize: int, flags: int) -> bytes:
        if not self._rest:
            return super().recv(bufsize, flags)
        data, self._rest = self._rest[:bufsize], self._rest[bufsize:]
        return data
