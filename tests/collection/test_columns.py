"""What columns read is what the strict way reads, and nothing that it refuses."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.collection.columns import read_columns
from meterseal.collection.model import EventCode, EventRecord, MeterAddress, Quality, Quantity
from meterseal.collection.model import Reading as ReadingOf
from meterseal.collection.sealing import open_many, open_sealed
from meterseal.collection.station.store.aggregates import by_codes
from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.collection.sealing import Sealed

ENOUGH = 64
HEAD = b"\xd2\x84\x58\x2a" + cbor2.dumps({1: -65537, 4: bytes(32)}) + b"\xa0"
EDGES = (0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**40)
QUANTITIES = tuple(Quantity)
steps = st.none() | st.sampled_from([*EDGES, *(~edge for edge in EDGES)]) | st.integers()


def sealed(payload: bytes) -> bytes:
    """A payload in its envelope, under a signature of zeros."""
    return HEAD + cbor2.dumps(payload) + cbor2.dumps(bytes(64))


def payload(number: int, values: dict[int, int | None], **changes: object) -> bytes:
    fields = {"kind": 1, "meter": 202611240000 + number, "epoch": 1_763_880_000, "sequence": 1}
    fields |= {"at": 1_763_880_000_000 + number, "quality": number % 64, "body": values}
    return cbor2.dumps(dict(enumerate((fields | changes).values())))


def plain(number: int, count: int = 43) -> bytes:
    """A reading as thousands are."""
    chance = random.Random(number)  # noqa: S311
    widths = (4, 7, 15, 30)
    values = {q.code: chance.randrange(-(2**4), 2 ** chance.choice(widths)) for q in QUANTITIES}
    return payload(number, dict(list(values.items())[:count]))


def strictly(encoding: bytes) -> Sealed | str:
    try:
        return open_sealed(encoding)
    except MalformedData as error:
        return str(error)


def together(encodings: Sequence[bytes]) -> list[Sealed | str]:
    return [str(each) if isinstance(each, MalformedData) else each for each in open_many(encodings)]


def in_columns(payloads: Sequence[bytes]) -> set[int]:
    return {place for columns in read_columns(payloads) for place in columns.places.tolist()}


def check_among_others(odd: Sequence[bytes]) -> None:
    """Read payloads among plain ones: each as alone."""
    payloads = [plain(number) for number in range(ENOUGH)]
    for number, each in enumerate(odd):
        payloads.insert(3 * number % len(payloads) + 1, each)
    encodings = [sealed(each) for each in payloads]
    assert together(encodings) == [strictly(encoding) for encoding in encodings]


def test_plain_readings_are_all_read_in_columns() -> None:
    payloads = [plain(number) for number in range(ENOUGH)]
    assert in_columns(payloads) == set(range(ENOUGH))
    check_among_others([])


def test_few_are_not_worth_columns() -> None:
    assert not in_columns([plain(number) for number in range(8)])
    assert together([]) == []


def test_several_kinds_of_meters_each_have_their_columns() -> None:
    kinds = [plain(number, count) for number in range(ENOUGH) for count in (0, 7, 23, 24, 43)]
    assert in_columns(kinds) == set(range(len(kinds)))
    check_among_others(kinds)


def test_kinds_with_as_many_quantities_are_told_apart() -> None:
    some, others = QUANTITIES[:9], QUANTITIES[9:18]
    kinds = [
        payload(number, {quantity.code: number for quantity in (some, others)[number % 2]})
        for number in range(2 * ENOUGH)
    ]
    assert in_columns(kinds) == set(range(len(kinds)))
    check_among_others(kinds)


def test_odd_readings_do_not_keep_the_others_from_columns() -> None:
    long = payload(0, {quantity.code: 1 << 40 for quantity in QUANTITIES[:43]})
    odd = [plain(0)[:-1] + b"\xff", long, payload(0, {n: n for n in range(43)})]
    payloads = [*odd, *(plain(number) for number in range(ENOUGH))]
    assert in_columns(payloads) == set(range(len(odd), len(payloads)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(QUANTITIES), unique=True, max_size=30),
    st.data(),
)
def test_whatever_values_are_read_as_alone(quantities: list[Quantity], data: st.DataObject) -> None:
    codes = sorted(quantity.code for quantity in quantities)
    odd = [{code: data.draw(steps) for code in codes} for _ in range(4)]
    usual = [dict.fromkeys(codes, number) for number in range(ENOUGH)]
    check_among_others([payload(number, each) for number, each in enumerate(usual + odd)])


@pytest.mark.parametrize("field", ["kind", "meter", "epoch", "sequence", "at", "quality"])
@pytest.mark.parametrize(
    "number", [*EDGES, 64, 10**12 - 1, 10**12, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -1, -25, None]
)
def test_every_number_of_the_header_is_judged_as_alone(field: str, number: int | None) -> None:
    check_among_others(
        [payload(1, {0x11: 1}, **{field: number}), payload(1, {}, **{field: number})]
    )


def test_every_flipped_bit_is_judged_as_alone() -> None:
    honest = plain(5)
    flipped = []
    for bit in range(8 * len(honest)):
        changed = bytearray(honest)
        changed[bit // 8] ^= 1 << bit % 8
        flipped.append(bytes(changed))
    check_among_others(flipped)


def test_what_is_cut_off_lengthened_or_doubled_is_judged_as_alone() -> None:
    honest = plain(5)
    cut = [honest[:end] for end in range(len(honest))]
    longer = [honest + each for each in (b"\0", b"\xf6", b"\x18\x99\x01", honest)]
    doubled = [honest[:at] + honest[at : at + 1] + honest[at:] for at in range(len(honest))]
    check_among_others([*cut, *longer, *doubled])


def test_no_longer_form_of_a_number_passes() -> None:
    heads = {0x18: 1, 0x19: 2, 0x1A: 4, 0x1B: 8}
    odd = []
    for code, value in ((0x11, 5), (0x91, 5), (0x91, 200), (0x91, 40_000)):
        usual = payload(1, {code: value})
        key, number = cbor2.dumps(code), cbor2.dumps(value)
        for part in (key, number):
            at = usual.rindex(key + number) + (len(key) if part is number else 0)
            bare = int.from_bytes(part[1:] or part, "big")
            for head, width in heads.items():
                if width >= len(part):
                    longer = bytes([head]) + bare.to_bytes(width, "big")
                    odd.append(usual[:at] + longer + usual[at + len(part) :])
    assert len(odd) >= 16
    check_among_others(odd)
    assert not any(isinstance(strictly(sealed(each)), tuple) for each in odd)


def test_events_and_other_things_between_readings_go_their_own_way() -> None:
    event = {0: 0x11, 1: 1, 2: 0, 3: 5, 4: None, 5: {}}
    others = [payload(1, event, kind=2), b"", b"\xa0", bytes(300), cbor2.dumps([1])]  # type: ignore[arg-type]
    check_among_others(others)
    (opened,) = together([sealed(others[0])])
    assert isinstance(opened, tuple)
    assert isinstance(opened.statement, EventRecord)
    assert opened.statement.code is EventCode.POWER_FAILURE


def test_a_line_of_columns_is_a_map_of_values() -> None:
    payloads = [payload(n, {0x11: n, 0x12: None, 0x13: -n}) for n in range(ENOUGH)]
    assert in_columns(payloads) == set(range(ENOUGH))
    reading = together([sealed(each) for each in payloads])[7]
    assert isinstance(reading, tuple)
    values = reading.statement.values  # type: ignore[attr-defined]
    expected = {Quantity.VOLTAGE_A: 7, Quantity.VOLTAGE_B: None, Quantity.VOLTAGE_C: -7}
    assert values == expected
    assert dict(values) == expected
    assert repr(values) == repr(expected)
    assert type(values[Quantity.VOLTAGE_A]) is int
    assert Quantity.FREQUENCY not in values
    with pytest.raises(KeyError):
        values[Quantity.FREQUENCY]


def test_aggregates_take_columns_as_they_take_maps() -> None:
    chance = random.Random(3)  # noqa: S311
    readings = [
        ReadingOf(
            meter=MeterAddress(f"{chance.randrange(9):012}"),
            epoch=1,
            sequence=1,
            sampled_at=number,
            quality=Quality.SOUND,
            values={q: chance.choice((None, -5, 1 << 31, 7)) for q in QUANTITIES[: 2 + number % 2]},
        )
        for number in range(4 * ENOUGH)
    ]
    encodings = [
        sealed(
            payload(
                0,
                {q.code: value for q, value in each.values.items()},
                meter=int(each.meter),
                at=each.sampled_at,
            )
        )
        for each in readings
    ]
    opened = [each.statement for each in together(encodings) if not isinstance(each, str)]
    of_columns, of_maps = by_codes(opened), by_codes(readings)  # type: ignore[arg-type]
    assert of_columns.keys() == of_maps.keys()
    for codes, table in of_maps.items():
        for ours, theirs in zip(of_columns[codes], table, strict=True):
            np.testing.assert_array_equal(ours, theirs)
