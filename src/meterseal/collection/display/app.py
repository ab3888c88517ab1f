"""The application: pages, forms and API together, and how each says what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from meterseal.collection.display import account, api, history, pages, proof
from meterseal.collection.display.access import (
    Busy,
    Forbidden,
    Guard,
    NotSignedIn,
    PasswordDue,
    TooManyAttempts,
)
from meterseal.collection.display.showing import show
from meterseal.collection.station.store import StoreUnavailable
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.collection.display.display import Display

__all__ = ["make_app"]

_Failure = tuple[int, str, str]
"""Status, key of a text, detail."""


def make_app(display: Display) -> FastAPI:
    """Make the application of one display."""
    app = FastAPI(
        title="meterseal",
        summary="What a station knows; reading only. Times are UTC in ms since 1970.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its scripts would come from elsewhere
        redoc_url=None,
        exception_handlers=dict.fromkeys(_FAILURES, _answer),
    )
    app.state.display = display
    app.add_middleware(Guard)
    app.include_router(account.router)
    app.include_router(pages.router)
    app.include_router(history.router)
    app.include_router(proof.router)
    app.include_router(api.router)
    app.mount("/static", StaticFiles(packages=[("meterseal.collection.display", "static")]))
    return app


async def _answer(request: Request, error: Exception) -> Response:
    """Answer what went wrong: programs get JSON, people a page."""
    status, key, detail = _FAILURES[_kind_of(error)](error)
    headers: dict[str, str] = {}
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(-(-error.wait // 1000))
    if _is_program(request):
        if status == _UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Basic realm="meterseal", charset="UTF-8"'
        return JSONResponse({"error": key, "detail": detail}, status, headers)
    if isinstance(error, NotSignedIn | PasswordDue):
        page = "/login" if isinstance(error, NotSignedIn) else "/password"
        if "x-live" in request.headers:  # the script goes there itself
            return Response(status_code=_UNAUTHORIZED, headers=headers)
        return RedirectResponse(page, 303, headers)
    return show(request, "problem.html", status, key=key, detail=detail)


def _is_program(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/metrics", "/healthz"))


def _kind_of(error: Exception) -> type[Exception]:
    return next(kind for kind in type(error).__mro__ if kind in _FAILURES)


def _of_http(error: Exception) -> _Failure:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == _NOT_FOUND:
        return _NOT_FOUND, "not_found", "there is no such page"
    return error.status_code, "bad_request", str(error.detail)


def _of_validation(error: Exception) -> _Failure:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    detail = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in faults)
    return 422, "bad_request", detail


_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_FAILURES: Final[dict[type[Exception], Callable[[Exception], _Failure]]] = {
    NotSignedIn: lambda _: (_UNAUTHORIZED, "sign_in", "sign in, or send name and password"),
    PasswordDue: lambda _: (403, "must_change", "replace the one-time password first"),
    TooManyAttempts: lambda _: (429, "wait", "too many wrong passwords"),
    Forbidden: lambda error: (403, str(error), "your role, or where the form came from"),
    Busy: lambda _: (409, "busy", "one check of evidence at a time"),
    LookupError: lambda error: (_NOT_FOUND, "not_found", str(error)),
    UsageError: lambda error: (422, "bad_request", str(error)),
    RequestValidationError: _of_validation,
    HTTPException: _of_http,
    StoreUnavailable: lambda _: (503, "unavailable", "the store is not available now"),
}
