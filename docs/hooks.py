"""The pages that stand in the repository's root join the site; their links are made to fit it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
FROM_ROOT = ("ARCHITECTURE.md", "CHANGELOG.md", "README.zh.md", "SECURITY.md")
_LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root."""
    for name in FROM_ROOT:
        files.append(File.generated(config, name, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  (named so by mkdocs)
    """Let links lead to pages of the site; what is no page of it is named instead."""
    place = page.file.src_uri
    here = ROOT if place in FROM_ROOT else (ROOT / "docs" / place).parent

    def fit(link: re.Match[str]) -> str:
        target, mark, anchor = link[1].partition("#")
        path = (here / target).resolve().relative_to(ROOT).as_posix().removeprefix("docs/")
        if files.get_file_from_path(path) is None:
            return f"] `{path}`"
        return f"]({'../' * place.count('/')}{path}{mark}{anchor})"

    return _LINK.sub(fit, markdown)
