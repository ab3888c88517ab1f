"""Who asks, and whether they may: sessions by cookie, HTTP Basic for scripts, forms of our own."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, cast
from urllib.parse import parse_qs

from fastapi import Depends, Request

from meterseal.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from meterseal.collection.display.display import Display
    from meterseal.collection.display.sessions import Session
    from meterseal.collection.display.users import Role, User

__all__ = [
    "COOKIE",
    "Busy",
    "Forbidden",
    "Form",
    "Guard",
    "NotSignedIn",
    "PasswordDue",
    "TooManyAttempts",
    "Visitor",
    "display_of",
    "form",
    "require",
    "sign_in",
    "visitor",
]

COOKIE: Final = "meterseal_session"
_LARGEST_FORM: Final = 8192
_MOST_FIELDS: Final = 20
_SAFE: Final = {"GET", "HEAD"}
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    b" form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),  # without one, our own forms have no origin
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


_NEVER_KEPT: Final = (b"cache-control", b"no-store")
_REVALIDATED: Final = (b"cache-control", b"no-cache")


class NotSignedIn(Exception):
    """Nobody is signed in; `basic` if a program tried with a wrong name or password."""


class PasswordDue(Exception):
    """Somebody is, with a one-time password that must be replaced first."""


class Forbidden(Exception):
    """The role does not suffice, or the form is not ours; the argument is a key of the texts."""


class Busy(Exception):
    """Somebody else has the station do the same just now."""


class TooManyAttempts(Exception):
    """Too many wrong passwords: `wait` ms."""

    def __init__(self, wait: int) -> None:
        super().__init__(wait)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in; a program has no session."""

    user: User
    session: Session | None


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form that came from one of our pages, and who sent it."""

    visitor: Visitor
    fields: dict[str, str]

    def __getitem__(self, name: str) -> str:
        """Return a field, "" where it is missing."""
        return self.fields.get(name, "")


class Guard:
    """Adds the headers of safety to every answer; refuses what another site makes a browser send.

    A request that changes anything must name our own origin: browsers always say it, and no page
    can lie about it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = _REVALIDATED if scope["path"].startswith("/static/") else _NEVER_KEPT
                message["headers"] = [*message["headers"], *_HEADERS, kept]
            await send(message)

        scope["meterseal_own"] = scope["method"] in _SAFE or _is_own(Request(scope))
        await self._app(scope, receive, answer)


def _is_own(request: Request) -> bool:
    origin = request.headers.get("origin", "")
    return origin.partition("://")[2] == request.headers.get("host")


def display_of(request: Request) -> Display:
    """Return the display that serves this request."""
    return cast("Display", request.app.state.display)


def sign_in(display: Display, name: str, password: str, address: str) -> User | None:
    """Check a password, unless too many were wrong. Raises `TooManyAttempts`."""
    wait = display.throttle.admit(name, address, display.clock())
    if wait:
        raise TooManyAttempts(wait)
    user = display.users.authenticate(name, password)
    if user is not None:
        display.throttle.succeed(name, address)
    return user


def address_of(request: Request) -> str:
    """Return from where a request comes."""
    return request.client.host if request.client else ""


def session_of(request: Request) -> Visitor | None:
    """Return who has a session; one begun before the user changed is over."""
    display = display_of(request)
    session = display.sessions.find(request.cookies.get(COOKIE, ""), display.clock())
    if session is None:
        return None
    user = display.users.find(session.name)
    if user is None or user.version != session.version:
        display.sessions.end(session.token)
        return None
    return Visitor(user, session)


def visitor(request: Request) -> Visitor:
    """Return who asks for a page. Raises `NotSignedIn`, `PasswordDue`."""
    found = session_of(request)
    if found is None:
        raise NotSignedIn
    if found.user.must_change and request.url.path not in {"/password", "/logout"}:
        raise PasswordDue
    return found


def program(request: Request) -> Visitor:
    """Return who asks the API: by session, or by HTTP Basic.

    Raises `NotSignedIn`, `PasswordDue`, `TooManyAttempts`.
    """
    header = request.headers.get("authorization")
    if header is None:
        return visitor(request)
    name, password = _basic(header)
    user = sign_in(display_of(request), name, password, address_of(request))
    if user is None:
        raise NotSignedIn
    if user.must_change:
        raise PasswordDue
    return Visitor(user, None)


async def form(request: Request) -> Form:
    """Read a form of a page of ours. Raises `Forbidden` for any other, `UsageError` if too big."""
    fields = await read_form(request)
    found = visitor(request)
    csrf = found.session.csrf if found.session else ""
    if not secrets.compare_digest(fields.get("csrf", "").encode(), csrf.encode()):
        raise Forbidden("form_refused")
    return Form(found, fields)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form from our own origin, whoever sent it."""
    if not request.scope["meterseal_own"]:
        raise Forbidden("form_refused")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise UsageError(f"a form of more than {_LARGEST_FORM} bytes")
    try:
        fields = parse_qs(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise UsageError("a form that cannot be read") from None
    return {name: values[-1] for name, values in fields.items()}


def require(found: Visitor, role: Role) -> None:
    """Raise `Forbidden` if somebody's role does not suffice."""
    if found.user.role < role:
        raise Forbidden("forbidden")


def _basic(header: str) -> tuple[str, str]:
    scheme, _, credentials = header.partition(" ")
    try:
        name, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise NotSignedIn from None
    if scheme.lower() != "basic" or not colon:
        raise NotSignedIn
    return name, password


Visiting = Annotated[Visitor, Depends(visitor)]
Posted = Annotated[Form, Depends(form)]
