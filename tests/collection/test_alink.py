"""The Alibaba Cloud conventions, with the published sign-in vectors.

Origin of the vectors: the platform's public documentation of MQTT sign-in; the SHA-256 value of the
first was recomputed with `openssl dgst -sha256 -hmac`.
"""

from __future__ import annotations

import json

import pytest

from meterseal.collection.alink import Device, check_reply, device_of, property_post
from meterseal.collection.model import Quantity, Reading
from meterseal.errors import MalformedData, UsageError
from support.collecting import METER

PUBLISHED = Device("a14Xib5kdYd", "light1983432", "oLyaKqVxtRvjH284LdhqVgVUx1UPy6zq")


def test_the_published_sign_in_is_reproduced() -> None:
    sign_in = PUBLISHED.sign_in("SN1928339", timestamp=1539421321846)
    assert sign_in.password == "e6ad631b665206c0bf2efbe1b48ac4d84ff2a61fe89bac30065e17975a482c40"
    assert sign_in.user_name == "light1983432&a14Xib5kdYd"
    assert sign_in.client_id == (
        "SN1928339|securemode=2,signmethod=hmacsha256,timestamp=1539421321846|"
    )


def test_without_a_timestamp_none_is_signed_or_sent() -> None:
    sign_in = PUBLISHED.sign_in("SN1928339", mode=3)
    assert sign_in.client_id == "SN1928339|securemode=3,signmethod=hmacsha256|"
    assert sign_in.password != PUBLISHED.sign_in("SN1928339", timestamp=1).password


@pytest.mark.parametrize(("key", "name"), [("", "d"), ("k", "a/b"), ("k", "+"), ("k#", "d")])
def test_names_that_would_leave_their_topic_are_refused(key: str, name: str) -> None:
    with pytest.raises(UsageError):
        Device(key, name, "secret")


def test_a_property_post_has_the_platforms_form() -> None:
    reading = Reading(
        meter=METER,
        epoch=1,
        sequence=1,
        sampled_at=1524448722000,
        values={
            Quantity.VOLTAGE_A: 23010,
            Quantity.VOLTAGE_B: None,
            Quantity.FORWARD_ENERGY: 10000,
        },
    )
    assert json.loads(property_post(123, reading)) == {
        "id": "123",
        "version": "1.0",
        "sys": {"ack": 1},
        "params": {
            "Ua": {"value": 230.1, "time": 1524448722000},
            "ForwardEnergy": {"value": 10.0, "time": 1524448722000},
        },
        "method": "thing.event.property.post",
    }
    assert b'"value":10.0' in property_post(1, reading)


def test_identifiers_of_the_thing_model_are_distinct() -> None:
    reading = Reading(
        meter=METER, epoch=1, sequence=1, sampled_at=0, values=dict.fromkeys(Quantity, 1)
    )
    assert len(json.loads(property_post(1, reading))["params"]) == len(Quantity)


def test_the_clouds_answers_are_read_strictly() -> None:
    assert check_reply(b'{"id":"123","code":200,"data":{}}') == ("123", 200)
    for bad in (b"", b"[]", b"{}", b'{"id":1}', b'{"id":1,"code":"x"}', b"[" * 100_000):
        with pytest.raises(MalformedData):
            check_reply(bad)


def test_pass_through_topics_name_their_device() -> None:
    assert device_of(PUBLISHED.raw_up) == ("a14Xib5kdYd", "light1983432")
    for bad in (PUBLISHED.raw_down, "/sys/+/d/thing/model/up_raw", "x" + PUBLISHED.raw_up):
        with pytest.raises(MalformedData):
            device_of(bad)
