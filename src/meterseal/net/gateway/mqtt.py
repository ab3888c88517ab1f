"""As much of MQTT 3.1.1 and 5.0 as a guard needs: packets, and who may send which.

Packets are taken whole, checked, and passed on byte for byte, but for CONNECT: there the user name
becomes the name of the client's certificate, so that the broker's own rules see who it really is.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from meterseal.errors import MalformedData, MeterSealError

if TYPE_CHECKING:
    from meterseal.net.gateway.access import Access

__all__ = ["Guard", "NotAllowed", "Packets"]

_LENGTH_BYTES: Final = 4
_CONTINUES: Final = 0x80
_FORM: Final = b"\x00\x04MQTT"
_V311, _V5 = 4, 5
_LEVELS: Final = (_V311, _V5)

_RESERVED, _WILL, _WILL_RETAIN_QOS, _PASSWORD, _USER_NAME = 0x01, 0x04, 0x38, 0x40, 0x80
_QOS: Final = 0x06
_MAX_QOS: Final = 2


class _Kind(IntEnum):
    """Packet types, MQTT 3.1.1, 2.2.1."""

    CONNECT = 1
    PUBLISH = 3
    SUBSCRIBE = 8
    UNSUBSCRIBE = 10


_FROM_CLIENTS: Final = frozenset({1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15})


class NotAllowed(MeterSealError):
    """A client asked for what its name may not have."""


class Packets:
    """Cuts a stream into packets. Raises `MalformedData`, also for packets above `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._unread = bytearray()

    def receive_data(self, data: bytes) -> list[bytes]:
        """Return the packets that are complete now."""
        self._unread += data
        found = []
        start = 0
        while (end := self._end(start)) is not None and end <= len(self._unread):
            found.append(bytes(self._unread[start:end]))
            start = end
        del self._unread[:start]
        return found

    def _end(self, start: int) -> int | None:
        """Where the packet at `start` ends; None while its length is not there."""
        length = 0
        for place in range(_LENGTH_BYTES):
            position = start + 1 + place
            if position >= len(self._unread):
                return None
            byte = self._unread[position]
            length |= (byte & 0x7F) << 7 * place
            if length > self._limit:
                raise MalformedData(f"an MQTT packet of {length} bytes; {self._limit} are allowed")
            if not byte & _CONTINUES:
                return position + 1 + length
        raise MalformedData("the length of an MQTT packet takes more than four bytes")


class Guard:
    """Stands between one client and the broker; `name` is that of the client's certificate.

    The client's identifier must be its name, or begin with it and a hyphen: nobody can take over
    another's session.
    """

    def __init__(
        self, name: str, access: Access, limit: int, password: bytes | None = None
    ) -> None:
        self._name = name
        self._access = access
        self._password = password
        self._packets = Packets(limit)
        self._level: int | None = None
        self.published = 0

    def from_client(self, data: bytes) -> bytes:
        """Return what goes to the broker. Raises `MalformedData` or `NotAllowed`: then it ends."""
        return b"".join(map(self._check, self._packets.receive_data(data)))

    def _check(self, packet: bytes) -> bytes:
        kind = packet[0] >> 4
        body = _Body(packet, _start_of_body(packet))
        if self._level is None:
            if kind != _Kind.CONNECT:
                raise MalformedData("an MQTT client begins with CONNECT")
            return self._connect(body)
        if kind not in _FROM_CLIENTS or kind == _Kind.CONNECT:
            raise MalformedData(f"a client may not send MQTT packets of type {kind} here")
        if kind == _Kind.PUBLISH:
            self._check_publish(packet[0], body)
        elif kind == _Kind.SUBSCRIBE:
            self._check_subscribe(body)
        return packet

    def _connect(self, body: _Body) -> bytes:
        """Check CONNECT (3.1.1 and 5.0, 3.1) and put our names into it."""
        form = body.take(len(_FORM))
        level = body.byte()
        if form != _FORM or level not in _LEVELS:
            raise MalformedData("the gateway speaks MQTT 3.1.1 and 5.0")
        flags = body.byte()
        if flags & _RESERVED or (not flags & _WILL and flags & _WILL_RETAIN_QOS):
            raise MalformedData("reserved flags of CONNECT are set")
        keep_alive = body.take(2)
        properties = body.properties() if level == _V5 else b""
        client_id = body.text()
        if client_id != self._name and not client_id.startswith(f"{self._name}-"):
            raise NotAllowed(f"the client identifier {client_id!r} is not {self._name!r}")
        will = self._will(body, level) if flags & _WILL else b""
        if flags & _USER_NAME:
            body.binary()
        if flags & _PASSWORD:
            body.binary()
        body.require_end()
        self._level = level
        flags = flags & ~_PASSWORD | _USER_NAME | (_PASSWORD if self._password is not None else 0)
        password = b"" if self._password is None else _prefixed(self._password)
        rest = (
            *(form, bytes((level, flags)), keep_alive, properties),
            *(_prefixed(client_id.encode()), will, _prefixed(self._name.encode()), password),
        )
        return _packet(_Kind.CONNECT << 4, b"".join(rest))

    def _will(self, body: _Body, level: int) -> bytes:
        start = body.position
        if level == _V5:
            body.properties()
        topic = body.text()
        if not self._access.may_publish(self._name, topic):
            raise NotAllowed(f"{self._name} may not leave a will on {topic!r}")
        body.binary()
        return body.since(start)

    def _check_publish(self, first: int, body: _Body) -> None:
        if (first & _QOS) >> 1 > _MAX_QOS:
            raise MalformedData("there is no QoS 3")
        topic = body.text()
        if not topic and self._level == _V5:
            # An alias of a topic: it was checked when the client set it, with its name.
            self.published += 1
            return
        if not self._access.may_publish(self._name, topic):
            raise NotAllowed(f"{self._name} may not publish to {topic!r}")
        self.published += 1

    def _check_subscribe(self, body: _Body) -> None:
        body.take(2)
        if self._level == _V5:
            body.properties()
        while not body.at_end:
            asked = body.text()
            body.byte()
            if not self._access.may_subscribe(self._name, asked):
                raise NotAllowed(f"{self._name} may not subscribe to {asked!r}")


class _Body:
    """Reads fields of a packet; raises `MalformedData` where they end too early."""

    def __init__(self, packet: bytes, start: int) -> None:
        self._packet = packet
        self.position = start

    @property
    def at_end(self) -> bool:
        return self.position == len(self._packet)

    def take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self._packet):
            raise MalformedData("an MQTT packet ends within a field")
        taken = self._packet[self.position : end]
        self.position = end
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def binary(self) -> bytes:
        return self.take(int.from_bytes(self.take(2), "big"))

    def text(self) -> str:
        try:
            return self.binary().decode()
        except UnicodeDecodeError:
            raise MalformedData("a text in an MQTT packet is not UTF-8") from None

    def properties(self) -> bytes:
        """Take the properties of MQTT 5.0 as they stand, with their length (2.2.2)."""
        start = self.position
        length = 0
        for place in range(_LENGTH_BYTES):
            byte = self.byte()
            length |= (byte & 0x7F) << 7 * place
            if not byte & _CONTINUES:
                self.take(length)
                return self.since(start)
        raise MalformedData("the length of properties takes more than four bytes")

    def since(self, start: int) -> bytes:
        return self._packet[start : self.position]

    def require_end(self) -> None:
        if not self.at_end:
            raise MalformedData("an MQTT packet is longer than its fields")


def _start_of_body(packet: bytes) -> int:
    position = 1
    while packet[position] & _CONTINUES:
        position += 1
    return position + 1


def _prefixed(field: bytes) -> bytes:
    return len(field).to_bytes(2, "big") + field


def _packet(first: int, body: bytes) -> bytes:
    length = len(body)
    encoded = bytearray()
    while True:
        length, low = length >> 7, length & 0x7F
        encoded.append(low | (_CONTINUES if length else 0))
        if not length:
            return bytes((first,)) + bytes(encoded) + body
