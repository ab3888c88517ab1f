"""The form of a bundle: a zip file of signed pieces, with a manifest that its maker signed.

manifest.cose          COSE_Sign1 over the JSON of `manifest.json`, signed by the station
manifest.json          which statements are claimed, when each was received
statements/*.cose      the sealed statements, byte for byte
receipts/*.cose        receipts that name their digests
certificates/*.pem     the signers and the CAs above them, without the roots' say
crls/*.pem             revocation lists of the time
README.txt
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from meterseal.collection.envelope import Envelope, EnvelopeSigner, open_envelope
from meterseal.collection.sealing import MAX_SEALED_SIZE, digest_of
from meterseal.errors import MalformedData
from meterseal.x509 import (
    Certificate,
    CertificateRevocationList,
    dump_certificates,
    load_certificates,
    load_crls,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meterseal.crypto import sm2

__all__ = ["Bundle", "Claim", "read_bundle", "write_bundle"]

CONTEXT: Final = b"meterseal evidence 1"
_MANIFEST: Final = "manifest.cose"
_MAX_MANIFEST: Final = 256 << 20
_MAX_FILE: Final = 16 << 20
_MAX_FILES: Final = 2_000_000
_MAX_TOTAL: Final = 4 << 30
_VERSION: Final = 1
_README: Final = """\
Evidence of {count} statements of meter {meter}, sampled from {start} to before {end} (UTC),
made by {station}.

To check it:  meterseal evidence check THIS_FILE --ca root.pem
with the root certificate from a source that you trust; nothing in this file vouches for itself.

Without meterseal: each statements/*.cose is COSE_Sign1 (RFC 9052) in CBOR. Its signature is SM2
with SM3 (GB/T 32918.2, identifier 1234567812345678) over the Sig_structure with the external data
"meterseal statement 1"; header 4 is the SM3 digest of the signer's certificate in DER. Receipts
have the external data "meterseal receipt 1" and name statements by their SM3 digests, the manifest
has "meterseal evidence 1". The payload of a statement is a map: 1 meter, 2 epoch, 3 sequence,
4 time of sampling (ms since 1970, UTC), 5 quality, 6 values.
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement, and when the station says it came, from whom."""

    sealed: bytes
    received_at: int
    collector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a bundle holds; nothing of it is verified when it is read."""

    meter: str
    start: int
    end: int
    station: str
    made_at: int
    claims: Sequence[Claim]
    receipts: Sequence[bytes]
    certificates: Sequence[Certificate]
    crls: Sequence[CertificateRevocationList]
    manifest: Envelope | None = field(default=None)


def write_bundle(path: Path, bundle: Bundle, key: sm2.PrivateKey, certificate: Certificate) -> None:
    """Write a bundle whose manifest is signed with the station's key."""
    names = [f"statements/{number:07}.cose" for number in range(1, len(bundle.claims) + 1)]
    manifest = json.dumps(_manifest(bundle, names), indent=1).encode()
    signer = EnvelopeSigner(key, certificate, CONTEXT)
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MANIFEST, signer.sign(manifest))
        archive.writestr("manifest.json", manifest)
        archive.writestr("README.txt", _readme(bundle))
        for name, claim in zip(names, bundle.claims, strict=True):
            archive.writestr(name, claim.sealed)
        for number, receipt in enumerate(bundle.receipts, 1):
            archive.writestr(f"receipts/{number:05}.cose", receipt)
        for each in bundle.certificates:
            name = f"certificates/{each.fingerprint().hex()}.pem"
            archive.writestr(name, dump_certificates([each]))
        for number, crl in enumerate(bundle.crls, 1):
            archive.writestr(f"crls/{number:04}.pem", crl.to_pem())


def read_bundle(path: Path) -> Bundle:
    """Read a bundle. Raises `MalformedData` for anything that is none, within limits."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _Reader(archive).read()
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise MalformedData(f"{path} is no bundle: {error}") from None


class _Reader:
    """Reads the pieces of an archive by the names that the manifest gives."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._files = {info.filename: info for info in archive.infolist()}
        total = sum(info.file_size for info in self._files.values())
        if len(self._files) > _MAX_FILES or total > _MAX_TOTAL:
            raise MalformedData(f"a bundle of {len(self._files)} files, {total} bytes: too large")

    def read(self) -> Bundle:
        envelope = open_envelope(self._piece(_MANIFEST, _MAX_MANIFEST), CONTEXT, _MAX_MANIFEST)
        try:
            manifest = json.loads(envelope.payload)
            if manifest["version"] != _VERSION:
                raise MalformedData(f"a bundle of version {manifest['version']!r}")
            claims = [self._claim(entry) for entry in manifest["statements"]]
            head = {name: _typed(manifest[name], str) for name in ("meter", "station")}
            times = {name: _typed(manifest[name], int) for name in ("start", "end", "made_at")}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise MalformedData(f"the manifest is not right: {error!r}") from None
        return Bundle(
            **head,
            **times,
            claims=claims,
            receipts=self._folder("receipts/"),
            certificates=[
                each for piece in self._folder("certificates/") for each in load_certificates(piece)
            ],
            crls=[each for piece in self._folder("crls/") for each in load_crls(piece)],
            manifest=envelope,
        )

    def _claim(self, entry: dict[str, Any]) -> Claim:
        sealed = self._piece(_typed(entry["file"], str), MAX_SEALED_SIZE)
        if digest_of(sealed).hex() != entry["sm3"]:
            raise MalformedData(f"{entry['file']} is not the file that the manifest names")
        return Claim(sealed, _typed(entry["received_at"], int), _typed(entry["collector"], str))

    def _folder(self, prefix: str) -> list[bytes]:
        return [
            self._piece(name, _MAX_FILE) for name in sorted(self._files) if name.startswith(prefix)
        ]

    def _piece(self, name: str, limit: int) -> bytes:
        if name not in self._files:
            raise MalformedData(f"{name} is missing")
        with self._archive.open(self._files[name]) as file:
            piece = file.read(limit + 1)  # whatever the directory says of its size
        if len(piece) > limit:
            raise MalformedData(f"{name} has more than {limit} bytes")
        return piece


def _typed(value: Any, kind: type) -> Any:  # noqa: ANN401
    if type(value) is not kind:
        raise MalformedData(f"the manifest has {value!r} where a {kind.__name__} should be")
    return value


def _manifest(bundle: Bundle, names: Sequence[str]) -> dict[str, object]:
    return {
        "version": _VERSION,
        "meter": bundle.meter,
        "start": bundle.start,
        "end": bundle.end,
        "station": bundle.station,
        "made_at": bundle.made_at,
        "statements": [
            {
                "file": name,
                "sm3": digest_of(claim.sealed).hex(),
                "received_at": claim.received_at,
                "collector": claim.collector,
            }
            for name, claim in zip(names, bundle.claims, strict=True)
        ],
    }


def _readme(bundle: Bundle) -> str:
    def text(at: int) -> str:
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")

    return _README.format(
        count=len(bundle.claims),
        meter=bundle.meter,
        start=text(bundle.start),
        end=text(bundle.end),
        station=bundle.station,
    )
