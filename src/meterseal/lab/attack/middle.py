"""Men in the middle: each speaks with the meter in the station's place and reads what it says.

They end the meter's session themselves, with certificates and ephemeral keys of their own; what the
station would have answered does not matter any more once a meter has spoken.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meterseal.crypto import sm2
from meterseal.lab.attack import weak
from meterseal.lab.attack.ends import PROTOCOLS, READING, Protocol, Server, meet, visit
from meterseal.lab.attack.identities import (
    SERVER_NAME,
    encryption_of,
    new_credential,
    new_pair,
    world,
)
from meterseal.lab.attack.liar import thief_of
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.wire import SERVER, in_message, with_server_hello
from meterseal.transport.codepoints import ExtensionType, HandshakeType
from meterseal.transport.wire import vector24
from meterseal.x509 import TrustStore

if TYPE_CHECKING:
    from meterseal.lab.attack.ends import Visit
    from meterseal.transport import ClientConfig, Credential
    from meterseal.transport.messages import ServerHello

__all__ = ["ATTACKS"]

_TLCP_ECC = PROTOCOLS["TLCP ECC"]


def _intercept(protocol: Protocol, ours: Credential, meter: ClientConfig) -> tuple[Visit, bytes]:
    """Let the meter meet us instead of the station; returns what it says, and what we read."""
    with Server(protocol.server(credential=ours)) as us:
        said = visit(us.address, meter)
        return said, us.next_visit().data


def _try(notes: Notes, what: str, protocol: Protocol, ours: Credential) -> None:
    meter, read = _intercept(protocol, ours, protocol.client())
    notes.tried(f"{protocol.name}: {what}", f"client {meter}", held=not read)


def _control(
    notes: Notes, what: str, protocol: Protocol, ours: Credential, meter: ClientConfig
) -> None:
    said, read = _intercept(protocol, ours, meter)
    notes.control(f"{protocol.name}, {what}", f"client {said}", fell=read == READING)


def another_ca(notes: Notes) -> None:
    """Show a certificate of the station's name, issued by another CA."""
    for protocol in PROTOCOLS.values():
        make = new_pair if protocol.has_pairs else new_credential
        ours = make(world().stranger, "station", host=SERVER_NAME)
        _try(notes, "a certificate of the right name by another CA", protocol, ours)
        anyone = TrustStore([world().root.certificate, world().stranger.certificate])
        meter = protocol.client(trust=anyone)
        _control(notes, "a client that trusts any CA", protocol, ours, meter)


def ephemeral_key(notes: Notes) -> None:
    """Put in an ephemeral key of ours under the station's own certificate."""
    for name in ("TLS 1.3", "TLS 1.2"):
        protocol = PROTOCOLS[name]
        ours = replace(world().server, key=thief_of(world().server.key))
        _try(notes, "our ephemeral key, signed with a key of ours", protocol, ours)
        meter = protocol.client(algorithms=weak.credulous())
        _control(notes, "a client that checks no signature", protocol, ours, meter)
    for name, change in {
        "TLS 1.3": with_server_hello(_another_share),
        "TLS 1.2": in_message(SERVER, HandshakeType.SERVER_KEY_EXCHANGE, _another_point),
        "TLCP ECDHE": in_message(SERVER, HandshakeType.SERVER_KEY_EXCHANGE, _another_point),
    }.items():
        met = meet(PROTOCOLS[name].client(), PROTOCOLS[name].server(), change)
        what = f"{name}: our ephemeral key in the station's own message on its way"
        notes.tried(what, str(met), held=met.is_refused)


def _another_point(body: bytes) -> bytes:
    """Curve type, curve and length stand before the point (RFC 8422, 5.4)."""
    return body[:4] + _new_point() + body[4 + 65 :]


def _another_share(hello: ServerHello) -> dict[str, object]:
    """Group and length stand before the point, which is the beginning of a hybrid share too."""
    share = hello.extensions[ExtensionType.KEY_SHARE]
    share = share[:4] + _new_point() + share[4 + 65 :]
    return {"extensions": {**hello.extensions, ExtensionType.KEY_SHARE: share}}


def _new_point() -> bytes:
    return sm2.PrivateKey.generate().public_key().to_bytes()


def encryption_certificate(notes: Notes) -> None:
    """Put our encryption certificate beside the station's signing certificate."""
    station = world().server_pair
    half = new_credential(world().root, "station", profile="encryption", host=SERVER_NAME)
    ours = replace(station, key=thief_of(station.key), encryption=encryption_of(half))
    shown = (station.chain[0].encode(), half.chain[0].encode())
    for protocol in (_TLCP_ECC, PROTOCOLS["TLCP CBC"], PROTOCOLS["TLCP ECDHE"]):
        _try(notes, "an encryption certificate whose key we have", protocol, ours)
        in_flight = in_message(SERVER, HandshakeType.CERTIFICATE, lambda _: _certificates(*shown))
        met = meet(protocol.client(), protocol.server(), in_flight)
        what = f"{protocol.name}: the same put into the station's own message on its way"
        notes.tried(what, str(met), held=met.is_refused)
        meter = protocol.client(algorithms=weak.credulous())
        _control(notes, "a client that checks no signature", protocol, ours, meter)


def _certificates(*entries: bytes) -> bytes:
    return vector24(b"".join(vector24(entry) for entry in entries))


ATTACKS = (
    Attack(
        "middle-another-ca",
        "shows the meter a certificate of the station's name by another CA and reads what it says",
        "GB/T 38636-2020, 6.4.5.3; RFC 5280, 6.1",
        another_ca,
    ),
    Attack(
        "middle-ephemeral-key",
        "puts its own ephemeral key under the station's own certificate",
        "RFC 5246, 7.4.3; RFC 8446, 4.4.3",
        ephemeral_key,
    ),
    Attack(
        "middle-encryption-certificate",
        "puts an encryption certificate of its own beside the station's signing certificate",
        "GB/T 38636-2020, 6.4.5.4",
        encryption_certificate,
    ),
)
