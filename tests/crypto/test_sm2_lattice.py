"""The attack on biased nonces succeeds where there is a bias, and fails on our signatures."""

import random

import pytest

from meterseal.crypto import danger, sm2
from meterseal.lab.random.lattice import private_key_from
from support import sm2_reference as ref
from support.statistics import assert_even

D = 0x1F2E3D4C5B6A79880123456789ABCDEF0F1E2D3C4B5A69788796A5B4C3D2E1F0
KEY = sm2.PrivateKey.from_bytes(ref.octets(D))


def numbers(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


def biased(zero_bits: int, count: int) -> list[tuple[int, int]]:
    """Signatures whose nonces begin with zeros; the same in every run."""
    chance = random.Random(zero_bits)  # noqa: S311  # a nonce that can be guessed is the point
    nonces = [chance.getrandbits(256 - zero_bits) for _ in range(count)]
    return [
        numbers(danger.sign_digest_with_nonce(KEY, chance.randbytes(32), ref.octets(k), "raw"))
        for k in nonces
    ]


def ours(count: int) -> list[tuple[int, int]]:
    return [numbers(KEY.sign(number.to_bytes(8), encoding="raw")) for number in range(count)]


@pytest.mark.parametrize(("zero_bits", "count"), [(8, 40), (4, 90)])
def test_four_zero_bits_give_the_key_away(zero_bits: int, count: int) -> None:
    found = private_key_from(biased(zero_bits, count), zero_bits, lambda key: key == D)
    assert found == D


@pytest.mark.parametrize(("zero_bits", "count"), [(8, 40), (4, 90)])
def test_our_nonces_do_not(zero_bits: int, count: int) -> None:
    assert private_key_from(ours(count), zero_bits, lambda key: key == D) is None


@pytest.mark.slow
@pytest.mark.parametrize("zero_bits", [1, 2, 3, 5, 6, 7])
def test_our_nonces_do_not_whatever_bias_is_assumed(zero_bits: int) -> None:
    assert private_key_from(ours(95), zero_bits, lambda key: key == D) is None


def test_a_bias_that_lattices_need_shows_in_the_distribution() -> None:
    values = [ref.nonce_of(D, r, s) for r, s in biased(4, 2000)]
    with pytest.raises(AssertionError):
        assert_even(values, 256)


@pytest.mark.parametrize("count", [2000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_nonces_are_spread_evenly(count: int) -> None:
    assert_even([ref.nonce_of(D, r, s) for r, s in ours(count)], 256)


@pytest.mark.parametrize("count", [2000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_scalars_of_keys_and_key_shares_are_spread_evenly(count: int) -> None:
    scalars = [sm2.PrivateKey.generate().to_bytes() for _ in range(count)]
    assert_even([int.from_bytes(scalar, "big") for scalar in scalars], 256)
