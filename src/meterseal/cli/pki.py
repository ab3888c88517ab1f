"""`meterseal pki`: a whole set of identities in one command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli.files import require_absent, write_file
from meterseal.cli.options import Force
from meterseal.cli.session import DEFAULT_PORT
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meterseal.crypto.sm2 import PrivateKey
    from meterseal.x509 import Certificate, GeneralName, Profile

__all__ = ["app"]

_LOCAL = ("localhost", "127.0.0.1", "::1")
_FIVE_YEARS = 1826
_MAX_METERS = 10_000

app = typer.Typer(help="Make sets of identities.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Make this a group, though it has one command so far."""


@app.command()
def dev(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")],
    *,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="Name or address of the server; repeat it for more."),
    ] = None,
    meters: Annotated[
        int, typer.Option("--meters", min=0, max=_MAX_METERS, help="Pairs for so many meters.")
    ] = 1,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port in the commands printed.")
    ] = DEFAULT_PORT,
    days: Annotated[int, typer.Option("--days", min=1, help="Days of validity.")] = _FIVE_YEARS,
    force: Force = False,
) -> None:
    """Make a root, an issuing CA, and identities for a server, a client and meters.

    For development: the keys lie unencrypted in one folder, readable by you alone. Nothing is
    written if one of the files exists, unless --force is given.
    """
    names = _names_of(host or _LOCAL)
    main_host = str(names[0].value)
    files = _make_files(main_host, names, meters, days)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not force:
        require_absent(folder / file.name for file in files)
    for file in files:
        write_file(folder / file.name, file.data, private=file.private, force=force)
    typer.echo(f"{len(files)} files written to {folder}. Try, in two shells:")
    for title, commands in _next_commands(folder, main_host, port):
        typer.echo(f"\n# {title}")
        for command in commands:
            typer.echo(shlex.join(["meterseal", *command]))


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    data: bytes
    private: bool


class _Issuer:
    """What an authority issues, as files."""

    def __init__(self, days: int) -> None:
        from meterseal.x509.authority import Authority

        self.authority = Authority(datetime.now(UTC), days)

    def single(
        self, stem: str, profile: Profile, owner: str, names: list[GeneralName]
    ) -> Iterator[_File]:
        """One certificate with its CA, and its key."""
        key, certificate = self.authority.issue(profile, owner, names)
        yield _bundle(f"{stem}.pem", certificate, self.authority.certificate)
        yield _key(f"{stem}.key", key)

    def pair(self, stem: str, owner: str, names: list[GeneralName]) -> Iterator[_File]:
        """A signing and an encryption certificate with their CA, and their two keys."""
        (sign_key, enc_key), pair = self.authority.issue_pair(owner, names)
        yield _bundle(f"{stem}.pem", pair.signing, pair.encryption, self.authority.certificate)
        yield _key(f"{stem}-sign.key", sign_key)
        yield _key(f"{stem}-enc.key", enc_key)


def _names_of(hosts: Sequence[str]) -> list[GeneralName]:
    from meterseal.x509 import GeneralName, GeneralNameKind

    names = [GeneralName.parse(host) for host in hosts]
    for host, name in zip(hosts, names, strict=True):
        if name.kind not in {GeneralNameKind.DNS, GeneralNameKind.IP}:
            raise UsageError(f"{host!r} is neither a host name nor an address")
    return names


def _make_files(host: str, names: list[GeneralName], meters: int, days: int) -> list[_File]:
    """All files, in memory: what cannot be made leaves no trace."""
    ca = _Issuer(days)
    authority = ca.authority
    files = [
        _bundle("root.pem", authority.root),
        _key("root.key", authority.root_key),
        _bundle("ca.pem", authority.certificate),
        _key("ca.key", authority.key),
        *ca.single("server-tls", "server", host, names),
        *ca.pair("server", host, names),
        *ca.pair("client", "client", []),
    ]
    for number in range(1, meters + 1):
        files += ca.pair(f"meter-{number}", f"meter-{number:012}", [])
    return files


def _bundle(name: str, *certificates: Certificate) -> _File:
    from meterseal.x509 import dump_certificates

    return _File(name, dump_certificates(certificates), private=False)


def _key(name: str, key: PrivateKey) -> _File:
    from meterseal.x509 import dump_private_key

    return _File(name, dump_private_key(key, "pkcs8"), private=True)


def _next_commands(folder: Path, host: str, port: int) -> Iterator[tuple[str, list[list[str]]]]:
    """The sessions that the files are good for: a title, the server's command, the client's."""
    root = ["--ca", str(folder / "root.pem")]
    named = [] if host in _LOCAL else ["--server-name", host]
    local = host if host in _LOCAL else "localhost"
    address = f"[{local}]" if _is_ipv6(local) else local
    listen = ["server", *(["--host", local] if _is_ipv6(local) else [])]
    listen += [] if port == DEFAULT_PORT else ["--port", str(port)]
    connect = ["client", f"{address}:{port}", *named]

    def own(certificate: str, key: str, encryption_key: str | None = None) -> list[str]:
        files = ["--cert", str(folder / certificate), "--key", str(folder / key)]
        return files + (["--enc-key", str(folder / encryption_key)] if encryption_key else [])

    yield (
        "TLS 1.2 with SM2: one certificate each",
        [
            [*listen, *own("server-tls.pem", "server-tls.key"), *root],
            [*connect, *root, *own("client.pem", "client-sign.key")],
        ],
    )
    tlcp = ["--protocol", "tlcp"]
    yield (
        "TLCP: pairs on both sides",
        [
            [
                *(*listen, *tlcp, *own("server.pem", "server-sign.key", "server-enc.key")),
                *(*root, "--require-client-cert"),
            ],
            [*connect, *tlcp, *root, *own("client.pem", "client-sign.key", "client-enc.key")],
        ],
    )


def _is_ipv6(host: str) -> bool:
    try:
        return isinstance(ip_address(host), IPv6Address)
    except ValueError:
        return False
