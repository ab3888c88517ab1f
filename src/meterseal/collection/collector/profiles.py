"""Under which topics an uplink speaks: our own, or those of the Alibaba Cloud IoT platform."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from meterseal.collection import topics
from meterseal.collection.alink import Device, pack_post
from meterseal.collection.model import Reading
from meterseal.collection.sealing import open_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Alink", "OwnTopics", "Post", "Profile"]

_GONE: Final = b'{"online":false}'
_DAY: Final = 86_400_000


class Post(NamedTuple):
    """What to publish, at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


class Profile(Protocol):
    """How a collector signs in, and where it speaks and listens."""

    @property
    def client_id(self) -> str:
        """The client identifier."""

    @property
    def user_name(self) -> str:
        """The user name."""

    @property
    def password(self) -> str | None:
        """The password, if there is one."""

    @property
    def down(self) -> str:
        """Where receipts come."""

    @property
    def will(self) -> Post | None:
        """What the broker says when the collector is gone."""

    def announce(self, bundle: bytes, *, keep: bool) -> Post | None:
        """Show certificates, if there is a place; the broker keeps the message if it should."""

    def publish(self, statements: Sequence[bytes]) -> Iterator[Post]:
        """Send sealed statements: the first post carries them all."""

    def report(self, status: bytes) -> Post | None:
        """Say how the collector is, if anybody listens."""


class OwnTopics:
    """Our own topics (`topics`); the name is that of the collector's certificate."""

    def __init__(self, name: str, password: str | None = None) -> None:
        self.client_id = self.user_name = name
        self.password = password
        self.down = topics.down(name)
        self.will = Post(topics.status(name), _GONE, retain=True)

    def announce(self, bundle: bytes, *, keep: bool) -> Post | None:
        """Show certificates under their own topic."""
        return Post(topics.certificates(self.user_name), bundle, retain=keep)

    def publish(self, statements: Sequence[bytes]) -> Iterator[Post]:
        """Send one bundle."""
        yield Post(topics.up(self.user_name), topics.pack(statements))

    def report(self, status: bytes) -> Post | None:
        """Say it where the will is, retained."""
        return Post(topics.status(self.user_name), status, retain=True)


class Alink:
    """The platform's conventions: statements pass through sealed, values beside them in the open.

    There are neither wills nor retained messages, and no place for certificates: stations get them
    as files. A rule of the platform forwards what passed through to the station's own topics. `now`
    is UTC in ms.
    """

    will = None

    def __init__(self, device: Device, now: Callable[[], int], mode: int = 2) -> None:
        self._device = device
        self._now = now
        sign_in = device.sign_in(device.name, now(), mode)
        self.client_id = sign_in.client_id
        self.user_name = sign_in.user_name
        self.password: str | None = sign_in.password
        self.down = device.raw_down
        self._numbers = itertools.count(now() % _DAY)  # unique within the day, as is asked

    def announce(self, bundle: bytes, *, keep: bool) -> Post | None:
        """Show nothing."""
        del bundle, keep
        return None

    def publish(self, statements: Sequence[bytes]) -> Iterator[Post]:
        """Send one bundle, and the values of its readings for the cloud's own pages."""
        yield Post(self._device.raw_up, topics.pack(statements))
        opened = (open_sealed(sealed).statement for sealed in statements)
        readings = [it for it in opened if isinstance(it, Reading) and it.values]
        if readings:
            number = next(self._numbers)
            payload = pack_post(number, self._device.product_key, readings)
            yield Post(self._device.pack_post, payload)

    def report(self, status: bytes) -> Post | None:
        """Say nothing: nobody listens."""
        del status
        return None
