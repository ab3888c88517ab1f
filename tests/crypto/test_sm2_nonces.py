"""Nonces do not repeat or show, whatever fails: the clock, the system's generator, or both."""

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from meterseal.crypto import danger, random, sm2
from meterseal.errors import RandomnessFailure
from support import sm2_reference as ref
from support.alone import in_child, run_alone

SIGNER = Path(__file__).parent.parent / "support" / "sign_with_given_entropy.py"
D = 7
KEY = sm2.PrivateKey.from_bytes(ref.octets(D))
NOW = 1_700_000_000_000_000_000
DIGESTS = [bytes([number]) * 32 for number in range(4)]
RESERVED = 32


def nonces(variation: int, now: int, digests: list[bytes]) -> list[int]:
    """The nonces that a fresh process uses for these digests, found with the private key."""
    command = [sys.executable, str(SIGNER), str(variation), str(now), *[d.hex() for d in digests]]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [nonce_of(bytes.fromhex(line)) for line in output.split()]


def nonce_of(signature: bytes) -> int:
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
    return ref.nonce_of(D, r, s)


def assert_unrelated(values: list[int]) -> None:
    """No two are equal or near, neither in value nor in bits."""
    for left, right in combinations(values, 2):
        assert min((left - right) % ref.N, (right - left) % ref.N) > 2**192
        assert 80 <= (left ^ right).bit_count() <= 176


def test_constant_entropy_and_a_frozen_clock_never_repeat_a_nonce() -> None:
    """Two processes alike in all but the message; each message's own digest keeps them apart."""
    runs = [nonces(0, NOW, [digest])[0] for digest in DIGESTS]
    assert_unrelated(runs)


def test_all_alike_the_signature_is_deterministic_and_nothing_worse() -> None:
    assert nonces(0, NOW, DIGESTS[:1]) == nonces(0, NOW, DIGESTS[:1])


def test_one_process_never_repeats_a_nonce_even_for_one_digest() -> None:
    assert_unrelated(nonces(0, NOW, [DIGESTS[0]] * 4))


def test_the_same_clock_with_other_entropy_gives_other_nonces() -> None:
    assert_unrelated([nonces(variation, NOW, DIGESTS[:1])[0] for variation in range(3)])


def test_the_same_entropy_at_another_time_gives_other_nonces() -> None:
    assert_unrelated([nonces(0, NOW + step, DIGESTS[:1])[0] for step in (0, 1, 1000)])


def test_the_clock_can_say_anything() -> None:
    far = [nonces(0, now, DIGESTS[:1])[0] for now in (0, 2**31 * 10**9, 2**63)]
    assert_unrelated(far)


def test_nonces_fill_their_whole_range() -> None:
    """Each bit of 1500 nonces is set about half the time (6 standard deviations)."""
    values = [nonce_of(KEY.sign_digest(DIGESTS[0], encoding="raw")) for _ in range(1500)]
    assert len(set(values)) == len(values)
    for bit in range(256):
        count = sum(value >> bit & 1 for value in values)
        assert abs(count - 750) < 117, f"bit {bit} is set {count} times"


def test_a_signer_prepared_twice_uses_two_nonces() -> None:
    signers = [KEY.signer() for _ in range(4)]
    assert_unrelated([nonce_of(signer.finish(encoding="raw")) for signer in signers])


def test_a_signer_does_not_take_its_nonce_across_a_fork() -> None:
    """Two messages under the nonce prepared before the fork would give the key away."""
    signer = KEY.signer()
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        signer.update(b"child")
        os.write(sending, signer.finish(encoding="raw"))
        os._exit(0)
    signer.update(b"parent")
    here, there = signer.finish(encoding="raw"), os.read(receiving, 64)
    assert os.waitpid(child, 0)[1] == 0
    os.close(receiving)
    os.close(sending)
    KEY.public_key().verify(here, b"parent", encoding="raw")
    KEY.public_key().verify(there, b"child", encoding="raw")
    assert_unrelated([nonce_of(here), nonce_of(there)])


def test_a_failing_source_gives_an_error_and_no_signature() -> None:
    """It fails when noise is made again, then works: the failure stays."""
    calls = 0

    def entropy(length: int) -> bytes:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise OSError
        return bytes((calls + i) % 251 for i in range(length))

    generator = random.Sm3Drbg(entropy, lambda: NOW)
    for _ in range(RESERVED):
        danger.sign_digest_with_generator(KEY, DIGESTS[0], generator)
    for _ in range(2):
        with pytest.raises(RandomnessFailure):
            danger.sign_digest_with_generator(KEY, DIGESTS[0], generator)
    assert calls == 4


class Counting:
    """The same bytes at every call, which are counted, and a clock that is set."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.now = NOW
        self.generator = random.Sm3Drbg(self.entropy, lambda: self.now)

    def entropy(self, length: int) -> bytes:
        self.asked.append(length)
        return bytes(i % 251 for i in range(length))

    def sign(self, times: int = 1) -> list[int]:
        """Sign the same digest so many times; return the nonces."""
        return [
            nonce_of(
                danger.sign_digest_with_generator(KEY, DIGESTS[0], self.generator, encoding="raw")
            )
            for _ in range(times)
        ]


def test_noise_is_made_for_32_signatures_and_serves_each_once() -> None:
    counting = Counting()
    counting.asked.clear()
    assert_unrelated(counting.sign(RESERVED))
    assert counting.asked == [32]
    counting.sign()
    assert counting.asked == [32, 32]


def test_noise_in_reserve_does_not_outlive_its_seed() -> None:
    """Not by 60 seconds, and not by one that was asked for: each time there is a new one."""
    counting = Counting()
    counting.sign()
    counting.asked.clear()
    counting.now += 60 * 10**9 - 1
    counting.sign()
    assert counting.asked == []
    counting.now += 1
    counting.sign()
    assert len(counting.asked) == 2
    counting.generator.reseed()
    counting.asked.clear()
    counting.sign()
    assert counting.asked == [32]


@pytest.mark.parametrize("draws_first", [False, True])
def test_noise_in_reserve_is_not_shared_by_the_children_of_a_fork(draws_first: bool) -> None:
    """Constant entropy, a frozen clock, copied counters, one message: only the process is new."""
    counting = Counting()
    counting.sign()

    def sign() -> bytes:
        if draws_first:
            counting.generator.random_bytes(1)
        return ref.octets(counting.sign()[0])

    assert_unrelated([int.from_bytes(in_child(sign)) for _ in range(6)])


@pytest.mark.skipif(sys.platform != "linux", reason="the system call's number is Linux's")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the system call's number is x86-64's")
@pytest.mark.parametrize("pages", ["wiped", "not wiped"])
@pytest.mark.parametrize("fork", ["os.fork()", "ctypes.CDLL(None).syscall(57)"])
def test_parent_and_child_have_no_noise_in_common(fork: str, pages: str) -> None:
    """By fork and behind everybody's back, where the kernel wipes pages and where it cannot."""
    code = f"""
        import ctypes, os
        if {pages!r} == "not wiped":
            answer_with_error(28, 22)  # madvise, EINVAL
        key = sm2.PrivateKey.from_bytes(bytes(31) + b"\\7")
        source = lambda length: bytes(i % 251 for i in range(length))
        generator = random.Sm3Drbg(source, lambda: {NOW})
        sign = lambda: danger.sign_digest_with_generator(key, bytes(32), generator, encoding="raw")
        sign()
        child = {fork} == 0
        os.write(1, sign().hex().encode() + b" ")
        if child:
            os._exit(0)
        os.wait()
    """
    signatures = run_alone(code).split()
    assert_unrelated([nonce_of(bytes.fromhex(signature)) for signature in signatures])
    assert len(signatures) == 2


def test_a_failing_clock_gives_an_error_and_no_signature() -> None:
    times = iter([NOW] * 3)

    def pattern(length: int) -> bytes:
        return bytes(i % 251 for i in range(length))

    generator = random.Sm3Drbg(pattern, lambda: next(times))
    with pytest.raises(RandomnessFailure, match="clock"):
        danger.sign_digest_with_generator(KEY, DIGESTS[0], generator)


@pytest.mark.parametrize("nonce", [0, ref.N, ref.N + 1, 2**256 - 1])
def test_given_nonces_are_checked(nonce: int) -> None:
    with pytest.raises(ValueError, match="1 to n-1"):
        danger.sign_digest_with_nonce(KEY, DIGESTS[0], ref.octets(nonce))


def test_a_nonce_that_the_standard_rejects_gives_no_signature() -> None:
    """r = 0: e = -x1. r + k = n: e = -k - x1."""
    k = 99
    x = ref.finite(ref.multiply(k, ref.G))[0]
    for e in (-x % ref.N, (-k - x) % ref.N):
        with pytest.raises(ValueError, match="another nonce"):
            danger.sign_digest_with_nonce(KEY, ref.octets(e), ref.octets(k))
