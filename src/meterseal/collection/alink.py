"""The conventions of the Alibaba Cloud IoT platform, which the published design reports through.

Sign-in is by a secret shared with the cloud: an HMAC-SHA256 over the client's own description. It
says who connects and nothing about the data; whoever steals it can post in the device's name. So
what counts travels sealed through the pass-through topic, and the property post beside it is for
the cloud's own pages only. The station never reads it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from meterseal.collection.model import Quantity, Reading
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ALL_RAW_UP",
    "Device",
    "SignIn",
    "check_reply",
    "device_of",
    "pack_post",
    "property_post",
]

ALL_RAW_UP: Final = "/sys/+/+/thing/model/up_raw"
_NAME: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")
_RAW: Final = re.compile(r"/sys/([A-Za-z0-9]{1,64})/([A-Za-z0-9_.:@-]{1,64})/thing/model/up_raw")
_VERSION: Final = "1.0"


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a device puts into its MQTT CONNECT."""

    client_id: str
    user_name: str
    password: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the platform. Raises `UsageError` for names the platform does not allow."""

    product_key: str
    name: str
    secret: str

    def __post_init__(self) -> None:
        for what, text in (("product key", self.product_key), ("device name", self.name)):
            if not _NAME.fullmatch(text):
                raise UsageError(f"{text!r} is no {what} of the platform")

    def sign_in(self, client_id: str, timestamp: int | None = None, mode: int = 2) -> SignIn:
        """Return the sign-in by HMAC-SHA256; `mode` 2 is over TLS, 3 in the open.

        `timestamp`, in ms, is covered by the HMAC where it is given; the platform does not hold it
        against its own clock, so it keeps nobody from using a recorded sign-in again.
        """
        fields = {
            "clientId": client_id,
            "deviceName": self.name,
            "productKey": self.product_key,
            **({} if timestamp is None else {"timestamp": str(timestamp)}),
        }
        content = "".join(key + fields[key] for key in sorted(fields))
        password = hmac.new(self.secret.encode(), content.encode(), hashlib.sha256).hexdigest()
        options = f"securemode={mode},signmethod=hmacsha256"
        if timestamp is not None:
            options += f",timestamp={timestamp}"
        return SignIn(f"{client_id}|{options}|", f"{self.name}&{self.product_key}", password)

    @property
    def raw_up(self) -> str:
        """The pass-through topic to the cloud: bundles of sealed statements."""
        return f"{self._base}/thing/model/up_raw"

    @property
    def raw_down(self) -> str:
        """The pass-through topic from the cloud: signed receipts."""
        return f"{self._base}/thing/model/down_raw"

    @property
    def property_post(self) -> str:
        """The topic of values for the cloud's own pages."""
        return f"{self._base}/thing/event/property/post"

    @property
    def property_reply(self) -> str:
        """The topic on which the cloud answers property posts."""
        return f"{self._base}/thing/event/property/post_reply"

    @property
    def pack_post(self) -> str:
        """The topic of values of several meters behind a gateway."""
        return f"{self._base}/thing/event/property/pack/post"

    @property
    def _base(self) -> str:
        return f"/sys/{self.product_key}/{self.name}"


def property_post(number: int, reading: Reading) -> bytes:
    """Return a reading as an Alink property post; `number` must be unique within the device's day.

    Missing values are left out. Floats carry a decimal point, as the platform demands.
    """
    post = {
        "id": str(number),
        "version": _VERSION,
        "sys": {"ack": 1},
        "params": _params(reading),
        "method": "thing.event.property.post",
    }
    return json.dumps(post, separators=(",", ":")).encode()


def pack_post(number: int, product_key: str, readings: Sequence[Reading]) -> bytes:
    """Return readings of several meters as one post of a gateway, a sub-device for each meter.

    The meters' device names are their addresses.
    """
    post = {
        "id": str(number),
        "version": _VERSION,
        "sys": {"ack": 1},
        "params": {
            "subDevices": [
                {
                    "identity": {"productKey": product_key, "deviceName": str(reading.meter)},
                    "properties": _params(reading),
                }
                for reading in readings
            ]
        },
        "method": "thing.event.property.pack.post",
    }
    return json.dumps(post, separators=(",", ":")).encode()


def check_reply(payload: bytes) -> tuple[str, int]:
    """Return id and code of the cloud's answer to a post. Raises `MalformedData`."""
    try:
        reply: dict[str, Any] = json.loads(payload)
        return str(reply["id"]), int(reply["code"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedData(f"an answer that is not Alink: {error}") from None


def device_of(topic: str) -> tuple[str, str]:
    """Return product key and device name of a pass-through topic. Raises `MalformedData`."""
    match = _RAW.fullmatch(topic)
    if match is None:
        raise MalformedData(f"{topic!r} is no pass-through topic")
    return match[1], match[2]


def _params(reading: Reading) -> dict[str, dict[str, float | int]]:
    return {
        _identifier(quantity): {
            "value": float(quantity.amount(steps)),
            "time": reading.sampled_at,
        }
        for quantity, steps in reading.values.items()
        if steps is not None
    }


def _identifier(quantity: Quantity) -> str:
    """The thing model's names: the platform's examples call voltages Ua, the others follow."""
    return _SHORT.get(quantity, quantity.name.title().replace("_", ""))


def _short_names() -> dict[Quantity, str]:
    bases = {"VOLTAGE": "U", "CURRENT": "I", "ACTIVE_POWER": "P", "REACTIVE_POWER": "Q"}
    phased = {
        Quantity[f"{base}_{phase}"]: letter + phase.lower()
        for base, letter in bases.items()
        for phase in "ABC"
    }
    return {**phased, Quantity.ACTIVE_POWER: "P", Quantity.REACTIVE_POWER: "Q"}


_SHORT: Final = _short_names()
