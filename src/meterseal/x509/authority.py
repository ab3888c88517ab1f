"""A small authority for trials and tests: a root, the CA below it, and what that CA issues."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from meterseal.crypto.sm2 import PrivateKey
from meterseal.x509.extensions import KeyUsage
from meterseal.x509.issue import Profile, issue_certificate, self_signed
from meterseal.x509.name import Name
from meterseal.x509.pair import CertificatePair, issue_pair

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from meterseal.x509.certificate import Certificate
    from meterseal.x509.general_name import GeneralName

__all__ = ["Authority"]

_SUBJECT: Final = "/C=CN/O=meterseal dev/CN="


class Authority:
    """Issues certificates that are good from `first` (a little before now) for `days`."""

    def __init__(self, first: datetime, days: int) -> None:
        # A minute back, for clocks that are a little behind ours.
        self._first = first - timedelta(minutes=1)
        self._days = days
        self.root_key, self.key = PrivateKey.generate(), PrivateKey.generate()
        self.root = self_signed(
            self.root_key,
            Name.parse(_SUBJECT + "root"),
            not_before=self._first,
            days=days,
            path_length=1,
            key_usage=KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN,
        )
        self.certificate = issue_certificate(
            self.key.public_key(),
            Name.parse(_SUBJECT + "issuing CA"),
            ca_certificate=self.root,
            ca_key=self.root_key,
            not_before=self._first,
            profile="ca",
            days=days,
            path_length=0,
        )

    def issue(
        self, profile: Profile, owner: str, names: Sequence[GeneralName] = ()
    ) -> tuple[PrivateKey, Certificate]:
        """Return a new key and its certificate; the owner becomes the common name."""
        key = PrivateKey.generate()
        certificate = issue_certificate(
            key.public_key(),
            Name.parse(_SUBJECT + owner),
            ca_certificate=self.certificate,
            ca_key=self.key,
            not_before=self._first,
            profile=profile,
            days=self._days,
            alt_names=list(names),
        )
        return key, certificate

    def issue_pair(
        self, owner: str, names: Sequence[GeneralName] = ()
    ) -> tuple[tuple[PrivateKey, PrivateKey], CertificatePair]:
        """Return two new keys, to sign and to decrypt with, and their TLCP pair."""
        sign_key, enc_key = PrivateKey.generate(), PrivateKey.generate()
        pair = issue_pair(
            sign_key.public_key(),
            enc_key.public_key(),
            Name.parse(_SUBJECT + owner),
            ca_certificate=self.certificate,
            ca_key=self.key,
            not_before=self._first,
            days=self._days,
            alt_names=list(names),
        )
        return (sign_key, enc_key), pair
