"""A server that is not ours, attacked from outside with what applies to any.

Nothing is known of it but what it says: an alert, an end, or silence is a refusal, a ServerHello or
data are not. After each attack an honest hello has to be answered as before.
"""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING, Final

from meterseal.lab.attack.notes import Attack, Notes, Skipped
from meterseal.lab.attack.outside_hellos import downgrade, hellos, suites, versions
from meterseal.lab.attack.outside_keys import altered_records, points, renegotiation
from meterseal.lab.attack.target import CONNECT

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.lab.attack.target import Target

__all__ = ["attacks"]


def attacks(target: Target) -> tuple[Attack, ...]:
    """Return what can be tried against a target."""
    found = [
        Attack(
            "outside-versions",
            "offers versions that nobody should speak any more, and some that nobody knows",
            "RFC 8996; RFC 8446, 4.1.2",
            partial(_run, target, versions),
        ),
        Attack(
            "outside-suites",
            "offers suites without encryption, without authentication, and broken ones",
            "RFC 9325, 4.1",
            partial(_run, target, suites),
        ),
        Attack(
            "outside-downgrade",
            "hides what both could do, and looks for the marks that tell of it",
            "RFC 8446, 4.1.3; RFC 7507; RFC 7627; RFC 5746",
            partial(_run, target, downgrade),
        ),
        Attack(
            "outside-hellos",
            "sends hellos that are malformed, cut, or nothing of the kind",
            "RFC 5246, 7.4.1.2; RFC 8446, 4.2",
            partial(_run, target, hellos),
        ),
        Attack(
            "outside-points",
            "puts points of small order, of other curves and of none where a key stands",
            "RFC 8446, 4.2.8.2; GB/T 32918.4-2016, 7.1, B1",
            partial(_run, target, points),
        ),
        Attack(
            "outside-renegotiation",
            "begins a second handshake on a session that stands (CVE-2009-3555)",
            "RFC 5746, 1; RFC 8446, 4.1.2",
            partial(_run, target, renegotiation),
        ),
        Attack(
            "outside-records",
            "turns bits of a record of data, sends it twice, and leaves without a word",
            "RFC 5246, 6.2.3; RFC 8446, 5.2",
            partial(_run, target, altered_records),
        ),
    ]
    if target.protocol.has_pairs:  # TLCP has neither sentinel nor extensions
        found = [it for it in found if it.name != "outside-downgrade"]
    if target.floods:
        found.append(
            Attack(
                "outside-flood",
                "holds many connections that say nothing or half a hello, and comes in beside them",
                "CVE-2020-13849",
                partial(_run, target, flood),
            )
        )
    return tuple(found)


def _run(target: Target, attack: Callable[[Target, Notes], None], notes: Notes) -> None:
    """Run between two honest hellos; raises `Skipped` if not even the first is answered."""
    before = target.ask(target.hello())
    if before.hello is None:
        raise Skipped(f"an honest hello of {target.protocol.name} is not answered: {before}")
    attack(target, notes)
    after = target.ask(target.hello())
    notes.tried("an honest hello afterwards", str(after), held=after.hello is not None)


# --- floods --------------------------------------------------------------------------------

_CROWD: Final = 200


def flood(target: Target, notes: Notes) -> None:
    """Hold connections open, half of them with half a hello, and come in beside them."""
    half = target.hello()[:60]
    with contextlib.ExitStack() as stack:
        opened = 0
        for number in range(_CROWD):
            with contextlib.suppress(OSError):
                raw = stack.enter_context(socket.create_connection(target.address, CONNECT))
                opened += 1
                if number % 2:
                    raw.sendall(half)
        try:
            answer = target.ask(target.hello())
        except OSError as error:
            notes.tried(f"{opened} connections held open", f"{error}", held=False, count=opened)
            return
        what = f"an honest hello beside {opened} connections held open"
        notes.tried(what, str(answer), held=answer.hello is not None, count=opened)
