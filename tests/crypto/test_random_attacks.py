"""The generator under attack: known clocks, copied and leaked states, chosen input."""

import ast
import json
import os
import random as pseudo_random
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import meterseal
from meterseal.crypto import random, record, sm2
from support import sm3_drbg
from support.sm3_drbg import Model, octets, sm3, stamp
from support.statistics import assert_bytes_even
from support.tlcp import tlcp_client, tlcp_server
from support.wire import Link, link

NOW = 1_700_000_000_000_000_000
SECOND = 10**9
DAY = 86_400 * SECOND
PACKAGE = Path(meterseal.__file__).parent
RUST = Path(__file__).parents[2] / "rust"


def drawn(count: int, kind: str) -> tuple[list[bytes], list[bytes]]:
    """Entropy given to the core's generator and its outputs, in a fresh process."""
    command = [sys.executable, sm3_drbg.__file__, str(NOW), str(count), kind]
    shown = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    entropy, outputs = ([bytes.fromhex(h) for h in shown[k]] for k in ("entropy", "outputs"))
    return entropy, outputs


@pytest.mark.parametrize("now", [0, NOW - 400 * DAY, 2**31 * SECOND, NOW])
def test_a_stopped_clock_changes_nothing(now: int) -> None:
    generator = random.Sm3Drbg(os.urandom, lambda: now)
    assert_bytes_even([generator.random_bytes(32) for _ in range(1500)])


def test_the_model_is_the_generator() -> None:
    """Who knows everything predicts everything: otherwise the tests below would prove nothing."""
    (seed, *entropy), outputs = drawn(3, "fresh")
    model = Model.seeded(seed, stamp(NOW, 0))
    calls = enumerate(entropy, start=1)
    assert [model.generate(given, b"", stamp(NOW, i)) for i, given in calls] == outputs


def test_who_knows_clock_and_counter_but_no_entropy_finds_nothing() -> None:
    """A second before and after, in steps of a millisecond, with the seed known and unknown."""
    (seed, *_), outputs = drawn(1, "fresh")
    clocks = range(NOW - SECOND, NOW + SECOND + 1, SECOND // 1000)
    guesses = {
        Model.seeded(guessed, stamp(NOW, 0)).generate(bytes(32), b"", stamp(clock, 1))
        for guessed in (seed, bytes(48))
        for clock in clocks
    }
    assert len(guesses) == 2 * 2001
    assert outputs[0] not in guesses


def test_a_state_that_was_copied_with_its_machine_goes_its_own_way() -> None:
    """The same seed, clock and counters: the fresh entropy of each call parts them, alone."""
    assert drawn(2, "fixed")[1] == drawn(2, "fixed")[1]
    ours, theirs = drawn(2, "fresh")[1], drawn(2, "fresh")[1]
    assert not set(ours) & set(theirs)


def test_a_process_copied_behind_our_back_goes_its_own_way() -> None:
    """A fork by the bare system call, of which no handler is told."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("the system call's number is that of Linux on x86-64")
    code = """
import ctypes, os
from meterseal.crypto import random
random.random_bytes(16)
child = ctypes.CDLL(None).syscall(57) == 0
os.write(1, random.random_bytes(16).hex().encode() + b" ")
if child:
    os._exit(0)
os.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    outputs = done.stdout.split()
    assert len(outputs) == len(set(outputs)) == 2


def test_a_leaked_state_tells_nothing_of_what_came_before() -> None:
    (seed, *entropy), outputs = drawn(2, "fresh")
    model = Model.seeded(seed, stamp(NOW, 0))
    for i, given in enumerate(entropy, start=1):
        model.generate(given, b"", stamp(NOW, i))
    # The state after the last call, and all that can be taken back without what only it knew.
    without_sum = model.v - model.c - (model.calls - 1)
    hashed = int.from_bytes(sm3(b"\3", octets(model.v)), "big")
    states = {model.v, without_sum, without_sum - hashed, model.v - hashed, model.c}
    assert not {sm3(octets(state)) for state in states} & set(outputs)


def test_a_leaked_state_tells_nothing_of_what_comes_next() -> None:
    (seed, first, second), outputs = drawn(2, "fresh")
    known = Model.seeded(seed, stamp(NOW, 0))
    assert known.generate(first, b"", stamp(NOW, 1)) == outputs[0]
    leaked = Model(known.v, known.c, known.calls)
    assert leaked.generate(bytes(32), b"", stamp(NOW, 2)) != outputs[1]
    assert known.generate(second, b"", stamp(NOW, 2)) == outputs[1]


@pytest.mark.parametrize("count", [1500, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("how", ["zeros", "ones", "counted", "its own output", "long"])
def test_chosen_input_changes_nothing(how: str, count: int) -> None:
    chosen: dict[str, Callable[[int, bytes], bytes]] = {
        "zeros": lambda _, __: bytes(32),
        "ones": lambda _, __: b"\xff" * 55,
        "counted": lambda i, _: i.to_bytes(4),
        "its own output": lambda _, output: output,
        "long": lambda _, __: bytes(1000),
    }
    outputs, output = [], b""
    for i in range(count):
        output = random.random_bytes(32, chosen[how](i, output))
        outputs.append(output)
    assert_bytes_even(outputs)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_of_a_pool_share_nothing(method: str) -> None:
    random.random_bytes(16)
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        outputs = set(pool.map(random.random_bytes, [16] * 800, chunksize=25))
    assert len(outputs) == 800


@pytest.mark.slow
def test_ten_thousand_children_share_nothing() -> None:
    """Of a small process: what a fork costs grows with its parent."""
    code = """
import os
from meterseal._core import random_bytes
outputs = {random_bytes(16)}
receiving, sending = os.pipe()
for _ in range(10_000):
    if os.fork() == 0:
        os.write(sending, random_bytes(16))
        os._exit(0)
    outputs.add(os.read(receiving, 16))
    os.wait()
print(len(outputs))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(done.stdout) == 10_001


# --- one entrance for chance ----------------------------------------------------------------


def sources_below_the_application() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("crypto", "asn1", "x509", "transport", "net"):
        for path in sorted((PACKAGE / package).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def other_chance(tree: ast.Module) -> list[str]:
    """Imports of other generators, and calls that are no source of keys."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
            found += [name for name in names if name in {"random", "secrets", "uuid"}]
        elif isinstance(node, ast.ImportFrom) and node.module in {"random", "secrets", "uuid"}:
            found.append(node.module)
        elif isinstance(node, ast.Attribute) and node.attr in {"urandom", "getrandom", "uuid1"}:
            found.append(node.attr)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "hash":
            found.append("hash")
    return found


def test_python_knows_one_source_of_chance() -> None:
    """`hash` serves `__hash__` alone, which keys nothing."""
    allowed = {"x509/certificate.py", "x509/crl.py", "transport/wire.py"}
    for path, tree in sources_below_the_application():
        name = path.relative_to(PACKAGE).as_posix()
        assert other_chance(tree) == (["hash"] if name in allowed else []), name
    bad = ast.parse("import random, os, uuid\nos.urandom(1)\nuuid.uuid1()\nhash('key')")
    assert sorted(other_chance(bad)) == ["hash", "random", "urandom", "uuid", "uuid1"]


def test_python_enters_the_core_for_chance_in_one_place() -> None:
    users = [
        path.name
        for path, tree in sources_below_the_application()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "meterseal._core"
        and {"random_bytes", "Sm3Drbg"} & {alias.name for alias in node.names}
    ]
    assert users == ["random.py"]


def test_the_core_asks_the_system_in_one_place() -> None:
    asking = {
        path.relative_to(RUST).as_posix()
        for path in RUST.glob("*/src/**/*.rs")
        if re.search(r"getrandom\(|dev/u?random|thread_rng|OsRng", path.read_text())
    }
    assert asking == {"core/src/drbg/arch/unix.rs"}


def test_keys_and_handshakes_come_about_without_pythons_chance_and_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:  # noqa: ANN401
        raise AssertionError("a key must not rest on this")

    for owner, name in [
        (pseudo_random, "random"),
        (pseudo_random, "getrandbits"),
        (pseudo_random, "randbytes"),
        (time, "time"),
        (time, "time_ns"),
        (time, "monotonic"),
        (os, "urandom"),
        (uuid, "uuid1"),
        (uuid, "uuid4"),
    ]:
        monkeypatch.setattr(owner, name, forbidden)
    key = sm2.PrivateKey.generate()
    key.decrypt(key.public_key().encrypt(b"m"))
    key.sign(b"m")
    assert not link(tlcp_client(), tlcp_server()).errors


# --- what protocols draw --------------------------------------------------------------------


def handshakes(count: int) -> list[Link]:
    return [link(tlcp_client(), tlcp_server()) for _ in range(count)]


def test_randoms_and_session_identifiers_use_their_whole_range() -> None:
    """32 bytes each, the first four of a random apart: they are the time."""
    seen = [both.seen for both in handshakes(60)]
    hellos = [(flights["client"][0], flights["server"][0]) for flights in seen]
    assert_every_byte_varies([client[15:43] for client, _ in hellos])
    assert_every_byte_varies([server[15:43] for _, server in hellos])
    assert {server[43] for _, server in hellos} == {32}
    assert_every_byte_varies([server[44:76] for _, server in hellos])


def test_premaster_secrets_use_their_whole_range(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = []
    derive = record.MasterSecret.derive

    class Watching:
        @staticmethod
        def derive(
            pre_master: bytes, client: bytes, server: bytes, hash_name: str
        ) -> record.MasterSecret:
            secrets.append(pre_master)
            return derive(pre_master, client, server, hash_name)

    monkeypatch.setattr(record, "MasterSecret", Watching)
    handshakes(60)
    assert len(secrets) == 120
    assert {secret[:2] for secret in secrets} == {b"\x01\x01"}
    assert_every_byte_varies(sorted({secret[2:] for secret in secrets}))


def test_initialisation_vectors_use_their_whole_range() -> None:
    master = record.MasterSecret.from_bytes(bytes(48))
    sealer, _ = master.cbc_protection(bytes(32), bytes(32), 0x0101, is_client=True)
    assert_bytes_even([sealer.seal(23, b"m")[5:21] for _ in range(1500)])


def assert_every_byte_varies(values: list[bytes]) -> None:
    """Of 60 even draws some 53 are different; below 30 is a chance of less than 2^-60."""
    assert len(values) == len(set(values)) == 60
    assert all(len(set(column)) >= 30 for column in zip(*values, strict=True))
