"""Each scheme does what is measured of it, and refuses what was changed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidSignature as OpenSslInvalidSignature
from cryptography.exceptions import InvalidTag as OpenSslInvalidTag

from meterseal.crypto.backends import backend
from meterseal.errors import InvalidSignature, InvalidTag
from meterseal.lab.experiment import verdict
from meterseal.lab.experiment.compare import Measured
from meterseal.lab.experiment.handshakes import Handshake
from meterseal.lab.experiment.schemes import SCHEMES, Optimised, RsaHybrid, Scheme, Traditional
from meterseal.lab.experiment.timing import Operation, Spread, measure, on_backend, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = (InvalidSignature, InvalidTag, OpenSslInvalidSignature, OpenSslInvalidTag, ValueError)
KEY = bytes(range(16))


@pytest.fixture(params=SCHEMES, ids=lambda kind: kind.__name__)
def scheme(request: pytest.FixtureRequest) -> Iterator[Scheme]:
    made: Scheme = request.param()
    with made.running():
        yield made


def test_signs_and_refuses_another_message(scheme: Scheme) -> None:
    signature = scheme.sign(b"reading")
    scheme.verify(b"reading", signature)
    with pytest.raises(REFUSED):
        scheme.verify(b"another", signature)


def test_both_ends_agree_and_agree_on_another_key_next_time(scheme: Scheme) -> None:
    keys = []
    for _ in range(2):
        kept, offered = scheme.offer()
        key, answered = scheme.answer(offered)
        assert scheme.accept(kept, answered) == key
        keys.append(key)
    assert keys[0] != keys[1]
    assert {len(key) for key in keys} == {16}


@pytest.mark.parametrize("data", [b"", b"00001234.56 kWh", bytes(256)])
def test_opens_what_was_sealed(scheme: Scheme, data: bytes) -> None:
    sealed = scheme.seal(KEY, data)
    assert data == b"" or data not in sealed
    assert scheme.open(KEY, sealed) == data


def test_refuses_what_was_changed(scheme: Scheme) -> None:
    sealed = scheme.seal(KEY, bytes(40))
    for place in range(0, len(sealed), 7):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(REFUSED):
            scheme.open(KEY, bytes(changed))


def test_the_traditional_scheme_runs_on_portable_code_and_leaves_the_rest_alone() -> None:
    before = backend()
    with Traditional().running():
        assert backend() == "portable"
    with contextlib.suppress(RuntimeError), on_backend("portable"):
        raise RuntimeError
    assert backend() == before


def test_quartiles_are_those_of_the_samples() -> None:
    assert spread([4.0, 1.0, 2.0, 3.0, 5.0]) == Spread(3.0, 2.0, 4.0, 5)


def test_every_operation_is_sampled_in_every_round() -> None:
    called: list[str] = []
    operations = [Operation(name, lambda name=name: called.append(name)) for name in ("a", "b")]
    times = measure(operations, 5)
    assert {name: time.samples for name, time in times.items()} == {"a": 5, "b": 5}
    assert all(0 < time.low <= time.median <= time.high for time in times.values())
    assert set(called) == {"a", "b"}


def measured(kind: type[Scheme], operation: str, median: float) -> Measured:
    return Measured(kind.name, operation, None, Spread(median, 0.9 * median, 1.1 * median, 9))


def test_words_follow_from_the_numbers() -> None:
    found = [
        *(measured(Optimised, name, time) for name, time in (("sign", 2), ("verify", 6))),
        *(measured(RsaHybrid, name, time) for name, time in (("sign", 80), ("verify", 2))),
        *(measured(Traditional, name, time) for name, time in (("sign", 10), ("verify", 6.1))),
    ]
    assert verdict.wins(found) == [
        "than RSA-AES-HASH: sign 40.0 times",
        "than SM2-SM4-SM3, traditional: sign 5.0 times",
    ]
    assert verdict.losses(found) == ["RSA-AES-HASH is quicker: verify 3.0 times"]
    assert verdict.undecided(found) == ["SM2-SM4-SM3, traditional: verify"]


def test_handshakes_that_cost_less_are_named() -> None:
    cheap, dear = Spread(1, 0.9, 1.1, 9), Spread(3, 2.9, 3.1, 9)
    found = [
        Handshake("TLCP 1.1, meterseal", is_protocol=True, wall=dear, work=dear),
        Handshake("TLS 1.3, OpenSSL", is_protocol=True, wall=cheap, work=cheap),
        Handshake("TLS 1.2, OpenSSL", is_protocol=True, wall=dear, work=dear),
    ]
    assert verdict.slower_handshakes(found) == [
        "TLS 1.3, OpenSSL takes less CPU than TLCP 1.1, meterseal (3.0 times)"
    ]
