"""A key that signs something else than it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.crypto import sm2

if TYPE_CHECKING:
    from collections.abc import Callable


class Liar:
    """A key that signs what `lie` makes of content and identifier; `key` signs in its place."""

    def __init__(
        self,
        owner: sm2.PrivateKey,
        lie: Callable[[bytes, bytes], tuple[bytes, bytes]] = lambda *both: both,
        key: sm2.PrivateKey | None = None,
    ) -> None:
        self._owner, self._lie, self._key = owner, lie, key or owner

    def public_key(self) -> sm2.PublicKey:
        return self._owner.public_key()

    def sign(self, content: bytes, identifier: bytes = sm2.DEFAULT_ID, /) -> bytes:
        content, identifier = self._lie(content, identifier)
        return self._key.sign(content, identifier)

    def sign_digest(self, digest: bytes, /) -> bytes:
        return self._key.sign_digest(digest)
