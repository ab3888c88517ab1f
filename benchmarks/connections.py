"""Print CPU per full handshake and end, bulk speed, and memory per idle connection.

Both ends run in this process over memory, so no kernel time is in the figures. `Tongsuo` is the
library inside the wheel of `tongsuopy`, driven the same way. Implementations take turns.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from meterseal.transport import SUITES, CipherSuite, ClientAuthentication, Connection
from support.identities import world
from support.tongsuo import Tongsuo, write_pair
from support.wire import SERVER_NAME, client_config, server_config

TONGSUO_NAMES = {
    0xE013: "ECC-SM2-SM4-CBC-SM3",
    0xE053: "ECC-SM2-SM4-GCM-SM3",
    0xE011: "ECDHE-SM2-SM4-CBC-SM3",
    0xE051: "ECDHE-SM2-SM4-GCM-SM3",
}
MIB = 1 << 20


class Ours:
    """Makes connected pairs of ours."""

    def __init__(self, suite: CipherSuite) -> None:
        mutual = suite.code in TONGSUO_NAMES
        self.client_config = client_config(
            suites=(suite,), credential=world().client_pair if mutual else None
        )
        asks = ClientAuthentication.REQUIRED if mutual else ClientAuthentication.NONE
        self.server_config = server_config(
            credential=world().server_pair,
            suites=(suite,),
            trust=world().trust,
            client_authentication=asks,
            session_cache=None,
        )

    def connect(self) -> tuple[Connection, Connection, float, float]:
        """Return client, server, and the seconds that each spent."""
        spent = [0.0, 0.0]
        start = time.perf_counter()
        client = Connection.client(self.client_config, SERVER_NAME)
        spent[0] += time.perf_counter() - start
        start = time.perf_counter()
        server = Connection.server(self.server_config)
        spent[1] += time.perf_counter() - start
        ends = (client, server)
        turn = 0
        while not (client.is_established and server.is_established):
            start = time.perf_counter()
            output = ends[turn].data_to_send()
            spent[turn] += time.perf_counter() - start
            turn = 1 - turn
            start = time.perf_counter()
            if output:
                ends[turn].receive_data(output)
            spent[turn] += time.perf_counter() - start
        return client, server, spent[0], spent[1]


class Theirs:
    """Makes connected pairs of Tongsuo's."""

    def __init__(self, suite: CipherSuite, folder: Path) -> None:
        name = TONGSUO_NAMES[suite.code]
        self._client = Tongsuo(folder / "client", folder / "ca.pem", name, is_server=False)
        self._server = Tongsuo(folder / "server", folder / "ca.pem", name, is_server=True)

    def connect(self) -> tuple[float, float]:
        """Return the seconds that client and server spent."""
        spent = [0.0, 0.0]
        ends = (self._client.again(is_server=False), self._server.again(is_server=True))
        while not (ends[0].is_done and ends[1].is_done):
            for turn in (0, 1):
                start = time.perf_counter()
                ends[turn].step()
                output = ends[turn].data_to_send()
                spent[turn] += time.perf_counter() - start
                ends[1 - turn].receive_data(output)
        return spent[0], spent[1]


def show_handshakes(rounds: int, folder: Path) -> None:
    print(f"\n{'full handshake':<34}{'':<11}{'client us':>10}{'server us':>10}")
    for suite in SUITES.values():
        ours = Ours(suite)
        theirs = Theirs(suite, folder) if suite.code in TONGSUO_NAMES else None
        samples: dict[str, list[tuple[float, float]]] = {"meterseal": [], "Tongsuo": []}
        for _ in range(rounds):
            samples["meterseal"].append(ours.connect()[2:])
            if theirs is not None:
                samples["Tongsuo"].append(theirs.connect())
        for name, values in samples.items():
            if values:
                client, server = (
                    1e6 * statistics.median(side) for side in zip(*values, strict=True)
                )
                print(f"{suite.name:<34}{name:<11}{client:>10.0f}{server:>10.0f}")


def show_bulk(rounds: int) -> None:
    print(f"\n{'bulk, 1 MiB at a time':<34}{'seal MB/s':>21}{'open MB/s':>10}")
    for suite in SUITES.values():
        client, server, *_ = Ours(suite).connect()
        data, sealing, opening = bytes(MIB), [], []
        for _ in range(rounds):
            start = time.perf_counter()
            client.send_data(data)
            records = client.data_to_send()
            middle = time.perf_counter()
            server.receive_data(records)
            server.read()
            opening.append(time.perf_counter() - middle)
            sealing.append(middle - start)
        seal, unseal = (MIB / 1e6 / statistics.median(side) for side in (sealing, opening))
        print(f"{suite.name:<34}{seal:>21.0f}{unseal:>10.0f}")


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def show_memory(connections: int) -> None:
    print(f"memory per idle end, {connections} pairs held open")
    held: list[tuple[Connection, Connection]] = []  # all are kept, so that no memory is used twice
    for suite in SUITES.values():
        ours = Ours(suite)
        ours.connect()
        gc.collect()
        before = resident()
        held += [ours.connect()[:2] for _ in range(connections)]
        gc.collect()
        print(f"{suite.name:<34}{(resident() - before) / (2 * connections) / 1024:>20.1f} KiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--connections", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, pair in (("client", world().client_pair), ("server", world().server_pair)):
            (folder / side).mkdir()
            write_pair(folder / side, pair)
        (folder / "ca.pem").write_text(world().root.to_pem())
        show_memory(arguments.connections)
        show_handshakes(arguments.rounds, folder)
    show_bulk(max(5, arguments.rounds // 5))


if __name__ == "__main__":
    main()
