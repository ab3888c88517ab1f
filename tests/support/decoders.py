"""Every decoder that meets bytes from outside: how to run it, what it may raise, what is valid.

Used by the mutation tests of `make test` and by the long runs of `make fuzz`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from meterseal.asn1 import der, times
from meterseal.collection.dlt645 import FrameDecoder, decode_block
from meterseal.collection.dlt645.load_record import LoadRecord, decode_records, encode_record
from meterseal.collection.modbus import load_map
from meterseal.crypto import mlkem, sm2
from meterseal.errors import (
    DecodeError,
    DecryptionFailed,
    IllegalParameter,
    InvalidKey,
    InvalidSignature,
    MalformedData,
    RecordOverflow,
    Truncated,
    UnexpectedMessage,
    UnsupportedVersion,
    UsageError,
)
from meterseal.net.conversations import conversations
from meterseal.net.exchange import Parcel, exchange_as_client
from meterseal.net.packets import read_capture
from meterseal.transport import TLS13_SUITES
from meterseal.transport import extensions as ext
from meterseal.transport import extensions_tls13 as ext13
from meterseal.transport import messages as m
from meterseal.transport.events import RECEIVED, SENT
from meterseal.transport.record import RecordInbox
from meterseal.transport.recording import KeyLog, Recording
from meterseal.transport.session import TicketKeys, Tls13Session
from meterseal.transport.trace import Trace
from meterseal.transport.wire import Cursor
from meterseal.x509 import (
    Certificate,
    CertificateRequest,
    Encryption,
    GeneralName,
    Name,
    create_request,
    dump_certificates,
    dump_private_key,
    dump_public_key,
    load_certificates,
    load_private_key,
    load_public_key,
    load_request,
    pem,
)
from meterseal.x509.keys import describe_key
from meterseal.x509.spki import SubjectPublicKeyInfo
from support import dlt645_captures, packets, pki
from support.wire import client_config, link, provider, server_config

if TYPE_CHECKING:
    from collections.abc import Callable

X509_ERRORS = (MalformedData, InvalidKey)
WIRE_ERRORS = (DecodeError, IllegalParameter)
RECORD_ERRORS = (UnexpectedMessage, UnsupportedVersion, RecordOverflow)
PASSWORD = b"sealed"


@dataclass(frozen=True)
class Decoder:
    """`run` decodes; whatever it raises beyond `errors` is a defect. `seeds` decode."""

    run: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]

    def survives(self, data: bytes) -> None:
        """Decode, letting through only what is not declared."""
        try:
            self.run(data)
        except self.errors:
            return


@cache
def decoders() -> dict[str, Decoder]:
    """All of them by name."""
    return {
        **_encodings(),
        **_identity(),
        **_keys(),
        **_messages(),
        **_extensions(),
        **_streams(),
        **_meters(),
    }


# --- encodings -------------------------------------------------------------------------------


def _walk(data: bytes, depth: int = 0) -> None:
    reader = der.Reader(data, depth=depth)
    while not reader.at_end:
        element = reader.element()
        if element.tag & 0x20:
            _walk(element.contents, depth + 1)


def _encodings() -> dict[str, Decoder]:
    whole = _certificate().encode()
    moment = times.encode_time(pki.NOW)
    malformed = (MalformedData,)
    return {
        "der": Decoder(_walk, malformed, (whole,)),
        "set": Decoder(
            lambda data: der.Reader(data).set("set"),
            malformed,
            (der.set_of([der.null(), der.integer(7)]),),
        ),
        "integer": Decoder(
            lambda data: der.Reader(data).integer(), malformed, (der.integer(-(2**70)),)
        ),
        "oid": Decoder(
            lambda data: der.Reader(data).object_identifier(),
            malformed,
            (der.object_identifier("1.2.156.10197.1.301"), der.object_identifier("2.999.1")),
        ),
        "bit string": Decoder(
            lambda data: der.Reader(data).bit_string(), malformed, (der.bit_string(b"abc"),)
        ),
        "time": Decoder(lambda data: times.read_time(der.Reader(data)), malformed, (moment,)),
        "pem": Decoder(pem.decode, malformed, (pem.encode("CERTIFICATE", whole).encode(),)),
    }


# --- identity --------------------------------------------------------------------------------


@cache
def _certificate() -> Certificate:
    constraint = (GeneralName.parse("DNS:example.com"),)
    ca = pki.root(permitted=constraint, path_length=1)
    return pki.server(ca).certificate


@cache
def _ca() -> Certificate:
    return pki.root(permitted=(GeneralName.parse("DNS:example.com"),), path_length=1).certificate


def _read_certificate(data: bytes) -> None:
    certificate = Certificate.decode(data)
    assert certificate.encode() == data
    certificate.to_text()


def _read_request(data: bytes) -> None:
    request = CertificateRequest.decode(data)
    request.to_text()
    request.verify()


def _identity() -> dict[str, Decoder]:
    leaf, ca = _certificate(), _ca()
    request = create_request(pki.key("request"), pki.name("asks"), alt_names=_names())
    return {
        "certificate": Decoder(_read_certificate, X509_ERRORS, (leaf.encode(), ca.encode())),
        "certificates": Decoder(load_certificates, X509_ERRORS, (dump_certificates([leaf, ca]),)),
        "request": Decoder(_read_request, (*X509_ERRORS, InvalidSignature), (request.encode(),)),
        "request file": Decoder(load_request, X509_ERRORS, (request.to_pem().encode(),)),
        "name": Decoder(Name.decode, X509_ERRORS, (leaf.subject.encode(),)),
        "name as text": Decoder(
            lambda data: Name.parse(data.decode("latin-1")),
            (UsageError, MalformedData),
            (b"/C=CN/O=Grid/CN=meter", b"CN=meter\\, 1+OU=a,O=Grid"),
        ),
        "general name": Decoder(
            lambda data: GeneralName.read(der.Reader(data)),
            X509_ERRORS,
            tuple(name.encode() for name in _names()),
        ),
        "general name as text": Decoder(
            lambda data: GeneralName.parse(data.decode("latin-1")),
            (UsageError, MalformedData),
            (b"DNS:meter.example", b"IP:2001:db8::7", b"email:a@example.com"),
        ),
        "subject public key": Decoder(
            SubjectPublicKeyInfo.decode,
            X509_ERRORS,
            (SubjectPublicKeyInfo.of(leaf.public_key()).encoding,),
        ),
    }


def _names() -> list[GeneralName]:
    return [GeneralName.parse(t) for t in ("DNS:a.example", "IP:192.0.2.7", "email:a@example.com")]


# --- keys, signatures, ciphertexts -----------------------------------------------------------


def _keys() -> dict[str, Decoder]:
    key = pki.key("decoder")
    public = key.public_key()
    point, ciphertext = public.to_bytes(), public.encrypt(b"reading")
    sealed = dump_private_key(key, password=PASSWORD, encryption=Encryption(iterations=2))
    forms = [dump_private_key(key, form) for form in ("pkcs8", "pkcs8-der", "sec1", "hex")]
    secret_errors = (*X509_ERRORS, DecryptionFailed, UsageError)
    return {
        "private key": Decoder(load_private_key, secret_errors, tuple(forms)),
        "sealed private key": Decoder(_cheap_sealed_key, secret_errors, (sealed,)),
        "public key": Decoder(
            load_public_key, X509_ERRORS, (dump_public_key(public), point.hex().encode())
        ),
        "key description": Decoder(describe_key, secret_errors, (*forms, sealed)),
        "point": Decoder(sm2.PublicKey.from_bytes, (InvalidKey,), (point, public.to_bytes(True))),
        "signature": Decoder(
            lambda data: public.verify(data, b"m"), (InvalidSignature,), (key.sign(b"m"),)
        ),
        "raw signature": Decoder(
            lambda data: public.verify(data, b"m", encoding="raw"),
            (InvalidSignature,),
            (key.sign(b"m", encoding="raw"),),
        ),
        "ciphertext": Decoder(key.decrypt, (DecryptionFailed,), (ciphertext,)),
        "raw ciphertext": Decoder(
            lambda data: key.decrypt(data, "c1c3c2"),
            (DecryptionFailed,),
            (public.encrypt(b"reading", "c1c3c2"),),
        ),
        "ML-KEM key": Decoder(
            mlkem.mlkem768_encapsulate,
            (InvalidKey,),
            (mlkem.MlKem768PrivateKey.generate().public_bytes(),),
        ),
    }


def _cheap_sealed_key(data: bytes) -> None:
    """Open a key unless its file asks for more work than a test has time for."""
    description = describe_key(data).encryption
    if description is None or int(description.split()[-2]) <= 1000:
        load_private_key(data, PASSWORD)


# --- messages --------------------------------------------------------------------------------


def _message(kind: type[Any]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        cursor = Cursor(data)
        message = kind.decode(cursor)
        cursor.finish()
        assert kind.decode(Cursor(message.encode())) == message

    return run


def _examples() -> list[Any]:
    random, certificate = bytes(range(32)), _certificate().encode()
    signature = pki.key("decoder").sign(b"m")
    point = pki.key("decoder").public_key().to_bytes()
    several = {0: ext.encode_server_name("station.example"), 10: b"\0\x02\0\x29", 23: b""}
    return [
        m.ClientHello(0x0303, random, random, (0xE107, 0xC6), b"\0", several),
        m.ServerHello(0x0303, random, random, 0xC6, 0, {43: b"\x03\x04"}),
        m.HelloRequest(),
        m.Certificate((certificate, certificate)),
        m.CertificateRequest(b"\x40", (0x0707, 0x0708), (b"name",)),
        m.CertificateStatus(b"response"),
        m.CertificateVerify(0x0708, signature),
        m.ServerKeyExchange(41, point, 0x0708, signature),
        m.ServerHelloDone(),
        m.ClientKeyExchange(point),
        m.NewSessionTicket(7200, b"ticket"),
        m.Finished(bytes(12)),
        m.ChangeCipherSpec(),
        m.EccServerKeyExchange(signature),
        m.EcdheServerKeyExchange(41, point, signature),
        m.EccClientKeyExchange(b"ciphertext"),
        m.EcdheClientKeyExchange(41, point, has_prefix=True),
        m.EcdheClientKeyExchange(41, point, has_prefix=False),
        m.TlcpCertificateRequest(b"\x50", (b"name", b"another")),
        m.TlcpCertificateVerify(signature),
        m.TlcpCertificateVerify(signature, has_length=False),
        m.EncryptedExtensions(several),
        m.Tls13CertificateRequest(b"", {13: b"\0\x02\x07\x08"}),
        m.Tls13Certificate(b"", (m.CertificateEntry(certificate, {5: b"staple"}),)),
        m.Tls13Finished(random),
        m.Tls13NewSessionTicket(7200, 1, b"\0", b"ticket", {}),
        m.KeyUpdate(update_requested=True),
    ]


def _messages() -> dict[str, Decoder]:
    seeds: dict[type, list[bytes]] = {}
    for example in _examples():
        seeds.setdefault(type(example), []).append(example.encode())
    return {
        kind.__name__: Decoder(_message(kind), WIRE_ERRORS, tuple(valid))
        for kind, valid in seeds.items()
    }


def _extensions() -> dict[str, Decoder]:
    psks = ext13.OfferedPsks(((b"ticket", 7), (b"other", 8)), (bytes(32), bytes(32)))
    functions: dict[str, tuple[Callable[[bytes], object], bytes]] = {
        "server_name": (ext.decode_server_name, ext.encode_server_name("station.example")),
        "status_request": (ext.decode_status_request, ext.encode_status_request()),
        "protocols": (ext.decode_protocols, ext.encode_protocols(["h2", "mqtt"])),
        "groups": (ext.decode_uint16_list, ext.encode_uint16_list((41, 0x11EE))),
        "versions": (ext.decode_supported_versions, ext.encode_supported_versions((0x0304,))),
        "point formats": (ext.decode_uint8_list, ext.encode_uint8_list(b"\0")),
        "key shares": (ext13.decode_key_shares, ext13.encode_key_shares({41: bytes(65)})),
        "key share": (ext13.decode_key_share, ext13.encode_key_share(41, bytes(65))),
        "chosen number": (ext13.decode_uint16, ext13.encode_uint16(41)),
        "cookie": (ext13.decode_cookie, b"\0\x06cookie"),
        "pre_shared_key": (ext13.OfferedPsks.decode, psks.encode()),
    }
    return {
        f"extension {name}": Decoder(run, WIRE_ERRORS, (seed,))
        for name, (run, seed) in functions.items()
    }


# --- streams ---------------------------------------------------------------------------------


def _cut(data: bytes) -> None:
    inbox = RecordInbox()
    inbox.feed(data)
    while inbox.next_record() is not None:
        pass


class _Replay:
    """A peer that says this and listens to nothing."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def recv(self, size: int = 65536, /) -> bytes:
        return self._data.read(size)

    def sendall(self, data: bytes, /) -> None:
        pass


def _exchange(data: bytes) -> None:
    exchange_as_client(_Replay(data), Parcel("x", 0, io.BytesIO()), _sink)


def _sink(name: str) -> io.BytesIO:
    name.encode()  # what a file system would do
    assert "/" not in name
    assert name not in {"", ".", ".."}
    return io.BytesIO()


def _read_capture(data: bytes) -> None:
    conversations(read_capture(data).packets)


def _recorded_session() -> Decoder:
    """What the server said of a session whose secrets are known."""
    keys: list[str] = []
    both = link(
        client_config(suites=TLS13_SUITES, key_log=keys.append), server_config(suites=TLS13_SUITES)
    )
    said = {end: b"".join(records) for end, records in both.seen.items()}
    log = KeyLog.parse("\n".join(keys))

    def run(data: bytes) -> None:
        recording = Recording(Trace(lambda _: None), log)
        recording.receive_data(SENT, said["client"])
        recording.receive_data(RECEIVED, data)
        recording.receive_data(SENT, data)

    return Decoder(run, (), (said["server"],))


def _capture_files() -> tuple[bytes, ...]:
    whole = [packets.segment(from_client=True, sequence=n, payload=b"data") for n in (1, 5, 11)]
    blocks = b"".join(map(packets.enhanced, whole))
    pcapng = packets.section() + packets.interface() + packets.secrets(b"A b c\n") + blocks
    return packets.pcap(whole), packets.pcap(whole, order=">"), pcapng


def _receive_frames(data: bytes) -> None:
    decoder = FrameDecoder()
    decoder.receive_data(data)
    decoder.end_of_gap()


def _meters() -> dict[str, Decoder]:
    demand = bytes.fromhex(dlt645_captures.DEMAND)
    stored = LoadRecord(datetime.fromisoformat("2026-11-23T06:15"), {0x02800004: 32105})
    registers = (
        'name = "a"\nregisters.FREQUENCY = { address = 1, scale = 0.01 }\n'
        "self_test = { address = 1, least = 45, most = 65.5 }\n"
    )
    return {
        "DL/T 645 frames": Decoder(_receive_frames, (), (demand, b"\xfe\x68" + demand)),
        "DL/T 645 block": Decoder(
            lambda data: decode_block(0x0101FF00, data),
            (MalformedData,),
            (bytes.fromhex("0521034519201126") * 2,),
        ),
        "load records": Decoder(decode_records, (MalformedData,), (encode_record(stored) * 2,)),
        "register map": Decoder(
            lambda data: load_map(data.decode("latin-1")), (MalformedData,), (registers.encode(),)
        ),
    }


def _streams() -> dict[str, Decoder]:
    tickets = TicketKeys(provider())
    session = Tls13Session(
        suite=0xC6,
        created=int(provider().now().timestamp()),
        policy=bytes(32),
        server_name="station.example",
        peer_chain=(b"certificate",),
        psk=provider().restore_psk(bytes(32)),
    )
    empty = "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"
    receipt = f'{{"received": 0, "sm3": "{empty}"}}\n'.encode()
    return {
        "records": Decoder(_cut, RECORD_ERRORS, (b"\x16\x03\x03\0\x04data\x17\x01\x01\0\0",)),
        "capture": Decoder(_read_capture, (MalformedData,), _capture_files()),
        "recorded session": _recorded_session(),
        "key log": Decoder(
            lambda data: KeyLog.parse(data.decode("latin-1")),
            (MalformedData,),
            (b"# secrets\nCLIENT_RANDOM 00ff 0102\n",),
        ),
        "ticket": Decoder(tickets.open, (), (tickets.seal(session),)),
        "parcels": Decoder(
            _exchange,
            (MalformedData, Truncated),
            (b'{"name": "a.csv", "length": 3}\nabc' + receipt,),
        ),
    }
