"""A whole system in a folder, ready to run: identities, registry and settings.

For trials and demonstrations: all private keys lie side by side in one folder, in the clear.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import tomli_w

from meterseal.collection.model import MeterAddress
from meterseal.x509 import GeneralName, dump_certificates, dump_private_key
from meterseal.x509.authority import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from meterseal.crypto.sm2 import PrivateKey
    from meterseal.x509 import Certificate

__all__ = ["SETTINGS", "Plan", "prepare"]

SETTINGS: Final = "meterseal.toml"
_DAYS: Final = 825
_FIRST_METER: Final = 202611230001


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to lay out: `meters` of which the last is a plain one, sealed for by the collector.

    `interval` is in seconds between readings; ports are those of loopback.
    """

    meters: int = 3
    interval: float = 5.0
    protocol: str = "tls13-sm"
    source: Path | None = None
    broker_port: int = 1883
    nats_port: int = 4222
    gateway_port: int = 8883
    admin_port: int = 9883
    meter_port: int = 6450
    display_port: int = 8080

    def addresses(self) -> list[MeterAddress]:
        """The addresses of the meters."""
        return [MeterAddress(f"{_FIRST_METER + number:012}") for number in range(self.meters)]

    def sealing(self) -> list[MeterAddress]:
        """The meters that seal what they say: all but the last, if there are more than one."""
        return self.addresses()[: max(self.meters - 1, 1)]


def prepare(folder: Path, plan: Plan, now: datetime) -> Path:
    """Lay out the folder, unless it is already; returns the file of settings.

    What is there stays: identities, and settings that somebody may have changed.
    """
    settings = folder / SETTINGS
    if settings.exists():
        return settings
    for place in ("pki", "pki/meters"):
        (folder / place).mkdir(mode=0o700, parents=True, exist_ok=True)
    _issue_all(folder / "pki", plan, now)
    (folder / "registry.toml").write_text(_registry(plan), encoding="utf-8")
    settings.write_text(_settings(plan), encoding="utf-8")
    return settings


def _issue_all(folder: Path, plan: Plan, now: datetime) -> None:
    authority = Authority(now, _DAYS)
    hosts = [GeneralName.parse("DNS:localhost"), GeneralName.parse("IP:127.0.0.1")]
    _write(folder / "root.pem", dump_certificates([authority.root]))
    _write(folder / "ca.pem", dump_certificates([authority.certificate]))
    _write_key(folder / "ca.key", authority.key)
    _write_key(folder / "root.key", authority.root_key)
    for owner, names in (("gateway-1", hosts), ("collector-1", []), ("station-1", [])):
        (sign_key, enc_key), pair = authority.issue_pair(owner, names)
        chain = [pair.signing, pair.encryption, authority.certificate]
        _write(folder / f"{owner}.pem", dump_certificates(chain))
        _write_key(folder / f"{owner}-sign.key", sign_key)
        _write_key(folder / f"{owner}-enc.key", enc_key)
        if owner == "station-1":
            _write(folder / "stations.pem", dump_certificates([pair.signing]))
    for meter in plan.sealing():
        key, certificate = authority.issue("signing", f"meter-{meter}")
        _write_pair(folder / "meters" / f"meter-{meter}", key, [certificate, authority.certificate])


def _write_pair(stem: Path, key: PrivateKey, chain: list[Certificate]) -> None:
    _write(stem.with_suffix(".pem"), dump_certificates(chain))
    _write_key(stem.with_suffix(".key"), key)


def _write_key(path: Path, key: PrivateKey) -> None:
    _write(path, dump_private_key(key, "pkcs8"))


def _write(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _registry(plan: Plan) -> str:
    return tomli_w.dumps(
        {
            "meter": [
                {
                    "addresses": meters,
                    "collectors": ["collector-1"],
                    "seals_itself": seals,
                    "interval": max(round(plan.interval), 1),
                }
                for meters, seals in _kinds(plan)
            ]
        }
    )


def _settings(plan: Plan) -> str:
    uplink = {"address": f"localhost:{plan.gateway_port}", "protocol": plan.protocol}
    meters = f"127.0.0.1:{plan.meter_port}"
    tables: dict[str, object] = {
        "broker": {"mqtt_port": plan.broker_port, "nats_port": plan.nats_port},
        "gateway": {
            "listen": f"127.0.0.1:{plan.gateway_port}",
            "backend": f"127.0.0.1:{plan.broker_port}",
            "admin": f"127.0.0.1:{plan.admin_port}",
            "identity": _identity("gateway-1"),
        },
        "meter": {
            "listen": meters,
            "meters": plan.addresses(),
            "identities": "pki/meters",
            "sealing": plan.sealing(),
            "seal_interval": max(plan.interval, 1.0),
            **({"source": str(plan.source.resolve())} if plan.source else {}),
        },
        "collector": {
            "name": "collector-1",
            "stations": "pki/stations.pem",
            "certificates": "pki/meters",
            "spread": 1.0,
            "identity": _identity("collector-1"),
            "uplink": uplink,
            "line": [
                {
                    "address": meters,
                    "meters": addresses,
                    "interval": plan.interval,
                    "pause": 0.0,  # there is no line that must turn round
                    "seals_itself": seals,
                }
                for addresses, seals in _kinds(plan)
            ],
        },
        "station": {
            "name": "station-1",
            "registry": "registry.toml",
            "listen": f"127.0.0.1:{plan.display_port}",
            "gateways": [f"127.0.0.1:{plan.admin_port}"],
            "identity": _identity("station-1"),
            "uplink": uplink,
        },
    }
    return "# One system on one machine.\n\n" + tomli_w.dumps(tables)


def _kinds(plan: Plan) -> Iterator[tuple[list[MeterAddress], bool]]:
    """The meters that seal themselves, then the others; whether they do."""
    sealing = plan.sealing()
    yield sealing, True
    if plain := [meter for meter in plan.addresses() if meter not in sealing]:
        yield plain, False


def _identity(name: str) -> dict[str, str]:
    return {
        "certificate": f"pki/{name}.pem",
        "key": f"pki/{name}-sign.key",
        "encryption_key": f"pki/{name}-enc.key",
        "ca": "pki/root.pem",
    }
