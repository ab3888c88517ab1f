"""What pages in Markdown show: their blocks of code, and in those of a shell each command.

A block is fenced, and then has a language, or indented, and then holds commands alone.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "README.zh.md",
    ROOT / "docs/index.md",
    *sorted((ROOT / "docs/guide").glob("*.md")),
]
CONSOLE, INDENTED = "console", "indented"
_BLOCK = re.compile(
    r"^```(?P<language>\w*)\n(?P<fenced>(?s:.*?))^```$"
    r"|(?<=\n\n)(?P<indented>(?:^ {4}\S.*\n|^ {8}.*\n)+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Command:
    """One command without the remark behind it, and the output that stands below it."""

    line: str
    shown: str = ""

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block, in order."""
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [
        (INDENTED, match["indented"]) if match["indented"] else (match["language"], match["fenced"])
        for match in found
    ]


def commands(page: Path) -> list[Command]:
    """Every command that the page tells to give, in order."""
    found = []
    for language, text in blocks(page):
        if language == INDENTED:
            lines = re.sub(r"\\\n\s*", "", text).splitlines()
            found += [Command(_plain(line)) for line in lines]
        elif language == CONSOLE:
            steps = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
            found += [Command(_plain(line), shown) for line, _, shown in map(_first_line, steps)]
    return found


def quoted(page: Path) -> list[str]:
    """What stands between backticks in the running text."""
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("", page.read_text(encoding="utf-8")))


def _first_line(step: str) -> tuple[str, str, str]:
    return step.partition("\n")


def _plain(line: str) -> str:
    return re.sub(r"\s#\s.*", "", line).strip()
