"""Who may look at the display: names, roles, and passwords as Argon2 hashes, in one file."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Role", "User", "Users"]

FILE: Final = "users.json"
FIRST_PASSWORD: Final = "first-password.txt"  # noqa: S105  (a file's name)
FIRST_USER: Final = "admin"
SHORTEST: Final = 12
LONGEST: Final = 128
"""Characters of a password."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_HASHES_AT_ONCE: Final = 2
"""Each takes 64 MiB and a core for a moment."""


class Role(IntEnum):
    """What somebody may do; each may what the one before may."""

    VIEWER = 1
    """See everything that the meters and the station say."""
    OPERATOR = 2
    """Acknowledge events of meters, check evidence."""
    SECURITY_OFFICER = 3
    """Acknowledge incidents that the station found, manage users."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a password; `must_change` holds until a one-time password was replaced.

    `version` counts changes: a session begun under an earlier one is over.
    """

    name: str
    role: Role
    password_hash: str
    must_change: bool = False
    version: int = 1


class Users:
    """The users of one station, in a file that only its owner reads; for any thread and process.

    Every change is written whole before it counts, and seen by other processes at their next look.
    """

    def __init__(self, folder: Path, hasher: PasswordHasher | None = None) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._file = folder / FILE
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        self._busy = threading.BoundedSemaphore(_HASHES_AT_ONCE)
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._users: dict[str, User] = {}

    def all(self) -> list[User]:
        """Return all users by name. Raises `UsageError` if the file is damaged."""
        return [user for _, user in sorted(self._current().items())]

    def find(self, name: str) -> User | None:
        """Return a user, or None."""
        return self._current().get(name)

    def authenticate(self, name: str, password: str) -> User | None:
        """Return the user whose password this is; takes as long for a name that nobody has."""
        user = self.find(name)
        with self._busy:
            try:
                self._hasher.verify(
                    user.password_hash if user else self._nobody, password[: LONGEST + 1]
                )
            except (VerificationError, InvalidHashError):
                return None
        return user

    def add(self, name: str, role: Role, password: str | None = None) -> str:
        """Add a user; returns the password, a one-time one if none was given.

        Raises `UsageError` for a name that is taken or no name, or for a weak password.
        """
        if not _NAME.fullmatch(name):
            raise UsageError("a user name has 1 to 32 letters, digits, dots, dashes or underscores")
        given = password or secrets.token_urlsafe(12)
        user = User(name, role, self._hash(given), must_change=password is None)
        with self._change() as users:
            if name in users:
                raise UsageError(f"there is a user {name!r} already")
            users[name] = user
        return given

    def change_password(self, name: str, password: str | None = None) -> str:
        """Give a user another password, a one-time one if none is given; returns it.

        Raises `UsageError` for an unknown user or a weak password.
        """
        given = password or secrets.token_urlsafe(12)
        password_hash = self._hash(given)
        with self._change() as users:
            user = _known(users, name)
            users[name] = replace(
                user,
                password_hash=password_hash,
                must_change=password is None,
                version=user.version + 1,
            )
        if name == FIRST_USER:
            (self._folder / FIRST_PASSWORD).unlink(missing_ok=True)
        return given

    def change_own_password(self, name: str, old: str, new: str) -> None:
        """Replace a password by another. Raises `UsageError` if it is the same, or weak."""
        if new == old:
            raise UsageError("the new password is the old one")
        self.change_password(name, new)

    def change_role(self, name: str, role: Role) -> None:
        """Give a user another role. Raises `UsageError` if no security officer would be left."""
        with self._change() as users:
            user = _known(users, name)
            users[name] = replace(user, role=role, version=user.version + 1)
            _require_officer(users)

    def remove(self, name: str) -> None:
        """Remove a user. Raises `UsageError` if no security officer would be left."""
        with self._change() as users:
            del users[_known(users, name).name]
            _require_officer(users)

    def begin(self) -> tuple[str, Path] | None:
        """Make the first user, if there is none yet; returns its one-time password and its file."""
        if self._current():
            return None
        password = self.add(FIRST_USER, Role.SECURITY_OFFICER)
        path = self._folder / FIRST_PASSWORD
        _write(path, f"{password}\n".encode())
        return password, path

    def _hash(self, password: str) -> str:
        if not SHORTEST <= len(password) <= LONGEST:
            raise UsageError(f"a password has {SHORTEST} to {LONGEST} characters")
        if len(set(password)) < SHORTEST // 2:
            raise UsageError("a password of so few different characters is soon guessed")
        with self._busy:
            return self._hasher.hash(password)

    def _current(self) -> dict[str, User]:
        with self._lock:
            try:
                status = self._file.stat()
            except FileNotFoundError:
                self._stamp, self._users = None, {}
                return {}
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._users = _decode(self._file.read_bytes(), self._file)
                self._stamp = stamp
            return dict(self._users)

    @contextmanager
    def _change(self) -> Iterator[dict[str, User]]:
        """Hand out the users to be changed, alone among all processes; then write them."""
        with (self._folder / "users.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            users = self._current()
            yield users
            rows = [asdict(user) for _, user in sorted(users.items())]
            _write(self._file, json.dumps({"users": rows}, indent=1).encode())


def _known(users: dict[str, User], name: str) -> User:
    if name not in users:
        raise UsageError(f"there is no user {name!r}")
    return users[name]


def _require_officer(users: dict[str, User]) -> None:
    if not any(user.role is Role.SECURITY_OFFICER for user in users.values()):
        raise UsageError("there must be a security officer: nobody else manages users")


def _decode(data: bytes, path: Path) -> dict[str, User]:
    try:
        rows = [User(**row) for row in json.loads(data)["users"]]
        return {row.name: replace(row, role=Role(row.role)) for row in rows}
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is damaged: {error}") from None


def _write(path: Path, data: bytes) -> None:
    """Replace a file as a whole; only its owner reads it."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
