"""`meterseal station user`: who may look at a station's display."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from meterseal.cli.options import Json, print_json

if TYPE_CHECKING:
    from meterseal.collection.display.users import Users

__all__ = ["app"]

app = typer.Typer(help="Users of a station's display.", no_args_is_help=True)

StateOption = Annotated[
    Path, typer.Option("--state", help="The station's folder of state: `state` in its settings.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME")]
RoleOption = Annotated[
    Literal["viewer", "operator", "security-officer"], typer.Option("--role", help="What one may.")
]


@app.command("add")
def add_user(name: NameArgument, state: StateOption, role: RoleOption = "viewer") -> None:
    """Add a user; prints a password that must be changed at the first sign-in."""
    from meterseal.collection.display.users import Role

    print(_users(state).add(name, Role[role.upper().replace("-", "_")]))


@app.command("passwd")
def reset_password(name: NameArgument, state: StateOption) -> None:
    """Give a user a new one-time password, and end its sessions."""
    print(_users(state).change_password(name))


@app.command("list")
def list_users(state: StateOption, *, json: Json = False) -> None:
    """List all users with their roles."""
    rows = [
        {
            "name": user.name,
            "role": user.role.name.lower().replace("_", "-"),
            "must_change": user.must_change,
        }
        for user in _users(state).all()
    ]
    if json:
        print_json(rows)
        return
    for row in rows:
        pending = "  (must change the password)" if row["must_change"] else ""
        print(f"{row['name']:32}  {row['role']}{pending}")


def _users(state: Path) -> Users:
    from meterseal.collection.display.users import Users

    return Users(state)
