"""One TOML file for all roles: `meterseal.toml`, a table for each role that runs here.

Paths are relative to the file. Any value can be overridden by an environment variable: its place in
the file, in capitals, after METERSEAL__ and joined by two underscores, as TOML
(`METERSEAL__GATEWAY__LISTEN='"0.0.0.0:8883"'`; plain text is taken for a string).
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from meterseal.collection.model import MeterAddress
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AlinkSettings",
    "BrokerSettings",
    "CollectorSettings",
    "GatewaySettings",
    "HttpsSettings",
    "Identity",
    "LineSettings",
    "MeterSettings",
    "RuleSettings",
    "ServerIdentity",
    "Settings",
    "StationSettings",
    "UplinkSettings",
    "load_settings",
]

_ENVIRONMENT: Final = "METERSEAL__"
_NAME_PATTERN: Final = r"^[A-Za-z0-9_-]{1,64}$"


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _meter(text: str) -> str:
    try:
        return MeterAddress(text)
    except UsageError as error:
        raise ValueError(str(error)) from None


Address = Annotated[str, AfterValidator(lambda text: (_address(text), text)[1])]
"""HOST:PORT."""
Meter = Annotated[str, AfterValidator(_meter)]
Name = Annotated[str, Field(pattern=_NAME_PATTERN)]
Protocol = Literal["auto", "tls13-sm", "tls12-sm", "tlcp"]


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT."""
    return _address(text)


class _Table(BaseModel):
    """A table of the file: no unknown keys, no changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Identity(_Table):
    """Who we are, and whom we trust.

    `certificate` is a chain in PEM; with `encryption_key` it holds a TLCP pair. `crls` are looked
    at where they apply.
    """

    certificate: Path
    key: Path
    encryption_key: Path | None = None
    ca: Path
    crls: tuple[Path, ...] = ()


class AlinkSettings(_Table):
    """A device of the Alibaba Cloud IoT platform; its secret stands in a file."""

    product_key: str
    device_name: str
    secret: Path


class UplinkSettings(_Table):
    """The gateway (or broker) to publish to.

    `protocol` "plain" leaves the link open, "international" is TLS with the system's roots. With
    `alink` a collector signs in and speaks as that platform asks.
    """

    address: Address
    protocol: Protocol | Literal["plain", "international"] = "auto"
    patience: float = Field(default=30.0, gt=0)
    alink: AlinkSettings | None = None


class LineSettings(_Table):
    """Meters on one line: `address` for TCP, `device` and `rate` for a serial port.

    `interval` is in seconds, as are `answer`, how long one is waited for, and `pause`, how long the
    line rests before the next request, so that it can turn round. `seals_itself` meters hand out
    statements of their own. Modbus meters answer under the units 1, 2, ... in the order of
    `meters`, by `register_map` (SDM630 without).
    """

    protocol: Literal["dlt645", "modbus"] = "dlt645"
    register_map: Path | None = None
    address: Address | None = None
    device: str | None = None
    rate: int = 2400
    meters: tuple[Meter, ...] = Field(min_length=1)
    interval: float = Field(default=60.0, ge=0.1)
    seals_itself: bool = False
    answer: float = Field(default=1.0, gt=0)
    pause: float = Field(default=0.02, ge=0)

    def model_post_init(self, _: object) -> None:
        """Refuse a line without, or with two ways to it."""
        if (self.address is None) == (self.device is None):
            raise ValueError("a line has either an address or a device")
        if self.protocol == "modbus" and self.seals_itself:
            raise ValueError("Modbus meters do not seal what they say")


class CollectorSettings(_Table):
    """A collector; `stations` holds the certificates that may sign receipts, in PEM.

    `certificates` is a folder (or file) with those of meters that seal themselves, which stations
    are shown. `spread`: seconds over which the meters of an interval are spread.
    """

    name: Name = "collector-1"
    state: Path = Path("state/collector")
    identity: Identity
    stations: Path
    certificates: Path | None = None
    uplink: UplinkSettings
    spread: float = Field(default=5.0, ge=0)
    line: tuple[LineSettings, ...] = Field(min_length=1)


class RuleSettings(_Table):
    """What clients whose name fits a pattern may do; {name} stands for the name itself."""

    name: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()


class GatewaySettings(_Table):
    """The sealed front of a broker, or with `service = "tcp"` of any service."""

    name: Name = "gateway-1"
    listen: Address = "127.0.0.1:8883"
    backend: Address = "127.0.0.1:1883"
    service: Literal["mqtt", "tcp"] = "mqtt"
    identity: Identity
    protocol: Protocol = "auto"
    admin: Address | None = None
    rule: tuple[RuleSettings, ...] = (
        RuleSettings(
            name="collector-*",
            publish=(
                "meterseal/v1/{name}/up",
                "meterseal/v1/{name}/certificates",
                "meterseal/v1/{name}/status",
            ),
            subscribe=("meterseal/v1/{name}/down",),
        ),
        RuleSettings(
            name="station-*",
            publish=("meterseal/v1/+/down",),
            subscribe=(
                "meterseal/v1/+/up",
                "meterseal/v1/+/certificates",
                "meterseal/v1/+/status",
            ),
        ),
    )
    connections: int = Field(default=10_000, ge=1)
    handshakes: float = Field(default=400.0, gt=0)
    handshakes_of_one: float = Field(default=50.0, gt=0)
    idle_seconds: float = Field(default=300.0, gt=0)
    reload_seconds: float = Field(default=5.0, gt=0)


class MeterSettings(_Table):
    """Software meters in one process, on one TCP port.

    `source`: a file to play (COMTRADE, or CSV of measured power), synthetic loads without one.
    `identities`: a folder with NAME.pem and NAME.key for the meters that seal what they say, NAME
    being meter-<twelve digits>. Intervals are in seconds.
    """

    listen: Address = "127.0.0.1:6450"
    meters: tuple[Meter, ...] = Field(min_length=1)
    state: Path = Path("state/meters")
    source: Path | None = None
    identities: Path | None = None
    sealing: tuple[Meter, ...] = ()
    seal_interval: float = Field(default=60.0, ge=1)
    interval: float = Field(default=0.2, gt=0)
    light: bool = False


class ServerIdentity(_Table):
    """A server's certificate chain and key, in PEM; with `encryption_key` a TLCP pair."""

    certificate: Path
    key: Path
    encryption_key: Path | None = None


class HttpsSettings(_Table):
    """How the display is sealed: for common browsers, for those with SM suites, or both.

    With both, one port serves each client as its hello asks for.
    """

    international: ServerIdentity | None = None
    sm: ServerIdentity | None = None

    def model_post_init(self, _: object) -> None:
        """Refuse a table that seals nothing, and a pair where there is none."""
        if self.international is None and self.sm is None:
            raise ValueError("HTTPS needs an international certificate, or those of SM, or both")
        if self.international is not None and self.international.encryption_key is not None:
            raise ValueError("an international certificate has no encryption key beside it")


class StationSettings(_Table):
    """A station: where its messages come from, who speaks for which meter, where it stores.

    `store`: a file, or `postgresql://...`. `nats` names servers of a cluster instead of `uplink`;
    each message lies on `replicas` of them.
    `gateways`: the operators' pages of gateways, whose links the display shows. `certificates`: a
    file or folder of signers' certificates, for uplinks on which nobody announces them. With
    `https` the display is sealed.
    """

    name: Name = "station-1"
    identity: Identity
    registry: Path
    certificates: Path | None = None
    store: str = "state/station.sqlite"
    uplink: UplinkSettings | None = None
    nats: tuple[str, ...] = ()
    replicas: int = Field(default=1, ge=1, le=5)
    share: str | None = None
    listen: Address | None = "127.0.0.1:8080"
    https: HttpsSettings | None = None
    state: Path = Path("state/station")
    gateways: tuple[Address, ...] = ()
    keep_days: int = Field(default=400, ge=1)

    def model_post_init(self, _: object) -> None:
        """Refuse a station without, or with two sources."""
        if (self.uplink is None) == (not self.nats):
            raise ValueError("a station has either an uplink or nats")


class BrokerSettings(_Table):
    """The embedded broker."""

    state: Path = Path("state/broker")
    mqtt_port: int = 1883
    nats_port: int = 4222


class Settings(_Table):
    """All tables; a role without a table does not run here."""

    broker: BrokerSettings | None = None
    gateway: GatewaySettings | None = None
    meter: MeterSettings | None = None
    collector: CollectorSettings | None = None
    station: StationSettings | None = None


def load_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read the file. Raises `UsageError` that names every value that is wrong, `OSError`."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    for variable, text in sorted(environment.items()):
        if variable.startswith(_ENVIRONMENT):
            _override(data, variable, text)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(dict.fromkeys(map(_fault, error.errors())))
        raise UsageError(f"{path}: {faults}") from None
    anchored: Settings = _anchored(settings, path.resolve().parent)
    return anchored


def _fault(fault: Mapping[str, Any]) -> str:
    """Say what pydantic found wrong with one value, in the words of the file."""
    where = ".".join(map(str, fault["loc"]))
    match fault["type"]:
        case "extra_forbidden":
            return f"{where}: there is no such setting"
        case "missing":
            return f"{where} is missing"
        case "too_short":
            return f"{where}: none of them can be used"
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}"


def _override(data: dict[str, Any], variable: str, text: str) -> None:
    *tables, key = variable.removeprefix(_ENVIRONMENT).lower().split("__")
    table: Any = data
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"{variable}: {name!r} is no table")
    try:
        table[key] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[key] = text


def _anchored(table: Any, folder: Path) -> Any:  # noqa: ANN401  (any table, with its own type)
    """Return the table with relative paths resolved against the file's folder."""
    if isinstance(table, Path):
        return folder / table
    if isinstance(table, tuple):
        return tuple(_anchored(each, folder) for each in table)
    if isinstance(table, StationSettings) and "://" not in table.store:
        table = table.model_copy(update={"store": str(folder / table.store)})
    if isinstance(table, _Table):
        changes: dict[str, Any] = {
            name: _anchored(getattr(table, name), folder) for name in type(table).model_fields
        }
        return table.model_copy(update=changes)
    return table
