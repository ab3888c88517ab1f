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
from meterseal.crypto.sm_provider import SmProvider
from meterseal.errors import MeterSealError
from meterseal.lab.attack.eavesdropper import Recorded
from meterseal.lab.attack.wire import CLIENT, SERVER
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
)
from meterseal.transport.codepoints import NamedGroup
from support.identities import NOW, world
from support.tlcp import ECC, ECC_CBC, ECDHE, ECDHE_CBC
from support.wire import client_config, link, server_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meterseal.crypto.provider import KeyShare, PairKeyShare
    from meterseal.transport import CipherSuite

TLS12, TLS13 = TLS12_SUITES[0], TLS13_SUITES[0]
HYBRID, PLAIN = (int(NamedGroup.CURVE_SM2_MLKEM768),), (int(NamedGroup.CURVE_SM2),)
POINT = 65
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


class Session:
    """A session of two ends with certificates, recorded, and what was stolen since."""

    def __init__(self, suite: CipherSuite, groups: tuple[int, ...] = PLAIN) -> None:
        self._seen: dict[str, list[bytes]] = {CLIENT: [], SERVER: []}
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
        self.recorded = Recorded(self._seen)
        self.ephemeral = provider.leaked
        self.stolen = [key for each in (client, server) for key in keys_of(each)]
        self._read = self.recorded.open_tls13 if suite is TLS13 else self.recorded.open_classic

    def _note(self, sender: str, _: int, record: bytes) -> bytes:
        self._seen[sender].append(record)
        return record

    def shown(self) -> bytes:
        """The handshake as far as everybody can read it."""
        both = (self.recorded.messages(sender).values() for sender in (CLIENT, SERVER))
        return b"".join(each for messages in both for each in messages)

    def opens_with(self, secret: bytes) -> bool:
        """Whether the thief reads on with this as the secret of the key agreement."""
        return self._read(secret) == READING


def keys_of(credential: Any) -> list[sm2.PrivateKey]:  # noqa: ANN401
    encryption = credential.encryption
    return [credential.key, *([encryption.key] if encryption else [])]


def guesses(session: Session) -> Iterable[bytes]:
    """All that the stolen keys give with what the handshake shows."""
    shown = session.shown()
    places = [at for at in range(len(shown)) if shown[at] in {0x04, 0x30}]
    for key in session.stolen:
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
    session = Session(suite, groups)
    tried = list(guesses(session))
    assert len(tried) >= len(session.stolen), "he had something to try"
    assert not any(map(session.opens_with, tried))
    assert any(map(session.opens_with, session.ephemeral)), "he would have known how"


@pytest.mark.parametrize("suite", [ECC, ECC_CBC], ids=["TLCP ECC GCM", "TLCP ECC CBC"])
def test_the_ecc_suites_of_tlcp_are_opened_by_the_stolen_encryption_key(suite: CipherSuite) -> None:
    session = Session(suite)
    assert any(map(session.opens_with, guesses(session)))
    encryption = world().server_pair.encryption
    assert encryption is not None
    session.stolen = [key for key in session.stolen if key != encryption.key]
    assert not any(map(session.opens_with, guesses(session))), "this very key, and no other"
