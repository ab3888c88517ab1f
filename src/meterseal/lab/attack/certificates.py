"""Certificates that are almost right, shown by a server to a meter and by a meter to a server."""

from __future__ import annotations

from dataclasses import replace

from meterseal.errors import CertificateRejected, RejectionReason
from meterseal.lab.attack.ends import PROTOCOLS, READING, Protocol, Server, Visit, visit
from meterseal.lab.attack.identities import (
    world,
)
from meterseal.lab.attack.liar import thief_of
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.tricks import Trick, client_tricks, pair_tricks, server_tricks

__all__ = ["ATTACKS"]


def _is_for(visit: Visit, reasons: tuple[RejectionReason, ...]) -> bool:
    return isinstance(visit.error, CertificateRejected) and visit.error.reason in reasons


def _show_to_clients(notes: Notes, protocol: Protocol, tricks: dict[str, Trick]) -> None:
    for what, trick in tricks.items():
        with Server(protocol.server(credential=trick.shown)) as server:
            client = visit(server.address, protocol.client(**trick.config))
            tried = f"{protocol.name}: a server's certificate {what}"
            held = _is_for(client, trick.reasons) and not server.next_visit().data
            notes.tried(tried, f"client {client}", held=held)
            if trick.careless is not None:
                client = visit(server.address, protocol.client(**trick.config | trick.careless))
                fell = server.next_visit().data == READING
                who = f"{protocol.name}, a client that does not look: a certificate {what}"
                notes.control(who, f"client {client}", fell=fell)


def of_servers(notes: Notes) -> None:
    """Show a meter certificates that are almost a station's."""
    for name in ("TLS 1.3", "TLS 1.2"):
        _show_to_clients(notes, PROTOCOLS[name], server_tricks())


def of_pairs(notes: Notes) -> None:
    """Show a meter two certificates that are no pair."""
    for name in ("TLCP ECC", "TLCP ECDHE"):
        _show_to_clients(notes, PROTOCOLS[name], pair_tricks())


def of_clients(notes: Notes) -> None:
    """Show a station certificates that are almost a meter's."""
    for name in ("TLS 1.3", "TLS 1.2"):
        protocol = PROTOCOLS[name]
        for what, trick in client_tricks().items():
            with Server(protocol.server(**trick.config)) as server:
                visit(server.address, protocol.client(credential=trick.shown))
                seen = server.next_visit()
                held = _is_for(seen, trick.reasons)
                tried = f"{name}: a client's certificate {what}"
                notes.tried(tried, f"server {seen}", held=held)
            if trick.careless is not None:
                config = protocol.server(**trick.config | trick.careless)
                with Server(config) as server:
                    visit(server.address, protocol.client(credential=trick.shown))
                    seen = server.next_visit()
                    who = f"{name}, a server that does not look: a certificate {what}"
                    notes.control(who, f"server {seen}", fell=seen.data == READING)
        _without_key(notes, protocol)


def _without_key(notes: Notes, protocol: Protocol) -> None:
    """A meter's certificate, which everybody can have, without its key; and none at all."""
    ours = world().client
    thief = replace(ours, key=thief_of(ours.key))
    for what, credential in {"without its key": thief, "that is not shown": None}.items():
        with Server(protocol.server()) as server:
            visit(server.address, protocol.client(credential=credential))
            seen = server.next_visit()
            tried = f"{protocol.name}: a client's certificate {what}"
            held = seen.error is not None and not seen.data
            notes.tried(tried, f"server {seen}", held=held)


ATTACKS = (
    Attack(
        "certificates-of-servers",
        "shows a meter a certificate that expired, was revoked, is for another name or use, ...",
        "RFC 5280, 6.1",
        of_servers,
    ),
    Attack(
        "certificates-of-pairs",
        "shows a meter two certificates that are no pair: of two owners, of one key, ...",
        "GB/T 38636-2020, 6.4.5.3; GB/T 20518-2018",
        of_pairs,
    ),
    Attack(
        "certificates-of-clients",
        "shows a station a certificate that is not a meter's any more, or somebody else's",
        "GB/T 38636-2020, 6.4.5.9; RFC 5280, 6.1",
        of_clients,
    ),
)
