"""The only place of the library with I/O: blocking sockets and asyncio streams."""
