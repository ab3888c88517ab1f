"""The compliance policies of BoringSSL: each is a choice among suites, groups and schemes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.nist.groups import MLKEM1024, P256, P384

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peers.bogo.options import Options


@dataclass(frozen=True)
class Policy:
    """What is left; everything where nothing is named."""

    suites: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    schemes: tuple[int, ...] = ()

    def restrict_schemes(self, schemes: Iterable[int]) -> tuple[int, ...]:
        return tuple(code for code in schemes if not self.schemes or code in self.schemes)


_AES256 = (0x1302, 0xC02C, 0xC030)
_SHA384 = (0x0501, 0x0503, 0x0805)
_POLICIES = {
    "fips_202205": Policy(
        suites=(0x1301, 0x1302, 0xC02B, 0xC02F, 0xC02C, 0xC030),
        groups=(P256, P384),
        schemes=(0x0401, 0x0501, 0x0601, 0x0403, 0x0503, 0x0804, 0x0805, 0x0806),
    ),
    "wpa_202304": Policy(_AES256, (P384,), (0x0501, 0x0601, 0x0503, 0x0805, 0x0806)),
    "cnsa_202407": Policy(suites=(0x1302, 0x1301, 0x1303)),
    "cnsa1_202603": Policy(_AES256, (MLKEM1024, P384), _SHA384),
    "cnsa2_202603": Policy((0x1302,), (MLKEM1024,), _SHA384),
}


def of(options: Options) -> Policy:
    for name, policy in _POLICIES.items():
        if getattr(options, name):
            return policy
    return Policy()
