"""The only place of the library with I/O: blocking sockets and asyncio streams."""

from meterseal.net.capture import PacketWriter
from meterseal.net.sockets import SecureListener, SecureSocket, connect, listen
from meterseal.net.streams import SecureStream, open_connection, start_server

__all__ = [
    "PacketWriter",
    "SecureListener",
    "SecureSocket",
    "SecureStream",
    "connect",
    "listen",
    "open_connection",
    "start_server",
]
