"""What the design shows of its run, figures 5 to 10: keys, certificates, sessions; made anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from meterseal.lab.experiment.commands import Dialogue, Said, run, session

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PROTOCOLS", "Stage", "Staged", "set_stage"]

_SUBJECT = "/C=CN/ST=SHANGHAI/L=LINGANG/O=DIANLIDAXUE/OU=SmartGrid/CN="
_FIVE_YEARS = 1826
PROTOCOLS = {
    "tls12-sm": "TLS 1.2, ECDHE-SM2-WITH-SMS4-GCM-SM3",
    "tlcp": "TLCP 1.1",
    "tls13-sm": "TLS 1.3",
}


class Staged(NamedTuple):
    """One session: what both ends said, and the file with its packets."""

    protocol: str
    dialogue: Dialogue
    capture: Path


@dataclass(frozen=True)
class Stage:
    """Commands and files by the number of the figure that they repeat."""

    private_key: str
    public_key: str
    certificate: str
    certificate_text: Said
    verification: Said
    made_by: list[Said]
    sessions: list[Staged]
    pki: Path


def set_stage(folder: Path) -> Stage:
    """Make keys and certificates, check them, and lead a session of each protocol."""
    made_by = [said for end in ("server", "meter") for said in _identity(folder, end)]
    pki = run(folder, "pki", "dev", "pki", "--days", _FIVE_YEARS, "--force")
    return Stage(
        private_key=(folder / "server.key").read_text(),
        public_key=(folder / "server.pub").read_text(),
        certificate=(folder / "server.pem").read_text(),
        certificate_text=run(folder, "cert", "show", "server.pem"),
        verification=run(folder, "cert", "verify", "server.pem", "--ca", "server.pem"),
        made_by=[*made_by, pki],
        sessions=[_session(folder, protocol) for protocol in PROTOCOLS],
        pki=folder / "pki",
    )


def _identity(folder: Path, name: str) -> list[Said]:
    """A key and a certificate for five years, signed by itself, as in the design."""
    host = "localhost" if name == "server" else "meter-000000000001"
    key = ("--key", f"{name}.key")
    return [
        run(folder, "key", "generate", "--format", "sec1", "--out", f"{name}.key", "--force"),
        run(folder, "key", "public", f"{name}.key", "--out", f"{name}.pub", "--force"),
        run(
            folder,
            *("cert", "self-sign", *key, "--subject", _SUBJECT + host, "--san", f"DNS:{host}"),
            *("--days", _FIVE_YEARS, "--out", f"{name}.pem", "--force"),
        ),
    ]


def _session(folder: Path, protocol: str) -> Staged:
    """Both ends prove who they are, and a message goes each way."""
    capture = folder / f"session-{protocol}.pcapng"
    server, client = _with_pairs() if protocol == "tlcp" else _with_one_certificate()
    dialogue = session(
        folder,
        ["--protocol", protocol, *server, "--require-client-cert", "--message", "server->client"],
        [
            *("--protocol", protocol, *client, "--message", "client->server"),
            *("--capture", capture.name),
        ],
    )
    return Staged(protocol, dialogue, capture)


def _with_one_certificate() -> tuple[list[str], list[str]]:
    server, meter = (["--cert", f"{name}.pem", "--key", f"{name}.key"] for name in _ENDS)
    return [*server, "--ca", "meter.pem"], [*meter, "--ca", "server.pem"]


def _with_pairs() -> tuple[list[str], list[str]]:
    server, client = (
        [
            *("--cert", f"pki/{name}.pem", "--key", f"pki/{name}-sign.key"),
            *("--enc-key", f"pki/{name}-enc.key", "--ca", "pki/root.pem"),
        ]
        for name in ("server", "client")
    )
    return server, client


_ENDS = ("server", "meter")
