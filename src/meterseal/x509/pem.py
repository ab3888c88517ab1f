"""PEM blocks (RFC 7468): strict inside a block, patient with text around it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from meterseal.asn1.der import MAX_SIZE, Buffer
from meterseal.errors import MalformedData

__all__ = ["Block", "decode", "encode", "is_pem"]

MAX_PEM_SIZE = 8 * MAX_SIZE
MAX_BLOCKS = 1024
_LINE = 64
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_HEADER = re.compile(rb"[A-Za-z0-9-]+:")


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its label, such as `CERTIFICATE`, and its contents."""

    label: str
    contents: bytes


def is_pem(data: Buffer) -> bool:
    """Whether a PEM block begins somewhere in the data."""
    return b"-----BEGIN " in bytes(data)


def decode(data: Buffer) -> list[Block]:
    """Decode all blocks, in order; text outside of blocks is ignored.

    Raises MalformedData for a block that is not closed, has headers or is not canonical base64.
    """
    if len(data) > MAX_PEM_SIZE:
        raise MalformedData(f"PEM data of {len(data)} bytes; the limit is {MAX_PEM_SIZE}")
    blocks: list[Block] = []
    label: bytes | None = None
    body: list[bytes] = []
    for raw_line in bytes(data).splitlines():
        line = raw_line.strip(b" \t\xef\xbb\xbf")
        if label is None:
            begin = _BEGIN.fullmatch(line)
            if begin:
                label, body = begin[1], []
            elif line.startswith(b"-----BEGIN"):
                raise MalformedData("a PEM block begins with a line that is not well formed")
        elif line == b"-----END " + label + b"-----":
            blocks.append(Block(label.decode(), _decode_body(label.decode(), body)))
            label = None
        elif line.startswith(b"-----"):
            raise MalformedData(f"the PEM block {label.decode()} is not closed by its own END line")
        else:
            body.append(line)
        if len(blocks) > MAX_BLOCKS:
            raise MalformedData(f"more than {MAX_BLOCKS} PEM blocks")
    if label is not None:
        raise MalformedData(f"the PEM block {label.decode()} has no END line")
    return blocks


def encode(label: str, contents: bytes) -> str:
    """Encode one block, with lines of 64 characters and a final newline."""
    text = base64.b64encode(contents).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _decode_body(label: str, body: list[bytes]) -> bytes:
    if any(_HEADER.match(line) for line in body):
        raise MalformedData(
            f"the PEM block {label} has headers: keys encrypted in that old way are not supported; "
            "convert the key to PKCS#8"
        )
    text = b"".join(body)
    try:
        contents = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise MalformedData(f"the PEM block {label} is not valid base64") from None
    if base64.b64encode(contents) != text:
        raise MalformedData(f"the PEM block {label} is not canonical base64")
    return contents
