"""The generator: what comes out, what makes it fail, and what a fork does to it."""

import os
import sys
import threading

import pytest

from meterseal.crypto import random, sm2
from meterseal.errors import RandomnessFailure, UsageError
from support.alone import in_child, run_alone

NOW = 1_700_000_000_000_000_000


def varied(length: int) -> bytes:
    return bytes(i % 251 for i in range(length))


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 1000, 100_000])
def test_gives_as_many_bytes_as_asked(length: int) -> None:
    assert len(random.random_bytes(length)) == length


def test_outputs_differ_and_fill_their_range() -> None:
    outputs = [random.random_bytes(16) for _ in range(2000)]
    assert len(set(outputs)) == len(outputs)
    counts = [0] * 256
    for byte in random.random_bytes(65_536):
        counts[byte] += 1
    chi_square = sum((count - 256) ** 2 / 256 for count in counts)
    assert 130 < chi_square < 400


def test_refuses_absurd_lengths() -> None:
    with pytest.raises(UsageError, match="16 MiB"):
        random.random_bytes(2**24 + 1)
    with pytest.raises(OverflowError):
        random.random_bytes(-1)


def test_time_stands_in_front_where_a_protocol_wants_it() -> None:
    value = random.random_with_time(0x1_6543_2100)
    assert value[:4] == bytes.fromhex("65432100")
    assert len(value) == 32
    assert value != random.random_with_time(0x1_6543_2100)
    with pytest.raises(UsageError, match="at least 4"):
        random.random_with_time(0, 3)


def test_extra_input_and_entropy_change_the_output() -> None:
    def first(variation: int, extra: bytes | None) -> bytes:
        def entropy(length: int) -> bytes:
            return bytes((i + variation) % 251 for i in range(length))

        return random.Sm3Drbg(entropy, lambda: NOW).random_bytes(32, extra)

    assert len({first(v, e) for v in (0, 1) for e in (None, b"a", b"b")}) == 6


@pytest.mark.parametrize("value", [0, 0x42, 0xFF])
def test_a_source_that_repeats_itself_is_refused(value: int) -> None:
    with pytest.raises(RandomnessFailure, match="repeats"):
        random.Sm3Drbg(lambda length: bytes([value]) * length, lambda: NOW)


def test_a_source_that_prefers_a_value_is_refused() -> None:
    def biased(length: int) -> bytes:
        return bytes(0 if i % 8 else 1 + i // 8 % 255 for i in range(1, length + 1))

    with pytest.raises(RandomnessFailure, match="prefers"):
        random.Sm3Drbg(biased, lambda: NOW)


def test_a_source_that_breaks_later_stops_the_generator_for_good() -> None:
    broken = False

    def entropy(length: int) -> bytes:
        return bytes(length) if broken else varied(length)

    generator = random.Sm3Drbg(entropy, lambda: NOW)
    generator.random_bytes(32)
    broken = True
    with pytest.raises(RandomnessFailure, match="repeats"):
        [generator.random_bytes(32) for _ in range(2)]
    broken = False
    with pytest.raises(RandomnessFailure, match="repeats"):
        generator.random_bytes(32)


def test_a_reseed_that_fails_stops_the_generator_for_good() -> None:
    outcomes = iter([varied(1024), varied(48), b"", varied(32), varied(32)])
    generator = random.Sm3Drbg(lambda _: next(outcomes), lambda: NOW)
    for act in (generator.reseed, generator.reseed, lambda: generator.random_bytes(1)):
        with pytest.raises(RandomnessFailure, match="wrong length"):
            act()


@pytest.mark.parametrize("wrong", [b"", b"\1\2\3"])
def test_a_source_of_a_wrong_length_is_refused(wrong: bytes) -> None:
    with pytest.raises(RandomnessFailure, match="wrong length"):
        random.Sm3Drbg(lambda _: wrong, lambda: NOW)


def test_reseeds_after_1024_blocks_and_after_60_seconds() -> None:
    requests: list[int] = []
    now = NOW

    def entropy(length: int) -> bytes:
        requests.append(length)
        return varied(length)

    generator = random.Sm3Drbg(entropy, lambda: now)
    assert requests == [1024, 48]
    requests.clear()
    generator.random_bytes(32 * 1024)
    assert requests == [32]
    generator.random_bytes(1)
    assert requests == [32, 32, 32]
    requests.clear()
    now += 59_999_999_999
    generator.random_bytes(1)
    assert requests == [32]
    now += 1
    generator.random_bytes(1)
    assert requests == [32, 32, 32]


def test_children_of_a_fork_share_nothing() -> None:
    random.random_bytes(16)
    outputs = [in_child(lambda: random.random_bytes(16)) for _ in range(60)]
    outputs += [random.random_bytes(16)]
    assert len(set(outputs)) == 61


def test_an_injected_generator_notices_the_fork_too() -> None:
    """Constant entropy, a frozen clock and copied counters: the process alone is new."""
    generator = random.Sm3Drbg(varied, lambda: NOW)
    outputs = [in_child(lambda: generator.random_bytes(16)) for _ in range(8)]
    assert len(set(outputs)) == 8


def test_threads_share_nothing() -> None:
    outputs: list[bytes] = []

    def draw() -> None:
        outputs.extend(random.random_bytes(16) for _ in range(200))

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(outputs)) == 1600


def test_needs_no_file_descriptor() -> None:
    run_alone("""
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        assert len(random.random_bytes(32)) == 32
    """)


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter names x86-64 system calls")
@pytest.mark.parametrize("errno", [5, 11, 38])
@pytest.mark.parametrize("used_before", [False, True])
def test_a_kernel_that_refuses_means_no_key_and_no_signature(errno: int, used_before: bool) -> None:
    """EIO, EAGAIN, ENOSYS from getrandom: an error, never a fallback."""
    run_alone(f"""
        key = sm2.PrivateKey.from_bytes(bytes(31) + b"1")
        if {used_before}:
            key.sign(b"m")
        answer_with_error(318, {errno})
        public = key.public_key()
        for act in (sm2.PrivateKey.generate, lambda: key.sign(b"m"), lambda: public.encrypt(b"m"),
                    lambda: sm2.KeyExchange(key, initiator=True), lambda: random.random_bytes(1),
                    lambda: sm2.sign_batch([(key, b"m")]), key.signer):
            try:
                act()
            except RandomnessFailure:
                continue
            raise SystemExit(1)
    """)


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter names x86-64 system calls")
def test_noise_in_reserve_lets_32_signatures_go_without_the_kernel_and_no_more() -> None:
    run_alone("""
        key = sm2.PrivateKey.from_bytes(bytes(31) + b"1")
        key.sign(b"m")
        answer_with_error(318, 5)
        for _ in range(31):
            key.sign(b"m")
        for _ in range(2):
            try:
                key.sign(b"m")
            except RandomnessFailure:
                continue
            raise SystemExit(1)
    """)


def test_a_key_from_a_fork_is_the_childs_own() -> None:
    keys = {in_child(lambda: sm2.PrivateKey.generate().to_bytes()) for _ in range(8)}
    assert len(keys) == 8
