"""A session is recorded today, and the keys of all certificates of both ends are stolen later (K1).

The thief tries each stolen key on whatever the handshake shows: as the key of every ciphertext, and
in an agreement with every point on the curve. With ephemeral keys nothing opens. The same thief
opens the session at once when an ephemeral secret leaks as well, so he knows his trade; and he
opens the ECC suites of TLCP with the stolen keys alone: they have no forward secrecy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meterseal.crypto import sm2
from meterseal.crypto.provider import SmProvider
from meterseal.errors import MeterSealError
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
)
from meterseal.transport.codepoints import HandshakeType, NamedGroup
from meterseal.transport.events import RECEIVED, SENT
from meterseal.transport.recording import KeyLog, Recording
from meterseal.transport.trace import Trace
from support.identities import NOW, world
from support.tlcp import ECC, ECC_CBC, ECDHE, ECDHE_CBC
from support.wire import client_config, link, server_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meterseal.crypto.provider import KeyShare, PairKeyShare
    from meterseal.transport import CipherSuite

TLS12, TLS13 = TLS12_SUITES[0], TLS13_SUITES[0]
HYBRID, PLAIN = (int(NamedGroup.CURVE_SM2_MLKEM768),), (int(NamedGroup.CURVE_SM2),)
POINT, RECORD, MESSAGE, RANDOM = 65, 5, 4, slice(6, 38)
READING = b"230.1 V, 5.123 A"


class Leak:
    """A share whose secrets somebody writes down."""

    def __init__(self, share: Any, leaked: list[bytes]) -> None:  # noqa: ANN401
        self._share, self._leaked = share, leaked
        self.public = share.public

    def agree(self, *peer: Any) -> bytes:  # noqa: ANN401
        self._leaked.append(self._share.agree(*peer))
        return self._leaked[-1]


class Leaking(SmProvider):
    """Computes as it should, and lets the ephemeral secrets out."""

    def __init__(self) -> None:
        super().__init__(clock=NOW.timestamp)
        self.leaked: list[bytes] = []

    def key_share(self, group: int, /) -> KeyShare:
        return Leak(super().key_share(group), self.leaked)

    def pair_key_share(self, key: Any, *, is_initiator: bool) -> PairKeyShare:  # noqa: ANN401
        return Leak(super().pair_key_share(key, is_initiator=is_initiator), self.leaked)


class Recorded:
    """A session of two ends with certificates as it crossed the wire, and what was stolen since."""

    def __init__(self, suite: CipherSuite, groups: tuple[int, ...] = PLAIN) -> None:
        self.suite = suite
        self.wire: list[tuple[str, bytes]] = []
        own, provider = world(), Leaking()
        pairs = (own.client_pair, own.server_pair)
        client, server = pairs if suite in TLCP_SUITES else (own.client, own.server)
        ends = link(
            client_config(
                suites=(suite,), credential=client, provider=provider, groups=groups,
                key_shares=groups,
            ),
            server_config(
                suites=(suite,), credential=server, trust=own.trust,
                client_authentication=ClientAuthentication.REQUIRED,
            ),
            change=self._note,
        )  # fmt: skip
        assert not ends.errors
        ends.client.send_data(READING)
        ends.run()
        self.ephemeral = provider.leaked
        self.stolen = [key for each in (client, server) for key in keys_of(each)]

    def _note(self, sender: str, _: int, record: bytes) -> bytes:
        self.wire.append((SENT if sender == "client" else RECEIVED, record))
        return record

    def messages(self) -> list[bytes]:
        """The handshake as far as everybody can read it."""
        found: list[bytes] = []
        for _, record in self.wire:
            if record[0] != 22:
                break
            rest = record[RECORD:]
            while rest:
                end = MESSAGE + int.from_bytes(rest[1:MESSAGE], "big")
                found.append(rest[:end])
                rest = rest[end:]
        return found

    def opens_with(self, secret: bytes) -> bool:
        """Whether the thief reads on with this as the secret of the key agreement."""
        return any(self._reads(KeyLog.parse("\n".join(lines))) for lines in self._key_logs(secret))

    def _key_logs(self, secret: bytes) -> Iterator[list[str]]:
        provider, messages = SmProvider(), self.messages()
        client, server = (each[RANDOM] for each in messages[:2])
        if self.suite is TLS13:
            schedule = provider.key_schedule(self.suite.protection)
            schedule.handshake_protection(secret, digest(b"".join(messages[:2])), True)
            names = zip(("CLIENT", "SERVER"), schedule.traffic_secrets(), strict=True)
            yield [f"{who}_HANDSHAKE_TRAFFIC_SECRET {client.hex()} {it.hex()}" for who, it in names]
            return
        kinds = [each[0] for each in messages]
        session = b"".join(messages[: kinds.index(HandshakeType.CLIENT_KEY_EXCHANGE) + 1])
        for master in (
            provider.master_secret(self.suite.hash_name, secret, client, server),
            provider.extended_master_secret(self.suite.hash_name, secret, digest(session)),
        ):
            yield [f"CLIENT_RANDOM {client.hex()} {master.to_bytes().hex()}"]

    def _reads(self, log: KeyLog) -> bool:
        lines: list[str] = []
        recording = Recording(Trace(lines.append), log)
        for direction, record in self.wire:
            recording.receive_data(direction, record)
        sought = "EncryptedExtensions" if self.suite is TLS13 else f"data, {len(READING)} bytes"
        return any(sought in line for line in lines)


def keys_of(credential: Any) -> list[sm2.PrivateKey]:  # noqa: ANN401
    encryption = credential.encryption
    return [credential.key, *([encryption.key] if encryption else [])]


def digest(data: bytes) -> bytes:
    hashed = SmProvider().new_hash("sm3")
    hashed.update(data)
    return hashed.digest()


def guesses(recorded: Recorded) -> Iterable[bytes]:
    """All that the stolen keys give with what the handshake shows."""
    shown = b"".join(recorded.messages())
    places = [at for at in range(len(shown)) if shown[at] in {0x04, 0x30}]
    for key in recorded.stolen:
        for at in places:
            yield from agreed(key, shown[at : at + POINT])
            yield from decrypted(key, shown[at:])


def agreed(key: sm2.PrivateKey, point: bytes) -> Iterator[bytes]:
    try:
        public = sm2.PublicKey.from_bytes(point)
    except MeterSealError:
        return
    if public != key.public_key():
        yield key.exchange_ecdh(public)


def decrypted(key: sm2.PrivateKey, data: bytes) -> Iterator[bytes]:
    """Try what stands here as a ciphertext in DER, of the length that it says."""
    if data[0] != 0x30 or len(data) < 3:
        return
    length, header = (data[1], 2) if data[1] < 0x80 else (data[2], 3)
    try:
        yield key.decrypt(data[: header + length])
    except MeterSealError:
        return


@pytest.mark.parametrize(
    ("suite", "groups"),
    [(TLS13, HYBRID), (TLS13, PLAIN), (TLS12, PLAIN), (ECDHE, PLAIN), (ECDHE_CBC, PLAIN)],
    ids=["TLS 1.3 hybrid", "TLS 1.3", "TLS 1.2", "TLCP ECDHE GCM", "TLCP ECDHE CBC"],
)
def test_stolen_keys_open_no_session_of_before(suite: CipherSuite, groups: tuple[int, ...]) -> None:
    recorded = Recorded(suite, groups)
    tried = list(guesses(recorded))
    assert len(tried) >= len(recorded.stolen), "he had something to try"
    assert not any(map(recorded.opens_with, tried))
    assert any(map(recorded.opens_with, recorded.ephemeral)), "he would have known how"


@pytest.mark.parametrize("suite", [ECC, ECC_CBC], ids=["TLCP ECC GCM", "TLCP ECC CBC"])
def test_the_ecc_suites_of_tlcp_are_opened_by_the_stolen_encryption_key(suite: CipherSuite) -> None:
    recorded = Recorded(suite)
    assert any(map(recorded.opens_with, guesses(recorded)))
    encryption = world().server_pair.encryption
    assert encryption is not None
    recorded.stolen = [key for key in recorded.stolen if key != encryption.key]
    assert not any(map(recorded.opens_with, guesses(recorded))), "this very key, and no other"
