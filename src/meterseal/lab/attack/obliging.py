"""Ends that go along with what they should refuse, as older stacks did.

Each is made of an honest connection before its first byte, for the controls of the range.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meterseal.transport import Connection
from meterseal.transport.codepoints import HEADER_LENGTH, HandshakeType
from meterseal.transport.messages import ServerHello
from meterseal.transport.negotiate import server_flow
from meterseal.transport.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.transport import ClientConfig, ServerConfig
    from meterseal.transport.flow import Answer
    from meterseal.transport.messages import Message

    Prepare = Callable[[Connection], None]

__all__ = ["begins_again", "blind_to_marks", "says_hello_again"]


class _Unmarked(bytes):
    """A random whose end nobody looks at."""

    __slots__ = ()

    def endswith(self, *_: object) -> bool:
        """See nothing there."""
        return False


def blind_to_marks(client: Connection) -> None:
    """Ignore the mark of a server that could do better, as before RFC 8446 (4.1.3)."""
    driver = client._driver  # noqa: SLF001
    honest = driver._advance  # noqa: SLF001

    def advance(answer: Answer) -> None:
        if isinstance(answer, ServerHello):
            answer = replace(answer, random=_Unmarked(answer.random))
        honest(answer)

    driver._advance = advance  # type: ignore[method-assign]  # noqa: SLF001


def begins_again(config: ServerConfig) -> Prepare:
    """Answer a hello on a session that stands, as before RFC 5746."""

    def prepare(server: Connection) -> None:
        driver = server._driver  # noqa: SLF001
        honest = driver._awaited  # noqa: SLF001

        def awaited(number: int) -> type[Message]:
            if driver.is_established and number == HandshakeType.CLIENT_HELLO:
                driver.is_established = False
                driver.transcript = Transcript()
                driver.start(server_flow(driver, config))
            return honest(number)

        driver._awaited = awaited  # type: ignore[method-assign]  # noqa: SLF001

    return prepare


def says_hello_again(config: ClientConfig, name: str) -> Prepare:
    """Answer a HelloRequest on a session that stands with a hello."""

    def prepare(client: Connection) -> None:
        driver = client._driver  # noqa: SLF001
        hello = Connection.client(config, name).data_to_send()[HEADER_LENGTH:]
        driver._refuse_renegotiation = lambda: driver.send_encoded(hello)  # type: ignore[method-assign]  # noqa: SLF001

    return prepare
