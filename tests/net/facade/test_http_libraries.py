"""HTTP and WebSocket libraries take the context unpatched: the matrix of docs/guide/facade.md."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import aiohttp
import aiohttp.web
import httpx
import hypercorn.asyncio
import hypercorn.config
import pytest
import requests
import requests.adapters
import urllib3
import uvicorn
import uvloop
import websockets
import websockets.sync.client
import websockets.sync.server

from support.contexts import HOST, client_context, doubting_context, files, server_context
from support.servers import PAGE, http_server, running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from meterseal import SecureContext

LARGE = bytes(range(256)) * 1024
PROTOCOLS = pytest.mark.parametrize("protocol", ["tlcp", "auto"])


# --- clients -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http_server() as address:
        yield address


@PROTOCOLS
def test_httpx(url: str, protocol: str) -> None:
    with httpx.Client(verify=client_context(protocol)) as client:
        assert client.get(url).content == PAGE
        assert client.post(url, content=LARGE).content == LARGE


@PROTOCOLS
def test_httpx_async(url: str, protocol: str) -> None:
    async def scene() -> None:
        async with httpx.AsyncClient(verify=client_context(protocol)) as client:
            answers = await asyncio.gather(*(client.get(url) for _ in range(3)))
            assert [answer.content for answer in answers] == [PAGE] * 3
            assert (await client.post(url, content=LARGE)).content == LARGE

    asyncio.run(scene())


def test_httpx_sees_a_refused_certificate(url: str) -> None:
    with pytest.raises(httpx.ConnectError, match="unknown issuer"):
        httpx.get(url, verify=doubting_context())


class SecureAdapter(requests.adapters.HTTPAdapter):
    """The documented way to give `requests` a context."""

    def init_poolmanager(self, *args, **kwargs) -> None:  # noqa: ANN002, ANN003
        super().init_poolmanager(*args, ssl_context=client_context(), **kwargs)


@pytest.mark.parametrize("verify", [True, None])
def test_requests(url: str, verify: bool | None) -> None:
    with requests.Session() as session:
        session.mount("https://", SecureAdapter())
        verify = files().ca_pem if verify is None else verify  # type: ignore[assignment]
        assert session.get(url, verify=verify, timeout=10).content == PAGE
        assert session.post(url, LARGE, verify=verify, timeout=10).content == LARGE


def test_requests_cannot_be_told_not_to_verify(url: str) -> None:
    with requests.Session() as session:
        session.mount("https://", SecureAdapter())
        with pytest.raises(ValueError, match="check_hostname is enabled"):  # as with ssl itself
            session.get(url, verify=False, timeout=10)


@PROTOCOLS
def test_urllib3(url: str, protocol: str) -> None:
    with urllib3.PoolManager(ssl_context=client_context(protocol)) as pool:
        assert pool.request("GET", url).data == PAGE
        assert pool.request("POST", url, body=LARGE).data == LARGE


def test_urllib3_sees_a_refused_certificate(url: str) -> None:
    with urllib3.PoolManager(ssl_context=doubting_context(), retries=False) as pool:
        with pytest.raises(urllib3.exceptions.SSLError, match="unknown issuer"):
            pool.request("GET", url)


@PROTOCOLS
def test_aiohttp_client(url: str, protocol: str) -> None:
    async def scene() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get(url, ssl=client_context(protocol)) as answer:
                assert await answer.read() == PAGE
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(url, ssl=doubting_context())

    asyncio.run(scene())


# --- servers -----------------------------------------------------------------------------


async def start_aiohttp() -> tuple[str, Callable[[], Awaitable[None]]]:
    async def answer(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(body=await request.read() or PAGE)

    application = aiohttp.web.Application()
    application.router.add_route("*", "/", answer)
    runner = aiohttp.web.AppRunner(application)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context()).start()
    return f"https://{HOST}:{runner.addresses[0][1]}/", runner.cleanup


def test_aiohttp_server() -> None:
    with running(start_aiohttp) as url, httpx.Client(verify=client_context()) as client:
        assert client.get(url).content == PAGE
        assert client.post(url, content=LARGE).content == LARGE


async def application(scope, receive, send) -> None:  # noqa: ANN001
    """ASGI: echoes a body and the WebSocket messages."""
    if scope["type"] == "http":
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body or PAGE})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_uvicorn(loop: str) -> None:
    async def start() -> tuple[str, Callable[[], Awaitable[None]]]:
        config = uvicorn.Config(
            application,
            port=0,
            loop=loop,
            lifespan="off",
            log_level="error",
            ws="websockets-sansio",
            ssl_context_factory=lambda config, default: server_context(),  # noqa: ARG005
        )
        server = uvicorn.Server(config)
        server.config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()

        async def stop() -> None:
            for _ in range(100):  # uvicorn trips over connections that are closing already
                if not server.server_state.connections:
                    break
                await asyncio.sleep(0.05)
            await server.shutdown()

        return f"https://{HOST}:{server.servers[0].sockets[0].getsockname()[1]}/", stop

    runner = uvloop.run if loop == "uvloop" else asyncio.run
    with running(start, runner) as url:
        with httpx.Client(verify=client_context()) as client:
            assert client.get(url).content == PAGE
            assert client.post(url, content=LARGE).content == LARGE
        with websockets.sync.client.connect(
            url.replace("https", "wss"), ssl=client_context("auto")
        ) as socket:
            socket.send("reading")
            assert socket.recv(10) == "reading"


class SecureHypercorn(hypercorn.config.Config):
    """The way to give hypercorn a context: it asks these two."""

    def create_ssl_context(self) -> SecureContext:
        context = server_context()
        context.set_alpn_protocols(self.alpn_protocols)
        return context

    @property
    def ssl_enabled(self) -> bool:
        return True


@pytest.mark.parametrize(("http2", "version"), [(True, "HTTP/2"), (False, "HTTP/1.1")])
def test_hypercorn_and_httpx_agree_on_http_2(http2: bool, version: str) -> None:
    async def start() -> tuple[str, Callable[[], Awaitable[None]]]:
        config = SecureHypercorn()
        config.bind = ["127.0.0.1:0"]
        config.errorlog = None
        sockets = config.create_sockets()
        config.create_sockets = lambda: sockets  # type: ignore[method-assign]
        ended = asyncio.Event()
        serving = asyncio.create_task(
            hypercorn.asyncio.serve(application, config, shutdown_trigger=ended.wait)
        )

        async def stop() -> None:
            ended.set()
            await serving

        port = sockets.secure_sockets[0].getsockname()[1]
        return f"https://{HOST}:{port}/", stop

    with running(start) as url:
        with httpx.Client(verify=client_context("auto"), http2=http2) as client:
            for _ in range(20):
                try:
                    answer = client.get(url)
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            assert (answer.content, answer.http_version) == (PAGE, version)
            assert client.post(url, content=LARGE).content == LARGE
        asyncio.run(over_asyncio(url, http2, version))
        with httpx.Client(verify=client_context("tlcp"), http2=http2) as client:
            assert client.get(url).http_version == "HTTP/1.1"  # TLCP has no ALPN


async def over_asyncio(url: str, http2: bool, version: str) -> None:
    """Several requests at once, over one connection where it is HTTP/2."""
    async with httpx.AsyncClient(verify=client_context("auto"), http2=http2) as client:
        answers = await asyncio.gather(*(client.post(url, content=LARGE) for _ in range(3)))
        assert [answer.content for answer in answers] == [LARGE] * 3
        assert {answer.http_version for answer in answers} == {version}


GUNICORN = """
import meterseal

certfile = keyfile = {pair!r}  # what makes it speak TLS; the context is ours


def ssl_context(config, default_ssl_context_factory):
    context = meterseal.create_default_context(meterseal.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.certfile)
    return context


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": body or {page!r}}})


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read() or {page!r}
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.mark.parametrize("worker", ["sync", "gthread", "asgi"])
def test_gunicorn(worker: str, tmp_path: Path) -> None:
    configuration = GUNICORN.format(pair=files().server_pair_pem, page=PAGE)
    (tmp_path / "serving.py").write_text(configuration)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://{HOST}:{listener.getsockname()[1]}/"
        listener.set_inheritable(True)
        command = [sys.executable, "-m", "gunicorn", "--config", "serving.py"]
        command += ["serving:asgi" if worker == "asgi" else "serving:wsgi"]
        command += ["--bind", f"fd://{listener.fileno()}", "--worker-class", worker]
        command += ["--log-level", "error", "--no-control-socket"]
        with subprocess.Popen(command, cwd=tmp_path, pass_fds=[listener.fileno()]) as server:
            try:
                for protocol in ("tlcp", "auto"):
                    context = client_context(protocol)
                    with httpx.Client(verify=context, timeout=30) as client:
                        assert client.get(url).content == PAGE
                        assert client.post(url, content=LARGE).content == LARGE
            finally:
                server.terminate()


# --- WebSockets --------------------------------------------------------------------------


@PROTOCOLS
def test_websockets_with_asyncio(protocol: str) -> None:
    async def echo(socket: websockets.ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async def scene() -> None:
        async with websockets.serve(echo, "127.0.0.1", 0, ssl=server_context()) as server:
            port = server.sockets[0].getsockname()[1]
            context = client_context(protocol)
            async with websockets.connect(f"wss://{HOST}:{port}", ssl=context) as socket:
                for message in ("reading", LARGE):
                    await socket.send(message)
                    assert await socket.recv() == message

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_websockets_with_threads() -> None:
    def echo(socket: websockets.sync.server.ServerConnection) -> None:
        for message in socket:
            socket.send(message)

    with websockets.sync.server.serve(echo, "127.0.0.1", 0, ssl=server_context()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        with websockets.sync.client.connect(f"wss://{HOST}:{port}", ssl=client_context()) as socket:
            for message in ("reading", LARGE, "end"):
                socket.send(message)
                assert socket.recv(10) == message
        server.shutdown()
        thread.join()
