"""Users in a file: names, roles, passwords."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from meterseal.collection.display.users import Role, Users
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "long enough 42"
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def users(tmp_path: Path) -> Users:
    users = Users(tmp_path / "state", HASHER)
    users.add("sofia", Role.SECURITY_OFFICER, GOOD)
    return users


def test_the_first_start_makes_an_officer_with_a_one_time_password(tmp_path: Path) -> None:
    users = Users(tmp_path / "state", HASHER)
    first = users.begin()
    assert first is not None
    password, path = first
    assert path.read_text().strip() == password
    assert path.stat().st_mode & 0o777 == 0o600
    (admin,) = users.all()
    assert (admin.name, admin.role, admin.must_change) == ("admin", Role.SECURITY_OFFICER, True)
    assert users.authenticate("admin", password) == admin
    assert users.begin() is None
    users.change_own_password("admin", password, GOOD)
    assert not path.exists()
    assert users.authenticate("admin", password) is None
    changed = users.authenticate("admin", GOOD)
    assert changed is not None
    assert not changed.must_change


@pytest.mark.usefixtures("users")
def test_the_file_has_hashes_alone_and_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "state" / "users.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert GOOD not in path.read_text()
    assert json.loads(path.read_text())["users"][0]["password_hash"].startswith("$argon2id$")


def test_only_the_right_password_of_the_right_user_counts(users: Users) -> None:
    assert users.authenticate("sofia", GOOD) is not None
    for name, password in (("sofia", GOOD + "x"), ("sofia", ""), ("nobody", GOOD), ("", "")):
        assert users.authenticate(name, password) is None


@pytest.mark.parametrize("password", ["short", "x" * 129, "aaaaaaaaaaaaaaaa"])
def test_weak_passwords_are_refused(users: Users, password: str) -> None:
    with pytest.raises(UsageError):
        users.change_password("sofia", password)
    assert users.authenticate("sofia", GOOD) is not None


def test_names_are_plain_and_unique(users: Users) -> None:
    for name in ("", "a b", "x" * 33, "../x", "sofia"):
        with pytest.raises(UsageError):
            users.add(name, Role.VIEWER, GOOD)
    assert [user.name for user in users.all()] == ["sofia"]


def test_a_security_officer_remains(users: Users) -> None:
    for change in (
        lambda: users.remove("sofia"),
        lambda: users.change_role("sofia", Role.VIEWER),
    ):
        with pytest.raises(UsageError, match="security officer"):
            change()
    users.add("second", Role.SECURITY_OFFICER, GOOD)
    users.remove("sofia")
    assert [user.name for user in users.all()] == ["second"]
    with pytest.raises(UsageError, match="no user"):
        users.remove("sofia")


def test_changes_of_another_process_are_seen(users: Users, tmp_path: Path) -> None:
    other = Users(tmp_path / "state", HASHER)
    password = other.add("vera", Role.VIEWER)
    assert users.authenticate("vera", password) is not None
    other.remove("vera")
    assert users.find("vera") is None


def test_a_damaged_file_is_told_and_lets_nobody_in(users: Users, tmp_path: Path) -> None:
    (tmp_path / "state" / "users.json").write_text('{"users": [{"name": 1}]}')
    with pytest.raises(UsageError, match="damaged"):
        users.authenticate("sofia", GOOD)
