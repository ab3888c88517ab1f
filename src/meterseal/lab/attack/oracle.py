"""Oracles: what a victim tells of what it found wrong, by its alert, its moment or its time."""

from meterseal.lab.attack.notes import Attack
from meterseal.lab.attack.oracle_padding import padding
from meterseal.lab.attack.oracle_premaster import premaster

__all__ = ["ATTACKS"]

ATTACKS = (
    Attack(
        "oracle-padding",
        "asks a server of TLCP's CBC whether a padding was right (Vaudenay, POODLE, Lucky 13)",
        "GB/T 38636-2020, 6.3.3.4; CVE-2014-3566",
        padding,
    ),
    Attack(
        "oracle-premaster",
        "asks a server of TLCP whether an encrypted premaster secret decrypts (Bleichenbacher)",
        "GB/T 38636-2020, 6.4.5.8; RFC 5246, 7.4.7.1",
        premaster,
    ),
)
