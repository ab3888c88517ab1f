"""A broker with the context of the façade."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import amqtt.broker

from support.contexts import files, server_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meterseal import SecureContext


def broker_with(
    context: SecureContext,
) -> Callable[[], Awaitable[tuple[int, Callable[[], Awaitable[None]]]]]:
    """How to start a broker with a context; started, it returns its port and how to stop it."""

    class SecureBroker(amqtt.broker.Broker):
        """The way to give amqtt a context: it asks this for every listener."""

        @staticmethod
        def _create_ssl_context(_: object) -> object:
            return context

    async def start() -> tuple[int, Callable[[], Awaitable[None]]]:
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        broker = SecureBroker(
            {
                "listeners": {
                    "default": {
                        "type": "tcp",
                        "bind": "127.0.0.1:0",
                        "ssl": True,
                        "certfile": files().server_sign_pem,
                        "keyfile": files().server_sign_key,
                    }
                },
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            }
        )
        await broker.start()
        server = broker._servers["default"].instance
        return server.sockets[0].getsockname()[1], broker.shutdown

    return start


async def start_broker() -> tuple[int, Callable[[], Awaitable[None]]]:
    return await broker_with(server_context())()
