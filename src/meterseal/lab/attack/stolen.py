"""The key of a meter is stolen: what its thief can do, and what he cannot."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from meterseal.collection.receipts import Verdict
from meterseal.collection.station.evidence import verify_stored
from meterseal.collection.topics import pack
from meterseal.crypto import danger, sm2
from meterseal.crypto.sm_provider import SmProvider
from meterseal.errors import DecryptionFailed
from meterseal.lab.attack.eavesdropper import Recorded
from meterseal.lab.attack.ends import PROTOCOLS, READING, Protocol, meet
from meterseal.lab.attack.gateways import echoes, gateway
from meterseal.lab.attack.identities import Ca, world
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.scene import OTHER, PLAIN, SEALING, UP, Scene, play, reading
from meterseal.lab.attack.wire import CLIENT
from meterseal.transport.codepoints import HandshakeType, NamedGroup
from meterseal.transport.wire import Cursor
from meterseal.x509 import RevocationReason, RevokedCertificate, TrustStore, issue_crl

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import Decryptor, KeyShare, PairKeyShare
    from meterseal.transport import ClientConfig, Credential
    from meterseal.x509 import CertificateRevocationList

__all__ = ["ATTACKS"]

_FOR_EVER: Final = 1 << 60


# --- at the station ------------------------------------------------------------------------


def at_the_station(notes: Notes) -> None:
    """Seal readings with a stolen key, before and after a list of revocations names it."""

    async def story(scene: Scene) -> None:
        honest = [scene.meter.seal(reading(1, SEALING)), scene.collector.seal(reading(1))]
        await scene.send([(UP, pack(honest))])
        await scene.send([(UP, pack([scene.meter.seal(reading(2, SEALING, 999_999))]))])
        stored = scene.stored(SEALING)
        who = "as long as no list names the key"
        notes.control(
            who, f"the thief speaks for its meter: stored {stored}", fell=stored == [1, 2]
        )
        await asyncio.sleep(1 - time.time() % 1)  # lists count in seconds: what came is before it
        scene.write_list(scene.meter)
        await scene.station.try_reload()
        await scene.send([(UP, pack([scene.meter.seal(reading(3, SEALING, 999_999))]))])
        held = scene.stored(SEALING) == [1, 2] and scene.refused() == {Verdict.REVOKED: 1}
        notes.tried("a reading sealed with the revoked key", scene.log(), held=held)
        others = [scene.collector.seal(reading(2)), scene.collector.seal(reading(1, OTHER))]
        await scene.send([(UP, pack(others))])
        held = (scene.stored(PLAIN), scene.stored(OTHER)) == ([1, 2], [1])
        notes.tried("the readings of all others go on", scene.log(), held=held)
        _still_verifies(notes, scene)

    play(story)


def _still_verifies(notes: Notes, scene: Scene) -> None:
    """Evidence of what came before the list holds, and names the revocation where there is one."""
    trust = TrustStore([scene.ca.certificate])
    for whose, meter, count in (("others", PLAIN, 2), ("the meter itself", SEALING, 2)):
        report = verify_stored(scene.station.store, meter, 0, _FOR_EVER, trust)
        told = ", ".join(report.revoked_later)
        said = f"{report.valid} verify, {len(report.findings)} findings; later: {told or 'nothing'}"
        held = report.holds and report.valid == count and bool(told) == (meter == SEALING)
        notes.tried(f"what was stored of {whose} verifies", said, held=held)


# --- at the gateway ------------------------------------------------------------------------


def at_the_gateway(notes: Notes) -> None:
    """Come in with a stolen key, before and after a list names it, while others stay."""
    asyncio.run(_links(notes))


async def _links(notes: Notes) -> None:
    async with gateway() as it:
        meters = {name: it.meter(name) for name in ("meter-1", "meter-2", "meter-3")}
        stolen = meters["meter-1"]
        links = {name: await it.dial(credential) for name, credential in meters.items()}
        thief = await it.dial(stolen)
        comes = await echoes(thief)
        who = "as long as no list names the key"
        notes.control(who, f"the thief has a link: {comes}", fell=comes)
        ended = it.front.reload(replace(it.config, crls=(_list_of(it.ca, stolen),)))
        over = not await echoes(thief) and not await echoes(links.pop("meter-1"))
        said = f"{it.log()}; {ended} links ended"
        notes.tried("the links of the revoked key", said, held=over)
        stay = [await echoes(link) for link in links.values()]
        notes.tried("the links of the others", f"{sum(stay)} of {len(stay)} go on", held=all(stay))
        again = await it.lets_in(stolen)
        notes.tried("the thief comes again", it.log(), held=not again)
        for link in (thief, *links.values()):
            await link.close()


def _list_of(ca: Ca, revoked: Credential) -> CertificateRevocationList:
    at = datetime.now(UTC)
    why = RevocationReason.KEY_COMPROMISE
    line = RevokedCertificate.of(revoked.chain[0].serial_number, at, why)
    return issue_crl(
        [line],
        ca_certificate=ca.certificate,
        ca_key=ca.key,
        this_update=at - timedelta(days=1),
        days=30,
        number=1,
    )


# --- what was recorded ---------------------------------------------------------------------

_PLAIN_GROUP: Final = (int(NamedGroup.CURVE_SM2),)


def traffic(notes: Notes) -> None:
    """Record a meter's sessions, steal all its keys, and try them on the recordings."""
    for name in ("TLS 1.3", "TLS 1.2", "TLCP ECC", "TLCP ECDHE"):
        protocol = PROTOCOLS[name]
        recorded = Recorded(meet(_talker(protocol), protocol.server()).seen)
        for what, guess in _guesses(protocol, recorded).items():
            opened = guess()
            said = "nothing opens" if opened is None else f"it says {opened!r}"
            notes.tried(f"{name}: {what}", said, held=opened is None)
    _traffic_controls(notes)


def _talker(protocol: Protocol, **changes: Any) -> ClientConfig:  # noqa: ANN401
    """A meter that leaves the lattice out of TLS 1.3: the easier prey."""
    groups = {"groups": _PLAIN_GROUP} if protocol.name == "TLS 1.3" else {}
    return protocol.client(**groups, **changes)


def _keys_of_meter(protocol: Protocol) -> dict[str, sm2.PrivateKey]:
    ours = world().client_pair if protocol.has_pairs else world().client
    keys = {"the meter's signing key": ours.key}
    if ours.encryption is not None:
        keys["the meter's encryption key"] = ours.encryption.key  # type: ignore[assignment]
    return {what: key for what, key in keys.items() if isinstance(key, sm2.PrivateKey)}


def _guesses(protocol: Protocol, recorded: Recorded) -> dict[str, Callable[[], bytes | None]]:
    """Everything that can be computed from the meter's keys and the recording."""
    guesses: dict[str, Callable[[], bytes | None]] = {}
    for whose, key in _keys_of_meter(protocol).items():
        if protocol.name == "TLCP ECC":
            guesses[f"{whose} decrypts the premaster secret"] = _Decrypting(recorded, key)
            continue
        for point in ("server_point", "client_point"):
            what = f"{whose} agrees with the {point.replace('_', chr(39) + 's ')}"
            guesses[what] = _Agreeing(protocol, recorded, key, point)
        if protocol.name == "TLCP ECDHE":
            what = f"{whose} takes part in the key exchange, as static and as ephemeral key"
            guesses[what] = _Exchanging(recorded, key, key)
    return guesses


class _Decrypting:
    """TLCP's ECC suites: the premaster secret lies in the recording, encrypted to the station."""

    def __init__(self, recorded: Recorded, key: sm2.PrivateKey) -> None:
        self._recorded, self._key = recorded, key

    def __call__(self) -> bytes | None:
        message = self._recorded.messages(CLIENT)[HandshakeType.CLIENT_KEY_EXCHANGE]
        try:
            pre_master = self._key.decrypt(Cursor(message, 4).vector16())
        except DecryptionFailed:
            return None
        return self._recorded.open_classic(pre_master)


class _Agreeing:
    """A static key in the place of an ephemeral one."""

    def __init__(
        self, protocol: Protocol, recorded: Recorded, key: sm2.PrivateKey, point: str
    ) -> None:
        self._is_tls13 = protocol.name == "TLS 1.3"
        self._recorded, self._key, self._point = recorded, key, point

    def __call__(self) -> bytes | None:
        point = sm2.PublicKey.from_bytes(getattr(self._recorded, self._point)())
        secret = self._key.exchange_ecdh(point)
        opening = self._recorded.open_tls13 if self._is_tls13 else self._recorded.open_classic
        return opening(secret)


class _Exchanging:
    """TLCP's ECDHE suites: the meter is B, the station A (GB/T 32918.3-2016, 6)."""

    def __init__(
        self, recorded: Recorded, static: sm2.PrivateKey, ephemeral: sm2.PrivateKey
    ) -> None:
        self._recorded, self._static, self._ephemeral = recorded, static, ephemeral

    def __call__(self) -> bytes | None:
        encryption = world().server_pair.encryption
        if encryption is None:
            raise TypeError("expected a pair")
        exchange = danger.exchange_with_ephemeral(self._static, self._ephemeral, initiator=False)
        theirs = sm2.PublicKey.from_bytes(self._recorded.server_point())
        agreed = exchange.agree(encryption.certificate.public_key(), theirs, 48)
        return self._recorded.open_classic(agreed.key)


class _Known(SmProvider):
    """A meter's generator weakened so far that its ephemeral key is known."""

    def __init__(self, ephemeral: sm2.PrivateKey) -> None:
        super().__init__()
        self._ephemeral = ephemeral
        self.public = ephemeral.public_key().to_bytes()

    def key_share(self, group: int, /) -> KeyShare:
        del group
        return self

    def pair_key_share(self, key: Decryptor, *, is_initiator: bool) -> PairKeyShare:
        if not isinstance(key, sm2.PrivateKey):
            raise TypeError("expected a key in memory")
        return _KnownShare(key, self._ephemeral, is_initiator=is_initiator)

    def agree(self, peer_public: bytes, /) -> bytes:
        """Agree with the known key."""
        return self._ephemeral.exchange_ecdh(sm2.PublicKey.from_bytes(peer_public))


class _KnownShare:
    def __init__(
        self, static: sm2.PrivateKey, ephemeral: sm2.PrivateKey, *, is_initiator: bool
    ) -> None:
        self._exchange = danger.exchange_with_ephemeral(static, ephemeral, initiator=is_initiator)
        self.public = ephemeral.public_key().to_bytes()

    def agree(self, peer: sm2.PublicKey, peer_public: bytes, length: int, /) -> bytes:
        return self._exchange.agree(peer, sm2.PublicKey.from_bytes(peer_public), length).key


def _traffic_controls(notes: Notes) -> None:
    """The same recordings, with a secret that does open them."""
    ephemeral = sm2.PrivateKey.generate()
    for name in ("TLS 1.3", "TLS 1.2", "TLCP ECDHE"):
        protocol = PROTOCOLS[name]
        client = _talker(protocol, provider=_Known(ephemeral))
        recorded = Recorded(meet(client, protocol.server()).seen)
        guess: Callable[[], bytes | None] = _Agreeing(protocol, recorded, ephemeral, "server_point")
        if name == "TLCP ECDHE":
            static = _keys_of_meter(protocol)["the meter's encryption key"]
            guess = _Exchanging(recorded, static, ephemeral)
        opened = guess()
        who = f"{name}, a meter whose ephemeral key is known too"
        notes.control(who, f"it says {opened!r}", fell=opened == READING)
    protocol = PROTOCOLS["TLCP ECC"]
    recorded = Recorded(meet(protocol.client(), protocol.server()).seen)
    encryption = world().server_pair.encryption
    if encryption is None or not isinstance(encryption.key, sm2.PrivateKey):
        raise TypeError("expected a pair in memory")
    opened = _Decrypting(recorded, encryption.key)()
    who = "TLCP ECC has no ephemeral keys: the station's encryption key, stolen later"
    notes.control(who, f"it says {opened!r}", fell=opened == READING)


ATTACKS = (
    Attack(
        "stolen-key-station",
        "seals readings with a meter's stolen key, before and after a list names it",
        "RFC 5280, 5; docs/guide/known-attacks.md, K1",
        at_the_station,
    ),
    Attack(
        "stolen-key-gateway",
        "comes in with a meter's stolen key, before and after a list names it",
        "RFC 5280, 5; docs/guide/known-attacks.md, K1",
        at_the_gateway,
    ),
    Attack(
        "stolen-key-traffic",
        "records a meter's sessions, steals its keys afterwards, and tries them on the recordings",
        "RFC 8446, E.1; GB/T 38636-2020, 6.4.5.8",
        traffic,
    ),
)
