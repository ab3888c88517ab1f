"""Readings forged, altered and sent again, through a real broker to a real station."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from meterseal.collection import topics
from meterseal.collection.receipts import Verdict
from meterseal.collection.topics import pack
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.scene import (
    FORGED,
    NUMBER,
    OTHER,
    PLAIN,
    SEALING,
    TIMES,
    UP,
    Party,
    Scene,
    believed,
    play,
    reading,
    tried,
)
from meterseal.lab.attack.wire import every_flip

if TYPE_CHECKING:
    from meterseal.collection.model import MeterAddress

__all__ = ["ATTACKS"]


# --- forged --------------------------------------------------------------------------------


def forged(notes: Notes) -> None:
    """Speak for a meter with a key that is not its own, or under a name that is not ours."""

    async def story(scene: Scene) -> None:
        cases: list[tuple[str, str, Party, MeterAddress, Verdict]] = [
            ("a registered meter for another", "collector-1", scene.meter, PLAIN, Verdict.METER),
            (
                "a registered meter for one that seals itself",
                "collector-1",
                scene.other_meter,
                SEALING,
                Verdict.METER,
            ),
            (
                "a registered meter under its own topic",
                f"meter-{SEALING}",
                scene.meter,
                PLAIN,
                Verdict.TOPIC,
            ),
            (
                "a collector for a meter that seals itself",
                "collector-1",
                scene.collector,
                SEALING,
                Verdict.METER,
            ),
            (
                "a collector for a meter of another collector",
                "collector-2",
                scene.collector_2,
                PLAIN,
                Verdict.TOPIC,
            ),
            (
                "an honest reading under another collector's topic",
                "collector-2",
                scene.collector,
                OTHER,
                Verdict.TOPIC,
            ),
        ]
        for what, topic, party, meter, verdict in cases:
            before = scene.refused()[verdict]
            bundle = pack([party.seal(reading(NUMBER, meter, FORGED))])
            await scene.send([(topics.up(topic), bundle)])
            held = NUMBER not in scene.stored(meter) and scene.refused()[verdict] == before + 1
            tried(notes, scene, what, held=held)
        for meter in (PLAIN, SEALING, OTHER):
            believed(notes, scene, meter, f"meter {meter}")
        await _altered_by_collector(notes, scene)

    play(story)


async def _altered_by_collector(notes: Notes, scene: Scene) -> None:
    """A compromised collector has the meter's bytes and a key of its own."""
    honest = scene.meter.seal(reading(1, SEALING))
    own = scene.collector.seal(reading(1, SEALING, FORGED))
    grafted = honest[:-64] + own[-64:]
    await scene.send([(UP, pack([own, grafted]))])
    held = scene.stored(SEALING) == []
    tried(notes, scene, "a collector alters what a meter sealed", held=held, count=2)
    await scene.send([(UP, pack([honest]))])
    stored = scene.stored(SEALING)
    notes.control("the meter's own reading", f"stored {stored}", fell=stored == [1])


# --- altered -------------------------------------------------------------------------------


def every_bit(notes: Notes) -> None:
    """Turn each bit of a bundle with one reading, and each bit of its topic."""

    async def story(scene: Scene) -> None:
        bundle = pack([scene.collector.seal(reading(1))])
        flips = [(UP, each) for each in every_flip(bundle)]
        await scene.send(flips)
        held = scene.stored(PLAIN) == [] and scene.refused().total() == len(flips)
        notes.tried("each bit of a bundle", scene.log(), held=held, count=len(flips))
        named = [(name, bundle) for name in _topics_of_one_bit()]
        await scene.send(named)
        held = scene.stored(PLAIN) == []
        notes.tried("each bit of its topic", scene.log(), held=held, count=len(named))
        values = {tuple(it.values.items()) for it in scene.believer.of(PLAIN)}
        who = "a station that believes the broker, the same messages"
        notes.control(who, f"it stored {len(values)} kinds of values", fell=len(values) > 1)
        await scene.send([(UP, bundle)])
        stored = scene.stored(PLAIN)
        notes.control("the bundle as it was", f"stored {stored}", fell=stored == [1])

    play(story)


def _topics_of_one_bit() -> list[str]:
    """The topics that a broker takes: valid text, no wildcard."""
    found = []
    for each in every_flip(UP.encode()):
        with contextlib.suppress(UnicodeDecodeError):
            text = each.decode()
            if not set("+#\0") & set(text) and text.isprintable():
                found.append(text)
    return found


# --- again ---------------------------------------------------------------------------------


def replay(notes: Notes) -> None:
    """Send readings again: at once, from another client, retained by the broker."""

    async def story(scene: Scene) -> None:
        bundle = pack([scene.collector.seal(reading(1)), scene.meter.seal(reading(1, SEALING))])
        await scene.send([(UP, bundle)])
        once = (scene.stored(PLAIN), scene.stored(SEALING))
        for what, name, count in (
            ("the same bundle a hundred times", "collector-1", TIMES),
            ("the same from another client", "somebody", 1),
        ):
            await scene.send([(UP, bundle)] * count, name)
            held = (scene.stored(PLAIN), scene.stored(SEALING)) == once == ([1], [1])
            notes.tried(what, _once(scene), held=held, count=count)
        async with scene.client("retainer") as client:
            await client.publish(UP, bundle, qos=1, retain=True)
            await scene.settled(client)
        notes.tried("retained by the broker", _once(scene), held=scene.stored(PLAIN) == [1])
        other = pack([scene.collector.seal(reading(1, PLAIN, FORGED))])
        await scene.send([(UP, other)])
        held = scene.stored(PLAIN) == [1] and scene.refused()[Verdict.CONFLICT] == 1
        notes.tried("another reading under a number that is known", scene.log(), held=held)
        took = len(scene.believer.of(PLAIN))
        notes.control("a station that believes the broker", f"it stored {took}", fell=took > TIMES)

    play(story)


def _once(scene: Scene) -> str:
    alarms = scene.station.store.database.read("SELECT count(*) FROM alarms")[0][0]
    stored = scene.stored(PLAIN), scene.stored(SEALING)
    return f"station stored {stored[0]} and {stored[1]}, raised {alarms} alarms; {scene.log()}"


ATTACKS = (
    Attack(
        "readings-forged",
        "speaks for a meter: as another registered meter, as a collector, under another's topic",
        "docs/guide/wire-format.md; docs/decisions/0007-readings-and-receipts.md",
        forged,
    ),
    Attack(
        "tamper-reading",
        "turns each bit of a sealed reading and of its topic on the way to the station",
        "docs/guide/wire-format.md; RFC 9052, 4.4",
        every_bit,
    ),
    Attack(
        "replay-reading",
        "sends sealed readings again, retained, and in other company",
        "docs/decisions/0007-readings-and-receipts.md",
        replay,
    ),
)
