"""`meterseal cert`: issue, show and verify certificates."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from meterseal.cli.files import read_file, write_file
from meterseal.cli.options import (
    Crls,
    Force,
    Json,
    Out,
    PasswordFile,
    RequireCrl,
    load_key,
    print_json,
)
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from meterseal.crypto.sm2 import PrivateKey
    from meterseal.x509 import Certificate, CertificateRequest, GeneralName

__all__ = ["app"]

_FIVE_YEARS = 1826

app = typer.Typer(help="Issue, show and verify certificates.", no_args_is_help=True)


class _Terms(TypedDict):
    ca_certificate: Certificate
    ca_key: PrivateKey
    not_before: datetime
    days: int
    alt_names: list[GeneralName] | None


class Profile(StrEnum):
    """What an issued certificate is for."""

    SERVER = "server"
    CLIENT = "client"
    SIGNING = "signing"
    ENCRYPTION = "encryption"
    CA = "ca"


class Purpose(StrEnum):
    """What a certificate is verified for."""

    SERVER = "server"
    CLIENT = "client"
    ANY = "any"


KeyOption = Annotated[Path, typer.Option("--key", help="Private key file.")]
Subject = Annotated[str, typer.Option("--subject", help="Such as /C=CN/O=Grid/CN=meter-1.")]
AltNames = Annotated[
    list[str] | None,
    typer.Option("--san", help="Host name or address; repeat it for more than one."),
]
Days = Annotated[int, typer.Option("--days", min=1, help="Days of validity.")]
NotBefore = Annotated[
    datetime | None,
    typer.Option("--not-before", help="First moment of validity in UTC; else now."),
]
CertificateFile = Annotated[Path, typer.Argument(metavar="CERT", help="PEM or DER; - is stdin.")]


@app.command("self-sign")
def self_sign(
    *,
    key: KeyOption,
    subject: Subject,
    out: Out,
    san: AltNames = None,
    days: Days = _FIVE_YEARS,
    not_before: NotBefore = None,
    password_file: PasswordFile = None,
    force: Force = False,
) -> None:
    """Issue a self-signed certificate: a root, or the one certificate of a server.

    Clients ask for the names of --san; the common name alone is looked at by old programs only.
    """
    from meterseal.x509 import Name, self_signed

    certificate = self_signed(
        load_key(key, password_file),
        Name.parse(subject),
        not_before=moment(not_before),
        days=days,
        alt_names=_alt_names(san),
    )
    write_file(out, certificate.to_pem().encode(), private=False, force=force)


@app.command()
def request(
    *,
    key: KeyOption,
    subject: Subject,
    out: Out,
    san: AltNames = None,
    password_file: PasswordFile = None,
    force: Force = False,
) -> None:
    """Make a certificate request (PKCS#10) to hand to a CA."""
    from meterseal.x509 import Name, create_request

    wanted = create_request(
        load_key(key, password_file), Name.parse(subject), alt_names=_alt_names(san)
    )
    write_file(out, wanted.to_pem().encode(), private=False, force=force)


@app.command()
def issue(
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="Request, PEM or DER.")],
    *,
    ca: Annotated[Path, typer.Option("--ca", help="Certificate of the CA.")],
    ca_key: Annotated[Path, typer.Option("--ca-key", help="Private key of the CA.")],
    out: Out,
    pair: Annotated[
        Path | None,
        typer.Option(
            "--pair",
            metavar="REQUEST2",
            help="Issue a TLCP pair: REQUEST is for the signing key, this for the encryption key.",
        ),
    ] = None,
    profile: Annotated[Profile | None, typer.Option("--profile", help="Else server.")] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Instead of the subject asked for.")
    ] = None,
    san: AltNames = None,
    days: Days = _FIVE_YEARS,
    not_before: NotBefore = None,
    path_length: Annotated[
        int | None, typer.Option("--path-length", min=0, max=255, help="CAs allowed below a CA.")
    ] = None,
    password_file: PasswordFile = None,
    force: Force = False,
) -> None:
    """Issue a certificate for a request, or a pair for two. Names given here replace theirs."""
    from meterseal import x509

    if pair is not None and (profile is not None or path_length is not None):
        raise typer.BadParameter("a pair has its profiles, and no path length: only --pair")
    owner = None if subject is None else x509.Name.parse(subject)
    terms: _Terms = {
        "ca_certificate": load_one(ca),
        "ca_key": load_key(ca_key, password_file),
        "not_before": moment(not_before),
        "days": days,
        "alt_names": _alt_names(san) or None,
    }
    holder = x509.load_request(read_file(request))
    if pair is None:
        kind = profile or Profile.SERVER
        issued = [
            x509.issue_certificate(
                holder, owner, profile=kind.value, path_length=path_length, **terms
            )
        ]
    else:
        both = x509.issue_pair(holder, x509.load_request(read_file(pair)), owner, **terms)
        issued = [both.signing, both.encryption]
    write_file(out, x509.dump_certificates(issued), private=False, force=force)


@app.command()
def show(file: CertificateFile, *, json: Json = False) -> None:
    """Show certificates, or a request, in the text form of GmSSL and OpenSSL."""
    from meterseal.x509 import load_certificates, load_request

    data = read_file(file)
    items: list[Certificate] | list[CertificateRequest]
    items = [load_request(data)] if b"CERTIFICATE REQUEST--" in data else load_certificates(data)
    if json:
        print_json([_facts(item) for item in items])
        return
    for item in items:
        typer.echo(item.to_text(), nl=False)


@app.command()
def verify(
    file: CertificateFile,
    *,
    ca: Annotated[
        list[Path], typer.Option("--ca", help="Trusted certificates; repeat it for more.")
    ],
    purpose: Annotated[Purpose, typer.Option("--purpose")] = Purpose.SERVER,
    name: Annotated[
        str | None, typer.Option("--name", help="Host name or address it must have.")
    ] = None,
    common_name: Annotated[
        bool,
        typer.Option("--common-name", help="Take the common name if there is no other name."),
    ] = False,
    encryption: Annotated[
        bool, typer.Option("--encryption", help="It is the encryption certificate of a pair.")
    ] = False,
    crl: Crls = None,
    require_crl: RequireCrl = False,
    at: Annotated[
        datetime | None, typer.Option("--at", help="Moment of the verification in UTC; else now.")
    ] = None,
    json: Json = False,
) -> None:
    """Verify the first certificate of a file; the others there help to reach a trusted one."""
    from meterseal import x509
    from meterseal.cli.inputs import load_crls, revocation_policy

    trusted = [link for path in ca for link in x509.load_certificates(read_file(path))]
    verified = x509.verify_chain(
        x509.load_certificates(read_file(file)),
        x509.TrustStore(trusted),
        at=moment(at),
        purpose=x509.Purpose[purpose.name],
        server_name=name,
        role=x509.KeyRole.ENCRYPTION if encryption else x509.KeyRole.SIGNING,
        common_name_fallback=common_name,
        crls=load_crls(crl),
        revocation=revocation_policy(required=require_crl),
    )
    chain = [str(link.subject) for link in verified.chain]
    if json:
        print_json({"verified": True, "chain": chain})
    else:
        typer.echo("verified: " + "\n  issued by: ".join(chain))


def _facts(item: Certificate | CertificateRequest) -> dict[str, object]:
    """Return the fields of a certificate or a request for machines."""
    from meterseal.asn1 import oid
    from meterseal.x509 import Certificate

    names = item.subject_alt_name
    facts: dict[str, object] = {
        "kind": "request",
        "subject": item.subject.to_rfc4514(),
        "signature_algorithm": oid.name_of(item.signature_algorithm.oid),
        "public_key_algorithm": oid.name_of(item.spki.algorithm.oid),
        "public_key": item.spki.key.hex(),
        "subject_alt_names": [str(name) for name in names.names] if names else [],
    }
    if isinstance(item, Certificate):
        constraints, usage, purposes = (
            item.basic_constraints,
            item.key_usage,
            item.extended_key_usage,
        )
        facts |= {
            "kind": "certificate",
            "issuer": item.issuer.to_rfc4514(),
            "serial_number": f"{item.serial_number:x}",
            "not_before": item.not_before.isoformat(),
            "not_after": item.not_after.isoformat(),
            "ca": bool(constraints and constraints.ca),
            "key_usage": None if usage is None else [flag.name for flag in usage],
            "extended_key_usage": None if purposes is None else list(purposes.purposes),
            "fingerprint": item.fingerprint().hex(),
        }
    return facts


def _alt_names(texts: list[str] | None) -> list[GeneralName]:
    from meterseal.x509 import GeneralName

    return [GeneralName.parse(text) for text in texts or []]


def moment(given: datetime | None) -> datetime:
    """A moment in UTC that was given, or now."""
    return datetime.now(UTC) if given is None else given.replace(tzinfo=UTC)


def load_one(path: Path) -> Certificate:
    """Read a file with exactly one certificate."""
    from meterseal.x509 import load_certificates

    certificates = load_certificates(read_file(path))
    if len(certificates) != 1:
        raise UsageError(f"{path} has {len(certificates)} certificates; expected one")
    return certificates[0]
