"""The package as a whole: quick to import, quiet, with an honest public face."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import meterseal

FACES = [
    "meterseal",
    "meterseal.errors",
    "meterseal.x509",
    "meterseal.transport",
    "meterseal.net",
]
HEAVY = {"asyncio", "socket", "ssl", "subprocess", "typer", "rich", "cryptography", "http"}


def test_import_starts_nothing_and_loads_nothing_heavy() -> None:
    code = "import sys; old = set(sys.modules); import meterseal; print(*(set(sys.modules) - old))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert HEAVY.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("name", FACES)
def test_every_exported_name_exists_and_the_list_is_sorted(name: str) -> None:
    face = importlib.import_module(name)
    exported = face.__all__
    assert sorted(exported, key=lambda n: (not n.isupper(), not n[0].isupper(), n)) == list(
        exported
    )
    assert all(hasattr(face, entry) for entry in exported)


def test_the_contract_of_names_holds() -> None:
    for name in ("sm2", "sm3", "sm4", "InvalidSignature", "InvalidTag", "DecryptionFailed"):
        assert name in meterseal.__all__


def test_only_crypto_knows_the_compiled_core() -> None:
    source = Path(meterseal.__file__).parent
    knowing = {
        path.relative_to(source).parts[0]
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and "_core" in ast.unparse(node)
    }
    assert knowing == {"crypto"}
