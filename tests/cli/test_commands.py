"""The commands key and cert, as text pages and in what pages cannot show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from meterseal import __version__
from meterseal.cli import cert, crl, key
from meterseal.x509 import (
    PrivateKeyFormat,
    Profile,
    Purpose,
    RevocationReason,
    load_private_key,
    pbes2,
)
from support.pages import check_page, run

STANDARD_KEY = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fixed.hex").write_text(STANDARD_KEY)
    (tmp_path / "password").write_text("meter\nsecond line\n")
    (tmp_path / "wrong").write_text("Meter\n")
    return tmp_path


@pytest.mark.parametrize("page", ["key", "cert", "crl", "user"])
def test_commands_give_what_their_page_says(page: str, folder: Path) -> None:
    text = (Path(__file__).parent / f"{page}.page").read_text(encoding="utf-8")
    check_page(text, folder)


def test_prints_version_and_help(folder: Path) -> None:
    assert run("meterseal --version", folder) == (0, f"meterseal {__version__}\n".encode(), "")
    code, out, _ = run("meterseal --help", folder)
    assert code == 0
    assert b"key" in out
    assert b"cert" in out


def test_private_keys_are_for_their_owner_alone(folder: Path) -> None:
    run("meterseal key generate --out k.pem", folder)
    run("meterseal key public k.pem --out p.pem", folder)
    assert (folder / "k.pem").stat().st_mode & 0o777 == 0o600
    assert (folder / "p.pem").stat().st_mode & 0o044
    run("meterseal key convert k.pem --out p.pem --force", folder)
    assert (folder / "p.pem").stat().st_mode & 0o777 == 0o600


def test_reads_standard_input_and_writes_standard_output(folder: Path) -> None:
    command = "meterseal key convert - --out - --format pkcs8-der"
    code, out, err = run(command, folder, data=STANDARD_KEY.encode())
    assert (code, err) == (0, "")
    assert load_private_key(out).to_bytes().hex().upper() == STANDARD_KEY


def test_takes_the_password_from_the_environment(folder: Path) -> None:
    command = "meterseal key generate --encrypt --iterations 10 --out k.pem"
    assert run(command, folder, METERSEAL_PASSWORD="meter")[0] == 0
    assert run("meterseal key show k.pem", folder, METERSEAL_PASSWORD="meter")[0] == 0
    code, _, err = run("meterseal key show k.pem", folder, METERSEAL_PASSWORD="other")
    assert code == 1
    assert err.startswith("meterseal: wrong password")
    load_private_key((folder / "k.pem").read_bytes(), "meter")


def test_needs_a_password_where_nobody_can_be_asked(folder: Path) -> None:
    command = "meterseal key generate --encrypt --out k.pem"
    code, _, err = run(command, folder, data=b"meter\nmeter\n")
    assert code == 1
    assert err == ("meterseal: a password is needed: give --password-file or $METERSEAL_PASSWORD\n")


def test_asks_for_the_password_at_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(text: str, **settings: object) -> str:
        asked.append((text, settings["hide_input"], settings["confirmation_prompt"]))
        return "meter"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", answer)
    monkeypatch.delenv("METERSEAL_PASSWORD", raising=False)
    key.generate(out=folder / "k.pem", encrypt=True, iterations=10)
    key.public(folder / "k.pem", out=folder / "p.pem")
    assert asked == [("New password", True, True), ("Password", True, False)]


def test_refuses_a_password_file_that_is_empty_or_standard_input(folder: Path) -> None:
    (folder / "empty").write_text("")
    for path in ("empty", "-"):
        command = f"meterseal key generate --encrypt --out k.pem --password-file {path}"
        code, _, err = run(command, folder)
        assert code == 1
        assert err.count("\n") == 1
    assert not (folder / "k.pem").exists()


def test_no_command_prints_the_private_number(folder: Path) -> None:
    for options in ("", " --json"):
        code, out, _ = run("meterseal key show fixed.hex" + options, folder)
        assert code == 0
        assert STANDARD_KEY.lower().encode() not in out.lower()


def test_shows_a_certificate_for_machines(folder: Path) -> None:
    run("meterseal cert self-sign --key fixed.hex --subject CN=a --san a.b --out a.pem", folder)
    code, out, _ = run("meterseal cert show a.pem --json", folder)
    assert code == 0
    (facts,) = json.loads(out)
    assert facts["subject"] == facts["issuer"] == "CN=a"
    assert facts["subject_alt_names"] == ["DNS:a.b"]
    assert len(facts["fingerprint"]) == 64


def test_a_failure_is_one_line_without_control_characters(folder: Path) -> None:
    code, out, err = run(["meterseal", "key", "show", "no\x1b[31m\nfile"], folder)
    assert (code, out) == (1, b"")
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_choices_are_those_of_the_library() -> None:
    """They stand in the commands too, because these start without loading the library."""
    assert [form.value for form in key.Format] == [form.value for form in PrivateKeyFormat]
    assert [cipher.value for cipher in key.Cipher] == list(get_args(pbes2.Cipher))
    assert [prf.value for prf in key.Prf] == list(get_args(pbes2.Prf))
    assert {profile.value for profile in cert.Profile} == set(get_args(Profile))
    assert {purpose.name for purpose in cert.Purpose} == {purpose.name for purpose in Purpose}
    assert {reason.name for reason in crl.Reason} < {reason.name for reason in RevocationReason}


def test_starting_loads_no_more_than_it_must() -> None:
    """`import meterseal` knows no typer, and the commands load X.509 only when they run."""
    code = (
        "import sys, meterseal; assert 'typer' not in sys.modules;"
        "import meterseal.cli.main; assert 'meterseal.x509' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
