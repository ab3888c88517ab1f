"""`meterseal server` and `meterseal client`: the design's experiment, one end each."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from meterseal.cli.inputs import Protocol
from meterseal.cli.options import Crls, Json, PasswordFile, RequireCrl
from meterseal.cli.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meterseal.net import PacketWriter, SecureSocket
    from meterseal.net.exchange import Parcel, Receipt
    from meterseal.transport import HandshakeCompleted

DEFAULT_PORT = 7838
_MAX_CLIENTS = 64

CertOption = Annotated[Path, typer.Option("--cert", help="Certificate chain, PEM or DER.")]
KeyOption = Annotated[Path, typer.Option("--key", help="The certificate's private key.")]
EncCertOption = Annotated[
    Path | None,
    typer.Option("--enc-cert", help="Encryption certificate of a pair, if not in --cert."),
]
EncKeyOption = Annotated[
    Path | None, typer.Option("--enc-key", help="Private key of the encryption certificate.")
]
ProtocolOption = Annotated[
    Protocol,
    typer.Option(
        "--protocol",
        help="TLS with SM suites, or TLCP (GB/T 38636). With auto a server speaks all that its "
        "certificates allow, a client offers TLS 1.3 and TLS 1.2.",
    ),
]
CaOption = Annotated[Path | None, typer.Option("--ca", help="Trusted roots, PEM.")]
SendOption = Annotated[Path | None, typer.Option("--send", help="A file to send.")]
MessageOption = Annotated[str, typer.Option("--message", help="A text to send instead of a file.")]
FolderOption = Annotated[
    Path | None, typer.Option("--receive", help="Folder for what arrives; else it is only counted.")
]
CaptureOption = Annotated[
    Path | None, typer.Option("--capture", help="Write what is said as pcapng, with its secrets.")
]
CnOption = Annotated[
    bool,
    typer.Option(
        "--allow-common-name", help="Accept the common name of a certificate without other names."
    ),
]


def server(
    cert: CertOption,
    key: KeyOption,
    enc_cert: EncCertOption = None,
    enc_key: EncKeyOption = None,
    protocol: ProtocolOption = Protocol.TLS12_SM,
    ca: CaOption = None,
    crl: Crls = None,
    require_crl: RequireCrl = False,
    require_client_cert: Annotated[
        bool, typer.Option("--require-client-cert", help="Refuse clients without a certificate.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = DEFAULT_PORT,
    send: SendOption = None,
    message: MessageOption = "server->client",
    receive: FolderOption = None,
    capture: CaptureOption = None,
    sessions: Annotated[int, typer.Option(min=0, help="Stop after so many; 0 = never.")] = 0,
    password_file: PasswordFile = None,
    no_tickets: Annotated[bool, typer.Option("--no-tickets", help="Session ids only.")] = False,
    as_json: Json = False,
) -> None:
    """Serve sessions of one protocol or of all; Ctrl-C stops."""
    from meterseal.cli.inputs import (
        load_credential,
        load_crls,
        load_trust,
        revocation_policy,
        served_suites,
    )
    from meterseal.crypto.sm_provider import SmProvider
    from meterseal.net import listen
    from meterseal.transport import ClientAuthentication, ServerConfig, TicketKeys

    if require_client_cert and ca is None:
        raise typer.BadParameter("--require-client-cert needs --ca: whose certificates to accept?")
    if protocol is Protocol.TLCP and enc_key is None:
        raise typer.BadParameter("a TLCP server needs a pair: --enc-key, and its certificate")
    provider = SmProvider()
    credential = load_credential(cert, key, password_file, enc_cert, enc_key)
    suites = served_suites(protocol, credential)
    asks = ClientAuthentication.OPTIONAL if ca else ClientAuthentication.NONE
    config = ServerConfig(
        credential=credential,
        suites=suites,
        trust=load_trust(ca),
        crls=load_crls(crl),
        revocation=revocation_policy(required=require_crl),
        client_authentication=ClientAuthentication.REQUIRED if require_client_cert else asks,
        provider=provider,
        ticket_keys=None if no_tickets else TicketKeys(provider),
    )
    report = Report(as_json=as_json)
    with contextlib.ExitStack() as stack:
        writer = _packet_writer(stack, capture)
        config = replace(config, key_log=_key_log(writer))
        tap = partial(writer.conversation, is_server=True) if writer else None
        listener = stack.enter_context(listen(host, port, config, tap=tap))
        report.step("socket created")
        report.step("bound", host=listener.address[0], port=listener.address[1])
        report.step("listening", suite=", ".join(suite.name for suite in suites))
        with ThreadPoolExecutor(_MAX_CLIENTS) as pool, contextlib.suppress(KeyboardInterrupt):
            accepted = 0
            while not sessions or accepted < sessions:
                secure, peer = listener.accept()
                accepted += 1
                pool.submit(_serve_one, secure, peer, report, _Post(send, message, receive))
        report.step("end", sessions=accepted)


def client(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT")],
    ca: Annotated[Path, typer.Option("--ca", help="Trusted roots, PEM.")],
    cert: Annotated[Path | None, typer.Option("--cert", help="Our certificate chain.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Our private key.")] = None,
    enc_cert: EncCertOption = None,
    enc_key: EncKeyOption = None,
    protocol: ProtocolOption = Protocol.TLS12_SM,
    crl: Crls = None,
    require_crl: RequireCrl = False,
    server_name: Annotated[
        str | None, typer.Option("--server-name", help="Name the certificate must stand for.")
    ] = None,
    allow_common_name: CnOption = False,
    send: SendOption = None,
    message: MessageOption = "client->server",
    receive: FolderOption = None,
    capture: CaptureOption = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Tell every handshake message on standard error.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for the handshake.")] = 30.0,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Open one session, exchange data both ways, and show each step."""
    from meterseal.cli.inputs import (
        load_credential,
        load_crls,
        load_trust,
        offered_suites,
        revocation_policy,
    )
    from meterseal.net import connect
    from meterseal.transport import ClientConfig
    from meterseal.transport.trace import Trace

    if (cert is None) != (key is None):
        raise typer.BadParameter("--cert and --key go together")
    if cert is None and (enc_cert or enc_key):
        raise typer.BadParameter("a pair needs its signing half: --cert and --key")
    own = load_credential(cert, key, password_file, enc_cert, enc_key) if cert and key else None
    host, port = split_address(address)
    config = ClientConfig(
        trust=load_trust(ca),
        crls=load_crls(crl),
        revocation=revocation_policy(required=require_crl),
        suites=offered_suites(protocol),
        credential=own,
        common_name_fallback=allow_common_name,
        observer=Trace(_to_standard_error) if trace else None,
    )
    report = Report(as_json=as_json)
    report.step("socket created")
    report.step("address created", host=host, port=port)
    with contextlib.ExitStack() as stack:
        writer = _packet_writer(stack, capture)
        config = replace(config, key_log=_key_log(writer))
        tap = writer.conversation() if writer else None
        secure = stack.enter_context(
            connect(host, port, config, server_name=server_name, timeout=timeout, tap=tap)
        )
        report.step("server connected")
        _report_session(report, secure.session)
        _exchange(secure, report, _Post(send, message, receive), as_client=True)
    report.step("end of the secure session")


class _Post:
    """What one end sends, and where it puts what it receives."""

    def __init__(self, send: Path | None, message: str, receive: Path | None) -> None:
        self._send = send
        self._message = message
        self._receive = receive

    @contextlib.contextmanager
    def parcel(self) -> Iterator[Parcel]:
        """The parcel to send, open for reading."""
        from meterseal.net.exchange import Parcel

        if self._send is None:
            text = self._message.encode()
            yield Parcel("message.txt", len(text), io.BytesIO(text))
            return
        with self._send.open("rb") as file:
            yield Parcel(self._send.name, os.fstat(file.fileno()).st_size, file)

    def open_sink(self, name: str) -> BinaryIO:
        """A new file in the folder for what arrives; never an existing one."""
        if self._receive is None:
            return io.BytesIO()
        self._receive.mkdir(parents=True, exist_ok=True)
        for number in range(10_000):
            target = self._receive / (name if not number else f"{number}-{name}")
            with contextlib.suppress(FileExistsError):
                return target.open("xb")
        raise FileExistsError(f"too many files called {name} in {self._receive}")


def _serve_one(secure: SecureSocket, peer: tuple[str, int], report: Report, post: _Post) -> None:
    from meterseal.errors import MeterSealError

    report.step("client connected", address=peer[0], port=peer[1])
    with secure:
        try:
            secure.handshake()
            _report_session(report, secure.session)
            _exchange(secure, report, post, as_client=False)
        except (MeterSealError, OSError) as error:
            report.step("refused", address=peer[0], port=peer[1], reason=str(error))
            return
    report.step("session closed", address=peer[0], port=peer[1])


def _exchange(secure: SecureSocket, report: Report, post: _Post, *, as_client: bool) -> None:
    from meterseal.net.exchange import exchange_as_client, exchange_as_server

    exchange = exchange_as_client if as_client else exchange_as_server
    with post.parcel() as parcel:
        sent, received = exchange(secure, parcel, post.open_sink)
    _report_receipt(report, "sent", sent)
    _report_receipt(report, "received", received)


def _report_receipt(report: Report, verb: str, receipt: Receipt) -> None:
    report.step(verb, parcel=receipt.name, bytes=receipt.length, sm3=receipt.sm3)


def _report_session(report: Report, session: HandshakeCompleted) -> None:
    report.step(
        f"connected with {session.suite.name}",
        suite=f"{session.suite.code:#06x}",
        resumed=session.resumed,
        extended_master_secret=session.extended_master_secret,
    )
    if session.peer is None:
        report.step("peer", certificate="none")
    else:
        leaf = session.peer.leaf
        report.step("peer", certificate=str(leaf.subject), issuer=str(leaf.issuer))
    if session.peer_encryption is not None:
        leaf = session.peer_encryption.leaf
        report.step("peer's encryption", certificate=str(leaf.subject), issuer=str(leaf.issuer))


def split_address(address: str) -> tuple[str, int]:
    """Return host and port; wrong usage if it is no address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise typer.BadParameter(f"expected HOST:PORT, received {address!r}")
    return host.strip("[]"), int(port)


def _packet_writer(stack: contextlib.ExitStack, capture: Path | None) -> PacketWriter | None:
    from meterseal.net import PacketWriter

    return PacketWriter(stack.enter_context(_private_file(capture))) if capture else None


def _key_log(writer: PacketWriter | None) -> Callable[[str], None] | None:
    """Return a writer of secrets: to the file named by SSLKEYLOGFILE, and into the capture."""
    name = os.environ.get("SSLKEYLOGFILE")
    if not name:
        return writer.secrets if writer else None

    def write(line: str) -> None:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "a") as file:  # noqa: PTH123  (a descriptor, for its mode)
            file.write(line + "\n")
        if writer is not None:
            writer.secrets(line)

    return write


def _private_file(path: Path) -> BinaryIO:
    """Open a file for writing that its owner alone can read: it will hold secrets."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "wb")


def _to_standard_error(line: str) -> None:
    sys.stderr.write(line + "\n")
