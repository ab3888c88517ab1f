"""Proof for third parties: what a meter stated, and what a station signed for, years later.

A bundle carries everything that is needed but the root certificates, which whoever checks it must
have from elsewhere. N1 of the threats: the owner of a meter who denies a reading is answered by the
statement with its signature, a station that denies having it by the receipt.
"""

from meterseal.collection.station.evidence.bundle import Bundle, Claim, read_bundle, write_bundle
from meterseal.collection.station.evidence.examine import Finding, Report, check_bundle
from meterseal.collection.station.evidence.stored import export, verify_stored

__all__ = [
    "Bundle",
    "Claim",
    "Finding",
    "Report",
    "check_bundle",
    "export",
    "read_bundle",
    "verify_stored",
    "write_bundle",
]
