"""Commits batches of readings and prints what it could sign for; dies when it is told to.

    station_killed.py STORE FOLDER KILL_AT

The batches lie in FOLDER, made at the first run, so that every run sends the same bytes. At the SQL
statement number KILL_AT (0: never) the process kills itself with SIGKILL. With -1 its files may
grow by a little only, and it exits with 3 when the store has said so.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from meterseal.collection.receipts import Verdict
from meterseal.collection.sealing import open_sealed
from meterseal.collection.station.store import Check, StoreUnavailable, open_store
from meterseal.collection.topics import pack, unpack
from meterseal.x509 import (
    Certificate,
    Purpose,
    TrustStore,
    dump_certificates,
    load_certificates,
    verify_chain,
)
from support.station import NOW, START, arrival, reading, world

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE, COUNT = 3, 10
FOLDED_EACH = 3  # batches
ROOM = 20_000


class DyingSession:
    """Passes everything on, and counts."""

    def __init__(self, session: Any, life: list[int]) -> None:  # noqa: ANN401
        self._session = session
        self._life = life

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        self._life[0] -= 1
        if self._life[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return getattr(self._session, name)


def batches(folder: Path) -> list[list[Check]]:
    if not folder.exists():
        w = world()
        folder.mkdir()
        links = [w.collector.certificate, w.ca.certificate, w.root.certificate]
        (folder / "chain.pem").write_bytes(dump_certificates(links))
        for number in range(COUNT):
            statements = [reading(SIZE * number + n) for n in range(1, SIZE + 1)]
            bundle = pack(w.collector.sealer.seal_many(statements))
            (folder / f"{number:03}.bundle").write_bytes(bundle)
    links_: list[Certificate] = load_certificates((folder / "chain.pem").read_bytes())
    chain = verify_chain(links_, TrustStore(links_[2:]), at=START, purpose=Purpose.ANY)
    return [
        [Check(arrival(each), open_sealed(each), chain) for each in unpack(file.read_bytes())]
        for file in sorted(folder.glob("*.bundle"))
    ]


def main(path: Path, folder: Path, kill_at: int) -> int:
    store = open_store(path)
    life = [kill_at]
    whole = store.database.transaction

    @contextmanager
    def dying() -> Iterator[DyingSession]:
        with whole() as session:
            yield DyingSession(session, life)

    if kill_at > 0:
        store.database.transaction = dying  # type: ignore[method-assign]
    work = batches(folder)
    if kill_at < 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = max(file.stat().st_size for file in path.parent.glob(path.name + "*"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + ROOM, resource.RLIM_INFINITY))
    for number, batch in enumerate(work, 1):
        try:
            committed = store.commit(batch, [], NOW)
            if number % FOLDED_EACH == 0:
                store.fold()
        except StoreUnavailable as error:
            sys.stderr.write(f"cannot store: {error}\n")
            return 3
        for entry in committed.entries["collector-1"]:
            if entry.verdict is Verdict.STORED:
                sys.stdout.write(f"{entry.sequence}\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
