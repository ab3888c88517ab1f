"""DL/T 645-2007, the meters' field protocol: both roles, sans-IO; `link` alone does I/O."""

from __future__ import annotations

from meterseal.collection.dlt645.frame import ANYONE, BROADCAST, Frame, FrameDecoder
from meterseal.collection.dlt645.identifiers import FAMILIES, expand, lookup
from meterseal.collection.dlt645.items import (
    decode_block,
    decode_item,
    decode_quantities,
    encode_item,
    encode_quantity,
)
from meterseal.collection.dlt645.master import Answer, Conversation
from meterseal.collection.dlt645.messages import (
    SEALED_BY_SEQUENCE,
    SEALED_FROM,
    SEALED_HELD,
    SEALED_NEWEST,
    Authority,
    ErrorFlag,
    Function,
    Request,
)
from meterseal.collection.dlt645.registers import Refused, Registers
from meterseal.collection.dlt645.slave import Slave, SlaveLine

__all__ = [
    "ANYONE",
    "BROADCAST",
    "FAMILIES",
    "SEALED_BY_SEQUENCE",
    "SEALED_FROM",
    "SEALED_HELD",
    "SEALED_NEWEST",
    "Answer",
    "Authority",
    "Conversation",
    "ErrorFlag",
    "Frame",
    "FrameDecoder",
    "Function",
    "Refused",
    "Registers",
    "Request",
    "Slave",
    "SlaveLine",
    "decode_block",
    "decode_item",
    "decode_quantities",
    "encode_item",
    "encode_quantity",
    "expand",
    "lookup",
]
