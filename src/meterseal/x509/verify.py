"""Path validation (RFC 5280, 6): from a presented certificate to an anchor that we trust.

The search goes from the leaf upwards. A candidate issuer must fit in name and key identifier, be a
valid CA, and have signed what is below it; only then the search goes on above it. Everything that
costs is counted against `Limits`, so that no set of certificates keeps us busy for long.

A chain that was verified is remembered with the trust store, under everything else that was asked:
the certificates presented, purpose, role, name, revocation lists and policy, limits, strictness.
It holds until the first of its certificates expires or time changes what a list says; then, and
whenever anything asked differs, the whole verification runs again.

Stricter than RFC 5280: anchors must be valid in time and be CAs too, a CA certificate is accepted
as leaf only if it is an anchor itself, and `anyExtendedKeyUsage` does not make a leaf fit for a
purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final

from meterseal.asn1 import oid as oids
from meterseal.asn1.times import whole_seconds
from meterseal.errors import (
    CertificateRejected,
    InternalError,
    InvalidSignature,
    RejectionReason,
)
from meterseal.x509.extensions import KeyUsage
from meterseal.x509.form import require_form
from meterseal.x509.name_constraints import require_name_constraints
from meterseal.x509.revocation import RevocationPolicy, require_not_revoked
from meterseal.x509.server_name import require_server_name
from meterseal.x509.signature import SM2_SCHEME
from meterseal.x509.strictness import Strictness, require_strict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from meterseal.crypto import sm2
    from meterseal.x509.certificate import Certificate
    from meterseal.x509.crl import CertificateRevocationList
    from meterseal.x509.signature import SignatureScheme
    from meterseal.x509.store import TrustStore

__all__ = ["KeyRole", "Limits", "Purpose", "VerifiedChain", "verify_chain"]

_SEAL = object()


class Purpose(Enum):
    """What the leaf is to be used for: it authenticates a server, a client, or either."""

    SERVER = oids.SERVER_AUTH
    CLIENT = oids.CLIENT_AUTH
    ANY = ""


class KeyRole(Enum):
    """What the leaf's key is to do; a Key Usage, if present, must allow one of these."""

    SIGNING = KeyUsage.DIGITAL_SIGNATURE
    ENCRYPTION = KeyUsage.KEY_ENCIPHERMENT | KeyUsage.DATA_ENCIPHERMENT | KeyUsage.KEY_AGREEMENT


@dataclass(frozen=True, slots=True)
class Limits:
    """The work that one verification may cause."""

    presented: int = 16
    path_length: int = 8
    candidates: int = 256
    signature_checks: int = 32
    name_comparisons: int = 100_000


class VerifiedChain:
    """The proof that a chain was verified: only `verify_chain` makes one."""

    __slots__ = ("_chain", "_since", "_until")

    def __init__(
        self, chain: tuple[Certificate, ...], since: datetime, until: datetime, seal: object
    ) -> None:
        if seal is not _SEAL:
            raise InternalError("a VerifiedChain can only come from verify_chain")
        self._chain = chain
        self._since, self._until = since, until

    def holds(self, at: datetime) -> bool:
        """Whether the same verification at that time would give the same chain."""
        return self._since <= at <= self._until

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """The certificates, from the leaf to the anchor."""
        return self._chain

    @property
    def leaf(self) -> Certificate:
        """The certificate of the end entity."""
        return self._chain[0]

    @property
    def anchor(self) -> Certificate:
        """The trusted certificate at the end."""
        return self._chain[-1]

    def public_key(self) -> sm2.PublicKey:
        """Return the leaf's key."""
        return self.leaf.public_key()

    def __repr__(self) -> str:
        return f"<VerifiedChain {' <- '.join(str(link.subject) for link in self._chain)}>"


def verify_chain(  # noqa: PLR0913
    presented: Sequence[Certificate],
    trust: TrustStore,
    *,
    at: datetime,
    purpose: Purpose,
    server_name: str | None = None,
    role: KeyRole = KeyRole.SIGNING,
    common_name_fallback: bool = False,
    crls: Sequence[CertificateRevocationList] = (),
    revocation: RevocationPolicy = RevocationPolicy.IF_AVAILABLE,
    limits: Limits = Limits(),
    scheme: SignatureScheme = SM2_SCHEME,
    strictness: Strictness = Strictness.TOLERANT,
) -> VerifiedChain:
    """Verify the first of the presented certificates; the others may help to reach an anchor.

    `server_name` is a host name or an address; None checks no name. `crls` are looked at as
    `revocation` says, and `strictness` is demanded of the path; a leaf that is trusted itself is
    taken without both. Raises CertificateRejected with the reason and the certificate that broke
    the rule.
    """
    terms = (
        purpose, role, common_name_fallback, tuple(crls), revocation, limits, scheme, strictness,
    )  # fmt: skip
    at = whole_seconds(at)
    known = trust.remembered.find(_key(presented, server_name))
    if known is not None and known[0] == terms and known[1].holds(at):
        return known[1]
    search = _Search(
        presented, trust, at, purpose, limits, scheme,
        common_name_fallback=common_name_fallback, crls=crls, revocation=revocation,
        strictness=strictness,
    )  # fmt: skip
    path = search.verify(server_name, role)
    verified = VerifiedChain(path, at, _holds_until(path, crls, at), _SEAL)
    if sum(len(certificate.encoding) for certificate in presented) <= _REMEMBERED_LENGTH:
        trust.remembered.keep(_key(presented, server_name), (terms, verified))
        trust.remembered.keep(_key(path, server_name), (terms, verified))  # as sessions present it
    return verified


_REMEMBERED_LENGTH: Final = 8192  # of the certificates of one chain


def _key(presented: Sequence[Certificate], server_name: str | None) -> object:
    """What answers are found by; everything else that was asked is compared."""
    return server_name, tuple(certificate.encoding for certificate in presented)


def _holds_until(
    path: tuple[Certificate, ...], crls: Sequence[CertificateRevocationList], at: datetime
) -> datetime:
    """The last second at which nothing has changed: no expiry, no list that begins or ends."""
    turns = [moment for crl in crls for moment in (crl.this_update, crl.next_update) if moment]
    changes = [moment - timedelta(seconds=1) for moment in turns if moment > at]
    return min([certificate.not_after for certificate in path] + changes)


@dataclass(slots=True)
class _Search:
    """One verification: what it works with, what it has spent, and what went wrong on the way."""

    presented: Sequence[Certificate]
    trust: TrustStore
    at: datetime
    purpose: Purpose
    limits: Limits
    scheme: SignatureScheme
    common_name_fallback: bool = field(kw_only=True)
    crls: Sequence[CertificateRevocationList] = field(kw_only=True)
    revocation: RevocationPolicy = field(kw_only=True)
    strictness: Strictness = field(kw_only=True)
    candidates: int = 0
    signature_checks: int = 0
    signatures: dict[tuple[Certificate, Certificate], bool] = field(default_factory=dict)
    failure: CertificateRejected | None = None
    failure_depth: int = -1

    def verify(self, server_name: str | None, role: KeyRole) -> tuple[Certificate, ...]:
        """Return the path from the first certificate presented to its anchor."""
        if not self.presented:
            raise CertificateRejected(RejectionReason.MISSING, "no certificate was presented")
        if len(self.presented) > self.limits.presented:
            raise CertificateRejected(
                RejectionReason.TOO_MUCH_WORK,
                f"{len(self.presented)} certificates were presented; "
                f"the limit is {self.limits.presented}",
            )
        leaf = self.presented[0]
        is_trusted = leaf in self.trust
        self.require_usable(leaf)
        _require_end_entity(leaf, self.purpose, role, trusted=is_trusted)
        if server_name is not None:
            fallback = self.common_name_fallback
            require_server_name(leaf, server_name, common_name_fallback=fallback)
        return (leaf,) if is_trusted else self.find_path((leaf,))

    def find_path(self, path: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
        """Return a path from the leaf to an anchor, or raise the most telling failure."""
        found = self.extend(path)
        if found is not None:
            return found
        if self.failure is not None:
            raise self.failure
        leaf = path[0]
        detail = "no trusted certificate of its issuer was found"
        if leaf.is_self_issued:
            detail = "it is self-issued and not among the trusted certificates"
        raise _rejected(RejectionReason.UNKNOWN_ISSUER, detail, leaf)

    def extend(self, path: tuple[Certificate, ...]) -> tuple[Certificate, ...] | None:
        """Try all issuers of the last certificate of a path, anchors first."""
        for issuer in self.issuers_of(path):
            self.candidates += 1
            if self.candidates > self.limits.candidates:
                raise _rejected(RejectionReason.TOO_MUCH_WORK, "too many possible issuers", path[0])
            extended = (*path, issuer)
            try:
                self.require_issuer(issuer, path)
                if issuer in self.trust:
                    self.require_names(extended)
                    self.require_strict(extended)
                    self.require_not_revoked(extended)
                    return extended
            except CertificateRejected as error:
                self.remember(error, len(path))
                continue
            found = self.extend(extended)
            if found is not None:
                return found
        return None

    def issuers_of(self, path: tuple[Certificate, ...]) -> Iterator[Certificate]:
        """Give the certificates that may have issued the last one, each once, and no loops."""
        child = path[-1]
        anchors = self.trust.with_subject(child.issuer)
        others = [link for link in self.presented[1:] if link.subject.matches(child.issuer)]
        authority = child.authority_key_identifier
        wanted = authority.key_identifier if authority else None
        for issuer in dict.fromkeys([*anchors, *others]):
            known = issuer.subject_key_identifier
            if wanted is not None and known is not None and wanted != known:
                continue
            in_path = any(
                issuer.spki.encoding == link.spki.encoding and issuer.subject.matches(link.subject)
                for link in path
            )
            if not in_path:
                yield issuer

    def require_issuer(self, issuer: Certificate, path: tuple[Certificate, ...]) -> None:
        """Raise unless this certificate may be, and is, the issuer of the path's last one."""
        self.require_usable(issuer, anchor=issuer in self.trust)
        _require_ca(issuer)
        if self.purpose is not Purpose.ANY:
            _require_purpose_of_ca(issuer, self.purpose)
        self.require_path_length(issuer, path)
        self.require_signature(path[-1], issuer)

    def require_usable(self, certificate: Certificate, *, anchor: bool = False) -> None:
        """Raise unless the certificate by itself is one that we understand, valid now.

        How an anchor is signed does not matter.
        """
        if certificate.not_before > self.at:
            detail = f"it is valid from {certificate.not_before:%Y-%m-%d %H:%M:%S} UTC"
            raise _rejected(RejectionReason.NOT_YET_VALID, detail, certificate)
        if certificate.not_after < self.at:
            detail = f"it was valid until {certificate.not_after:%Y-%m-%d %H:%M:%S} UTC"
            raise _rejected(RejectionReason.EXPIRED, detail, certificate)
        require_form(certificate)
        try:
            self.scheme.require_key(certificate.spki)
            if not anchor:
                _require_one_algorithm(certificate)
                self.scheme.require_algorithm(certificate.signature_algorithm)
        except CertificateRejected as error:
            raise _rejected(error.reason, error.detail, certificate) from None

    def require_path_length(self, issuer: Certificate, path: tuple[Certificate, ...]) -> None:
        """Raise if there are more CAs below the issuer than it, or we, allow (6.1.4, l and m)."""
        below = sum(1 for link in path[1:] if not link.is_self_issued)
        constraints = issuer.basic_constraints
        most = constraints.path_length if constraints else None
        if most is not None and below > most:
            detail = f"{below} CAs stand below it, it allows {most}"
            raise _rejected(RejectionReason.PATH_TOO_LONG, detail, issuer)
        if len(path) > self.limits.path_length:
            detail = f"the path has more than {self.limits.path_length} issuers"
            raise _rejected(RejectionReason.PATH_TOO_LONG, detail, issuer)

    def require_signature(self, child: Certificate, issuer: Certificate) -> None:
        """Raise unless the issuer's key signed the child; each pair is computed once."""
        pair = (child, issuer)
        if pair not in self.signatures:
            self.count_signature(child)
            try:
                self.scheme.verify(issuer.spki, child.signature, child.tbs)
                self.signatures[pair] = True
            except InvalidSignature:
                self.signatures[pair] = False
        if not self.signatures[pair]:
            detail = f"the key of {issuer.subject} did not sign it"
            raise _rejected(RejectionReason.BAD_SIGNATURE, detail, child)

    def require_names(self, path: tuple[Certificate, ...]) -> None:
        """Raise if a name in the whole path breaks a name constraint."""
        require_name_constraints(
            path,
            comparisons=self.limits.name_comparisons,
            common_name_fallback=self.common_name_fallback,
        )

    def require_strict(self, path: tuple[Certificate, ...]) -> None:
        """Raise if a certificate leaves out what our policy demands of issuers."""
        if self.strictness is Strictness.STRICT:
            require_strict(path, is_server=self.purpose is Purpose.SERVER)

    def require_not_revoked(self, path: tuple[Certificate, ...]) -> None:
        """Raise if a certificate below the anchor is revoked, or may be by our policy."""
        require_not_revoked(
            path,
            self.crls,
            self.revocation,
            at=self.at,
            scheme=self.scheme,
            count_signature=self.count_signature,
            with_number=self.strictness is Strictness.STRICT,
        )

    def count_signature(self, certificate: Certificate) -> None:
        """Take one signature from the budget."""
        self.signature_checks += 1
        if self.signature_checks > self.limits.signature_checks:
            detail = "too many signatures to check"
            raise _rejected(RejectionReason.TOO_MUCH_WORK, detail, certificate)

    def remember(self, error: CertificateRejected, depth: int) -> None:
        """Keep the failure that lies farthest from the leaf; spent budgets end the search."""
        if error.reason is RejectionReason.TOO_MUCH_WORK:
            raise error
        if depth > self.failure_depth:
            self.failure, self.failure_depth = error, depth


def _require_one_algorithm(certificate: Certificate) -> None:
    if certificate.tbs_algorithm != certificate.signature_algorithm:
        detail = "the algorithms inside and outside of the signed part differ"
        raise CertificateRejected(RejectionReason.UNSUPPORTED_ALGORITHM, detail)


def _require_end_entity(
    leaf: Certificate, purpose: Purpose, role: KeyRole, *, trusted: bool
) -> None:
    constraints = leaf.basic_constraints
    if leaf.is_self_issued and not trusted:
        raise _rejected(RejectionReason.UNKNOWN_ISSUER, "it is self-signed and not trusted", leaf)
    if constraints and constraints.ca and not trusted:
        detail = "the certificate of a CA stands as end entity"
        raise _rejected(RejectionReason.WRONG_KEY_USAGE, detail, leaf)
    usage = leaf.key_usage
    if usage is not None and KeyUsage.KEY_CERT_SIGN in usage and not trusted:
        detail = "its key may sign certificates, though it is not that of a CA"
        raise _rejected(RejectionReason.WRONG_KEY_USAGE, detail, leaf)
    if usage is not None and not usage & role.value:
        detail = f"its key may not be used for {role.name.lower()}"
        raise _rejected(RejectionReason.WRONG_KEY_USAGE, detail, leaf)
    extended = leaf.extended_key_usage
    if purpose is not Purpose.ANY and extended and purpose.value not in extended.purposes:
        detail = f"it is not issued for {oids.name_of(purpose.value)}"
        raise _rejected(RejectionReason.WRONG_EXTENDED_KEY_USAGE, detail, leaf)


def _require_ca(issuer: Certificate) -> None:
    constraints = issuer.basic_constraints
    if constraints is None or not constraints.ca:
        raise _rejected(RejectionReason.NOT_A_CA, "it has no CA flag", issuer)
    usage = issuer.key_usage
    if usage is not None and KeyUsage.KEY_CERT_SIGN not in usage:
        detail = "its key may not sign certificates"
        raise _rejected(RejectionReason.WRONG_KEY_USAGE, detail, issuer)


def _require_purpose_of_ca(issuer: Certificate, purpose: Purpose) -> None:
    extended = issuer.extended_key_usage
    if extended is None or oids.ANY_EXTENDED_KEY_USAGE in extended.purposes:
        return
    if purpose.value not in extended.purposes:
        detail = f"it may not issue for {oids.name_of(purpose.value)}"
        raise _rejected(RejectionReason.WRONG_EXTENDED_KEY_USAGE, detail, issuer)


def _rejected(
    reason: RejectionReason, detail: str, certificate: Certificate
) -> CertificateRejected:
    return CertificateRejected(reason, detail, str(certificate.subject))
