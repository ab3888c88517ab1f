"""The trace tells every message of every protocol, on both sides alike, and never raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.transport import SUITES, ClientAuthentication
from meterseal.transport.events import RECEIVED, SENT
from meterseal.transport.trace import Trace
from support.identities import world
from support.wire import client_config, link, server_config


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_both_ends_tell_the_same_story(suite) -> None:  # noqa: ANN001
    at_client: list[str] = []
    at_server: list[str] = []
    both = link(
        client_config(
            suites=(suite,), credential=world().client_pair, observer=Trace(at_client.append)
        ),
        server_config(
            suites=(suite,),
            credential=world().server_pair,
            trust=world().trust,
            client_authentication=ClientAuthentication.REQUIRED,
            observer=Trace(at_server.append),
        ),
    )
    assert not both.errors
    both.client.close()
    both.run()
    swapped = {"->": "<-", "<-": "->"}
    mirrored = [swapped.get(line[:2], line[:2]) + line[2:] for line in at_server]
    assert sorted(mirrored) == sorted(at_client)
    story = "\n".join(at_client)
    for part in (
        "-> ClientHello",
        "<- ServerHello",
        "<- Certificate,",
        "CN = station",
        "CN = meter",
    ):
        assert part in story
    assert f"suite {suite.name.replace('-', '_')}" in story
    assert "-> Alert: warning close_notify" in story
    assert "not readable" not in story


@given(st.sampled_from([SENT, RECEIVED]), st.integers(20, 22), st.binary(min_size=4, max_size=80))
def test_no_bytes_make_it_raise(direction: str, content_type: int, raw: bytes) -> None:
    lines: list[str] = []
    Trace(lines.append)(direction, content_type, raw)
    assert lines


def test_it_shows_no_secret() -> None:
    lines: list[str] = []
    keys: list[str] = []
    link(client_config(observer=Trace(lines.append), key_log=keys.append))
    secret = keys[0].split()[-1]
    assert secret not in "".join(lines)
