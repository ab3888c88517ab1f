"""The seam takes another family of algorithms, and the package itself holds the SM family alone."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import meterseal
from meterseal.crypto.sm_provider import SmProvider
from meterseal.errors import Incompatible, InvalidKey, UsageError
from meterseal.transport import SUITES, TLS12_SUITES, TLS13_SUITES, ClientConfig, Connection
from meterseal.transport.algorithms import SM_ALGORITHMS
from meterseal.transport.config import Credential
from meterseal.transport.messages import ClientHello
from meterseal.transport.wire import Cursor
from support.identities import world
from support.nist import NIST_ALGORITHMS, TLS12, TLS13, NistProvider
from support.nist.identities import HOST, nist_world
from support.nist.stdlib_ssl import server_config

if TYPE_CHECKING:
    from meterseal.crypto.provider import Provider, Signer
    from meterseal.x509.signature import SignatureScheme

ROOT = Path(__file__).parents[2]
SOURCE = Path(meterseal.__file__).parent
FOREIGN = re.compile(
    r"aes.?128|secp256r1|prime256v1|0x1301|0xc02b|ecdsa_secp|support\.nist", re.IGNORECASE
)


def test_the_second_provider_has_the_shape_of_the_first() -> None:
    provider: Provider = NistProvider()
    scheme: SignatureScheme = NIST_ALGORITHMS.certificates
    signer: Signer = nist_world().server.credential.key
    assert signer.public_key() == scheme.verifier(nist_world().server.ours.spki)
    for name in (name for name in vars(SmProvider) if not name.startswith("_")):
        assert callable(getattr(provider, name))


@pytest.mark.parametrize("floor", ["crypto", "transport", "net"])
def test_no_line_of_protocol_or_cryptography_knows_another_family(floor: str) -> None:
    paths = list((SOURCE / floor).rglob("*.py"))
    assert paths
    for path in paths:
        found = [line for line in path.read_text().splitlines() if FOREIGN.search(line)]
        assert not found, path


def test_the_compiled_core_knows_no_other_family() -> None:
    foreign = re.compile(r"aes|p256|ecdsa|sha256|nist", re.IGNORECASE)
    assert not [name for name in dir(import_module("meterseal._core")) if foreign.search(name)]


@pytest.mark.slow
def test_a_built_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "maturin", "build", "--release", "--offline"]
    subprocess.run([*build, "--out", str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"meterseal"}
    assert not [name for name in names if re.search(r"nist|support|test", name)]


def test_the_hello_offers_the_sm_family_alone() -> None:
    config = ClientConfig(trust=world().trust, suites=TLS13_SUITES + TLS12_SUITES)
    output = Connection.client(config, HOST).data_to_send()
    hello = ClientHello.decode(Cursor(output, 9))
    assert set(hello.cipher_suites) <= set(SUITES)
    assert {suite.hash_name for suite in SUITES.values() if suite.code in hello.cipher_suites} == {
        "sm3"
    }
    assert hello.extensions[10] == bytes.fromhex("0006 11ee 0029 001e")
    assert hello.extensions[13] == bytes.fromhex("0004 0708 0707")


def test_the_families_do_not_meet() -> None:
    config = ClientConfig(trust=world().trust, suites=TLS13_SUITES + TLS12_SUITES)
    for suites in ((TLS13,), (TLS12,), (TLS13, TLS12)):
        server = Connection.server(server_config(suites=suites))
        with pytest.raises(Incompatible):
            server.receive_data(Connection.client(config, HOST).data_to_send())


def test_a_provider_refuses_the_suites_of_another_family() -> None:
    with pytest.raises(UsageError):
        SmProvider().key_share(NIST_ALGORITHMS.group_tls13.code)
    with pytest.raises(UsageError):
        SmProvider().new_hash("sha384")
    with pytest.raises(UsageError):
        NistProvider().key_share(SM_ALGORITHMS.group_tls13.code)


def test_a_credential_of_one_family_is_none_of_the_other() -> None:
    held = nist_world().server
    with pytest.raises(InvalidKey):
        Credential((held.ours,), held.credential.key)
    with pytest.raises(InvalidKey):
        Credential(world().server.chain, world().server.key, scheme=NIST_ALGORITHMS.certificates)
