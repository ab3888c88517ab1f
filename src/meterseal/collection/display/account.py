"""Signing in and out, passwords, users; and acknowledging alarms: all that changes anything."""

from __future__ import annotations

import logging
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from meterseal.collection.display.access import (
    COOKIE,
    Forbidden,
    Form,
    Posted,
    TooManyAttempts,
    Visiting,
    Visitor,
    address_of,
    display_of,
    read_form,
    require,
    session_of,
    sign_in,
)
from meterseal.collection.display.sessions import LIFETIME
from meterseal.collection.display.showing import show
from meterseal.collection.display.users import Role, User
from meterseal.errors import UsageError

__all__ = ["router"]

_log: Final = logging.getLogger("meterseal.display")

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login(request: Request) -> Response:
    """Show the form for signing in."""
    if session_of(request) is not None:
        return RedirectResponse("/overview", 303)
    return show(request, "login.html", problem=None)


@router.post("/login")
def check_login(
    request: Request, fields: Annotated[dict[str, str], Depends(read_form)]
) -> Response:
    """Begin a session; its cookie goes to no other site and is hidden from scripts."""
    display, address = display_of(request), address_of(request)
    name = fields.get("name", "")
    try:
        user = sign_in(display, name, fields.get("password", ""), address)
    except TooManyAttempts as error:
        _log.warning("too many wrong passwords for %r from %s", name[:32], address)
        problem = ("wait", {"seconds": -(-error.wait // 1000)})
        return show(request, "login.html", 429, problem=problem)
    if user is None:
        _log.warning("wrong password for %r from %s", name[:32], address)
        return show(request, "login.html", 401, problem=("wrong_password", {}))
    _log.info("%s signed in from %s", user.name, address)
    return _begin(request, user, "/password" if user.must_change else "/overview")


@router.post("/logout")
def logout(request: Request, posted: Posted) -> Response:
    """End the session."""
    if posted.visitor.session is not None:
        display_of(request).sessions.end(posted.visitor.session.token)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/password")
def password(request: Request, _: Visiting) -> Response:
    """Show the form for another password."""
    return show(request, "password.html", problem=None, done=False)


@router.post("/password")
def change_password(request: Request, posted: Posted) -> Response:
    """Change one's own password; other sessions of the same user end."""
    display, user = display_of(request), posted.visitor.user
    new = posted["new"]
    if new != posted["again"]:
        return show(request, "password.html", 422, problem="passwords_differ", done=False)
    try:
        known = sign_in(display, user.name, posted["old"], address_of(request))
        if known is None:
            return show(request, "password.html", 401, problem="wrong_password", done=False)
        display.users.change_own_password(user.name, posted["old"], new)
    except UsageError:
        return show(request, "password.html", 422, problem="password_refused", done=False)
    _log.info("%s changed the password", user.name)
    changed = display.users.find(user.name)
    return _begin(request, changed or user, "/overview")


@router.post("/alarms/{alarm}/acknowledge")
def acknowledge(request: Request, posted: Posted, alarm: int) -> Response:
    """Note that somebody has seen an alarm: operators events, security officers incidents too."""
    display = display_of(request)
    found = {each.id: each for each in display.views.alarms(display.clock(), limit=100_000)}
    if alarm not in found:
        raise LookupError(f"there is no alarm {alarm}")
    of_station = found[alarm].origin == "station"
    require(posted.visitor, Role.SECURITY_OFFICER if of_station else Role.OPERATOR)
    who = posted.visitor.user.name
    if display.store.acknowledge(alarm, who, display.clock()):
        _log.info("%s acknowledged alarm %d", who, alarm)
    return RedirectResponse("/alarms", 303)


@router.get("/users")
def users(request: Request, found: Visiting) -> Response:
    """Show who may look at this display."""
    return _show_users(request, found)


@router.post("/users")
def change_users(request: Request, posted: Posted) -> Response:
    """Add, change or remove a user; nobody does it to oneself."""
    require(posted.visitor, Role.SECURITY_OFFICER)
    officer, name, action = posted.visitor.user.name, posted["name"], posted["action"]
    if name == officer:
        raise Forbidden("forbidden")
    try:
        shown = _change_users(request, posted)
    except (UsageError, ValueError) as error:
        return _show_users(request, posted.visitor, 422, problem=str(error))
    _log.info("%s changed users: %s %r", officer, action, name)
    return _show_users(request, posted.visitor, one_time=shown)


def _change_users(request: Request, posted: Form) -> tuple[str, str] | None:
    """Do what the form says; returns a name and its one-time password where there is a new one."""
    known, name = display_of(request).users, posted["name"]
    match posted["action"]:
        case "add":
            return name, known.add(name, _role(posted["role"]))
        case "reset":
            return name, known.change_password(name)
        case "role":
            known.change_role(name, _role(posted["role"]))
        case "remove":
            known.remove(name)
        case other:
            raise UsageError(f"{other[:20]!r} is nothing to do with a user")
    return None


def _show_users(
    request: Request,
    found: Visitor,
    status: int = 200,
    *,
    one_time: tuple[str, str] | None = None,
    problem: str | None = None,
) -> Response:
    require(found, Role.SECURITY_OFFICER)
    known = display_of(request).users.all()
    return show(request, "users.html", status, users=known, one_time=one_time, problem=problem)


def _role(name: str) -> Role:
    if name not in Role.__members__:
        raise UsageError(f"{name[:20]!r} is no role")
    return Role[name]


def _begin(request: Request, user: User, page: str) -> Response:
    display = display_of(request)
    session = display.sessions.begin(user, display.clock())
    answer = RedirectResponse(page, 303)
    answer.set_cookie(
        COOKIE,
        session.token,
        max_age=LIFETIME // 1000,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer
