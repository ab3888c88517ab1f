"""`meterseal pki dev`: what it makes, what it never does, and that what it prints works."""

from __future__ import annotations

import shlex
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from meterseal.net.ports import free_port
from meterseal.x509 import TrustStore, load_certificates, load_private_key, sort_pair, verify_chain
from meterseal.x509.verify import KeyRole, Purpose
from support.pages import run

if TYPE_CHECKING:
    from pathlib import Path


def made(folder: Path, options: str = "") -> str:
    code, out, err = run(f"meterseal pki dev pki {options}", folder)
    assert (code, err) == (0, "")
    return out.decode()


def test_makes_a_root_a_ca_pairs_and_a_certificate_for_tls(tmp_path: Path) -> None:
    made(tmp_path, "--meters 2")
    files = {path.name for path in (tmp_path / "pki").iterdir()}
    pairs = ("server", "client", "meter-1", "meter-2")
    expected = {"root.pem", "root.key", "ca.pem", "ca.key", "server-tls.pem", "server-tls.key"}
    for owner in pairs:
        expected |= {f"{owner}.pem", f"{owner}-sign.key", f"{owner}-enc.key"}
    assert files == expected
    for path in (tmp_path / "pki").iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert (mode == 0o600) == (path.suffix == ".key"), path
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700


@pytest.mark.parametrize("owner", ["server", "client", "meter-1"])
def test_every_pair_verifies_for_every_name(owner: str, tmp_path: Path) -> None:
    made(tmp_path)
    folder = tmp_path / "pki"
    trust = TrustStore.load((folder / "root.pem").read_bytes())
    pair = sort_pair(load_certificates((folder / f"{owner}.pem").read_bytes()))
    names = ("localhost", "127.0.0.1", "::1") if owner == "server" else (None,)
    for half, role, suffix in (
        (pair.signing, KeyRole.SIGNING, "sign"),
        (pair.encryption, KeyRole.ENCRYPTION, "enc"),
    ):
        key = load_private_key((folder / f"{owner}-{suffix}.key").read_bytes())
        assert key.public_key() == half.public_key()
        for name in names:
            verified = verify_chain(
                (half, *pair.issuers),
                trust,
                at=half.not_before,
                purpose=Purpose.SERVER if owner == "server" else Purpose.CLIENT,
                role=role,
                server_name=name,
            )
            assert len(verified.chain) == 3


def test_overwrites_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "meter-1.pem").write_text("mine")
    code, _, err = run("meterseal pki dev pki", tmp_path)
    assert code == 1
    assert "meter-1.pem exists" in err
    assert [path.name for path in (tmp_path / "pki").iterdir()] == ["meter-1.pem"]
    made(tmp_path, "--force")
    assert "BEGIN CERTIFICATE" in (tmp_path / "pki" / "meter-1.pem").read_text()


def test_refuses_a_host_that_is_none_and_leaves_no_trace(tmp_path: Path) -> None:
    for host in ("EMAIL:a@b.example", "URI:http://a", "bad name"):
        code, _, err = run(["meterseal", "pki", "dev", "pki", "--host", host], tmp_path)
        assert code == 1, host
        assert len(err.splitlines()) == 1
        assert not (tmp_path / "pki").exists()


@pytest.mark.parametrize("hosts", ["", "--host station.example --host 192.0.2.7"])
def test_the_commands_it_prints_work_as_they_are(hosts: str, tmp_path: Path) -> None:
    shown = made(tmp_path, f"{hosts} --port {free_port()}")
    lines = [line for line in shown.splitlines() if line.startswith("meterseal ")]
    assert len(lines) == 4
    for serve, connect in zip(lines[::2], lines[1::2], strict=True):
        words = shlex.split(serve)[1:]
        command = [sys.executable, "-m", "meterseal", *words, "--sessions", "1"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                while not server.stdout.readline().startswith("listening"):
                    assert server.poll() is None
                code, out, err = run(connect, tmp_path)
                assert (code, err) == (0, "")
                text = server.communicate(timeout=120)[0]
            finally:
                server.kill()
        assert ("peer's encryption" in out.decode()) == ("tlcp" in connect)
        assert "CN = client" in text
        assert server.returncode == 0
