"""Altered valid encodings: a decoder takes them or raises what it declares, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterseal.transport import messages
from support.decoders import decoders
from support.edits import EDITS, LENGTHS, edited

CORPUS = Path(__file__).parent / "corpus"
every_decoder = pytest.mark.parametrize("name", sorted(decoders()))

chunks = st.one_of(st.binary(max_size=4), st.sampled_from(LENGTHS))
edits = st.tuples(st.sampled_from(EDITS), st.integers(0), chunks)


@every_decoder
def test_seeds_decode(name: str) -> None:
    decoder = decoders()[name]
    for seed in decoder.seeds:
        decoder.run(seed)


@every_decoder
def test_no_byte_of_a_seed_and_no_prefix_raises_anything_undeclared(name: str) -> None:
    decoder = decoders()[name]
    for seed in decoder.seeds:
        step = max(1, len(seed) // 40)
        for at in range(0, len(seed), step):
            decoder.survives(seed[:at])
            for value in (0, 0x7F, 0x80, 0xFF, seed[at] ^ 1):
                decoder.survives(seed[:at] + bytes((value,)) + seed[at + 1 :])


def is_cut_before_extensions(name: str, seed: bytes, length: int) -> bool:
    """A hello without extensions is a hello: their block may be missing as a whole."""
    if name not in {"ClientHello", "ServerHello"}:
        return False
    return length == len(seed) - 2 - int.from_bytes(seed[length : length + 2])


@pytest.mark.parametrize("name", [name for name in decoders() if hasattr(messages, name)])
def test_no_proper_prefix_of_a_message_decodes(name: str) -> None:
    decoder = decoders()[name]
    for seed in decoder.seeds:
        for length in range(len(seed)):
            if not is_cut_before_extensions(name, seed, length):
                with pytest.raises(decoder.errors):
                    decoder.run(seed[:length])


@every_decoder
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_alteration_raises_anything_undeclared(name: str, data: st.DataObject) -> None:
    decoder = decoders()[name]
    altered = data.draw(st.sampled_from(decoder.seeds))
    for edit in data.draw(st.lists(edits, min_size=1, max_size=4)):
        altered = edited(altered, edit)
    decoder.survives(altered)


@every_decoder
@settings(max_examples=10, deadline=None)
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
