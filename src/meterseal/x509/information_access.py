"""Authority Information Access (RFC 5280, 4.2.2.1): where an issuer says more of itself.

Nothing is fetched from there; it is read so that a malformed one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.x509.general_name import GeneralName

if TYPE_CHECKING:
    from meterseal.asn1.der import Buffer

__all__ = ["AuthorityInformationAccess"]


@dataclass(frozen=True, slots=True)
class AuthorityInformationAccess:
    """Each method of access, as its identifier, with the place."""

    OID: ClassVar[str] = oids.AUTHORITY_INFORMATION_ACCESS
    descriptions: tuple[tuple[str, GeneralName], ...]

    @classmethod
    def decode(cls, data: Buffer) -> Self:
        """Decode the value of the extension. Raises MalformedData."""
        where = "Authority Information Access"
        reader = der.Reader(data, where)
        body = reader.sequence(where)
        reader.finish()
        descriptions = [_read_description(body, where)]
        while not body.at_end:
            descriptions.append(_read_description(body, where))
        return cls(tuple(descriptions))

    def encode(self) -> bytes:
        """Encode the value of the extension."""
        return der.sequence(
            *(
                der.sequence(der.object_identifier(method), place.encode())
                for method, place in self.descriptions
            )
        )


def _read_description(body: der.Reader, where: str) -> tuple[str, GeneralName]:
    description = body.sequence(where)
    method, place = description.object_identifier(), GeneralName.read(description)
    description.finish()
    return method, place
