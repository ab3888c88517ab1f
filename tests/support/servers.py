"""Servers on free ports for the tests of the façade."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from support.contexts import server_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from meterseal import SecureContext
    from meterseal.net.facade.socket import WrappedSocket

T = TypeVar("T")
PAGE = b"reading 00001234.56 kWh"
LIMIT = 20.0


@contextlib.contextmanager
def accepting(
    work: Callable[[WrappedSocket], T], context: SecureContext | None = None, **options: object
) -> Iterator[tuple[tuple[str, int], Any]]:
    """A thread that accepts one client, wraps it and does `work`; yields address and outcome."""
    context = context or server_context()
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(LIMIT)

        def serve() -> T:
            plain, _ = listener.accept()
            plain.settimeout(LIMIT)
            with context.wrap_socket(plain, server_side=True, **options) as wrapped:
                return work(wrapped)

        yield listener.getsockname(), pool.submit(serve)


def echo(wrapped: WrappedSocket) -> int:
    """Send back whatever comes until the end; returns how much that was."""
    total = 0
    while data := wrapped.recv(100_000):
        wrapped.sendall(data)
        total += len(data)
    return total


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""


@contextlib.contextmanager
def http_server(context: SecureContext | None = None) -> Iterator[str]:
    """`http.server` over a wrapped listening socket; yields its URL."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.socket = (context or server_context()).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def running(
    start: Callable[[], Awaitable[tuple[T, Callable[[], Awaitable[None]]]]],
    runner: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
) -> Iterator[T]:
    """Run an asyncio server in a thread; `start` returns what is yielded and how to stop it."""
    ready: Any = ThreadPoolExecutor(1)
    started = threading.Event()
    stop: list[Callable[[], Any]] = []
    given: list[Any] = []

    async def main() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        try:
            value, close = await start()
            given.append(value)
        finally:
            started.set()
        await ended.wait()
        await close()

    with ready as pool:
        outcome = pool.submit(runner, main())
        started.wait(LIMIT)
        try:
            if not given:
                outcome.result(LIMIT)
            yield given[0]
        finally:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                stop[0]()
            outcome.result(LIMIT)
