"""Statements of meters, sealed: the wire format of readings, events and snapshots.

The payload of the envelope is a map with whole-number keys:

    0 kind   1 meter   2 epoch   3 sequence   4 sampled at, ms   5 quality   6 body

The meter stands there as its twelve digits read as a number. The body of a reading maps codes of
quantities to steps or null; that of an event is `{0: code, 1: number, 2: phase, 3: began, 4: ended
or null, 5: values}`; that of a snapshot `{0: rate, 1: volts and 2: amperes per step in units of
10^-6, 3: {channel: samples}}`, where channels are numbered U_A to U_C, I_A to I_C from 0 and
samples are signed 16-bit numbers, high byte first.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from meterseal.collection.columns import Columns, Line, read_columns
from meterseal.collection.envelope import Envelope, EnvelopeSigner, decode, encode, open_envelope
from meterseal.collection.model import (
    EventCode,
    EventRecord,
    MeterAddress,
    Quality,
    Quantity,
    Reading,
    Snapshot,
    Statement,
    Values,
)
from meterseal.crypto.sm3 import sm3_batch, sm3_digest
from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meterseal.crypto import sm2
    from meterseal.x509 import Certificate

__all__ = [
    "MAX_SEALED_SIZE",
    "Sealed",
    "Sealer",
    "digest_of",
    "digests_of",
    "open_many",
    "open_sealed",
]

MAX_SEALED_SIZE: Final = 65_536
"""Bytes of one sealed statement at most."""

CHANNELS: Final = ("U_A", "U_B", "U_C", "I_A", "I_B", "I_C")
_CONTEXT: Final = b"meterseal statement 1"
_READING, _EVENT, _SNAPSHOT = 1, 2, 3
_HEADER_KEYS: Final = list(range(7))
_EVENT_KEYS: Final = list(range(6))
_SNAPSHOT_KEYS: Final = list(range(4))
_SCALE: Final = 6
_MAX_ADDRESS: Final = 10**12 - 1
_MAX_NUMBER: Final = 2**63 - 1
_QUALITIES: Final = tuple(map(Quality, range(sum(Quality) + 1)))
_FORMS: Final = 1024  # kinds of meters, by the quantities they measure
_Map: TypeAlias = dict[int, Any]


class Sealed(NamedTuple):
    """A statement and the envelope it came in; the signature is not verified yet."""

    statement: Statement
    envelope: Envelope


class Sealer:
    """Seals statements with one SM2 key, named by its certificate.

    Raises `UsageError` if the certificate belongs to another key.
    """

    def __init__(self, key: sm2.PrivateKey, certificate: Certificate) -> None:
        self._signer = EnvelopeSigner(key, certificate, _CONTEXT)
        self.key_id = self._signer.key_id
        self.certificate = certificate

    def seal(self, statement: Statement) -> bytes:
        """Return the statement as COSE_Sign1."""
        return self._signer.sign(_payload(statement))

    def seal_many(self, statements: Sequence[Statement]) -> list[bytes]:
        """Return each statement as COSE_Sign1; other threads run meanwhile."""
        return self._signer.sign_many([_payload(statement) for statement in statements])


def open_sealed(encoding: bytes) -> Sealed:
    """Read a sealed statement. Raises `MalformedData`; the signature remains to be verified."""
    return _open_payload(open_envelope(encoding, _CONTEXT, MAX_SEALED_SIZE))


def open_many(encodings: Iterable[bytes]) -> list[Sealed | MalformedData]:
    """Read many sealed statements; where one is malformed, the error stands in its place."""
    opened: list[Envelope | Sealed | MalformedData] = [_envelope_of(each) for each in encodings]
    whole = [(at, each) for at, each in enumerate(opened) if isinstance(each, Envelope)]
    for columns in read_columns([envelope.payload for _, envelope in whole]):
        for place, reading in zip(columns.places.tolist(), _readings(columns), strict=True):
            at, envelope = whole[place]
            opened[at] = Sealed(reading, envelope)
    return [_opened(each) if isinstance(each, Envelope) else each for each in opened]


def _open_payload(envelope: Envelope) -> Sealed:
    payload = decode(envelope.payload)
    if not isinstance(payload, dict) or list(payload) != _HEADER_KEYS:
        raise MalformedData("a statement has the fields 0 to 6")
    try:
        return Sealed(_statement(payload), envelope)
    except (ValueError, TypeError, AttributeError) as error:
        raise MalformedData(f"statement: {error}") from None


def _envelope_of(encoding: bytes) -> Envelope | MalformedData:
    try:
        return open_envelope(encoding, _CONTEXT, MAX_SEALED_SIZE)
    except MalformedData as error:
        return error


def _opened(envelope: Envelope) -> Sealed | MalformedData:
    try:
        return _open_payload(envelope)
    except MalformedData as error:
        return error


def _readings(columns: Columns) -> Iterator[Reading]:
    for line, (meter, epoch, sequence, at, quality) in enumerate(columns.header.tolist()):
        yield Reading(
            meter=MeterAddress.of_number(meter),
            epoch=epoch,
            sequence=sequence,
            sampled_at=at,
            quality=_QUALITIES[quality],
            values=Line(columns, line),
        )


def digest_of(encoding: bytes) -> bytes:
    """Return the 32 bytes by which receipts name a sealed statement: its SM3 digest."""
    return sm3_digest(encoding)


def digests_of(encodings: Sequence[bytes]) -> list[bytes]:
    """Return the digest of each; several are hashed side by side."""
    return sm3_batch(encodings)


def _header(statement: Statement) -> tuple[int, int, int, int, int]:
    it = statement
    return int(it.meter), it.epoch, it.sequence, it.sampled_at, int(it.quality)


def _payload(statement: Statement) -> bytes:
    kind, body = _body(statement)
    return encode(dict(enumerate((kind, *_header(statement), body))))


def _body(statement: Statement) -> tuple[int, _Map]:
    match statement:
        case Reading(values=values):
            return _READING, _values_to_map(values)
        case EventRecord() as event:
            times = event.began_at, event.ended_at
            steps = _values_to_map(event.values)
            fields = (int(event.code), event.number, event.phase, *times, steps)
            return _EVENT, dict(enumerate(fields))
        case Snapshot() as snapshot:
            scales = map(_micro, (snapshot.voltage_scale, snapshot.current_scale))
            channels = {
                number: struct.pack(f">{len(samples)}h", *samples)
                for number, name in enumerate(CHANNELS)
                if (samples := snapshot.channels.get(name)) is not None
            }
            return _SNAPSHOT, dict(enumerate((snapshot.rate, *scales, channels)))
    raise TypeError(f"{type(statement).__name__} cannot be sealed")


def _statement(payload: _Map) -> Statement:
    kind, meter, epoch, sequence, sampled_at, quality, body = payload.values()
    header: dict[str, Any] = {
        "meter": MeterAddress.of_number(_number(meter, most=_MAX_ADDRESS)),
        "epoch": _number(epoch, least=1),
        "sequence": _number(sequence, least=1),
        "sampled_at": _number(sampled_at),
        "quality": _QUALITIES[_number(quality, most=len(_QUALITIES) - 1)],
    }
    if kind == _READING:
        return Reading(**header, values=_map_to_values(body))
    if kind == _EVENT:
        return EventRecord(**header, **_event(body))
    if kind == _SNAPSHOT:
        return Snapshot(**header, **_snapshot(body))
    raise ValueError(f"no statement has the kind {kind!r}")


def _event(body: _Map) -> dict[str, Any]:
    if list(body) != _EVENT_KEYS:
        raise ValueError("an event has the fields 0 to 5")
    code, number, phase, began, ended, values = body.values()
    return {
        "code": EventCode(_number(code)),
        "number": _number(number),
        "phase": _number(phase, most=3),
        "began_at": _number(began),
        "ended_at": None if ended is None else _number(ended),
        "values": _map_to_values(values),
    }


def _snapshot(body: _Map) -> dict[str, Any]:
    if list(body) != _SNAPSHOT_KEYS:
        raise ValueError("a snapshot has the fields 0 to 3")
    rate, volts, amperes, channels = body.values()
    return {
        "rate": _number(rate, least=1),
        "voltage_scale": Decimal(_number(volts)).scaleb(-_SCALE),
        "current_scale": Decimal(_number(amperes)).scaleb(-_SCALE),
        "channels": {_channel(number): _samples(data) for number, data in channels.items()},
    }


def _values_to_map(values: Values) -> _Map:
    codes, quantities = _in_order(tuple(values))
    return dict(zip(codes, map(values.__getitem__, quantities), strict=True))


@lru_cache(_FORMS)
def _in_order(quantities: tuple[Quantity, ...]) -> tuple[tuple[int, ...], tuple[Quantity, ...]]:
    """Sort quantities by their codes."""
    ordered = sorted(quantities, key=lambda quantity: quantity.code)
    return tuple(quantity.code for quantity in ordered), tuple(ordered)


def _map_to_values(body: _Map) -> dict[Quantity, int | None]:
    values = list(body.values())
    present = [steps for steps in values if steps is not None] if None in values else values
    if present and not _are_numbers(present):
        raise ValueError("no measured value has a fraction or more than 63 bits")
    return dict(zip(Quantity.of_codes(tuple(body)), values, strict=True))


def _are_numbers(items: list[Any]) -> bool:
    """Whether all of what was decoded are numbers of 63 bits; nothing else bears the comparison."""
    try:
        return bool(min(items) >= -_MAX_NUMBER and max(items) <= _MAX_NUMBER)
    except TypeError:
        return False


def _number(value: object, *, least: int = 0, most: int = _MAX_NUMBER) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r} is not a whole number from {least} to {most}")
    return value


def _micro(scale: Decimal) -> int:
    return int(scale.scaleb(_SCALE).to_integral_value())


def _channel(number: int) -> str:
    if number >= len(CHANNELS):
        raise ValueError(f"no channel has the number {number}")
    return CHANNELS[number]


def _samples(data: object) -> tuple[int, ...]:
    if not isinstance(data, bytes) or len(data) % 2:
        raise ValueError("samples are 16-bit numbers")
    return struct.unpack(f">{len(data) // 2}h", data)
