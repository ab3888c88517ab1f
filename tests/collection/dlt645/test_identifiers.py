"""The table of identifiers, and answers read and made by it."""

from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.collection.dlt645.frame import FrameDecoder
from meterseal.collection.dlt645.identifiers import FAMILIES, expand, lookup
from meterseal.collection.dlt645.items import (
    decode_block,
    decode_item,
    decode_quantities,
    encode_item,
    encode_quantity,
)
from meterseal.collection.dlt645.messages import identifier_of
from meterseal.collection.model import EventCode, Quantity
from meterseal.errors import MalformedData, UsageError
from support import dlt645_captures as captures


def content(text: str) -> tuple[int, bytes]:
    (frame,) = FrameDecoder().receive_data(bytes.fromhex(text))
    code = identifier_of(frame)
    assert code is not None
    return code, frame.data[4:]


@pytest.mark.parametrize(("text", "numbers"), captures.ANSWERS.items())
def test_captured_answers_hold_the_numbers_that_their_sources_say(
    text: str, numbers: tuple[int | None, ...]
) -> None:
    block = decode_block(*content(text))
    assert tuple(value for values in block.values() for value in values) == numbers


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (captures.DEMAND, (32105, datetime(2026, 11, 20, 19, 45))),
        (captures.DATE, (date(2016, 1, 11),)),
        (captures.TIME, (time(21, 53, 55),)),
        (captures.FREEZE_TIME, (datetime(2015, 10, 9),)),
    ],
)
def test_captured_answers_with_moments_decode_and_encode(
    text: str, values: tuple[object, ...]
) -> None:
    code, data = content(text)
    assert decode_item(code, data) == values
    assert encode_item(code, decode_item(code, data)) == data


def test_no_identifier_belongs_to_two_families() -> None:
    seen: set[int] = set()
    for family in FAMILIES:
        codes = {family.group << 16 | di1 << 8 | di0 for di1 in family.di1 for di0 in family.di0}
        assert not codes & seen, family.name
        seen |= codes
        assert all(code & 0xFFFF in {code & 0xFFFF for code in codes} for code in codes)
        for low in family.quantities:
            assert family.group << 16 | low in codes


def test_units_of_the_table_are_those_of_the_quantities() -> None:
    for family in FAMILIES:
        for quantity in family.quantities.values():
            assert quantity.unit == family.unit, family.name


def test_no_quantity_stands_twice() -> None:
    quantities = [quantity for family in FAMILIES for quantity in family.quantities.values()]
    assert len(quantities) == len(set(quantities))


@pytest.mark.parametrize(
    ("code", "name", "size"),
    [
        (0x02010100, "voltage", 2),
        (0x02020300, "current", 3),
        (0x0203FF00 - 0xFF00, "active power", 3),
        (0x02060100, "power factor", 2),
        (0x020A0315, "harmonic content of voltage", 2),
        (0x02800002, "frequency", 2),
        (0x0280000A, "battery working time", 4),
        (0x00013F0C, "forward active energy", 4),
        (0x01010000, "forward maximum demand", 8),
        (0x04000401, "address", 6),
        (0x04000507, "running status words 1 to 7", 2),
        (0x04000B01, "settlement days 1 to 3, DDhh", 2),
    ],
)
def test_the_table_knows(code: int, name: str, size: int) -> None:
    known = lookup(code)
    assert known is not None
    assert (known.family.name, known.family.size) == (name, size)


@pytest.mark.parametrize(
    ("group", "event"),
    [
        (0x03010000, EventCode.VOLTAGE_LOSS),
        (0x03020000, EventCode.UNDER_VOLTAGE),
        (0x030E0000, EventCode.POWER_REVERSAL),
        (0x03110000, EventCode.POWER_FAILURE),
        (0x03300400, EventCode.CLOCK_SET),
        (0x03300D00, EventCode.METER_COVER_OPENED),
        (0x03300E00, EventCode.TERMINAL_COVER_OPENED),
    ],
)
def test_event_counters_know_their_event(group: int, event: EventCode) -> None:
    known = lookup(group)
    assert known is not None
    assert known.family.event is event


def test_every_event_of_the_model_has_its_counter() -> None:
    assert {family.event for family in FAMILIES if family.event} == set(EventCode)


@pytest.mark.parametrize("code", [0x02010000, 0x02010400, 0x0201FF01, 0x0240FF00, 0xFFFFFFFF, 0])
def test_unknown_identifiers_are_not_invented(code: int) -> None:
    assert (lookup(code) is None) == (code != 0)
    assert (expand(code) == ()) == (code != 0)


def test_ff_stands_for_the_whole_run_in_order() -> None:
    assert [item.code for item in expand(0x0201FF00)] == [0x02010100, 0x02010200, 0x02010300]
    assert [item.code for item in expand(0x0203FF00)][:2] == [0x02030000, 0x02030100]
    assert len(expand(0x0001FF00)) == 64
    assert [item.code for item in expand(0x000100FF)] == [0x00010000 + k for k in range(13)]
    assert len(expand(0x020A01FF)) == 21
    assert len(expand(0x040005FF)) == 7


def test_quantities_come_in_the_steps_of_the_model() -> None:
    code, data = content(next(iter(captures.ANSWERS)))
    assert decode_quantities(code, data) == {
        Quantity.VOLTAGE_A: 23010,
        Quantity.VOLTAGE_B: 22990,
        Quantity.VOLTAGE_C: 23140,
    }


def test_absent_phases_are_missing_and_never_6665_volts() -> None:
    answer = "68 34 01 00 14 12 23 68 91 0A 33 32 34 35 A4 56 32 32 32 32 79 16"
    assert decode_quantities(*content(answer)) == {
        Quantity.VOLTAGE_A: 23710,
        Quantity.VOLTAGE_B: None,
        Quantity.VOLTAGE_C: None,
    }


def test_a_block_may_be_shorter_than_its_table_but_not_longer() -> None:
    one = bytes.fromhex("0023")
    assert decode_quantities(0x0201FF00, one)[Quantity.VOLTAGE_C] is None
    assert len(decode_block(0x0201FF00, one * 3)) == 3
    for wrong in (b"", one * 4, one + b"\x00"):
        with pytest.raises(MalformedData):
            decode_block(0x0201FF00, wrong)


def test_a_single_item_has_exactly_its_length() -> None:
    assert decode_item(0x02010100, bytes.fromhex("0023")) == (2300,)
    with pytest.raises(MalformedData, match="2 bytes expected, 3"):
        decode_item(0x02010100, bytes.fromhex("002300"))


def test_an_unknown_identifier_gives_its_bytes() -> None:
    assert decode_item(0xE1000000, b"sealed") == (b"sealed",)
    with pytest.raises(UsageError):
        decode_block(0xE1000000, b"sealed")


def test_measured_values_go_into_registers() -> None:
    values = {
        Quantity.VOLTAGE_A: 23016,
        Quantity.VOLTAGE_B: None,
        Quantity.FORWARD_ENERGY: 1_234_569,
        Quantity.ACTIVE_POWER: -12_101,
        Quantity.CURRENT_A: 800_000,
        Quantity.FREQUENCY: 49_985,
    }
    assert encode_quantity(0x02010100, values) == bytes.fromhex("0223")
    assert encode_quantity(0x02010200, values) == b"\xff\xff"
    assert encode_quantity(0x02010300, values) is None
    assert encode_quantity(0x00010000, values) == bytes.fromhex("56341200")
    assert encode_quantity(0x02030000, values) == bytes.fromhex("012181")
    assert encode_quantity(0x02020100, values) == b"\xff\xff\xff"
    assert encode_quantity(0x02800002, values) == bytes.fromhex("9949")
    assert encode_quantity(0xE1000000, values) is None


@given(st.sampled_from([family for family in FAMILIES if family.quantities]), st.data())
def test_a_quantity_survives_its_register(family: object, data: st.DataObject) -> None:
    low, quantity = data.draw(st.sampled_from(list(family.quantities.items())))
    code = family.group << 16 | low
    if len(family.fields) > 1:
        return
    lost = 10 ** max(0, quantity.decimals - family.fields[0].decimals)
    steps = data.draw(st.integers(0, 1999)) * lost
    encoded = encode_quantity(code, {quantity: steps})
    assert encoded is not None
    assert decode_quantities(code, encoded) == {quantity: steps}
