"""What the guides and the Chinese README show of Python runs, block after block, as it stands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.markdown import ROOT, blocks
from support.pages import run

if TYPE_CHECKING:
    from pathlib import Path

OF_THEIR_OWN = {"field-protocols.md"}  # tests/collection/test_field_protocols_guide.py


def python_of(guide: Path) -> list[str]:
    return [text for language, text in blocks(guide) if language == "python"]


GUIDES = [
    guide
    for guide in (ROOT / "README.zh.md", *sorted((ROOT / "docs").rglob("*.md")))
    if guide.name not in OF_THEIR_OWN and python_of(guide)
]
SHOWN = {
    "library.md": (
        "the signature does not verify",
        "100 of 100 hold",
        "b'a key of 16 byte'",
        "66c7f0f462eeedd9",
        "b'reading'",
        "CN = station",
        "wrong name",
    ),
    "README.zh.md": ("66c7f0f462eeedd9", "ECC_SM4_GCM_SM3"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that guides speak of, made by the command that they name."""
    made = tmp_path_factory.mktemp("guides")
    assert run("meterseal pki dev pki", made)[0] == 0
    shutil.copy(made / "pki/root.pem", made / "ca.pem")
    parts = ("server.pem", "server-sign.key", "server-enc.key")
    (made / "server-pair.pem").write_bytes(b"".join((made / "pki" / p).read_bytes() for p in parts))
    return made


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_the_blocks_of_a_guide_run_in_order(guide: Path, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(python_of(guide))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for words in SHOWN.get(guide.name, ()):
        assert words in done.stdout


def test_every_guide_whose_output_is_expected_is_there() -> None:
    assert set(SHOWN) <= {guide.name for guide in GUIDES}
