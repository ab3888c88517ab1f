"""Many records opened in one call: nothing but the speed tells it from one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.errors import BadRecord, MeterSealError
from meterseal.lab.attack.wire import records
from meterseal.transport import SUITES, ClientAuthentication, Connection
from support.identities import world
from support.tls13 import link13
from support.wire import client_config, link, server_config

if TYPE_CHECKING:
    from meterseal.transport import CipherSuite

RUNS = [suite for suite in SUITES.values() if suite.protection in {"sm4-gcm", "sm4-ccm"}]
DATA = bytes(range(256)) * 300  # five records


def ends(suite: CipherSuite) -> tuple[Connection, Connection]:
    both = link(
        client_config(suites=(suite,), credential=world().client_pair),
        server_config(
            suites=(suite,),
            credential=world().server_pair,
            trust=world().trust,
            client_authentication=ClientAuthentication.OPTIONAL,
        ),
    )
    assert not both.errors
    return both.client, both.server


def count_single_opens(end: Connection, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What goes through the way for single records from now on."""
    single: list[bytes] = []
    inbox = end._driver._channel._inbox
    honest = inbox.next_record

    def next_record() -> bytes | None:
        record = honest()
        if record is not None:
            single.append(record)
        return record

    monkeypatch.setattr(type(inbox), "next_record", lambda _: next_record())
    return single


@pytest.mark.parametrize("suite", RUNS, ids=str)
def test_bulk_data_goes_in_runs(suite: CipherSuite, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = ends(suite)
    single = count_single_opens(server, monkeypatch)
    client.send_data(DATA)
    server.receive_data(client.data_to_send())
    assert server.read() == DATA
    assert single == []


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 70_000), max_size=6), update_after=st.integers(0, 3))
def test_any_splitting_of_data_key_updates_and_empty_records_gives_the_same(
    cuts: list[int], update_after: int
) -> None:
    both = link13()
    for number in range(4):
        both.client.send_data(DATA[: 20_000 * number])
        if number == update_after:
            both.client.update_keys(request_peer=True)
    both.client.close()
    stream = both.client.data_to_send() + b"what comes after"
    for cut in cuts:
        if part := stream[:cut]:
            both.server.receive_data(part)
        stream = stream[cut:]
    if stream:
        both.server.receive_data(stream)
    assert both.server.read() == b"".join(DATA[: 20_000 * number] for number in range(4))
    assert both.server.is_peer_closed
    assert both.server.take_rest() == b"what comes after"


@pytest.mark.parametrize("suite", RUNS, ids=str)
def test_data_before_a_bad_record_is_kept_and_the_bad_one_ends_the_session(
    suite: CipherSuite,
) -> None:
    client, server = ends(suite)
    client.send_data(DATA)
    *good, last = records(client.data_to_send())
    altered = last[:-1] + bytes((last[-1] ^ 1,))
    with pytest.raises(BadRecord):
        server.receive_data(b"".join([*good, altered]))
    assert server.read() == DATA[: 4 * 16384]
    with pytest.raises(MeterSealError):
        server.receive_data(last)


def test_data_before_the_end_of_the_handshake_is_no_run() -> None:
    """A client's early application record under TLS 1.3 opens, and is refused."""
    both = link13()
    channel = both.server._driver._channel
    assert channel._open_run is not None
    channel._expects_data = False
    both.server._driver.is_established = False
    both.client.send_data(b"too early")
    with pytest.raises(MeterSealError, match="before the end of the handshake"):
        both.server.receive_data(both.client.data_to_send())
