"""Altered valid encodings: a decoder takes them or raises what it declares, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.decoders import decoders

CORPUS = Path(__file__).parent / "corpus"
every_decoder = pytest.mark.parametrize("name", sorted(decoders()))

LENGTHS = (b"\x00", b"\x7f", b"\x80", b"\x81\x80", b"\x84\xff\xff\xff\xff", b"\xff", b"\xff\xff")
chunks = st.one_of(st.binary(max_size=4), st.sampled_from(LENGTHS))
edits = st.tuples(
    st.sampled_from(["flip", "set", "insert", "cut", "tail", "double"]), st.integers(0), chunks
)


def edited(data: bytes, edit: tuple[str, int, bytes]) -> bytes:
    how, number, chunk = edit
    at = number % (len(data) + 1)
    match how:
        case "flip":
            end = data[at : at + 1]
            return data[:at] + bytes(b ^ 1 << number % 8 for b in end) + data[at + 1 :]
        case "set":
            return data[:at] + chunk + data[at + len(chunk) :]
        case "insert":
            return data[:at] + chunk + data[at:]
        case "cut":
            return data[:at] + data[at + 1 + len(chunk) :]
        case "tail":
            return data[:at]
        case _:
            return data[:at] + data[at // 2 :]


@every_decoder
def test_seeds_decode(name: str) -> None:
    decoder = decoders()[name]
    for seed in decoder.seeds:
        decoder.run(seed)


@every_decoder
def test_no_byte_of_a_seed_and_no_prefix_raises_anything_undeclared(name: str) -> None:
    decoder = decoders()[name]
    for seed in decoder.seeds:
        step = max(1, len(seed) // 60)
        for at in range(0, len(seed), step):
            decoder.survives(seed[:at])
            for value in (0, 0x7F, 0x80, 0xFF, seed[at] ^ 1):
                decoder.survives(seed[:at] + bytes((value,)) + seed[at + 1 :])


@every_decoder
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_alteration_raises_anything_undeclared(name: str, data: st.DataObject) -> None:
    decoder = decoders()[name]
    altered = data.draw(st.sampled_from(decoder.seeds))
    for edit in data.draw(st.lists(edits, min_size=1, max_size=4)):
        altered = edited(altered, edit)
    decoder.survives(altered)


@every_decoder
@settings(max_examples=20, deadline=None)
@given(data=st.binary(max_size=100))
def test_no_bytes_raise_anything_undeclared(name: str, data: bytes) -> None:
    decoders()[name].survives(data)


@pytest.mark.parametrize("kept", sorted(p.name for p in CORPUS.iterdir()))
def test_what_once_failed_is_survived(kept: str) -> None:
    """A kept input is called `<decoder>--<what it did>`; every decoder reads it."""
    data = (CORPUS / kept).read_bytes()
    named, _, _ = kept.partition("--")
    assert named in decoders()
    for decoder in decoders().values():
        decoder.survives(data)
