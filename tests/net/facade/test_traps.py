"""The five traps in which wrappers around other engines were caught, each by its name."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from meterseal.lab.attack.wire import records
from support.contexts import HOST, client_context, server_context
from support.servers import accepting


class Ends:
    """A client and a server object, each with its two BIOs."""

    def __init__(self, *, client=None, hostname: str | bytes = HOST) -> None:  # noqa: ANN001
        self.to_client, self.to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = (client or client_context()).wrap_bio(
            self.to_client, self.to_server, server_hostname=hostname
        )
        self.server = server_context().wrap_bio(self.to_server, self.to_client, server_side=True)

    def shake(self) -> Ends:
        waiting = [self.client, self.server]
        while waiting:
            end = waiting.pop(0)
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting.append(end)
        return self


def test_trap_1_one_record_is_taken_from_the_bio_at_a_time() -> None:
    ends = Ends().shake()
    ends.server.write(b"first")
    ends.server.write(b"second")
    with pytest.raises(ssl.SSLWantReadError):
        ends.server.unwrap()
    stream = ends.to_client.read()
    assert len(list(records(stream))) == 3
    ends.to_client.write(stream)
    left = []
    for expected in (b"first", b"second", b""):
        assert ends.client.read(100) == expected
        left.append(ends.to_client.pending)
    assert left[0] > left[1] > left[2] == 0
    assert ends.client.pending() == 0


def test_trap_1_a_record_may_come_in_any_pieces_and_bytes_after_the_end_stay() -> None:
    ends = Ends().shake()
    ends.server.write(b"reading")
    with pytest.raises(ssl.SSLWantReadError):
        ends.server.unwrap()
    stream = ends.to_client.read() + b"clear"
    received = b""
    for byte in stream:
        ends.to_client.write(bytes((byte,)))
        if not received:
            try:
                received = ends.client.read(100)
            except ssl.SSLWantReadError:
                continue
    assert received == b"reading"
    ends.client.unwrap()
    assert ends.to_client.read() == b"clear"


def test_trap_2_pending_says_that_data_waits_where_select_cannot_see_it() -> None:
    data = bytes(range(256)) * 200  # four records that the kernel hands out together

    def work(wrapped) -> None:  # noqa: ANN001
        wrapped.sendall(data)
        wrapped.unwrap()

    with accepting(work) as (address, served):
        plain = socket.create_connection(address, timeout=20)
        with client_context().wrap_socket(plain, server_hostname=HOST) as wrapped:
            received = b""
            while True:
                if not wrapped.pending():
                    readable, _, _ = select.select([wrapped], [], [], 5)
                    assert readable, "asleep over data that is in our hands"
                part = wrapped.recv(1000)
                if not part:
                    break
                received += part
            assert received == data
            wrapped.unwrap()
        served.result(20)


def test_trap_2_an_end_that_came_with_the_data_is_pending_too() -> None:
    def work(wrapped) -> None:  # noqa: ANN001
        wrapped.sendall(b"last")
        wrapped.unwrap()  # the client answers before it is asked

    with accepting(work) as (address, served):
        plain = socket.create_connection(address, timeout=20)
        with client_context().wrap_socket(plain, server_hostname=HOST) as wrapped:
            time.sleep(0.2)  # data and close_notify arrive together
            assert wrapped.recv(100) == b"last"
            assert wrapped.pending() > 0
            assert wrapped.recv(100) == b""
            assert wrapped.pending() == 0
        served.result(20)


@pytest.mark.parametrize(
    ("hostname", "seen"),
    [
        (b"localhost", "localhost"),
        ("LOCALHOST", "LOCALHOST"),
        ("127.0.0.1", "127.0.0.1"),
        (b"::1", "::1"),
        ("station.example.", "station.example"),
    ],
)
@pytest.mark.parametrize("protocol", ["tlcp", "tls12-sm", "tls13-sm"])
def test_trap_3_the_name_is_text_or_bytes_or_an_address(
    hostname: str | bytes, seen: str, protocol: str
) -> None:
    ends = Ends(client=client_context(protocol), hostname=hostname).shake()
    assert ends.client.server_hostname == seen
    assert ends.server.server_hostname is None


def test_trap_3_a_name_in_other_letters_is_translated_and_nonsense_refused() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="xn--"):
        Ends(hostname="电表.example").shake()
    for name in ("", ".example", b"a\nb"):
        with pytest.raises(ValueError, match="server_hostname"):
            Ends(hostname=name)


def test_trap_4_one_thread_reads_while_another_writes() -> None:
    rounds, chunk = 200, bytes(10_000)

    def work(wrapped) -> int:  # noqa: ANN001
        """Reads nothing before all of its own is sent: only a reader in parallel helps."""
        for _ in range(rounds):
            wrapped.sendall(chunk)
        total = 0
        while total < rounds * len(chunk):
            total += len(wrapped.recv(65536))
        return total

    def read(wrapped) -> int:  # noqa: ANN001
        total = 0
        while total < rounds * len(chunk):
            total += len(wrapped.recv(65536))
        return total

    with accepting(work) as (address, served):
        plain = socket.create_connection(address, timeout=20)
        with (
            client_context().wrap_socket(plain, server_hostname=HOST) as wrapped,
            ThreadPoolExecutor(2) as pool,
        ):
            reading = pool.submit(read, wrapped)
            for _ in range(rounds):
                wrapped.sendall(chunk)
            assert reading.result(20) == served.result(20) == rounds * len(chunk)


def test_trap_4_a_waiting_reader_holds_up_no_writer_and_many_writers_no_record() -> None:
    def work(wrapped) -> bytes:  # noqa: ANN001
        received = bytearray()
        while len(received) < 4 * 50 * 100:
            received += wrapped.recv(65536)
        wrapped.sendall(b"done")
        return bytes(received)

    with accepting(work) as (address, served):
        plain = socket.create_connection(address, timeout=20)
        with (
            client_context().wrap_socket(plain, server_hostname=HOST) as wrapped,
            ThreadPoolExecutor(5) as pool,
        ):
            reading = pool.submit(wrapped.recv, 100)
            for letter in b"abcd":
                pool.submit(lambda data: [wrapped.sendall(data) for _ in range(50)],
                            bytes((letter,)) * 100)  # fmt: skip
            assert reading.result(20) == b"done"
        received = served.result(20)
        pieces = [received[at : at + 100] for at in range(0, len(received), 100)]
        assert all(len(set(piece)) == 1 for piece in pieces)


def test_trap_4_shutdown_in_another_thread_wakes_the_reader() -> None:
    release = threading.Event()
    with accepting(lambda _: release.wait(20)) as (address, _):
        plain = socket.create_connection(address, timeout=20)
        with (
            client_context().wrap_socket(plain, server_hostname=HOST) as wrapped,
            ThreadPoolExecutor(1) as pool,
        ):
            reading = pool.submit(wrapped.recv, 100)
            threading.Timer(0.2, lambda: wrapped.shutdown(2)).start()
            assert reading.result(60) == b""
            release.set()


def test_trap_5_the_name_is_checked_by_us_and_the_certificate_has_the_usual_shape() -> None:
    context = client_context()
    assert context.check_hostname
    with pytest.raises(ssl.SSLCertVerificationError):
        Ends(hostname="meter.example").shake()
    context.check_hostname = False
    ends = Ends(client=context, hostname="meter.example").shake()
    certificate = ends.client.getpeercert()
    assert certificate is not None
    assert certificate["subjectAltName"] == (
        ("DNS", "localhost"),
        ("DNS", "station.example"),
        ("IP Address", "127.0.0.1"),
        ("IP Address", "0:0:0:0:0:0:0:1"),
    )
    assert certificate["subject"][-1] == (("commonName", "station"),)
    assert certificate["issuer"] == (
        (("countryName", "CN"),),
        (("organizationName", "Grid"),),
        (("commonName", "Facade root"),),
    )
    assert ssl.cert_time_to_seconds(certificate["notBefore"]) < ssl.cert_time_to_seconds(
        certificate["notAfter"]
    )
    assert int(certificate["serialNumber"], 16) > 0
    der = ends.client.getpeercert(binary_form=True)
    assert ends.client.get_verified_chain()[0] == der
