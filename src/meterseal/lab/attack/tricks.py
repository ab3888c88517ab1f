"""Certificates that are almost right: each with why it must be refused."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.crypto import sm2
from meterseal.crypto.sm_provider import SmProvider
from meterseal.errors import RejectionReason
from meterseal.lab.attack.identities import (
    METER,
    SERVER_NAME,
    Ca,
    encryption_of,
    new_credential,
    new_pair,
    world,
)
from meterseal.transport import Credential
from meterseal.x509 import (
    Certificate,
    Extension,
    KeyUsage,
    Name,
    RevocationReason,
    RevokedCertificate,
    build_certificate,
    issue_certificate,
    issue_crl,
    self_signed,
)
from meterseal.x509.extensions import BasicConstraints

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.x509 import CertificateRevocationList

__all__ = ["Trick", "client_tricks", "pair_tricks", "server_tricks"]

_DAY: Final = timedelta(days=1)
_R = RejectionReason


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Trick:
    """A credential, why it must be refused, and the settings of a victim that does not look."""

    shown: Credential
    reasons: tuple[RejectionReason, ...]
    config: dict[str, Any] = field(default_factory=dict)
    careless: dict[str, Any] | None = None


def _with_extensions(
    change: Callable[[tuple[Extension, ...]], tuple[Extension, ...]],
) -> Credential:
    """A server's certificate by the right CA, with other extensions."""
    honest = new_credential(world().root, "station", host=SERVER_NAME)
    certificate = honest.chain[0]
    again = build_certificate(
        certificate.public_key(),
        certificate.subject,
        issuer=certificate.issuer,
        issuer_key=world().root.key,
        not_before=_now() - _DAY,
        days=30,
        extensions=change(certificate.extensions),
        serial_number=certificate.serial_number,
    )
    return replace(honest, chain=(again,))


def _below(issuers: tuple[Ca, ...], **what: Any) -> Credential:  # noqa: ANN401
    """A credential issued by the last of these, which are shown too."""
    credential = new_credential(issuers[-1], "station", **what)
    shown = tuple(ca.certificate for ca in reversed(issuers))
    return replace(credential, chain=credential.chain + shown)


def _intermediate(above: Ca, common: str, path_length: int | None = None) -> Ca:
    """A CA below another, even where that one may have none below it."""
    key = sm2.PrivateKey.generate()
    constraints = BasicConstraints(ca=True, path_length=path_length)
    certificate = build_certificate(
        key.public_key(),
        Name.parse(f"/C=CN/O=meterseal range/CN={common}"),
        issuer=above.certificate.subject,
        issuer_key=above.key,
        not_before=_now() - _DAY,
        days=30,
        extensions=(
            Extension(BasicConstraints.OID, critical=True, value=constraints.encode()),
            Extension(oids.KEY_USAGE, critical=True, value=KeyUsage.KEY_CERT_SIGN.encode()),
        ),
        serial_number=7,
    )
    return Ca(certificate, key)


def _no_ca() -> Credential:
    """Issued by somebody's own server certificate (CVE-2002-0862)."""
    somebody = new_credential(world().root, "somebody", host="somebody.example")
    key = somebody.key
    if not isinstance(key, sm2.PrivateKey):
        raise TypeError("expected a key in memory")
    own = sm2.PrivateKey.generate()
    honest = world().server.chain[0]
    certificate = build_certificate(
        own.public_key(),
        honest.subject,
        issuer=somebody.chain[0].subject,
        issuer_key=key,
        not_before=_now() - _DAY,
        days=30,
        extensions=[it for it in honest.extensions if it.oid == oids.SUBJECT_ALT_NAME],
        serial_number=8,
    )
    return Credential((certificate, *somebody.chain), own)


def _same_name_other_key() -> Credential:
    """Issued under the root's own name, with another key."""
    key = sm2.PrivateKey.generate()
    twin = self_signed(key, world().root.certificate.subject, not_before=_now() - _DAY)
    return new_credential(Ca(twin, key), "station", host=SERVER_NAME)


def _altered_signature() -> Credential:
    honest = new_credential(world().root, "station", host=SERVER_NAME)
    encoding = honest.chain[0].encode()
    altered = Certificate.decode(encoding[:-1] + bytes((encoding[-1] ^ 1,)))
    return replace(honest, chain=(altered,))


def _list_of(credential: Credential) -> CertificateRevocationList:
    root = world().root
    why = RevocationReason.KEY_COMPROMISE
    line = RevokedCertificate.of(credential.chain[0].serial_number, _now(), why)
    first = _now() - _DAY
    return issue_crl(
        [line],
        ca_certificate=root.certificate,
        ca_key=root.key,
        this_update=first,
        days=30,
        number=1,
    )


def _critical(extensions: tuple[Extension, ...]) -> tuple[Extension, ...]:
    return (*extensions, Extension("1.2.3.4.5", critical=True, value=der.null()))


def _clock(days: int) -> dict[str, Any]:
    """Settings of somebody whose clock is that many days off."""
    there = _now() + days * _DAY
    return {"provider": SmProvider(clock=there.timestamp)}


def server_tricks() -> dict[str, Trick]:
    """What a server shows that is almost a station."""
    w = world()
    long_ago, some_day = _now() - 40 * _DAY, _now() + 10 * _DAY
    expired = new_credential(w.root, "station", not_before=long_ago, days=30, host=SERVER_NAME)
    tomorrow = new_credential(w.root, "station", not_before=some_day, host=SERVER_NAME)
    revoked = new_credential(w.root, "station", host=SERVER_NAME)
    elsewhere = new_credential(w.root, "station", host="other.example")
    narrow = _intermediate(w.root, "narrow CA", path_length=0)
    too_long = _below((narrow, _intermediate(narrow, "CA below")), host=SERVER_NAME)
    wrong_use = (_R.WRONG_KEY_USAGE,)
    return {
        "expired": Trick(expired, (_R.EXPIRED,), careless=_clock(-20)),
        "not yet valid": Trick(tomorrow, (_R.NOT_YET_VALID,), careless=_clock(20)),
        "for another name": Trick(elsewhere, (_R.WRONG_NAME,), careless={"check_name": False}),
        "revoked": Trick(revoked, (_R.REVOKED,), {"crls": (_list_of(revoked),)}, {"crls": ()}),
        "for encryption only": Trick(
            new_credential(w.root, "station", profile="encryption", host=SERVER_NAME), wrong_use
        ),
        "of a client": Trick(
            new_credential(w.root, "station", profile="client", host=SERVER_NAME),
            (_R.WRONG_EXTENDED_KEY_USAGE,),
        ),
        "with a path that is too long": Trick(too_long, (_R.PATH_TOO_LONG,)),
        "with a critical extension that nobody knows": Trick(
            _with_extensions(_critical), (_R.UNKNOWN_CRITICAL_EXTENSION,)
        ),
        "issued by somebody's server certificate": Trick(_no_ca(), (_R.NOT_A_CA,)),
        "issued under the CA's name with another key": Trick(
            _same_name_other_key(), (_R.UNKNOWN_ISSUER, _R.BAD_SIGNATURE)
        ),
        "with a signature altered in its last bit": Trick(
            _altered_signature(), (_R.BAD_SIGNATURE, _R.MALFORMED)
        ),
    }


def client_tricks() -> dict[str, Trick]:
    """What a client shows that is almost a meter."""
    w = world()
    revoked = new_credential(w.root, METER, profile="client")
    expired = new_credential(
        w.root, METER, profile="client", not_before=_now() - 40 * _DAY, days=30
    )
    return {
        "expired": Trick(expired, (_R.EXPIRED,), careless=_clock(-20)),
        "revoked": Trick(revoked, (_R.REVOKED,), {"crls": (_list_of(revoked),)}, {"crls": ()}),
        "of a server": Trick(w.server, (_R.WRONG_EXTENDED_KEY_USAGE,)),
        "by another CA": Trick(
            new_credential(w.stranger, METER, profile="client"), (_R.UNKNOWN_ISSUER,)
        ),
        "for encryption only": Trick(
            new_credential(w.root, METER, profile="encryption"), (_R.WRONG_KEY_USAGE,)
        ),
    }


def pair_tricks() -> dict[str, Trick]:
    """Pairs of a TLCP server (GB/T 38636-2020, 6.4.5.3)."""
    w, ours = world(), world().server_pair
    other = new_pair(w.root, "another station", host=SERVER_NAME)
    foreign = new_credential(w.stranger, "station", profile="encryption", host=SERVER_NAME)
    old = new_credential(
        w.root,
        "station",
        profile="encryption",
        host=SERVER_NAME,
        not_before=_now() - 40 * _DAY,
        days=30,
    )
    signing = new_credential(w.root, "station", profile="signing", host=SERVER_NAME)
    return {
        "of two owners": Trick(replace(ours, encryption=other.encryption), (_R.PAIR_MISMATCH,)),
        "of one key": Trick(_pair_of_one_key(), (_R.PAIR_MISMATCH,)),
        "of two CAs": Trick(replace(ours, encryption=encryption_of(foreign)), (_R.UNKNOWN_ISSUER,)),
        "with an expired encryption certificate": Trick(
            replace(ours, encryption=encryption_of(old)), (_R.EXPIRED,), careless=_clock(-20)
        ),
        "of two signing certificates": Trick(
            replace(ours, encryption=encryption_of(signing)), (_R.WRONG_KEY_USAGE,)
        ),
    }


def _pair_of_one_key() -> Credential:
    signing = new_credential(world().root, "station", profile="signing", host=SERVER_NAME)
    certificate = issue_certificate(
        signing.chain[0].public_key(),
        signing.chain[0].subject,
        ca_certificate=world().root.certificate,
        ca_key=world().root.key,
        not_before=_now() - _DAY,
        profile="encryption",
        alt_names=signing.chain[0].subject_alt_name.names,  # type: ignore[union-attr]
    )
    return replace(signing, encryption=encryption_of(Credential((certificate,), signing.key)))
