"""A recorded session is told as the live one was; without its secrets it stays closed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterseal.errors import MalformedData
from meterseal.transport import SUITES, TLS13_SUITES, CipherSuite, ClientAuthentication
from meterseal.transport.events import RECEIVED, SENT
from meterseal.transport.recording import KeyLog, Recording
from meterseal.transport.trace import Trace
from support.identities import world
from support.nist.stdlib_ssl import client_config as nist_client
from support.nist.stdlib_ssl import server_config as nist_server
from support.wire import Link, client_config, link, server_config

SENT_DATA, ANSWER = b"00001234.56 kWh, sealed", b"\x1b[2Jreceived"


class Recorded:
    """A session between our two ends: what the client saw, what went over the wire, the secrets."""

    def __init__(self, suite: CipherSuite, **options: object) -> None:
        self.live: list[str] = []
        self.keys: list[str] = []
        self.wire: list[tuple[str, bytes]] = []
        self.link = link(
            client_config(
                suites=(suite,),
                credential=world().client_pair,
                observer=Trace(self.live.append),
                key_log=self.keys.append,
                **options,
            ),
            server_config(
                suites=(suite,),
                credential=world().server_pair,
                trust=world().trust,
                client_authentication=ClientAuthentication.REQUIRED,
            ),
            change=self._note,
        )
        assert not self.link.errors

    def _note(self, sender: str, _: int, record: bytes) -> bytes:
        self.wire.append((SENT if sender == "client" else RECEIVED, record))
        return record

    def exchange(self) -> None:
        """Data both ways, then the end."""
        self.link.client.send_data(SENT_DATA)
        self.link.server.send_data(ANSWER)
        self.link.run()
        self.link.client.close()
        self.link.run()

    def told(self, key_log: KeyLog | None = None, *, show_data: bool = False) -> list[str]:
        lines: list[str] = []
        log = KeyLog.parse("\n".join(self.keys)) if key_log is None else key_log
        recording = Recording(Trace(lines.append, show_data=show_data), log)
        for direction, record in self.wire:
            for at in range(0, len(record), 700):
                recording.receive_data(direction, record[at : at + 700])
        return lines


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_a_recording_tells_what_the_live_trace_told(suite: CipherSuite) -> None:
    recorded = Recorded(suite)
    recorded.exchange()
    told = recorded.told()
    assert f"-> application data, {len(SENT_DATA)} bytes" in told
    assert f"<- application data, {len(ANSWER)} bytes" in told
    without_data = [line for line in told if "application data" not in line]
    assert sorted(without_data) == sorted(recorded.live)  # the two directions may overtake
    for arrow in ("->", "<-"):
        assert [line for line in without_data if line.startswith(arrow)] == [
            line for line in recorded.live if line.startswith(arrow)
        ]


def test_data_is_shown_if_asked_for_and_leaves_the_terminal_alone() -> None:
    recorded = Recorded(TLS13_SUITES[0])
    recorded.exchange()
    told = recorded.told(show_data=True)
    assert f"     {SENT_DATA.decode()}" in told
    assert "     .[2Jreceived" in told


@pytest.mark.parametrize("suite", TLS13_SUITES, ids=lambda suite: suite.name)
def test_it_follows_key_updates_and_retries(suite: CipherSuite) -> None:
    recorded = Recorded(suite, key_shares=())
    recorded.link.client.update_keys(request_peer=True)
    recorded.exchange()
    told = recorded.told()
    assert "     asks for another hello" in told
    assert [line for line in told if "KeyUpdate" in line] == [
        "-> KeyUpdate, 1 bytes",
        "<- KeyUpdate, 1 bytes",
    ]
    assert f"<- application data, {len(ANSWER)} bytes" in told


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_without_secrets_the_open_part_is_told_and_the_rest_counted(suite: CipherSuite) -> None:
    recorded = Recorded(suite)
    recorded.exchange()
    told = recorded.told(KeyLog())
    assert any(line.startswith("<- ServerHello") for line in told)
    assert any(line.startswith("-> (protected record of ") for line in told)
    assert any(line.startswith("<- (protected record of ") for line in told)
    assert not any("application data" in line or "Finished" in line for line in told)
    assert not any("not readable" in line for line in told)


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_wrong_secrets_are_told(suite: CipherSuite) -> None:
    recorded = Recorded(suite)
    forged = [line[:-2] + f"{int(line[-2:], 16) ^ 1:02x}" for line in recorded.keys]
    told = recorded.told(KeyLog.parse("\n".join(forged)))
    assert any("not readable from here on: a record does not open" in line for line in told)
    short = KeyLog.parse("\n".join(line[:-2] for line in recorded.keys))
    assert any("not readable from here on" in line for line in recorded.told(short))


def test_a_session_of_another_family_is_told_up_to_its_keys() -> None:
    lines: list[str] = []
    keys: list[str] = []
    wire: list[tuple[str, bytes]] = []

    def note(sender: str, _: int, record: bytes) -> bytes:
        wire.append((SENT if sender == "client" else RECEIVED, record))
        return record

    server = nist_server()
    both: Link = link(
        replace(nist_client(), key_log=keys.append),
        server,
        change=note,
        server_name="station.example",
    )
    assert not both.errors
    recording = Recording(Trace(lines.append), KeyLog.parse("\n".join(keys)))
    for direction, record in wire:
        recording.receive_data(direction, record)
    assert any(line.startswith("<- ServerHello") for line in lines)
    assert any("protected record" in line for line in lines)


@pytest.mark.parametrize(
    "noise",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x03\xff\xff", b"\x16\x01\x01\0\x04\x02\xff\xff\xff"],
)
def test_what_is_no_session_is_said_once(noise: bytes) -> None:
    lines: list[str] = []
    recording = Recording(Trace(lines.append), KeyLog())
    for _ in range(3):
        recording.receive_data(SENT, noise)
    assert len(lines) == 1
    assert lines[0].startswith("-> (not readable from here on: ")


def test_a_key_log_has_comments_and_labels_that_nobody_knows() -> None:
    log = KeyLog.parse("# made by a browser\n\nCLIENT_RANDOM 00FF 0102\nSOMETHING aa bb\n")
    assert log.secret("CLIENT_RANDOM", b"\0\xff") == b"\x01\x02"
    assert log.secret("CLIENT_RANDOM", b"\0\xfe") is None


@pytest.mark.parametrize("line", ["CLIENT_RANDOM 00ff", "CLIENT_RANDOM 00ff 5ecre7", "a b c d"])
def test_a_bad_key_log_is_refused_by_line_without_its_text(line: str) -> None:
    with pytest.raises(MalformedData, match="line 2 of the key log") as refused:
        KeyLog.parse("# comment\n" + line)
    assert line not in str(refused.value)
