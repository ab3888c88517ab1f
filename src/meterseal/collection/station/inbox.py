"""Where messages come from: anything that keeps them until they are acknowledged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Inbox", "Message"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message; without `acknowledge` it comes again."""

    topic: str
    payload: bytes
    acknowledge: Callable[[], Awaitable[None]]


class Inbox(Protocol):
    """A durable source of messages, which connects anew by itself, and the way back."""

    async def receive(self, most: int, patience: float) -> list[Message]:
        """Wait for a message, then at most `patience` seconds for up to `most` of them.

        Messages that were handed out and not acknowledged are bounded; what is beyond that waits
        at the sender's side and is never dropped.
        """

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send a message; whether it arrives is for the receiver to notice."""

    async def close(self) -> None:
        """Leave; what is not acknowledged comes again to whoever is next."""
