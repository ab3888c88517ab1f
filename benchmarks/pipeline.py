"""Print how many signed readings a second go the whole way, and what security costs of that.

Collector (number, sign, outbox, uplink) -> gateway (TLS 1.3 with the Chinese ciphers) -> broker ->
gateway -> station (verify, store, receipt) -> collector (outbox emptied), each a process of its
own on this machine. Three ways take turns: all of it; signed over open links, without a gateway;
and neither. The delay is from sampling until the reading is on the station's disk. CPU time is
counted too: on a machine that is busy with other things it says more than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tomli_w

from meterseal.collection.workplace import Plan, prepare
from meterseal.net.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
WAYS = {"signed, sealed": (True, True), "signed, open": (True, False), "neither": (False, False)}
"""By name: whether statements and receipts are signed, and whether links are sealed."""
MIB = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")


class System:
    """The processes of one system in a folder; `cpu` and `memory` are by role."""

    def __init__(self, folder: Path, *, signed: bool = True, sealed: bool = True) -> None:
        self.folder = folder
        self._signed = signed
        self._sealed = sealed
        ports = [free_port() for _ in range(5)]
        names = ("broker_port", "nats_port", "gateway_port", "admin_port", "meter_port")
        plan = Plan(meters=1, **dict(zip(names, ports, strict=True)))
        self.ports = dict(zip(names, ports, strict=True))
        self.settings = prepare(folder, plan, datetime.now(UTC))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def adapt(self, meters: int, lines: int = 0) -> None:
        """Let the registry know so many plain meters, and the links be open where they should."""
        first, last = 202611240000, 202611240000 + meters - 1
        entry = {"addresses": [f"{first}-{last}"], "collectors": ["collector-1"], "interval": 60}
        (self.folder / "registry.toml").write_text(tomli_w.dumps({"meter": [entry]}))
        tables = tomllib.loads(self.settings.read_text("utf-8"))
        del tables["collector"]["certificates"]
        tables["station"]["gateways"] = []
        if not self._sealed:
            link = {"address": f"127.0.0.1:{self.ports['broker_port']}", "protocol": "plain"}
            tables["collector"]["uplink"] = tables["station"]["uplink"] = link
        if lines:
            every = [f"{number}" for number in range(first, last + 1)]
            where = tables["meter"]["listen"]
            tables["meter"] = {"listen": where, "meters": every, "light": True, "interval": 60}
            tables["collector"]["spread"] = 60.0
            tables["collector"]["line"] = [
                {"address": where, "meters": every[number::lines], "interval": 60}
                for number in range(lines)
            ]
        self.settings.write_text(tomli_w.dumps(tables))

    def start_links(self) -> None:
        """Start the broker, and the gateway where links are sealed."""
        self.start_role("broker")
        await_port(self.ports["broker_port"])
        if self._sealed:
            self.start_role("gateway")
            await_port(self.ports["gateway_port"])

    def start_role(self, role: str) -> None:
        """Start a role of the product."""
        command = ("-m", "meterseal", "run", role, "--config", str(self.settings))
        self._start(role, command)

    def start_end(self, role: str, **options: float) -> None:
        """Start one of our own ends."""
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        words += [] if self._signed else ["--open"]
        program = str(HERE / "pipeline_ends.py")
        self._start(role, (program, role, str(self.folder), *words))

    def _start(self, role: str, command: tuple[str, ...]) -> None:
        with (self.folder / f"{role}.log").open("wb") as log:
            self._processes[role] = subprocess.Popen(
                (sys.executable, *command), stdout=log, stderr=log
            )

    def await_file(self, name: str, seconds: float = 60) -> Path:
        """Wait until a process has written this file."""
        path = self.folder / name
        await_true(path.exists, seconds, f"{name} ({self.folder})")
        return path

    def await_end(self, role: str, seconds: float) -> Any:  # noqa: ANN401  (JSON)
        """Wait until an end is done; returns what it says."""
        self._processes[role].wait(seconds)
        return json.loads((self.folder / f"{role}.json").read_text())

    def stop(self, *roles: str) -> None:
        """End these processes, or all."""
        for role in roles or reversed(self._processes):
            process = self._processes[role]
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def cpu(self) -> dict[str, float]:
        """Seconds that each process has used."""
        return {role: cpu_seconds(process.pid) for role, process in self._processes.items()}

    def memory(self) -> dict[str, float]:
        """MiB of each process."""
        return {role: resident(process.pid) / MIB for role, process in self._processes.items()}


@contextmanager
def system(**kind: bool) -> Iterator[System]:
    """A system in a folder that goes when it ends."""
    with tempfile.TemporaryDirectory() as folder:
        made = System(Path(folder), **kind)
        try:
            yield made
        finally:
            made.stop()


def flow(signed: bool, sealed: bool, arguments: argparse.Namespace, rate: float) -> dict[str, Any]:
    """Run one way for a while; returns readings a second, delays in ms, CPU us by process."""
    with system(signed=signed, sealed=sealed) as one:
        one.adapt(arguments.meters)
        one.start_links()
        one.start_end("station")
        one.await_file("ready")
        load = {"meters": arguments.meters, "rate": rate, "in_hand": arguments.in_hand}
        one.start_end("collector", **load)
        warm = arguments.readings // 5
        await_true(lambda: count_stored(one.folder) >= warm, 300, f"{warm} readings")
        begin, before, already = time.time(), one.cpu(), count_stored(one.folder)
        wanted = already + arguments.readings
        await_true(lambda: count_stored(one.folder) >= wanted, 600, f"{wanted} readings")
        end, after = time.time(), one.cpu()
        memory = one.memory()
        one.stop("collector", "station")
        times = np.load(one.folder / "times.npz")
    within = (times["stored"] >= begin * 1000) & (times["stored"] < end * 1000)
    count = int(within.sum())
    if not count:
        raise SystemExit("nothing was stored")
    delays = (times["stored"] - times["sampled"])[within]
    return {
        "rate": count / (end - begin),
        "p50": float(np.percentile(delays, 50)),
        "p99": float(np.percentile(delays, 99)),
        "cpu": {role: (after[role] - before[role]) / count * 1e6 for role in after},
        "memory": memory,
    }


def drain(arguments: argparse.Namespace) -> float:
    """Return how many readings a second leave an outbox that was filled before."""
    with system() as one:
        one.adapt(arguments.meters)
        one.start_links()
        one.start_end("station")
        one.await_file("ready")
        one.start_end("collector", meters=arguments.meters, backlog=arguments.backlog)
        seconds = float(one.await_end("collector", 600)["seconds"])
        one.stop("station")
        return arguments.backlog / seconds


def crowd(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all roles with many light meters, each asked once a minute over DL/T 645.

    A line must be let turn round after each of 13 answers, so that it can ask two meters a second.
    """
    with system() as one:
        one.adapt(arguments.crowd, lines=arguments.lines)
        one.start_links()
        for role in ("station", "meter"):
            one.start_role(role)
        await_port(one.ports["meter_port"], 120)
        one.start_role("collector")
        time.sleep(60)  # the first turn of each meter
        begin, before, stored = time.time(), one.cpu(), count_stored(one.folder)
        time.sleep(arguments.crowd_seconds)
        seconds, after = time.time() - begin, one.cpu()
        return {
            "rate": (count_stored(one.folder) - stored) / seconds,
            "cpu": {role: 100 * (after[role] - before[role]) / seconds for role in after},
            "memory": one.memory(),
        }


def count_stored(folder: Path) -> int:
    with sqlite3.connect(folder / "state" / "station.sqlite") as store:
        return int(store.execute("SELECT coalesce(sum(stored), 0) FROM collectors").fetchone()[0])


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def await_port(port: int, seconds: float = 60) -> None:
    def is_open() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    await_true(is_open, seconds, f"port {port}")


def await_true(question: Any, seconds: float, what: str) -> None:  # noqa: ANN401
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.05)


def median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure over rounds."""
    first = runs[0]
    return {
        name: (
            median_of([run[name] for run in runs])
            if isinstance(value, dict)
            else statistics.median(run[name] for run in runs)
        )
        for name, value in first.items()
    }


def show_flows(found: dict[str, dict[str, Any]]) -> None:
    roles = ("collector", "gateway", "broker", "station")
    print(f"\n{'':<16}{'readings/s':>11}{'p50 ms':>8}{'p99 ms':>8}   CPU us for each:", end="")
    print("".join(f"{role:>10}" for role in (*roles, "together")))
    for way, run in found.items():
        used = [run["cpu"].get(role, 0.0) for role in roles]
        print(f"{way:<16}{run['rate']:>11,.0f}{run['p50']:>8.0f}{run['p99']:>8.0f}", end="")
        print(" " * 19 + "".join(f"{each:>10.0f}" for each in (*used, sum(used))))
    totals = [sum(found[way]["cpu"].values()) for way in WAYS]
    rates = [found[way]["rate"] for way in WAYS]
    for name, place in (("signatures and links cost", 0), ("signatures alone", 1)):
        cpu, rate = totals[place] / totals[-1] - 1, 1 - rates[place] / rates[-1]
        print(f"{name}: {100 * cpu:.0f} % more CPU, {100 * rate:.0f} % fewer readings a second")
    cores = os.cpu_count() or 1
    print(
        f"{cores} cores with nothing else to do: {cores * 1e6 / totals[0]:,.0f} readings/s at most"
    )


def show_crowd(run: dict[str, Any], meters: int) -> None:
    print(f"\n{meters} meters, each asked once a minute: {run['rate']:.0f} readings/s")
    for role, memory in run["memory"].items():
        print(f"  {role:<10}{memory:>7.0f} MiB{run['cpu'][role]:>7.1f} % of a core")
    print(f"  together  {sum(run['memory'].values()):>7.0f} MiB")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for, printed as it comes."""
    names = ("meterseal", "cbor2", "paho-mqtt", "aiomqtt", "numpy")
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version()} | {n: version(n) for n in names},
        "arguments": {name: value for name, value in vars(arguments).items() if name != "json"},
    }
    print(f"{report['machine']}, load {os.getloadavg()[0]:.1f}, {report['versions']}")
    rounds: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(arguments.rounds):
        for way, (signed, sealed) in WAYS.items():
            rounds[way].append(flow(signed, sealed, arguments, arguments.rate))
    if arguments.rounds:
        report["flow"] = {way: median_of(runs) for way, runs in rounds.items()}
        show_flows(report["flow"])
    if arguments.steady:
        report["steady"] = run = flow(True, True, arguments, arguments.steady)
        print(f"\nat {arguments.steady:g} readings/s: {run['rate']:,.0f} stored, ", end="")
        print(f"p50 {run['p50']:.0f} ms, p99 {run['p99']:.0f} ms")
    if arguments.backlog:
        report["drain"] = rate = drain(arguments)
        print(f"\na backlog of {arguments.backlog} drains at {rate:,.0f} readings/s")
    if arguments.crowd:
        report["crowd"] = run = crowd(arguments)
        show_crowd(run, arguments.crowd)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--readings", type=int, default=20_000, help="in each round")
    parser.add_argument("--meters", type=int, default=1000)
    parser.add_argument("--in-hand", type=int, default=2000, help="readings without a receipt")
    parser.add_argument("--rate", type=float, default=0, help="readings/s; 0: what is possible")
    parser.add_argument("--steady", type=float, default=500, help="readings/s for the delay; 0: no")
    parser.add_argument("--backlog", type=int, default=20_000, help="readings to drain; 0: no")
    parser.add_argument("--crowd", type=int, default=10_000, help="light meters; 0: no")
    parser.add_argument("--crowd-seconds", type=float, default=60)
    parser.add_argument("--lines", type=int, default=320, help="of 32 meters, as RS-485 allows")
    parser.add_argument("--json", type=Path, help="where the figures go too")
    arguments = parser.parse_args()
    report = measure(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
