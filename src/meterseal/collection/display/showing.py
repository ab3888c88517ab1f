"""Pages from templates: the language and the lighting of whoever asks, values as people read them.

A page is rendered whole, or for the script that renews it without its frame; what has not changed
is answered with 304.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from meterseal.collection.display.access import display_of, session_of
from meterseal.collection.display.texts import LANGUAGES, TEXTS, text
from meterseal.collection.display.users import Role
from meterseal.collection.model import Quality, Quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import Request

__all__ = ["age", "amount", "clock_time", "language_of", "show", "size"]

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_TEMPLATES: Final = Environment(
    loader=PackageLoader("meterseal.collection.display"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_NOTHING: Final = "\N{EN DASH}"
_LATEST_TIME: Final = 253_402_300_799_000


def show(
    request: Request,
    template: str,
    status: int = 200,
    **context: Any,  # noqa: ANN401
) -> Response:
    """Render a page for whoever asks."""
    display = display_of(request)
    language, is_live = language_of(request), "x-live" in request.headers
    translate = partial(text, language)
    visitor = session_of(request)
    offset = display.store.day_offset
    body = _TEMPLATES.get_template(template).render(
        t=translate,
        texts_of=partial(_phases, translate),
        named=partial(_named, translate),
        size=size,
        age=partial(age, translate),
        at=partial(clock_time, offset),
        day=lambda at: clock_time(offset, at)[:10],
        midnight=lambda at: (at + offset) % _DAY == 0,
        amount=amount,
        quality=partial(_quality, translate),
        zone=f"UTC{offset / _HOUR:+g}",
        language=language,
        languages=LANGUAGES,
        theme=request.cookies.get("theme", ""),
        path=request.url.path,
        query=dict(request.query_params),
        live=is_live,
        station=display.name,
        now=display.clock(),
        visitor=visitor,
        roles=Role,
        **context,
    )
    headers = {"Content-Language": language}
    if request.method == "GET" and status == 200:  # noqa: PLR2004
        headers["ETag"] = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
    return HTMLResponse(body, status, headers)


def language_of(request: Request) -> str:
    """Return the language that somebody chose, or that the browser prefers."""
    chosen = request.cookies.get("language")
    if chosen in LANGUAGES:
        return chosen
    preferred = request.headers.get("accept-language", "").lower()
    return "zh" if preferred.startswith("zh") else "en"


def age(translate: Callable[..., str], milliseconds: int) -> str:
    """Say a length of time in its largest unit."""
    if milliseconds < -_SECOND:
        return f"{age(translate, -milliseconds)} {translate('in_the_future')}"
    value = max(milliseconds, 0)
    for unit, key, until in (
        (_SECOND, "seconds", 2 * _MINUTE),
        (_MINUTE, "minutes", 2 * _HOUR),
        (_HOUR, "hours", 2 * _DAY),
    ):
        if value < until:
            return translate(key, n=value // unit)
    return translate("days", n=value // _DAY)


def clock_time(offset: int, at: int) -> str:
    """Return UTC ms as date and time of the station's zone."""
    shown = datetime.fromtimestamp(min(max(at + offset, 0), _LATEST_TIME) / 1000, UTC)
    return shown.strftime("%Y-%m-%d %H:%M:%S")


def amount(values: Mapping[Quantity, int | None], name: str) -> str:
    """Return the value of a quantity with its decimals, a dash where there is none."""
    quantity = Quantity[name]
    steps = values.get(quantity)
    return _NOTHING if steps is None else f"{quantity.amount(steps):f}"


def _quality(translate: Callable[..., str], flags: Quality) -> list[str]:
    return [translate(f"quality_{flag.name}") for flag in flags] or [translate("quality_SOUND")]


def _named(translate: Callable[..., str], kind: str, name: str) -> str:
    """Return the text of a name that came from the store; one that is new stands for itself."""
    key = f"{kind}_{name}"
    return translate(key) if key in TEXTS else name


def size(count: int) -> str:
    """Say a number of bytes in the largest unit that leaves a digit before the point."""
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count >> power:
            return f"{count / (1 << power):.1f} {unit}"
    return f"{count} B"


def _phases(translate: Callable[..., str], name: str) -> str:
    """Return the text of a quantity, whose phase stands behind it: VOLTAGE_A is `Voltage A`."""
    stem, _, last = name.rpartition("_")
    return f"{translate(stem)} {last}" if last in {"A", "B", "C"} else translate(name)
