"""A key that signs something else than it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from meterseal.crypto import sm2

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import Signer

__all__ = ["Liar", "thief_of"]


class Liar:
    """A key that signs what `lie` makes of content and identifier; `key` signs in its place."""

    def __init__(
        self,
        owner: Signer,
        lie: Callable[[bytes, bytes], tuple[bytes, bytes]] = lambda *both: both,
        key: Signer | None = None,
    ) -> None:
        self._owner, self._lie, self._key = owner, lie, key or owner

    def public_key(self) -> sm2.PublicKey:
        """Return the key that it pretends to have."""
        return cast("sm2.PublicKey", self._owner.public_key())

    def sign(self, content: bytes, identifier: bytes = sm2.DEFAULT_ID, /) -> bytes:
        """Sign something else, or with something else."""
        content, identifier = self._lie(content, identifier)
        return self._key.sign(content, identifier)

    def sign_digest(self, digest: bytes, /) -> bytes:
        """Sign a digest, with something else."""
        return self._key.sign_digest(digest)


def thief_of(owner: Signer) -> Liar:
    """Return what somebody has who took a certificate without its key: any key of his own."""
    return Liar(owner, key=sm2.PrivateKey.generate())
