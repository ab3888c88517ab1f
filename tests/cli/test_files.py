"""Files are written whole or not at all, and never over others unasked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from meterseal.cli import files
from meterseal.cli.files import read_file, read_password, write_file
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_writes_with_its_mode_whatever_the_mask(
    tmp_path: Path, *, private: bool, mode: int
) -> None:
    before = os.umask(0)
    try:
        write_file(tmp_path / "f", b"data", private=private)
    finally:
        os.umask(before)
    assert (tmp_path / "f").read_bytes() == b"data"
    assert (tmp_path / "f").stat().st_mode & 0o777 == mode
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="--force"):
        write_file(path, b"new", private=True)
    assert path.read_bytes() == b"old"
    write_file(path, b"new", private=True, force=True)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_never_writes_through_a_symbolic_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(UsageError, match="exists"):
        write_file(link, b"key", private=True)
    assert not target.exists()
    target.write_bytes(b"old")
    write_file(link, b"key", private=True, force=True)
    assert target.read_bytes() == b"old"
    assert not link.is_symlink()
    assert link.read_bytes() == b"key"


def test_does_not_replace_a_file_that_appears_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    write_new = files._write_new

    def race(temporary: Path, data: bytes, mode: int) -> None:
        write_new(temporary, data, mode)
        path.write_bytes(b"theirs")

    monkeypatch.setattr(files, "_write_new", race)
    with pytest.raises(UsageError, match="exists"):
        write_file(path, b"ours", private=True)
    assert path.read_bytes() == b"theirs"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_claims_the_name_on_file_systems_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "f"
    write_file(path, b"data", private=True)
    assert path.read_bytes() == b"data"
    assert path.stat().st_mode & 0o777 == 0o600


def test_leaves_nothing_behind_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(tmp_path / "f", b"data", private=True)
    assert list(tmp_path.iterdir()) == []


def test_refuses_to_replace_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(UsageError, match="not a regular file"):
        write_file(tmp_path / "d", b"data", private=False, force=True)


def test_reads_within_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(UsageError, match="larger than 4 bytes"):
        read_file(path, 4)


def test_a_password_is_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("pass word \nnext\n")
    assert read_password(path) == "pass word "
    path.write_text("\n")
    with pytest.raises(UsageError, match="empty"):
        read_password(path)
