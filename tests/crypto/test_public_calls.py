"""Any call of the public face of `meterseal.crypto`, with any arguments: only declared exceptions.

A Rust panic would come out as `PanicException`, which no `except Exception` stops.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterseal.crypto import kdf, mlkem, random, record, sm2, sm3, sm4, tls13
from meterseal.errors import MeterSealError

if TYPE_CHECKING:
    from collections.abc import Callable

MODULES = (kdf, mlkem, random, record, sm2, sm3, sm4, tls13)
# What Python itself raises for an argument of a wrong kind, or a number out of range.
DECLARED = (MeterSealError, TypeError, OverflowError)

lengths = st.sampled_from([0, 1, 12, 15, 16, 17, 31, 32, 33, 48, 64, 65, 97, 1088, 1184])
octets = st.one_of(st.binary(max_size=80), lengths.map(lambda n: bytes(i % 251 for i in range(n))))
words = st.sampled_from(
    ["der", "raw", "c1c3c2", "c1c2c3", "cbc", "ctr", "ieee", "gb", "sm4-gcm", "sm4-ccm", "", "é"]
)
# Small numbers: a large one is a request for memory or work, which the limits test refuses.
numbers = st.one_of(st.integers(-2, 70), st.sampled_from([255, 0x0303, 2**16, 2**32, 2**64]))
plain = st.one_of(octets, words, numbers, st.booleans(), st.none())


def valid_objects() -> list[Any]:
    """One object of each kind that calls take or are made on."""
    key = sm2.PrivateKey.from_bytes(bytes(31) + b"\7")
    master = record.MasterSecret.from_bytes(bytes(48))
    schedule = tls13.KeySchedule("sm4-gcm")
    pair = schedule.handshake_protection(bytes(32), bytes(32), is_client=True)
    protections = [
        protect(bytes(32), bytes(32), 0x0303, is_client=True)
        for protect in (master.gcm_protection, master.cbc_protection)
    ]
    exchange = sm2.KeyExchange(key, initiator=True)
    agreement = sm2.KeyExchange(key, initiator=False).agree(
        key.public_key(), exchange.ephemeral_public_key, 16
    )
    return [
        key,
        key.public_key(),
        key.signer(),
        exchange,
        agreement,
        mlkem.MlKem768PrivateKey.from_seed(bytes(64)),
        master,
        *(each for protection in protections for each in protection),
        schedule,
        *pair,
        tls13.KeySchedule("sm4-ccm"),
        tls13.Psk.from_bytes(bytes(32)),
        sm3.sm3(),
        sm3.HMAC(b"key"),
        sm4.SM4GCM(bytes(16)),
        sm4.SM4CCM(bytes(16)),
        sm4.GCMEncryptor(bytes(16), bytes(12)),
        sm4.GCMDecryptor(bytes(16), bytes(12)),
        random.Sm3Drbg(lambda n: bytes(i % 251 for i in range(n)), lambda: 0),
    ]


def public_calls() -> dict[str, Callable[..., Any]]:
    """Every function, class and static method of the modules by name; methods come with objects."""
    calls = {}
    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing):
                calls[f"{module.__name__}.{name}"] = thing
    return calls


METHODS = sorted(
    {
        (index, name)
        for index, thing in enumerate(valid_objects())
        for name in dir(type(thing))
        if not name.startswith("_") or name in {"__reduce__", "__eq__", "__repr__", "__hash__"}
    }
)
SLOW = {"meterseal.crypto.sm3.pbkdf2"}  # 2^32 iterations are what was asked for


def call(function: Callable[..., Any], arguments: list[Any]) -> None:
    with contextlib.suppress(*DECLARED):
        function(*arguments)


def use(thing: object, name: str, arguments: list[Any]) -> None:
    """Look up a member and call it if it can be called: a property may raise too."""
    member = getattr(thing, name)
    if callable(member):
        member(*arguments)


@pytest.mark.parametrize("name", sorted(public_calls().keys() - SLOW))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_functions_raise_nothing_undeclared(name: str, data: st.DataObject) -> None:
    arguments = st.one_of(plain, st.sampled_from(valid_objects()))
    call(public_calls()[name], data.draw(st.lists(arguments, max_size=5)))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_methods_raise_nothing_undeclared(data: st.DataObject) -> None:
    """Some calls in a row on one set of objects: what one leaves behind the next one meets."""
    objects = valid_objects()
    arguments = st.one_of(octets, plain, st.sampled_from(objects))
    for _ in range(3):
        index, name = data.draw(st.sampled_from(METHODS))
        call(use, [objects[index], name, data.draw(st.lists(arguments, max_size=4))])


def test_what_is_called_is_the_whole_public_face() -> None:
    assert len(public_calls()) > 25
    assert {type(thing).__name__ for thing in valid_objects()} >= {"PrivateKey", "Tls13Opener"}


def test_a_panic_would_be_noticed() -> None:
    """Its exception is none of those declared, nor any that `except Exception` stops."""

    class Panic(BaseException):
        pass

    def panics() -> None:
        raise Panic

    with pytest.raises(Panic):
        call(panics, [])
