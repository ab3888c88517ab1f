"""Attacks on nonces: each takes the key of its weak victim, and fails on ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.crypto import sm2
from meterseal.crypto.random import Sm3Drbg
from meterseal.errors import RandomnessFailure
from meterseal.lab.random import nonces, victims

if TYPE_CHECKING:
    from meterseal.lab.random.victims import Signed

KEY = sm2.PrivateKey.from_bytes(bytes(range(1, 33)))
PUBLIC = KEY.public_key()
D = int.from_bytes(KEY.to_bytes())


def test_the_clock_gives_the_key_of_a_generator_seeded_by_time() -> None:
    before = victims.milliseconds()
    (signed,) = victims.seeded_by_time(KEY, 1)
    assert nonces.search_clock(PUBLIC, signed, before, known_to=60_000)[1] == D


def test_a_search_that_looks_elsewhere_finds_nothing() -> None:
    (signed,) = victims.seeded_by_time(KEY, 1)
    tried, found = nonces.search_clock(PUBLIC, signed, 0, known_to=100)
    assert (tried, found) == (200, None)


@pytest.mark.parametrize("sign", [victims.ours, victims.ours_at_worst])
def test_the_clock_does_not_give_ours(sign: victims.Victim) -> None:
    (signed,) = sign(KEY, 1)
    around = victims.milliseconds() if sign is victims.ours else victims.STOPPED // 1_000_000
    assert nonces.search_clock(PUBLIC, signed, around, known_to=500)[1] is None


def test_short_nonces_give_the_key() -> None:
    assert nonces.lattice(PUBLIC, victims.short(KEY, nonces.SIGNATURES))[1] == D


def test_the_lattice_does_not_give_ours_at_its_worst() -> None:
    assert nonces.lattice(PUBLIC, victims.ours_at_worst(KEY, nonces.SIGNATURES))[1] is None


@pytest.mark.parametrize("sign", [victims.one_nonce, victims.counted])
def test_nonces_near_each_other_give_the_key(sign: victims.Victim) -> None:
    assert nonces.search_difference(PUBLIC, *sign(KEY, 2))[1] == D


@pytest.mark.parametrize("sign", [victims.ours, victims.ours_at_worst, victims.ours_restored])
def test_ours_are_not_near_each_other(sign: victims.Victim) -> None:
    assert nonces.search_difference(PUBLIC, *sign(KEY, 2))[1] is None


def test_in_the_worst_case_all_that_varies_is_the_message() -> None:
    """Else the worst case would not be one: same state and same message give the same nonce."""
    digest = bytes(range(32))
    first, second = (victims._in_new_process(KEY, digest) for _ in range(2))
    assert first == second != victims._in_new_process(KEY, digest[::-1])


def test_victims_sign_truly() -> None:
    for sign in (victims.seeded_by_time, victims.short, victims.counted, victims.ours_at_worst):
        check(sign(KEY, 1)[0])


def check(signed: Signed) -> None:
    signature = signed.r.to_bytes(32) + signed.s.to_bytes(32)
    PUBLIC.verify_digest(signature, signed.e.to_bytes(32), "raw")


def test_a_dead_source_is_refused() -> None:
    with pytest.raises(RandomnessFailure):
        Sm3Drbg(bytes, lambda: victims.STOPPED)
