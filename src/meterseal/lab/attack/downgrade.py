"""Talking two ends down to something weaker than both could do, and splicing sessions."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from meterseal.errors import MeterSealError
from meterseal.lab.attack import weak
from meterseal.lab.attack.ends import PROTOCOLS, READING, Meeting, Protocol, meet
from meterseal.lab.attack.identities import SERVER_NAME, world
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.obliging import blind_to_marks
from meterseal.lab.attack.wire import CLIENT, SERVER, with_client_hello, with_server_hello
from meterseal.net import connect
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
    ClientConfig,
    ServerConfig,
)
from meterseal.transport.codepoints import TLS12, CipherSuiteCode, ExtensionType, NamedGroup
from meterseal.transport.extensions_tls13 import decode_key_shares, encode_key_shares
from meterseal.transport.wire import uint16s

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.lab.attack.wire import Change
    from meterseal.transport.messages import ClientHello

__all__ = ["ATTACKS"]

_BOTH: Final = (*TLS13_SUITES, *TLS12_SUITES)
_ANY: Final = (*_BOTH, *TLCP_SUITES)


def _try(
    notes: Notes, what: str, client: ClientConfig, server: ServerConfig, change: Change
) -> Meeting:
    met = meet(client, server, change)
    notes.tried(what, str(met), held=met.is_refused)
    return met


def _bound_to_nothing(
    client: ClientConfig, server: ServerConfig
) -> tuple[ClientConfig, ServerConfig]:
    """Weaken both ends: what was said in the handshake goes into neither Finished nor keys."""
    nothing = weak.BoundToNothing()
    return (
        replace(client, provider=nothing, credential=None),
        replace(server, provider=nothing, client_authentication=ClientAuthentication.NONE),
    )


def _without(*numbers: int) -> Callable[[Any], dict[str, Any]]:
    def change(hello: Any) -> dict[str, Any]:  # noqa: ANN401  (either hello)
        kept = {n: body for n, body in hello.extensions.items() if n not in numbers}
        return {"extensions": kept}

    return change


# --- version -------------------------------------------------------------------------------


def version(notes: Notes) -> None:
    """Hide from a server that the client speaks TLS 1.3."""
    client = PROTOCOLS["TLS 1.3"].client(suites=_BOTH)
    server = PROTOCOLS["TLCP ECC"].server(suites=_ANY)
    only_old = with_client_hello(
        lambda hello: {
            "extensions": {**hello.extensions, ExtensionType.SUPPORTED_VERSIONS: b"\2\3\3"}
        }
    )
    _try(notes, "supported_versions cut down to TLS 1.2", client, server, only_old)
    without = with_client_hello(_without(ExtensionType.SUPPORTED_VERSIONS))
    _try(notes, "supported_versions cut out", client, server, without)
    older = with_client_hello(
        lambda hello: {
            "client_version": 0x0302,
            **_without(ExtensionType.SUPPORTED_VERSIONS)(hello),
        }
    )
    _try(notes, "a hello of TLS 1.1", client, server, older)
    answer = with_server_hello(
        lambda hello: {"server_version": TLS12, **_without(ExtensionType.SUPPORTED_VERSIONS)(hello)}
    )
    _try(notes, "the server's answer made one of TLS 1.2", client, server, answer)
    tlcp = with_client_hello(
        lambda _: {
            "client_version": 0x0101,
            "cipher_suites": (CipherSuiteCode.ECC_SM4_GCM_SM3,),
            "extensions": {},
        }
    )
    _try(notes, "a hello of TLS made one of TLCP", client, server, tlcp)
    ends = _bound_to_nothing(client, PROTOCOLS["TLS 1.3"].server(suites=_BOTH))
    met = meet(*ends, only_old, prepare=blind_to_marks)
    agreed = met.server.session.suite.version if met.server.session else None
    fell = met.server.data == READING and agreed == TLS12
    who = "two ends whose Finished covers nothing, and a client that ignores the server's mark"
    notes.control(who, str(met), fell=fell)


# --- suite and group -----------------------------------------------------------------------


def _first_cut(hello: ClientHello) -> dict[str, Any]:
    return {"cipher_suites": tuple(hello.cipher_suites)[1:]}


def _gcm_and_cbc() -> tuple[ClientConfig, ServerConfig]:
    codes = (CipherSuiteCode.ECC_SM4_GCM_SM3, CipherSuiteCode.ECC_SM4_CBC_SM3)
    suites = tuple(suite for code in codes for suite in TLCP_SUITES if suite.code == code)
    protocol = PROTOCOLS["TLCP ECC"]
    return protocol.client(suites=suites), protocol.server(suites=suites)


def suite(notes: Notes) -> None:
    """Cut the best suite out of the hello, or put another into the answer."""
    client, server = _gcm_and_cbc()
    cut = with_client_hello(_first_cut)
    _try(notes, "TLCP: GCM cut out, CBC left", client, server, cut)
    protocol = PROTOCOLS["TLS 1.3"]
    _try(notes, "TLS 1.3: GCM cut out, CCM left", protocol.client(), protocol.server(), cut)
    weaker = with_server_hello(lambda _: {"cipher_suite": CipherSuiteCode.ECC_SM4_CBC_SM3})
    _try(notes, "TLCP: CBC put into the server's answer", client, server, weaker)
    unknown = with_server_hello(lambda _: {"cipher_suite": 0x0000})
    _try(notes, "TLCP: no cipher at all in the server's answer", client, server, unknown)
    _suite_control(notes, cut)


def _suite_control(notes: Notes, cut: Change) -> None:
    client, server = _gcm_and_cbc()
    met = meet(*_bound_to_nothing(client, server), cut)
    agreed = met.server.session.suite.code if met.server.session else None
    fell = met.server.data == READING and agreed == CipherSuiteCode.ECC_SM4_CBC_SM3
    notes.control("TLCP, two ends whose Finished covers nothing", str(met), fell=fell)


def group(notes: Notes) -> None:
    """Cut the hybrid group out, which alone stands against a quantum computer."""
    protocol = PROTOCOLS["TLS 1.3"]
    client, server = protocol.client(), protocol.server()
    _try(notes, "the hybrid group cut out", client, server, with_client_hello(_without_hybrid))

    def no_share(hello: ClientHello) -> dict[str, Any]:
        """Keep the group in the list; then the server asks for its share again."""
        return {"extensions": {**hello.extensions, ExtensionType.KEY_SHARE: b"\0\0"}}

    _try(notes, "all key shares cut out", client, server, with_client_hello(no_share))
    alone = protocol.client(groups=(int(NamedGroup.CURVE_SM2_MLKEM768),))
    plain = protocol.server(groups=(int(NamedGroup.CURVE_SM2),))
    met = meet(alone, plain)
    what = "a client of the hybrid alone before a server that forces SM2 alone"
    notes.tried(what, str(met), held=met.is_refused)
    met = meet(*_bound_to_nothing(client, server), with_client_hello(_without_hybrid))
    agreed = met.server.session.group if met.server.session else None
    fell = met.server.data == READING and agreed == NamedGroup.CURVE_SM2
    notes.control("two ends whose keys and Finished cover nothing", str(met), fell=fell)


def _without_hybrid(hello: ClientHello) -> dict[str, Any]:
    shares = decode_key_shares(hello.extensions[ExtensionType.KEY_SHARE])
    shares.pop(NamedGroup.CURVE_SM2_MLKEM768)
    point = world().server.chain[0].public_key().to_bytes()
    rest = shares or {int(NamedGroup.CURVE_SM2): point}
    return {
        "extensions": {
            **hello.extensions,
            ExtensionType.SUPPORTED_GROUPS: uint16s((NamedGroup.CURVE_SM2,)),
            ExtensionType.KEY_SHARE: encode_key_shares(rest),
        }
    }


# --- extensions ----------------------------------------------------------------------------


def extensions(notes: Notes) -> None:
    """Strip each extension from the client's and from the server's hello."""
    for name in ("TLS 1.3", "TLS 1.2"):
        protocol = PROTOCOLS[name]
        settings = {"application_protocols": ("mqtt",)}
        client, server = protocol.client(**settings), protocol.server(**settings)
        for sender, strip in ((CLIENT, with_client_hello), (SERVER, with_server_hello)):
            for number in _extensions(client, server, strip):
                what = f"{name}: {number.name.lower()} stripped from the {sender}'s hello"
                _try(notes, what, client, server, strip(_without(number)))
            what = f"{name}: all extensions stripped from the {sender}'s hello"
            _try(notes, what, client, server, strip(lambda _: {"extensions": {}}))
        stripped = with_client_hello(_without(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION))
        met = meet(*_bound_to_nothing(client, server), stripped)
        agreed = met.server.session.application_protocol if met.server.session else "mqtt"
        fell = met.server.data == READING and agreed is None
        notes.control(f"{name}, two ends whose Finished covers nothing", str(met), fell=fell)


def _extensions(client: ClientConfig, server: ServerConfig, strip: Any) -> list[ExtensionType]:  # noqa: ANN401
    seen: list[ExtensionType] = []

    def look(hello: Any) -> dict[str, Any]:  # noqa: ANN401
        seen.extend(ExtensionType(number) for number in hello.extensions)
        return {}

    meet(client, server, strip(look))
    return seen


# --- trying again --------------------------------------------------------------------------


def dance(notes: Notes) -> None:
    """End each connection of a client in some way and wait for it to try again with less."""
    alert = b"\x15\x03\x03\x00\x02\x02"
    answers = {
        "closes without a word": b"",
        "says handshake_failure": alert + b"\x28",
        "says protocol_version": alert + b"\x46",
        "says insufficient_security": alert + b"\x47",
        "says inappropriate_fallback": alert + b"\x56",
        "says internal_error": alert + b"\x50",
        "answers in the alerts of TLCP": b"\x15\x01\x01\x00\x02\x02\x46",
        "answers with garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    }
    for protocol in PROTOCOLS.values():
        for what, answer in answers.items():
            hellos, error = _dance(protocol, answer)
            said = f"client {type(error).__name__}: {error}; it connected {len(hellos)} times"
            held = error is not None and len(hellos) == 1
            notes.tried(f"{protocol.name}: somebody {what}", said, held=held)
    hellos, _ = _dance(PROTOCOLS["TLS 1.3"], alert + b"\x46", again=PROTOCOLS["TLCP ECC"])
    speaks_tlcp = len(hellos) > 1 and hellos[1][1:3] == b"\x01\x01"
    who = "a client that tries again with TLCP when TLS 1.3 fails"
    notes.control(who, f"it connected {len(hellos)} times", fell=speaks_tlcp)


def _dance(
    protocol: Protocol, answer: bytes, again: Protocol | None = None
) -> tuple[list[bytes], Exception | None]:
    """Be the somebody; returns the first bytes of each connection, and what the client raised."""
    hellos: list[bytes] = []
    error: Exception | None = None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_turn_away, args=(listener, answer, hellos), daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        for each in (protocol, again):
            if each is not None:
                try:
                    connect("127.0.0.1", port, each.client(), server_name=SERVER_NAME, timeout=10)
                except (MeterSealError, OSError) as caught:
                    error = caught
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    return hellos, error


def _turn_away(listener: socket.socket, answer: bytes, hellos: list[bytes]) -> None:
    while True:
        try:
            raw, _ = listener.accept()
        except OSError:
            return
        with raw, contextlib.suppress(OSError):
            raw.settimeout(5)
            hellos.append(raw.recv(65_536))
            raw.sendall(answer)


ATTACKS = (
    Attack(
        "downgrade-version",
        "hides from a server that its client speaks TLS 1.3",
        "RFC 8446, 4.1.3",
        version,
    ),
    Attack(
        "downgrade-suite",
        "cuts the better cipher suites out of a hello (FREAK, CVE-2015-0204)",
        "GB/T 38636-2020, 6.4.5.2; RFC 5246, 7.4.9",
        suite,
    ),
    Attack(
        "downgrade-group",
        "cuts the hybrid group out of a hello, or forces one that was not asked for",
        "RFC 8446, 4.2.7; Tongsuo-Project/Tongsuo#491",
        group,
    ),
    Attack(
        "downgrade-extensions",
        "strips each extension from the hellos of both ends",
        "RFC 7627, 5.3; RFC 5746, 3.4; RFC 8446, 4.1.3",
        extensions,
    ),
    Attack(
        "downgrade-dance",
        "ends connections until a client tries again with a weaker protocol (POODLE's dance)",
        "RFC 7507, 1; CVE-2014-3566",
        dance,
    ),
)
