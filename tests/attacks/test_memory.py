"""What an unknown peer sends makes a connection hold little: bytes for bytes, and a constant.

Measured is the peak of all that is allocated while the bytes are taken, in records of full length
that arrive together.
"""

from __future__ import annotations

import contextlib
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from meterseal.asn1 import der
from meterseal.errors import MeterSealError, RecordOverflow
from meterseal.lab.attack.wire import message, records
from meterseal.transport import (
    TLCP_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
    Connection,
    Limits,
)
from meterseal.transport.identity import _decode_again
from meterseal.transport.wire import vector8, vector16, vector24
from meterseal.x509 import Extension, Name, Purpose, TrustStore, verify_chain
from support import pki
from support.identities import world
from support.tls13 import link13, server13
from support.wire import SERVER_NAME, client_config, link, server_config

if TYPE_CHECKING:
    from collections.abc import Callable

PER_BYTE = 4
CONSTANT = 64 * 1024
PER_BYTE_OF_CERTIFICATES = 32  # an object of Python for every three bytes of a list of names

NUMBERS = b"".join(number.to_bytes(2, "big") for number in range(300, 30_300))
EMPTY_EXTENSIONS = b"".join(number.to_bytes(2, "big") + b"\0\0" for number in range(1000, 1060))
TLS12_EXTENSIONS = bytes.fromhex("000a00040002001e 000b00020100 000d000400020707")
TLS13_EXTENSIONS = bytes.fromhex("002b0003020304 000d000400020708")


def in_records(raw: bytes) -> bytes:
    pieces = [raw[at : at + 16_384] for at in range(0, len(raw), 16_384)]
    return b"".join(b"\x16\x03\x03" + vector16(piece) for piece in pieces)


def hello(
    suites: bytes = b"\xe1\x07", extensions: bytes = b"", known: bytes = TLS12_EXTENSIONS
) -> bytes:
    body = (
        b"\x03\x03" + bytes(32) + b"\0" + vector16(suites) + b"\1\0" + vector16(known + extensions)
    )
    return in_records(message(1, body))


def extension(number: int, body: bytes) -> bytes:
    return number.to_bytes(2, "big") + vector16(body)


def peak(end: Connection, data: bytes) -> int:
    """The most that `end` made the process hold while it took `data`, beyond what it held."""
    _decode_again.cache_clear()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        with contextlib.suppress(MeterSealError):
            end.receive_data(data)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def tls12_server() -> Connection:
    return Connection.server(server_config(application_protocols=("mqtt",)))


def tls13_server() -> Connection:
    return Connection.server(server13(application_protocols=("mqtt",)))


SHARES = b"".join(extension(number, b"x") for number in range(300, 10_300))
HELLOS: dict[str, tuple[Callable[[], Connection], bytes]] = {
    "an ordinary hello": (tls12_server, hello()),
    "suites": (tls12_server, hello(b"\xe1\x07" + NUMBERS)),
    "suites that we do not know": (tls12_server, hello(NUMBERS)),
    "extensions": (tls12_server, hello(extensions=EMPTY_EXTENSIONS)),
    "one long extension": (tls12_server, hello(extensions=extension(9999, bytes(60_000)))),
    "a long host name": (
        tls12_server,
        hello(extensions=extension(0, vector16(b"\0" + vector16(b"a" * 60_000)))),
    ),
    "names of other kinds": (
        tls12_server,
        hello(extensions=extension(0, vector16(b"\1\0\1a" * 15_000))),
    ),
    "application protocols": (
        tls12_server,
        hello(extensions=extension(16, vector16(b"\2ab" * 20_000))),
    ),
    "groups": (
        tls13_server,
        hello(
            b"\x00\xc6",
            extension(51, b"\0\0") + extension(10, vector16(NUMBERS)),
            TLS13_EXTENSIONS,
        ),
    ),
    "shares": (
        tls13_server,
        hello(
            b"\x00\xc6",
            extension(10, vector16(b"\0\x29")) + extension(51, vector16(SHARES)),
            TLS13_EXTENSIONS,
        ),
    ),
    "pre-shared keys": (
        tls13_server,
        hello(
            b"\x00\xc6",
            extension(10, vector16(b"\0\x29"))
            + extension(51, b"\0\0")
            + extension(45, b"\1\1")
            + extension(
                41, vector16(b"\0\1x\0\0\0\0" * 6_000) + vector16(vector8(bytes(32)) * 500)
            ),
            TLS13_EXTENSIONS,
        ),
    ),
    "records of one byte": (
        tls12_server,
        b"".join(b"\x16\3\1\0\1" + bytes((byte,)) for byte in message(1, bytes(16_000))[:12_000]),
    ),
    "a record that does not end": (tls12_server, b"\x16\3\1\x40\0\1\0\x50\0" + bytes(16_000)),
}


@pytest.mark.parametrize("what", HELLOS)
def test_a_hello_costs_a_server_four_bytes_for_each_and_64_kb(what: str) -> None:
    make, data = HELLOS[what]
    peak(make(), data)  # what is made once is made now
    assert peak(make(), data) <= CONSTANT + PER_BYTE * len(data)


# --- what comes later ----------------------------------------------------------------------


def client_waiting_for(kind: int) -> Connection:
    """A TLS 1.2 client that has taken the server's messages before this one."""
    client = Connection.client(client_config(), SERVER_NAME)
    server = Connection.server(server_config())
    server.receive_data(client.data_to_send())
    for record in records(server.data_to_send()):
        if record[5] == kind:
            break
        client.receive_data(record)
    return client


REQUEST_START = vector8(b"\x40")
LATER: dict[str, tuple[int, bytes]] = {
    "extensions of the server": (
        2,
        message(2, b"\3\3" + bytes(33) + b"\xe1\x07\0" + vector16(EMPTY_EXTENSIONS)),
    ),
    "authorities": (
        14,
        message(13, REQUEST_START + b"\0\2\7\7" + vector16(vector16(b"x" * 18) * 1000)),
    ),
    "short authorities": (
        14,
        message(13, REQUEST_START + b"\0\2\7\7" + vector16(vector16(b"x") * 20_000)),
    ),
    "schemes": (14, message(13, REQUEST_START + vector16(NUMBERS) + b"\0\0")),
}


@pytest.mark.parametrize("what", LATER)
def test_other_messages_cost_a_client_no_more(what: str) -> None:
    kind, raw = LATER[what]
    data = in_records(raw)
    peak(client_waiting_for(kind), data)
    assert peak(client_waiting_for(kind), data) <= CONSTANT + PER_BYTE * len(data)


def names(encoded: bytes, count: int) -> dict[str, object]:
    value = der.sequence(encoded * count)
    return {"names": (), "extra": (Extension("2.5.29.17", critical=False, value=value),)}


ATTRIBUTE = der.sequence(der.object_identifier("2.5.4.3"), b"\x0c\x01a")
NAME_OF_ONE = der.encode(0xA4, der.sequence(der.set_of([ATTRIBUTE])))
SUBTREES = der.sequence(der.explicit(0, b"\x30\x03\x82\x01a" * 500))
COSTLY: dict[str, dict[str, object]] = {
    "ordinary ones": {},
    "host names": names(b"\x82\x01a", 500),
    "addresses": names(b"\x87\x04abcd", 500),
    "identifiers": names(b"\x88\x01a", 500),
    "names of one attribute": names(NAME_OF_ONE, 500),
    "purposes": {
        "purposes": (),
        "extra": (Extension("2.5.29.37", critical=False, value=der.sequence(b"\x06\1\x2a" * 60)),),
    },
    "constraints": {"extra": (Extension("2.5.29.30", critical=True, value=SUBTREES),)},
    "attributes": {"subject": Name.parse("/" + "/".join(["CN=a"] * 120))},
    "extensions": {
        "extra": tuple(Extension(f"1.2.{n}", critical=False, value=b"") for n in range(59))
    },
}  # fmt: skip


def chain_of(**changes: object) -> list[bytes]:
    """As many different certificates of one kind as a peer may show."""
    root, chain, length = pki.root(), [], 0
    for serial in range(1, 17):
        encoding = pki.server(root, serial=serial, **changes).certificate.encode()
        length += 3 + len(encoding)
        if length > Limits().certificates - 3:
            break
        chain.append(encoding)
    return chain


@pytest.mark.parametrize("what", COSTLY)
def test_certificates_cost_thirty_two_times_their_length(what: str) -> None:
    entries = b"".join(vector24(entry) for entry in chain_of(**COSTLY[what]))
    data = in_records(message(11, vector24(entries)))
    peak(client_waiting_for(11), data)
    assert peak(client_waiting_for(11), data) <= CONSTANT + PER_BYTE_OF_CERTIFICATES * len(data)


@pytest.mark.parametrize("protocol", ["tls12", "tlcp", "tls13"])
@pytest.mark.parametrize("sender", ["server", "client"])
def test_longer_chains_are_refused_by_their_header(sender: str, protocol: str) -> None:
    limits = Limits(certificates=100)
    changes = {
        "tls12": {"credential": world().server},
        "tlcp": {"credential": world().server_pair, "suites": TLCP_SUITES},
        "tls13": {"credential": world().server, "suites": TLS13_SUITES},
    }[protocol]
    asks = {"trust": world().trust, "client_authentication": ClientAuthentication.REQUIRED}
    own = {"credential": world().client_pair if protocol == "tlcp" else world().client}
    suites = {key: value for key, value in changes.items() if key == "suites"}
    server = server_config(**changes, **asks, **({"limits": limits} if sender == "client" else {}))
    client = client_config(**own, **suites, **({"limits": limits} if sender == "server" else {}))
    both = link(client, server)
    error = both.errors["client" if sender == "server" else "server"]
    assert isinstance(error, RecordOverflow)
    assert "expected at most 100" in str(error)


def test_extensions_beside_certificates_are_few() -> None:
    """Sixteen certificates with 64 extensions each would cost 30 times their length."""
    with_extensions = vector24(b"x") + vector16(EMPTY_EXTENSIONS)
    both = link13(
        says={
            "server": lambda _, raw: (
                [message(11, b"\0" + vector24(with_extensions * 16))] if raw[0] == 11 else [raw]
            )
        }
    )
    assert "more than 8 extensions" in str(both.errors["client"])


def test_chains_beside_a_genuine_certificate_fill_the_memory_to_its_limit() -> None:
    """A certificate is public: anybody may show one that is good, and others that are not."""
    root = pki.root()
    trust, good = TrustStore([root.certificate]), pki.server(root).certificate
    junk = [pki.root("junk", serial=number).certificate for number in range(1, 60)]
    shown = [[good, first, second] for first in junk for second in junk]
    sizes = []
    for presented in shown[:3000]:
        verify_chain(presented, trust, at=pki.NOW, purpose=Purpose.SERVER)
        sizes.append(len(trust.remembered))
    assert max(sizes) == sizes[-1] == 1024
