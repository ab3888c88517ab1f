"""Whoever has recorded a session and comes by a secret: what that opens."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meterseal.crypto.record import MasterSecret
from meterseal.crypto.sm3 import sm3
from meterseal.crypto.tls13 import KeySchedule
from meterseal.errors import InvalidTag, UsageError
from meterseal.lab.attack.wire import CLIENT, SERVER, messages
from meterseal.transport.codepoints import (
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_LENGTH,
    CipherSuiteCode,
    ExtensionType,
    HandshakeType,
)
from meterseal.transport.extensions_tls13 import decode_key_share, decode_key_shares
from meterseal.transport.messages import ClientHello, ServerHello
from meterseal.transport.wire import Cursor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Recorded"]

_POINT_LENGTH = 65


@dataclass(frozen=True, slots=True)
class Recorded:
    """The records of a whole session, as a man in the middle saw them."""

    seen: dict[str, list[bytes]]

    # --- what stands there in the clear ------------------------------------------------------

    def messages(self, sender: str) -> dict[int, bytes]:
        """Return the messages before any protection by their type, headers included."""
        clear = b"".join(record[HEADER_LENGTH:] for record in self._clear(sender))
        return {each[0]: each for each in messages(clear)}

    def _clear(self, sender: str) -> Iterator[bytes]:
        for record in self.seen[sender]:
            if record[0] != HANDSHAKE:
                return
            yield record

    def _protected(self, sender: str) -> list[bytes]:
        """The records behind the last in the clear, ChangeCipherSpec apart."""
        rest = self.seen[sender][len(list(self._clear(sender))) :]
        return [record for record in rest if record[0] != CHANGE_CIPHER_SPEC]

    @property
    def client_hello(self) -> ClientHello:
        """What the client said first."""
        return ClientHello.decode(Cursor(self.messages(CLIENT)[HandshakeType.CLIENT_HELLO], 4))

    @property
    def server_hello(self) -> ServerHello:
        """What the server answered."""
        return ServerHello.decode(Cursor(self.messages(SERVER)[HandshakeType.SERVER_HELLO], 4))

    def client_point(self) -> bytes:
        """Return the client's ephemeral point: of its share, or of its ClientKeyExchange."""
        shares = self.client_hello.extensions.get(ExtensionType.KEY_SHARE)
        if shares:
            return next(iter(decode_key_shares(shares).values()))[:_POINT_LENGTH]
        return self.messages(CLIENT)[HandshakeType.CLIENT_KEY_EXCHANGE][-_POINT_LENGTH:]

    def server_point(self) -> bytes:
        """Return the server's ephemeral point: of its share, or of its ServerKeyExchange."""
        share = self.server_hello.extensions.get(ExtensionType.KEY_SHARE)
        if share:
            return decode_key_share(share)[1][:_POINT_LENGTH]
        body = self.messages(SERVER)[HandshakeType.SERVER_KEY_EXCHANGE][4:]
        return body[4 : 4 + _POINT_LENGTH]

    # --- what a secret opens -----------------------------------------------------------------

    def open_classic(self, pre_master: bytes) -> bytes | None:
        """Return what the client said if this is the premaster secret (RFC 5246, 8.1)."""
        randoms = self.client_hello.random, self.server_hello.random
        if ExtensionType.EXTENDED_MASTER_SECRET in self.server_hello.extensions:
            master = MasterSecret.derive_extended(pre_master, sm3(self._until_exchange()).digest())
        else:
            master = MasterSecret.derive(pre_master, *randoms)
        version, suite = self.server_hello.server_version, self.server_hello.cipher_suite
        is_cbc = suite in {CipherSuiteCode.ECC_SM4_CBC_SM3, CipherSuiteCode.ECDHE_SM4_CBC_SM3}
        protection = master.cbc_protection if is_cbc else master.gcm_protection
        _, opener = protection(*randoms, version, is_client=False)
        return _open_all(opener, self._protected(CLIENT))

    def _until_exchange(self) -> bytes:
        """The messages that an extended master secret covers (RFC 7627, 3)."""
        order = list(self.messages(CLIENT).values())
        last = [each[0] for each in order].index(HandshakeType.CLIENT_KEY_EXCHANGE)
        hello, *rest = order[: last + 1]
        return b"".join((hello, *self.messages(SERVER).values(), *rest))

    def open_tls13(self, shared_secret: bytes) -> bytes | None:
        """Return what the client said if this is the secret of the key shares (RFC 8446, 7.1)."""
        hellos = self.messages(CLIENT)[HandshakeType.CLIENT_HELLO]
        hellos += self.messages(SERVER)[HandshakeType.SERVER_HELLO]
        digest = sm3(hellos).digest()
        of_client, of_server = KeySchedule("sm4-gcm"), KeySchedule("sm4-gcm")
        _, from_client = of_server.handshake_protection(shared_secret, digest, is_client=False)
        _, from_server = of_client.handshake_protection(shared_secret, digest, is_client=True)
        flight = _handshake_of(from_server, self._protected(SERVER))
        if flight is None or _handshake_of(from_client, self._protected(CLIENT)) is None:
            return None
        whole = sm3(hellos + flight).digest()
        _, opener = of_server.application_protection(whole, is_client=False)
        left = self._protected(CLIENT)[self._records_of_flight(shared_secret, digest) :]
        return _open_all(opener, left)

    def _records_of_flight(self, shared_secret: bytes, digest: bytes) -> int:
        """How many of the client's records are its last flight, under the keys of the handshake."""
        schedule = KeySchedule("sm4-gcm")
        _, opener = schedule.handshake_protection(shared_secret, digest, is_client=False)
        count = 0
        with contextlib.suppress(InvalidTag):
            for record in self._protected(CLIENT):
                opener.open(record)
                count += 1
        return count


def _open_all(opener: Any, sealed: Iterable[bytes]) -> bytes | None:  # noqa: ANN401  (either kind)
    """Return the application data; None if the first record does not open."""
    data, opened = b"", False
    with contextlib.suppress(InvalidTag, UsageError):
        for record in sealed:
            found = opener.open(record)
            opened = True
            if isinstance(found, tuple):
                data += found[1] if found[0] == APPLICATION_DATA else b""
            elif record[0] == APPLICATION_DATA:
                data += found
    return data if opened else None


def _handshake_of(opener: Any, sealed: Iterable[bytes]) -> bytes | None:  # noqa: ANN401
    """Return the messages of a flight up to its Finished; None if it does not open."""
    flight = b""
    with contextlib.suppress(InvalidTag):
        for record in sealed:
            kind, content = opener.open(record)
            flight += content if kind == HANDSHAKE else b""
            if any(each[0] == HandshakeType.FINISHED for each in messages(flight)):
                return flight
    return None
