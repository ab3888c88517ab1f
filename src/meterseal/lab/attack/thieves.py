"""Thieves of MQTT credentials, at the broker and at the gateway."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from meterseal.collection import topics
from meterseal.collection.alink import Device
from meterseal.collection.topics import pack
from meterseal.errors import MeterSealError
from meterseal.lab.attack.identities import new_ca, new_credential
from meterseal.lab.attack.liar import thief_of
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.scene import (
    FORGED,
    NUMBER,
    PLAIN,
    UP,
    Party,
    Scene,
    believed,
    now,
    play,
    reading,
)
from meterseal.lab.attack.waiting import until
from meterseal.net import open_connection
from meterseal.net.gateway import Access, AccessRule, Front
from meterseal.transport import (
    TLS13_SUITES,
    ClientAuthentication,
    ClientConfig,
    Credential,
    ServerConfig,
)
from meterseal.x509 import TrustStore

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["ATTACKS"]


def thief(notes: Notes) -> None:
    """Sign in with stolen names and secrets, and post in their owner's name."""

    async def story(scene: Scene) -> None:
        device = Device("a14Xib5kdYd", "collector-1", "oLyaKqVxtRvjH284LdhqVgVUx1UPy6zq")
        sign_in = device.sign_in("collector-1", now(), 3)
        cloud = {"username": sign_in.user_name, "password": sign_in.password}
        logins = {
            "the collector's MQTT name": {"identifier": "collector-1"},
            "the device secret of the cloud": {"identifier": sign_in.client_id, **cloud},
        }
        sequences = itertools.count(50)
        for what, login in logins.items():
            for whose, sealed, shown in _stolen(scene, sequences):
                async with scene.client("collector-1", **login) as client:
                    bundle = pack([shown.certificate.encoding])
                    await client.publish(topics.certificates("collector-1"), bundle, qos=1)
                    await client.publish(UP, pack([sealed]), qos=1)
                    await scene.settled(client)
                held = scene.stored(PLAIN) == []
                notes.tried(f"{what}, readings sealed {whose}", scene.log(), held=held)
        believed(notes, scene, PLAIN, "the same posts")
        await _at_the_gateway(notes, scene)

    play(story)


def _stolen(scene: Scene, sequences: Iterator[int]) -> Iterator[tuple[str, bytes, Party]]:
    """What somebody can seal who has the login and not the key."""
    own = Party.of(new_ca("collection root"), "collector-1")
    sealed = own.seal(reading(next(sequences), PLAIN, FORGED))
    yield "with a certificate of its own CA", sealed, own
    theirs = scene.collector.certificate.fingerprint()
    named = own.seal(reading(next(sequences), PLAIN, FORGED))
    named = named.replace(own.certificate.fingerprint(), theirs)
    yield "under the name of the collector's key", named, scene.collector


_HOST: Final = "gateway.example"


async def _at_the_gateway(notes: Notes, scene: Scene) -> None:
    """The gateway is the only door to the broker that others than we have."""
    strange = new_ca("collection root")
    sealed = scene.collector.seal(reading(NUMBER, PLAIN))
    stolen = Credential((scene.collector.certificate,), thief_of(scene.collector.key))
    twin = new_credential(strange, "collector-1", profile="client")
    other = _credential(scene.collector_2)
    visitors: dict[str, tuple[Credential | None, str]] = {
        "nobody, without a certificate": (None, "collector-1"),
        "a certificate of another CA": (twin, "collector-1"),
        "the collector's certificate without its key": (stolen, "collector-1"),
        "collector-2 as the client collector-1": (other, "collector-1"),
        "collector-2 to the topic of collector-1": (other, "collector-2"),
    }
    front = _front(scene)
    _, port = await front.start("127.0.0.1", 0)
    try:
        for what, (credential, client_id) in visitors.items():
            refused = front.links.refused.total()
            error = await _publish(scene, port, credential, client_id, sealed)
            await until(lambda before=refused: front.links.refused.total() > before)  # type: ignore[misc]
            said = f"gateway refused {dict(front.links.refused)}; the client met {error}"
            held = NUMBER not in scene.stored(PLAIN)
            notes.tried(f"at the gateway: {what}", said, held=held)
        error = await _publish(scene, port, _credential(scene.collector), "collector-1", sealed)
        async with scene.client("collector-1-by-hand") as client:
            await scene.settled(client)
        stored = scene.stored(PLAIN)
        said = f"stored {stored}; the client met {error}"
        notes.control("the owner of the certificate itself", said, fell=NUMBER in stored)
    finally:
        await front.close()


def _credential(party: Party) -> Credential:
    return Credential((party.certificate,), party.key)


def _front(scene: Scene) -> Front:
    rule = AccessRule("collector-*", publish=("meterseal/v1/{name}/#",))
    config = ServerConfig(
        credential=new_credential(scene.ca, "gateway", host=_HOST),
        suites=TLS13_SUITES,
        trust=TrustStore([scene.ca.certificate]),
        client_authentication=ClientAuthentication.REQUIRED,
    )
    return Front(config, ("127.0.0.1", scene.port), access=Access([rule]))


async def _publish(
    scene: Scene, port: int, credential: Credential | None, client_id: str, sealed: bytes
) -> Exception | None:
    """Sign in through the gateway and publish one bundle for collector-1 (MQTT 3.1.1, 3.1, 3.3)."""
    config = ClientConfig(
        trust=TrustStore([scene.ca.certificate]), suites=TLS13_SUITES, credential=credential
    )
    try:
        stream = await open_connection("127.0.0.1", port, config, server_name=_HOST)
        try:
            stream.write(_packet(0x10, b"\0\4MQTT\4\2\0\x1e" + _text(client_id)))
            await stream.drain()
            await stream.readexactly(4)  # CONNACK
            stream.write(_packet(0x32, _text(UP) + b"\0\1" + pack([sealed])))
            await stream.drain()
            await stream.readexactly(4)  # PUBACK
        finally:
            await stream.close()
    except (MeterSealError, OSError, EOFError) as error:
        return error
    return None


def _text(words: str) -> bytes:
    return len(words).to_bytes(2, "big") + words.encode()


def _packet(kind: int, body: bytes) -> bytes:
    """The length stands in groups of seven bits, the lowest first (2.2.3)."""
    length, left = b"", len(body)
    while True:
        left, group = left >> 7, left & 0x7F
        length += bytes((group | (0x80 if left else 0),))
        if not left:
            return bytes((kind,)) + length + body


ATTACKS = (
    Attack(
        "readings-thief",
        "signs in with stolen MQTT credentials, at the broker and at the gateway",
        "docs/guide/collection.md; MQTT 3.1.1, 5.4 (docs/guide/known-attacks.md, F2)",
        thief,
    ),
)
