"""Print CPU time per handshake and end, bulk speed, and memory per idle connection.

Both ends run in this process over memory, so that no kernel time is in the figures; `--loopback`
adds real sockets and processes. Implementations take turns, round by round; shown are medians of
CPU time and ratios within this run, which a busy machine changes least. A turn is ten handshakes,
of which the first two are not counted: they find the caches as another stack left them, which a
server at work does not. `--cold` counts the first alone.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from ends import CURVE_SM2, HYBRID, TLCP_NAMES, OpenSsl, Ours, Stack, TongsuoStack, shake_hands
from idle import memory_per_end, memory_per_socket
from loopback import bulk_over_loopback

from meterseal import _core
from meterseal.crypto.sm4 import SM4GCM
from meterseal.transport import SUITES
from meterseal.transport.codepoints import TLS13
from meterseal.transport.suites import Agreement

if TYPE_CHECKING:
    from meterseal.transport import CipherSuite

MIB = 1 << 20
HYBRID_NAME = "curveSM2MLKEM768"
TURN, WARMING = 10, 2
_GCM = SM4GCM(bytes(16))
Measured = dict[str, Any]


def stacks_of(suite: CipherSuite, folder: Path) -> dict[str, list[Stack]]:
    """The rows of a suite: ours first, and those beside whom it is measured."""
    if suite.code in TLCP_NAMES:
        return dict(tlcp_row(suite, folder, mutual) for mutual in mutual_or_not(suite))
    if suite.version != TLS13:
        return {suite.name: [Ours(suite)]}
    rows: dict[str, list[Stack]] = {}
    for group, name in ((CURVE_SM2, "curveSM2"), (HYBRID, HYBRID_NAME)):
        row: list[Stack] = [Ours(suite, group)]
        if group == CURVE_SM2:
            row.append(TongsuoStack(folder / f"{suite.name} {name}", suite.name))
        row.append(OpenSsl(folder / f"{suite.name} {name} OpenSSL", suite.name, name))
        if suite.protection == "sm4-gcm":
            row.append(
                OpenSsl(folder / f"P-256 {name}", "TLS_AES_128_GCM_SHA256", "P-256", "its P-256")
            )
        rows[f"{suite.name}, {name}"] = row
    return rows


def mutual_or_not(suite: CipherSuite) -> tuple[bool, ...]:
    """ECDHE of TLCP is always mutual."""
    return (True,) if suite.agreement is Agreement.TLCP_ECDHE else (False, True)


def tlcp_row(suite: CipherSuite, folder: Path, mutual: bool) -> tuple[str, list[Stack]]:
    title = f"{suite.name}, mutual" if mutual else suite.name
    theirs = TongsuoStack(folder / title, TLCP_NAMES[suite.code], mutual)
    return title, [Ours(suite, mutual=mutual), theirs]


def all_rows(folder: Path) -> dict[str, list[Stack]]:
    """Every suite."""
    rows: dict[str, list[Stack]] = {}
    for suite in SUITES.values():
        rows |= stacks_of(suite, folder)
    return rows


def one_row_each(rows: dict[str, list[Stack]]) -> dict[str, list[Stack]]:
    """Without those whose records are protected as another row's."""
    return {
        title: stacks
        for title, stacks in rows.items()
        if HYBRID_NAME not in title and title.removesuffix(", mutual") not in set(rows) - {title}
    }


# --- handshakes ------------------------------------------------------------------------------


def measure_handshakes(
    rows: dict[str, list[Stack]], rounds: int, counted: range, *, resumed: bool
) -> None:
    """Handshakes by turns, of each of which those at `counted` count."""
    kind = "resumed" if resumed else "full"
    title = f"{kind} handshakes, CPU us and ours to it"
    print(f"\n{title:<49}{'client':>14}{'server':>14}{'both':>7}")
    for title, stacks in rows.items():
        samples: dict[str, list[tuple[float, float]]] = {stack.name: [] for stack in stacks}
        for stack in stacks:
            stack.keep(shake_hands(stack).client)
            if shake_hands(stack, resumed=resumed).client.is_resumed is not resumed:
                raise SystemExit(f"{stack.name}, {title}: this is no {kind} handshake")
        for _ in range(rounds):
            for stack in stacks:
                turn = [shake_hands(stack, resumed=resumed).seconds for _ in range(counted.stop)]
                samples[stack.name] += turn[counted.start :]
        show_handshakes(f"{kind} handshake", title, samples)


def show_handshakes(kind: str, title: str, samples: dict[str, list[tuple[float, float]]]) -> None:
    """Print a row for each implementation, with the ratios of our time, the first, to its."""
    medians = {name: _medians(values) for name, values in samples.items()}
    ours = next(iter(medians.values()))
    for name, (client, server) in medians.items():
        figures, shown = {"client_us": 1e6 * client, "server_us": 1e6 * server}, ["", "", ""]
        if (client, server) != ours:
            ratios = (ours[0] / client, ours[1] / server, sum(ours) / (client + server))
            figures |= zip(("ours_client", "ours_server", "ours"), ratios, strict=True)
            shown = [f"{ratio:.2f}" for ratio in ratios]
        print(
            f"{title:<38}{name:<11}{1e6 * client:>8.0f}{shown[0]:>6}{1e6 * server:>8.0f}"
            f"{shown[1]:>6}{shown[2]:>7}"
        )
        note(kind, title, name, **figures)


# --- bulk ------------------------------------------------------------------------------------


def measure_bulk(rows: dict[str, list[Stack]], rounds: int, size: int) -> None:
    """Records sealed and opened; of ours also which share of bare SM4-GCM that is."""
    title = f"bulk over memory, {size >> 10} KiB at a time"
    print(f"\n{title:<49}{'seal MB/s':>10}{'open MB/s':>10}{'ours to it':>11}{'of bare GCM':>14}")
    for row, stacks in one_row_each(rows).items():
        pairs = {stack.name: shake_hands(stack) for stack in stacks}
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name in pairs}
        bare: list[tuple[float, float]] = []
        for _ in range(rounds):
            bare.append(bare_gcm(size))
            for name, pair in pairs.items():
                samples[name].append(one_way(pair, bytes(size)))
        medians = {name: _medians(values) for name, values in samples.items()}
        show_bulk(title, row, size, medians, _medians(bare))


def show_bulk(
    title: str,
    row: str,
    size: int,
    medians: dict[str, tuple[float, float]],
    bare: tuple[float, float],
) -> None:
    ours = next(iter(medians.values()))
    for name, (seal, unseal) in medians.items():
        figures = {"seal_mb_s": size / 1e6 / seal, "open_mb_s": size / 1e6 / unseal}
        shown = shares = ""
        if (seal, unseal) == ours:
            figures |= {"seal_of_gcm": bare[0] / seal, "open_of_gcm": bare[1] / unseal}
            shares = f"{bare[0] / seal:.2f} {bare[1] / unseal:.2f}"
        else:
            figures["ours"] = sum(ours) / (seal + unseal)
            shown = f"{figures['ours']:.2f}"
        speeds = f"{figures['seal_mb_s']:>10.0f}{figures['open_mb_s']:>10.0f}"
        print(f"{row:<38}{name:<11}{speeds}{shown:>11}{shares:>14}")
        note(title, row, name, **figures)


def _medians(values: list[tuple[float, float]]) -> tuple[float, float]:
    first, second = (statistics.median(side) for side in zip(*values, strict=True))
    return first, second


def bare_gcm(size: int) -> tuple[float, float]:
    """CPU seconds of SM4-GCM from Python for as much, in pieces as long as a record."""
    piece, nonce = bytes(min(size, 1 << 14)), bytes(12)
    sealed = _GCM.encrypt(nonce, piece, b"")
    start = time.thread_time()
    for _ in range(size // len(piece)):
        _GCM.encrypt(nonce, piece, b"")
    middle = time.thread_time()
    for _ in range(size // len(piece)):
        _GCM.decrypt(nonce, sealed, b"")
    return middle - start, time.thread_time() - middle


def one_way(pair: Any, data: bytes) -> tuple[float, float]:  # noqa: ANN401
    """CPU seconds to seal and to open."""
    start = time.thread_time()
    pair.client.write(data)
    sealed = pair.client.data_to_send()
    middle = time.thread_time()
    pair.server.receive_data(sealed)
    received = 0
    while received < len(data):
        received += len(pair.server.read())
    return middle - start, time.thread_time() - middle


# --- the rest --------------------------------------------------------------------------------

_notes: list[Measured] = []


def note(what: str, row: str, stack: str, **figures: float) -> None:
    """Keep a result for `--json`."""
    _notes.append({"what": what, "row": row, "stack": stack, **figures})


def measure_memory(held: int, sockets: int) -> None:
    print(f"\n{f'memory per idle end, {held} held open in all':<49}{'KiB':>10}")
    suites = list(SUITES.values())
    for suite in suites:
        kibibytes = memory_per_end(Ours(suite), held // (2 * len(suites)))
        print(f"{suite.name:<49}{kibibytes:>10.1f}")
        note("memory per idle end", suite.name, "meterseal", kibibytes=kibibytes)
    if sockets:
        suite = suites[0]
        client, server = memory_per_socket(Ours(suite), sockets)
        for side, kibibytes in (("clients", client), ("servers", server)):
            title = f"{suite.name}, {sockets} sockets, {side}"
            print(f"{title:<49}{kibibytes:>10.1f}")
            note("memory per socket", title, "meterseal", kibibytes=kibibytes)


def measure_loopback(mebibytes: int) -> None:
    print(f"\n{f'{mebibytes} MiB over loopback':<49}{'send MB/s':>10}{'recv MB/s':>10}")
    for suite in SUITES.values():
        send, receive = bulk_over_loopback(Ours(suite), mebibytes * MIB)
        print(f"{suite.name:<38}{'meterseal':<11}{send:>10.0f}{receive:>10.0f}")
        note("loopback", suite.name, "meterseal", send_mb_s=send, receive_mb_s=receive)


def machine() -> Measured:
    """Where and with what this runs."""
    names = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    packages = ("meterseal", "cryptography", "pyopenssl", "tongsuopy")
    return {
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor(),
        "backend": _core.backend(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="in each of which all have a turn")
    parser.add_argument("--cold", action="store_true", help="a turn is one handshake")
    parser.add_argument("--held", type=int, default=20_000, help="idle ends held over memory")
    parser.add_argument("--sockets", type=int, default=0, help="idle sockets on each side")
    parser.add_argument("--loopback", type=int, default=0, metavar="MIB")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--json", type=Path, help="write everything measured there too")
    arguments = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    if arguments.held:
        measure_memory(arguments.held, arguments.sockets)
    with tempfile.TemporaryDirectory() as name:
        rows = all_rows(Path(name))
        rows = {title: stacks for title, stacks in rows.items() if arguments.only in title}
        counted = range(1) if arguments.cold else range(WARMING, TURN)
        for resumed in (False, True):
            measure_handshakes(rows, arguments.rounds, counted, resumed=resumed)
        for size in (16 << 10, MIB):
            measure_bulk(rows, max(5, arguments.rounds // 2), size)
    if arguments.loopback:
        measure_loopback(arguments.loopback)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps({"machine": machine(), "results": _notes}, indent=1))


if __name__ == "__main__":
    main()
