"""`wrap_socket` in the hands of the standard library: blocking, timed, non-blocking, threaded."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.contexts import HOST, PASSWORD, client_context, files, server_context
from support.servers import PAGE, accepting, echo, http_server

MEGABYTE = bytes(range(256)) * 4096


def connected(address, context=None, **options):  # noqa: ANN001, ANN003, ANN201
    plain = socket.create_connection(address, timeout=20)
    return (context or client_context()).wrap_socket(plain, server_hostname=HOST, **options)


@pytest.mark.parametrize("protocol", ["tlcp", "tls12-sm", "tls13-sm"])
def test_blocking_ends_exchange_a_megabyte(protocol: str) -> None:
    with accepting(echo) as (address, served):
        with connected(address, client_context(protocol)) as wrapped:
            assert isinstance(wrapped, socket.socket)
            assert isinstance(wrapped, ssl.SSLSocket)  # as libraries ask
            assert not issubclass(type(wrapped), ssl.SSLSocket)
            with ThreadPoolExecutor(1) as pool:
                sending = pool.submit(wrapped.sendall, memoryview(MEGABYTE))
                received = bytearray(len(MEGABYTE))
                view, filled = memoryview(received), 0
                while filled < len(received):
                    filled += wrapped.recv_into(view[filled:])
                sending.result(20)
            assert bytes(received) == MEGABYTE
            wrapped.unwrap()
        assert served.result(20) == len(MEGABYTE)


def test_a_file_over_the_socket_reads_lines_to_the_end() -> None:
    def work(wrapped) -> None:  # noqa: ANN001
        with wrapped.makefile("rwb") as stream:
            stream.write(b"one\ntwo\n")
            stream.flush()
        wrapped.shutdown(socket.SHUT_WR)

    with (
        accepting(work) as (address, served),
        connected(address) as wrapped,
        wrapped.makefile("rb") as stream,
    ):
        assert stream.readlines() == [b"one\n", b"two\n"]
        served.result(20)


def test_sendfile_protects_what_it_sends(tmp_path) -> None:  # noqa: ANN001
    path = tmp_path / "readings.csv"
    path.write_bytes(MEGABYTE[:200_000])

    def work(wrapped) -> bytes:  # noqa: ANN001
        return b"".join(iter(lambda: wrapped.recv(65536), b""))

    with accepting(work) as (address, served):
        with connected(address) as wrapped, path.open("rb") as file:
            assert wrapped.sendfile(file) == 200_000
            wrapped.shutdown(socket.SHUT_WR)
            assert served.result(20) == MEGABYTE[:200_000]


def test_a_cut_stream_is_an_end_or_an_error_as_asked() -> None:
    def cut(wrapped) -> None:  # noqa: ANN001
        wrapped.sendall(b"half")

    for suppress in (True, False):
        with accepting(cut) as (address, served):
            with connected(address, suppress_ragged_eofs=suppress) as wrapped:
                served.result(20)
                assert wrapped.recv(10) == b"half"
                if suppress:
                    assert wrapped.recv(10) == b""
                else:
                    with pytest.raises(ssl.SSLEOFError):
                        wrapped.recv(10)


def test_shutdown_says_close_notify() -> None:
    def work(wrapped) -> None:  # noqa: ANN001
        wrapped.sendall(b"all")
        wrapped.shutdown(socket.SHUT_RDWR)

    with accepting(work) as (address, served):
        with connected(address, suppress_ragged_eofs=False) as wrapped:
            served.result(20)
            assert [wrapped.recv(10), wrapped.recv(10)] == [b"all", b""]


def test_after_unwrap_both_ends_speak_in_the_clear() -> None:
    def work(wrapped) -> bytes:  # noqa: ANN001
        wrapped.sendall(b"sealed")
        plain = wrapped.unwrap()
        plain.sendall(b"open")
        return plain.recv(10)

    with accepting(work) as (address, served):
        with connected(address) as wrapped:
            assert wrapped.recv(10) == b"sealed"
            plain = wrapped.unwrap()
            assert plain.recv(10) == b"open"
            plain.sendall(b"too")
            assert served.result(20) == b"too"
            assert wrapped.version() is None


def test_a_read_times_out_as_a_whole_however_slowly_bytes_drip_in() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def drip() -> None:
            peer, _ = listener.accept()
            with peer, contextlib.suppress(OSError):
                for byte in b"\x16\x01\x01\x40\x00" + bytes(100):
                    peer.send(bytes((byte,)))
                    if stop.wait(0.05):
                        return

        with ThreadPoolExecutor(1) as pool:
            pool.submit(drip)
            started = time.monotonic()
            plain = socket.create_connection(listener.getsockname(), timeout=0.4)
            with pytest.raises(TimeoutError):
                client_context().wrap_socket(plain, server_hostname=HOST)
            stop.set()
            assert 0.3 < time.monotonic() - started < 2


def test_a_non_blocking_socket_says_what_it_waits_for() -> None:
    def wait(call):  # noqa: ANN001, ANN202
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                select.select([wrapped], [], [], 20)
            except ssl.SSLWantWriteError:
                select.select([], [wrapped], [], 20)

    with accepting(echo) as (address, served):
        plain = socket.create_connection(address)
        plain.setblocking(False)
        with pytest.raises(ValueError, match="do_handshake_on_connect"):
            client_context().wrap_socket(plain.dup(), server_hostname=HOST)
        wrapped = client_context().wrap_socket(
            plain, server_hostname=HOST, do_handshake_on_connect=False
        )
        with wrapped:
            wait(wrapped.do_handshake)
            with pytest.raises(ssl.SSLWantReadError):
                wrapped.recv(1)
            sent, received = 0, bytearray()
            while len(received) < len(MEGABYTE):
                if sent < len(MEGABYTE):
                    with contextlib.suppress(ssl.SSLWantWriteError):
                        sent += wrapped.send(MEGABYTE[sent:])
                with contextlib.suppress(ssl.SSLWantReadError):
                    received += wrapped.recv(65536)
            assert bytes(received) == MEGABYTE
            wait(wrapped.unwrap)
        assert served.result(20) == len(MEGABYTE)


def test_an_unfinished_write_is_repeated_with_the_same_data_only() -> None:
    gate = threading.Event()

    def work(wrapped) -> int:  # noqa: ANN001
        gate.wait(20)
        return len(b"".join(iter(lambda: wrapped.recv(65536), b"")))

    with accepting(work) as (address, served):
        with connected(address) as wrapped:
            wrapped.setblocking(False)
            sent, data = 0, b"a" * 16384
            try:
                while True:
                    sent += wrapped.send(data)
            except ssl.SSLWantWriteError:
                with pytest.raises(ssl.SSLError, match="BAD_WRITE_RETRY"):
                    wrapped.send(b"b" * 16384)
            gate.set()
            wrapped.settimeout(20)
            sent += wrapped.send(data)
            wrapped.unwrap()
        assert served.result(20) == sent


def test_an_unconnected_socket_connects_and_shakes_hands() -> None:
    with accepting(echo) as (address, _), socket.socket() as plain:
        plain.settimeout(20)
        with client_context().wrap_socket(plain, server_hostname=HOST) as wrapped:
            assert wrapped.version() is None
            wrapped.connect(address)
            wrapped.write(b"hello")
            assert wrapped.read(5) == b"hello"
            with pytest.raises(ValueError, match="already"):
                wrapped.connect(address)


def test_what_would_send_unprotected_bytes_is_refused() -> None:
    with accepting(echo) as (address, _), connected(address) as wrapped:
        for call in (wrapped.sendmsg, wrapped.recvmsg, wrapped.recvmsg_into, wrapped.dup):
            with pytest.raises(NotImplementedError):
                call()
        for call in (lambda: wrapped.sendto(b"", address), lambda: wrapped.recvfrom(1)):
            with pytest.raises(ValueError, match="not allowed"):
                call()
        with pytest.raises(ValueError, match="flags"):
            wrapped.recv(1, socket.MSG_PEEK)


def test_a_refused_client_certificate_is_an_error_on_both_ends() -> None:
    context = server_context()
    context.load_verify_locations(files().stranger_pem)
    context.verify_mode = ssl.CERT_REQUIRED
    with accepting(echo, context) as (address, served):
        with pytest.raises(ssl.SSLError, match="ALERT_UNKNOWN_CA"):
            connected(address, client_context(pair=True)).recv(1)
        with pytest.raises(ssl.SSLCertVerificationError) as refusal:
            served.result(20)
        assert refusal.value.verify_code == 20
    with accepting(echo, context) as (address, served):
        with pytest.raises(ssl.SSLError, match="ALERT_HANDSHAKE_FAILURE"):
            connected(address).recv(1)
        with pytest.raises(ssl.SSLError, match="showed no certificate"):
            served.result(20)


def test_http_server_and_urllib_and_http_client() -> None:
    with http_server() as url:
        with urllib.request.urlopen(url, context=client_context()) as answer:  # noqa: S310
            assert answer.read() == PAGE
        port = int(url.rsplit(":", 1)[1].strip("/"))
        connection = http.client.HTTPSConnection(HOST, port, context=client_context())
        for _ in range(2):
            connection.request("POST", "/", MEGABYTE)
            assert connection.getresponse().read() == MEGABYTE
        connection.close()


def test_a_session_is_resumed() -> None:
    context, served_context = client_context(), server_context()
    with accepting(echo, served_context) as (address, _), connected(address, context) as first:
        session = first.session
        assert session is not None
        assert not first.session_reused
    with (
        accepting(echo, served_context) as (address, _),
        connected(address, context, session=session) as second,
    ):
        assert second.session_reused
    with socket.socket() as plain, pytest.raises(ValueError, match="different SSLContext"):
        client_context().wrap_socket(plain, server_hostname=HOST, session=session)


def test_an_encrypted_key_needs_its_password() -> None:
    context = server_context()
    sealed = files().folder / "server_sign_sealed.key"
    with pytest.raises(ssl.SSLError, match="password"):
        context.load_cert_chain(files().server_sign_pem, sealed)
    for password in (PASSWORD, PASSWORD.encode(), lambda: PASSWORD):
        context.load_cert_chain(files().server_sign_pem, sealed, password)
