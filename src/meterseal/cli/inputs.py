"""Files that several commands read: credentials and trusted roots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.cli.files import read_file
from meterseal.cli.options import load_key

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.transport import Credential
    from meterseal.x509 import TrustStore


def load_credential(cert: Path, key: Path, password_file: Path | None) -> Credential:
    """Read a chain and its key; raises `InvalidKey` if they do not belong together."""
    from meterseal.transport import Credential
    from meterseal.x509 import load_certificates

    chain = tuple(load_certificates(read_file(cert)))
    return Credential(chain, load_key(key, password_file))


def load_trust(ca: Path | None) -> TrustStore:
    """Read the trusted roots; none at all without a file."""
    from meterseal.x509 import TrustStore, load_certificates

    return TrustStore(load_certificates(read_file(ca)) if ca else [])
