"""The page of known attacks names tests: each of them exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "known-attacks.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/.]+\.(?:py|rs))::(\w+)`", PAGE)))


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 20


@pytest.mark.parametrize(("file", "name"), NAMED, ids="::".join)
def test_the_named_test_exists(file: str, name: str) -> None:
    keyword = "def" if file.endswith(".py") else "fn"
    assert re.search(rf"^\s*(?:async )?{keyword} {name}\(", (ROOT / file).read_text(), re.MULTILINE)
