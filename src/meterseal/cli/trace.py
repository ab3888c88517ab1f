"""`meterseal trace`: what was said in sessions that a capture file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli.files import read_file
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from meterseal.net.conversations import Conversation
    from meterseal.transport.recording import KeyLog

_MAX_CAPTURE = 1 << 28
_HANDSHAKE = b"\x16"


def trace(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A capture, pcap or pcapng.")],
    keylog: Annotated[
        Path | None,
        typer.Option("--keylog", help="Key log (NSS format); our own captures carry theirs."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Only sessions with a server on this port."),
    ] = None,
    data: Annotated[
        bool, typer.Option("--data", help="Show the beginning of the data that was sent, too.")
    ] = False,
) -> None:
    """Tell recorded sessions of TLCP, TLS 1.2 and TLS 1.3 message by message.

    What the client said is marked ->, what the server said <-.
    """
    from meterseal.net.conversations import conversations
    from meterseal.net.packets import read_capture
    from meterseal.transport.recording import KeyLog

    try:
        capture = read_capture(read_file(file, _MAX_CAPTURE))
    except MalformedData as error:
        raise MalformedData(f"{file}: {error}") from None
    text = read_file(keylog).decode("utf-8") if keylog else ""
    secrets = KeyLog.parse(capture.key_log, text)
    sessions = [
        conversation
        for conversation in conversations(capture.packets)
        if _is_secure(conversation) and port in {None, conversation.server[1]}
    ]
    if not sessions:
        where = f" with a server on port {port}" if port else ""
        raise UsageError(f"{file} holds no session of TLCP or TLS{where}")
    for session in sessions:
        _tell(session, secrets, show_data=data)


def _is_secure(conversation: Conversation) -> bool:
    return bool(conversation.chunks) and conversation.chunks[0][1].startswith(_HANDSHAKE)


def _tell(conversation: Conversation, secrets: KeyLog, *, show_data: bool) -> None:
    from meterseal.transport.events import RECEIVED, SENT
    from meterseal.transport.recording import Recording
    from meterseal.transport.trace import Trace

    client, server = conversation.client, conversation.server
    typer.echo(f"=== {client[0]} port {client[1]} -> {server[0]} port {server[1]}")
    recording = Recording(Trace(typer.echo, show_data=show_data), secrets)
    for is_client, data in conversation.chunks:
        recording.receive_data(SENT if is_client else RECEIVED, data)
    if conversation.is_incomplete:
        typer.echo("(the capture lacks packets of this session)")
