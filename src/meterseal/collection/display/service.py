"""The display served beside its station, in the same process and loop, until it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Final

import uvicorn

from meterseal.collection.config import split_address
from meterseal.collection.credentials import https_context, renew_https
from meterseal.collection.display.app import make_app
from meterseal.collection.display.display import Display
from meterseal.collection.display.users import FIRST_USER, Users
from meterseal.collection.files import Stamp, stamp_of
from meterseal.x509 import TrustStore, load_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meterseal.collection.config import HttpsSettings, StationSettings
    from meterseal.collection.station.run import Station

__all__ = ["serve", "serve_on"]

_log: Final = logging.getLogger("meterseal.display")
_MOST_AT_ONCE: Final = 200
"""Requests that are answered at a time; more are told to come later."""
_LAST_SECONDS: Final = 3
_IDLE_SECONDS: Final = 15
_REFRESH: Final = 10.0
"""Seconds between looks at the files of HTTPS."""


async def serve(station: Station, settings: StationSettings) -> None:
    """Serve the display of a station until cancelled; without an address there is none.

    The first start makes a user and tells its one-time password in the log and in a file. Raises
    `OSError` if the address cannot be listened on or a file of HTTPS is missing or wrong,
    `UsageError` if the file of users is damaged.
    """
    if settings.listen is None:
        return
    users = await asyncio.to_thread(Users, settings.state)
    first = await asyncio.to_thread(users.begin)
    if first is not None:
        _log.warning(
            "first sign-in: user %s, one-time password %s (also in %s)", FIRST_USER, *first
        )
    display = Display(
        name=settings.name,
        views=station.views,
        store=station.store,
        users=users,
        trust=lambda: TrustStore(load_certificates(station.config.ca.read_bytes())),
        metrics=station.metrics.registry,
    )
    host, port = split_address(settings.listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        if settings.https is None:
            await serve_on(listener, display)
        else:
            await _serve_sealed(listener, display, settings.https)


async def _serve_sealed(listener: socket.socket, display: Display, settings: HttpsSettings) -> None:
    seen = stamp_of(_files(settings))  # before they are read: what changes meanwhile is read again
    context = https_context(settings)
    renewing = asyncio.create_task(_renew(context, settings, seen))
    try:
        await serve_on(listener, display, context)
    finally:
        renewing.cancel()


async def _renew(context: ssl.SSLContext, settings: HttpsSettings, seen: Stamp) -> None:
    """Load certificates and keys again that changed; what cannot be used leaves all as it is."""
    files = _files(settings)
    while True:
        await asyncio.sleep(_REFRESH)
        stamps = await asyncio.to_thread(stamp_of, files)
        if stamps != seen:
            seen = stamps
            try:
                renew_https(context, settings)
                _log.info("the display shows new certificates")
            except (OSError, ssl.SSLError) as error:
                _log.error("the display goes on with its certificates of before: %s", error)


def _files(settings: HttpsSettings) -> list[Path]:
    identities = [each for each in (settings.international, settings.sm) if each is not None]
    places = [(each.certificate, each.key, each.encryption_key) for each in identities]
    return [path for each in places for path in each if path is not None]


async def serve_on(
    listener: socket.socket, display: Display, context: ssl.SSLContext | None = None
) -> None:
    """Serve a display on a socket that listens, until cancelled; answers under way are finished.

    With a context it is HTTPS, and session cookies cross nothing else.
    """
    config = uvicorn.Config(
        make_app(display),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_AT_ONCE,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS,
        ssl_context_factory=None if context is None else lambda *_: context,
    )
    server = _Server(config)
    host, port = listener.getsockname()[:2]
    scheme = "http" if context is None else "https"
    _log.info("the display of %s is at %s://%s:%d/", display.name, scheme, host, port)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        await running
        raise


class _Server(uvicorn.Server):
    """Leaves signals to the process that it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
