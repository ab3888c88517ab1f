"""`meterseal crl`: revoke certificates, issue and show revocation lists."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli.cert import load_one, moment
from meterseal.cli.files import read_file, write_file
from meterseal.cli.options import Force, Json, Out, PasswordFile, load_key, print_json
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from meterseal.x509 import Certificate, CertificateRevocationList

__all__ = ["app"]

_DAYS = 30

app = typer.Typer(
    help="Revoke certificates; issue and show revocation lists.", no_args_is_help=True
)


class Reason(StrEnum):
    """Why certificates are revoked."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key-compromise"
    CA_COMPROMISE = "ca-compromise"
    AFFILIATION_CHANGED = "affiliation-changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation-of-operation"
    CERTIFICATE_HOLD = "certificate-hold"
    PRIVILEGE_WITHDRAWN = "privilege-withdrawn"


@app.command()
def issue(
    *,
    ca: Annotated[Path, typer.Option("--ca", help="Certificate of the CA.")],
    ca_key: Annotated[Path, typer.Option("--ca-key", help="Private key of the CA.")],
    out: Out,
    previous: Annotated[
        Path | None, typer.Option("--previous", help="The last list, whose entries are kept.")
    ] = None,
    revoke: Annotated[
        list[Path] | None,
        typer.Option("--revoke", help="Certificates to add; those of other CAs are passed over."),
    ] = None,
    reason: Annotated[Reason, typer.Option("--reason")] = Reason.UNSPECIFIED,
    days: Annotated[int, typer.Option("--days", min=1, help="Days until the next list.")] = _DAYS,
    this_update: Annotated[
        datetime | None, typer.Option("--this-update", help="Moment of the list in UTC; else now.")
    ] = None,
    password_file: PasswordFile = None,
    force: Force = False,
) -> None:
    """Issue the complete list of a CA: what it revoked before, and what it revokes now.

    Of a bundle with a pair both certificates are revoked, those of CAs beside them are not: to
    revoke a CA, give its certificate alone. A list that has no predecessor gets the
    number 1.
    """
    from meterseal.x509 import RevocationReason, RevokedCertificate, issue_crl

    certificate, at = load_one(ca), moment(this_update)
    last = None if previous is None else _load_previous(previous, certificate)
    lines = {} if last is None else {line.serial_number: line for line in last.revoked}
    why = RevocationReason[reason.name]
    for path in revoke or []:
        for revoked in _issued_by(path, certificate):
            line = RevokedCertificate.of(revoked.serial_number, at, why)
            lines.setdefault(revoked.serial_number, line)
    crl = issue_crl(
        lines.values(),
        ca_certificate=certificate,
        ca_key=load_key(ca_key, password_file),
        this_update=at,
        days=days,
        number=1 if last is None else (last.number or 0) + 1,
    )
    write_file(out, crl.to_pem().encode(), private=False, force=force)


@app.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="CRL", help="PEM or DER; - is stdin.")],
    *,
    json: Json = False,
) -> None:
    """Show what lists say; nothing is verified."""
    from meterseal.x509 import load_crls

    facts = [_facts(crl) for crl in load_crls(read_file(file))]
    if json:
        print_json(facts)
        return
    for fact in facts:
        for name, value in fact.items():
            if name != "revoked":
                typer.echo(f"{name.replace('_', ' ')}: {value}")
        for line in fact["revoked"]:  # type: ignore[attr-defined]
            typer.echo(f"revoked: {line['serial_number']}  {line['revoked_at']}  {line['reason']}")


def _load_previous(path: Path, ca: Certificate) -> CertificateRevocationList:
    from meterseal.x509 import load_crls

    crls = load_crls(read_file(path))
    if len(crls) != 1:
        raise UsageError(f"{path} has {len(crls)} lists; expected one")
    if not crls[0].issuer.matches(ca.subject):
        raise UsageError(f"the list of {path} is of {crls[0].issuer}, not of {ca.subject}")
    ca.public_key().verify(crls[0].signature, crls[0].tbs)
    return crls[0]


def _issued_by(path: Path, ca: Certificate) -> list[Certificate]:
    """The certificates of a file that the CA signed itself; in a bundle, CAs are bystanders."""
    from meterseal.errors import InvalidSignature
    from meterseal.x509 import load_certificates

    found = []
    bundle = load_certificates(read_file(path))
    for certificate in bundle:
        constraints = certificate.basic_constraints
        if len(bundle) > 1 and constraints and constraints.ca:
            continue
        if certificate.issuer.matches(ca.subject):
            try:
                ca.public_key().verify(certificate.signature, certificate.tbs)
            except InvalidSignature:
                continue
            found.append(certificate)
    if not found:
        raise UsageError(f"{path} has no certificate that {ca.subject} issued")
    return found


def _facts(crl: CertificateRevocationList) -> dict[str, object]:
    def text(at: datetime | None) -> str | None:
        return None if at is None else at.astimezone(UTC).isoformat()

    return {
        "issuer": crl.issuer.to_rfc4514(),
        "number": crl.number,
        "this_update": text(crl.this_update),
        "next_update": text(crl.next_update),
        "revoked": [
            {
                "serial_number": f"{line.serial_number:x}",
                "revoked_at": text(line.revoked_at),
                "reason": line.reason.name.lower().replace("_", "-"),
            }
            for line in crl.revoked
        ],
    }
